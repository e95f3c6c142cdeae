"""What the reference's mapping gets wrong is right here: one test for each defect of its list that no other file has.

By number: 1–10, 12–21 and 25–28 in `test_mapping.py` (profiles by its validator), 31–32 in `test_delivery.py`.
"""

import json
from typing import Any

import pytest

from janani import programmes
from janani.sync import delivery, mapping
from janani.sync.mapping.coverage import coverage
from janani.sync.mapping.table import codes
from sync import sample

MAPPER = mapping.compile(programmes.load("anc_lk"))
ELEMENTS = {code: field.uid for code, field in MAPPER.catalogue.elements.items()}
LOINC = {
    "height": "8302-2", "weight": "29463-7", "bmi": "39156-5", "blood group": "882-1", "haemoglobin": "718-7",
    "fetal heart rate": "55283-6", "presentation": "11876-0", "fetuses": "11878-6", "EDD by LMP": "11779-6",
    "EDD by ultrasound": "11781-2", "gestational age": "11885-1", "parity": "11977-6", "gravida": "11996-6",
    "living": "11638-4", "pregnancy status": "82810-3", "syphilis": "20507-0", "HIV": "56888-1",
    "glucose post 75 g": "1518-0", "glucose post meal": "1521-4", "Edinburgh scale": "99046-5",
    "fundal height": "11881-0", "urine protein": "20454-5", "urine glucose": "25428-4",
}  # fmt: skip
"""The codes for what the reference lacks."""
STAYS = {
    *("ANC_SPECIALIST_DIAGNOSES", "ANC_SPECIALIST_MEDICINES", "ANC_SPECIALIST_NOTES", "ANC_REFERRAL_ANSWER"),
    "ANC_RECORD_ORIGIN",  # these come from the record
    "ANC_AGE",  # the birth date says it
    *("ANC_IDENTITY_STATUS", "ANC_IDENTITY_VERIFIED_AT", "ANC_IDENTITY_PROVIDER", "ANC_IDENTITY_LEVEL"),
    *("ANC_IDENTITY_VERIFIED_FIELDS", "ANC_PHN_MISMATCH_REASON"),  # the registry's own business
    "ANC_GN_DIVISION",  # more exact than a record needs
    "ANC_VIOLENCE_SCREEN",  # others at home read her record with her
}
"""Deliberately not carried."""


def of(stage: str, values: dict[str, str]) -> dict[str, Any]:
    """The sample with one event of these values, by code."""
    person = sample.person()
    uid = MAPPER.programme.registry.stages[stage]
    held = {ELEMENTS[code]: text for code, text in values.items()}
    person["enrollments"][0]["events"] = [sample.event(sample.VISIT, uid, held)]
    return person


def made(person: dict[str, Any], kind: str = "") -> list[dict[str, Any]]:
    return [one.resource for one in MAPPER.map(person, sample.context()).entries if kind in ("", one.kind)]


def test_11_a_practitioner_without_telecom_claims_no_profile() -> None:
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["updatedBy"] = {"uid": "noTelecomXX", "firstName": "A", "surname": "B"}
    found = next(one for one in made(person, "Practitioner") if "telecom" not in one)
    assert "meta" not in found


def test_15_a_bundle_has_identifier_and_timestamp() -> None:
    bundle = delivery.plan(MAPPER.map(sample.person(), sample.context()), None, "urn:test").bundle
    assert bundle is not None
    assert {"identifier", "timestamp"} <= set(json.loads(bundle))


def test_22_the_reason_of_a_referral_is_its_own_text_and_no_null() -> None:
    person = of("referral", {"ANC_REFERRAL_REASON": "150/100"})
    [request] = made(person, "ServiceRequest")
    assert request["reasonCode"] == [{"text": "150/100"}]
    assert "null" not in json.dumps(made(person))


def test_23_one_data_element_has_one_code_in_every_stage() -> None:
    reason = {"ANC_REFERRAL_REASON": "high", "ANC_NEED_REFERRAL": "true"}
    said = [made(of(stage, reason), "ServiceRequest")[0] for stage in ("visit", "referral")]
    assert said[0]["code"] == said[1]["code"]


@pytest.mark.parametrize(
    "code", ["716101000000104", "886891000000102", "715851000000102", "1082101000000102", "1382601000000107"]
)
def test_25_no_concept_of_another_country_is_used(code: str) -> None:
    assert code not in (MAPPER.programme.folder / "mapping.yaml").read_text()


def test_26_verification_status_is_of_its_code_system() -> None:
    [found] = made(of("registration", {"ANC_DIABETES": "true"}), "Condition")
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    assert found["verificationStatus"]["coding"][0]["system"] == system


def test_28_an_immunization_has_its_encounter() -> None:
    person = of("registration", {"ANC_RUBELLA": "true"})
    [found] = made(person, "Immunization")
    assert found["encounter"]


def test_33_a_tick_that_is_missing_is_not_a_no() -> None:
    assert made(of("visit", {}), "Observation") == []


@pytest.mark.parametrize("thing", LOINC)
def test_what_the_reference_lacks_has_its_code(thing: str) -> None:
    known = {code.partition("|")[0] for row in MAPPER.table.observations for code in codes(row.code)}
    assert f"loinc#{LOINC[thing]}" in known


def test_what_is_not_carried_is_meant_to_stay() -> None:
    assert {field.code for field in coverage(MAPPER.table, MAPPER.catalogue).missing} == STAYS
