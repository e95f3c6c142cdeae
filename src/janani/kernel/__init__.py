"""What every part stands on: PostgreSQL, HTTP, keys, the clock, identifiers, pages, logs and languages.

Nothing here knows about health, DHIS2 or FHIR.
"""
