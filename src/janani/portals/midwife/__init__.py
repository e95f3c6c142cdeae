"""The midwife's portal: a client of the registry's Web API with the midwife's own token, and nothing more.

`forms`, `women`, `identity_state`, `derived` and `payloads` decide; `pages_*` read, call them, and show.
"""

from janani.portals.midwife import (
    pages_card,
    pages_care,
    pages_details,
    pages_drafts,
    pages_identity,
    pages_phone,
    pages_planned,
    pages_registration,
    pages_start,
)

handlers = [
    *pages_start.handlers,
    *pages_drafts.handlers,
    *pages_registration.handlers,
    *pages_identity.handlers,
    *pages_phone.handlers,
    *pages_card.handlers,
    *pages_care.handlers,
    *pages_planned.handlers,
    *pages_details.handlers,
]
