"""The sync agent: carries every change of the registry to the record, at least once in, exactly once in effect.

It reads the DHIS2 Web API (change feed or polling, whole tracked entities) and writes FHIR R4 transactions, mapped by
the programme's `mapping.yaml`. Nobody calls it but operators (`/status`, `/metrics`) and the record, which reads its
keys from `/jwks.json`.
"""
