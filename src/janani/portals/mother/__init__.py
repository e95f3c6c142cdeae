"""The mother's portal: a SMART client of the record with her own launch context. It reads her record and no other.

Which record is hers comes from the token answer, never from an address: no page of hers takes an id.
"""

from janani.portals.mother import pages

handlers = pages.handlers
