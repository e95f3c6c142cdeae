"""One typed client a protocol: eSignet's OIDC, the DHIS2 Web API, FHIR and the PHN authority.

Used by the parts and by the contract tests alike. Every call has a time limit.
"""
