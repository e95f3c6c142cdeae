"""The shared health record: a FHIR R4 store below `/fhir`, with the NEHR profiles and SMART on FHIR.

It speaks FHIR R4 in JSON as HAPI FHIR does. The sync agent and the portals call it, and any other FHIR client may;
it calls eSignet alone, to sign people in. Every interaction goes through one `Door` made from who is asking
(`door.py`), so that rights, a patient's compartment, validation and audit can't be forgotten.
"""
