"""The validator as it ships, and the worked conforming entries of the programme."""

from typing import Any

import pytest

from janani import programmes
from janani.record.validation import Validator

NEHR = "http://fhir.health.gov.lk/ips/StructureDefinition/"
SYSTEMS = "http://fhir.health.gov.lk/ips/identifier/"
P, E, D, O, R, L = (f"urn:uuid:0b7c1a5e-0000-4000-8000-00000000000{n}" for n in range(1, 7))  # noqa: E741

Entry = dict[str, Any]


@pytest.fixture(scope="session")
def validator() -> Validator:
    programme = programmes.load("anc_lk")
    return Validator.load(programme.folder / programme.record.profiles)


def _claiming(profile: str, entry: Entry) -> Entry:
    return {"meta": {"profile": [NEHR + profile]}, **entry}


def _coded(system: str, code: str, text: str = "") -> Entry:
    return {"coding": [{"system": system, "code": code}]} | ({"text": text} if text else {})


def _quantity(value: float, unit: str, code: str) -> Entry:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}


def _identifier(system: str, value: str, kind: str, text: str) -> Entry:
    types = "http://fhir.health.gov.lk/ips/CodeSystem/cs-identifier-types"
    return {"use": "official", "system": SYSTEMS + system, "value": value, "type": _coded(types, kind, text)}


def _observation(profile: str, category: str, code: Entry, **rest: Any) -> Entry:
    return _claiming(
        profile,
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [_coded("http://terminology.hl7.org/CodeSystem/observation-category", category)],
            "code": code,
            "subject": {"reference": P},
            "encounter": {"reference": E},
            "effectiveDateTime": "2025-09-16",
            "performer": [{"reference": R}],
            "device": {"reference": D},
            **rest,
        },
    )


@pytest.fixture
def patient() -> Entry:
    return _claiming(
        "ips-patient",
        {
            "resourceType": "Patient",
            "extension": [{"url": NEHR + "patient-registration-system", "valueReference": {"reference": D}}],
            "identifier": [
                _identifier("phn", "12345678", "PHN", "Personal Health Number"),
                _identifier("nic", "200012345678", "NIC", "National identity number"),
            ],
            "name": [{"text": "Jane Doe", "family": "Doe", "given": ["Jane"]}],
            "gender": "female",
            "birthDate": "1997-08-01",
            "address": [
                {
                    "line": ["123 Main Street"],
                    "city": "Akurana",
                    "district": "Kandy",
                    "state": "Central Province",
                    "postalCode": "20850",
                    "country": "LK",
                }
            ],
        },
    )


@pytest.fixture
def encounter() -> Entry:
    return _claiming(
        "target-facility-encounter",
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": P},
            "participant": [{"individual": {"reference": R}}],
            "period": {"start": "2025-09-16"},
            "reasonCode": [_coded("http://snomed.info/sct", "77386006")],
            "serviceProvider": {"reference": O},
        },
    )


@pytest.fixture
def blood_pressure() -> Entry:
    return _observation(
        "blood-pressure",
        "vital-signs",
        _coded("http://loinc.org", "85354-9", "Blood Pressure"),
        component=[
            {
                "code": _coded("http://loinc.org", "8480-6", "Systolic blood pressure"),
                "valueQuantity": _quantity(120, "mmHg", "mm[Hg]"),
            },
            {
                "code": _coded("http://loinc.org", "8462-4", "Diastolic blood pressure"),
                "valueQuantity": _quantity(80, "mmHg", "mm[Hg]"),
            },
        ],
    )


@pytest.fixture
def haemoglobin() -> Entry:
    return _observation(
        "generic-observation",
        "laboratory",
        _coded("http://loinc.org", "718-7", "Hb (g/dl)"),
        valueQuantity=_quantity(11.2, "g/dL", "g/dL"),
    )


@pytest.fixture
def blood_sugar() -> Entry:
    return _observation(
        "random-blood-sugar",
        "laboratory",
        _coded("http://loinc.org", "15074-8", "Glucose"),
        valueQuantity=_quantity(4.996, "mmol/L", "mmol/L"),
    )


@pytest.fixture
def condition() -> Entry:
    terminology = "http://terminology.hl7.org/CodeSystem/"
    return _claiming(
        "medical-history",
        {
            "resourceType": "Condition",
            "clinicalStatus": _coded(terminology + "condition-clinical", "active"),
            "verificationStatus": _coded(terminology + "condition-ver-status", "confirmed"),
            "category": [_coded(terminology + "condition-category", "problem-list-item")],
            "code": _coded("http://snomed.info/sct", "38341003", "Hypertension"),
            "subject": {"reference": P},
            "encounter": {"reference": E},
            "recordedDate": "2025-09-04T07:37:47.106+00:00",
            "recorder": {"reference": R},
        },
    )


@pytest.fixture
def referral() -> Entry:
    return _claiming(
        "general-referral-request",
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "code": _coded("http://snomed.info/sct", "3457005", "Patient referral"),
            "subject": {"reference": P},
            "encounter": {"reference": E},
            "occurrenceDateTime": "2025-09-16",
            "requester": {"reference": R},
            "reasonCode": [{"text": "Blood pressure 150/100"}],
        },
    )


@pytest.fixture
def device() -> Entry:
    return _claiming(
        "device-information",
        {
            "resourceType": "Device",
            "identifier": [{"system": SYSTEMS + "system-id", "value": "5b21b377-f424-48c1-8c24-1980b4d00059"}],
            "status": "active",
            "type": _coded("http://snomed.info/sct", "706689003"),
            "version": [{"type": {"text": "DHIS2"}, "value": "2.42.1"}],
            "owner": {"reference": O},
            "location": {"reference": L},
        },
    )


@pytest.fixture
def organization() -> Entry:
    kind = _coded("http://terminology.hl7.org/CodeSystem/v2-0203", "XX", "Organization identifier")
    return _claiming(
        "organization",
        {
            "resourceType": "Organization",
            "identifier": [{"system": SYSTEMS + "hin", "value": "HIN0001", "type": kind}],
            "name": "Name of the facility",
        },
    )


@pytest.fixture
def location() -> Entry:
    return _claiming(
        "providers-location",
        {
            "resourceType": "Location",
            "status": "active",
            "name": "Name of the clinic",
            "managingOrganization": {"reference": O},
        },
    )


@pytest.fixture
def practitioner() -> Entry:
    return _claiming(
        "practitioner",
        {
            "resourceType": "Practitioner",
            "name": [{"family": "Perera", "given": ["Anura"]}],
            "telecom": [{"system": "email", "value": "dr.perera@moh.example"}],
        },
    )
