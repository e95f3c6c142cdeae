"""The portals: server-rendered pages for the midwife, the doctor and the mother.

Each is an ordinary client of the wires: the midwife's of the registry (DHIS2 Web API, and through its Routes the
relying party and the PHN authority), the doctor's and the mother's of the record (FHIR, SMART App Launch). They keep
sessions and drafts in the schema `portals` and nothing else of anybody.
"""
