"""The registry: a tracker and metadata server on the DHIS2 Web API (v42).

People's portals, the Capture app and the sync agent call it; it calls eSignet to sign staff in, and whatever its
Routes name (the relying party, the PHN authority). It keeps users, metadata, people, enrolments and events in
the schema `registry`, and a feed of what changed. A real DHIS2 takes its place by changing `registry.url`.
"""
