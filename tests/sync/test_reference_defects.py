"""What the reference's mapping gets wrong (anc-programme.md §7) is right here: one test for each line of its list.

Its table (§7.3) is in `test_reference_forms.py`.
"""

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest

from janani import programmes
from janani.record.validation import Validator
from janani.sync import delivery, mapping
from sync import sample

MAPPER = mapping.compile(programmes.load("anc_lk"))
ELEMENTS = {code: field.uid for code, field in MAPPER.catalogue.elements.items()}
GOLDEN = Path(__file__).parent / "golden" / "sample.json"
ASSERTING = ("Condition", "Immunization", "MedicationStatement")


def of(stage: str, values: dict[str, str]) -> dict[str, Any]:
    """The sample with one event of these values, by code."""
    person = sample.person()
    uid = MAPPER.programme.registry.stages[stage]
    held = {ELEMENTS[code]: text for code, text in values.items()}
    person["enrollments"][0]["events"] = [sample.event(sample.VISIT, uid, held)]
    return person


def having(attribute: str, text: str) -> dict[str, Any]:
    """The sample with another value of an attribute."""
    person = sample.person()
    person["attributes"] = []
    sample.attribute(person, attribute, text)
    return person


def mapped(person: dict[str, Any]) -> mapping.Mapped:
    return MAPPER.map(person, sample.context())


def made(person: dict[str, Any], kind: str = "") -> list[dict[str, Any]]:
    return [one.resource for one in mapped(person).entries if kind in ("", one.kind)]


def test_01_meta_is_an_object_with_a_list_of_profiles() -> None:
    """§7.1 line 1."""
    claimed = [one["meta"] for one in made(sample.person()) if "profile" in one.get("meta", {})]
    assert claimed
    assert all(isinstance(meta["profile"], list) for meta in claimed)


def test_02_full_urls_are_stable_uuids_by_name() -> None:
    """§7.1 line 2."""
    urls, again = ([one.full_url for one in mapped(sample.person()).entries] for _ in range(2))
    assert urls == again
    assert {UUID(url.removeprefix("urn:uuid:")).version for url in urls} == {5}


def test_03_references_inside_the_bundle_are_its_full_urls() -> None:
    """§7.1 line 3."""
    entries = mapped(sample.person()).entries
    referred = {url for one in entries for url in sample.references(one.resource)}
    assert referred <= {one.full_url for one in entries}


def test_04_bars_and_values_in_conditional_urls_are_percent_encoded() -> None:
    """§7.1 line 4."""
    person = sample.person()
    sample.attribute(person, "IrUmPkFMDU5", "12|34&5")
    keys = [one.key for one in mapped(person).entries]
    assert not [key for key in keys if re.search(r"[|&\\]", key)]
    assert mapped(person).patient.endswith("%7C12%5C%7C34%265")


@pytest.mark.parametrize(("zone", "offset"), [(UTC, "+00:00"), (sample.COLOMBO, "+05:30")])
def test_05_times_have_an_offset_and_midnight_is_a_day(zone: Any, offset: str) -> None:
    """§7.1 line 5."""
    person = of("visit", {"ANC_HB": "11"})
    event = person["enrollments"][0]["events"][0]
    assert made(person, "Observation")[0]["effectiveDateTime"] == "2025-09-04"
    event["occurredAt"] = "2025-09-04T10:30:00.000"
    found = [one.resource for one in MAPPER.map(person, sample.context(zone)).entries]
    assert next(one for one in found if "effectiveDateTime" in one)["effectiveDateTime"].endswith(offset)


def test_06_what_counts_is_when_the_visit_took_place() -> None:
    """§7.1 line 6."""
    person = of("visit", {"ANC_HB": "11"})
    person["enrollments"][0]["events"][0] |= {"scheduledAt": None, "completedAt": "2025-10-01T00:00:00.000"}
    assert made(person, "Encounter")[0]["period"]["start"] == "2025-09-04"
    assert made(person, "Observation")[0]["effectiveDateTime"] == "2025-09-04"


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        ("COMPLETED", "Encounter", "finished"),
        ("ACTIVE", "Encounter", "in-progress"),
        ("SCHEDULE", "Appointment", "booked"),
        ("OVERDUE", "Appointment", "booked"),
        ("SKIPPED", "Appointment", "cancelled"),
    ],
)
def test_07_an_events_state_is_said(status: str, kind: str, said: str) -> None:
    """§7.1 line 7; what is planned is an Appointment, which R4 has for it."""
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["status"] = status
    assert made(person, kind)[0]["status"] == said


def test_08_attributes_are_of_this_programmes_enrolment_and_else_her_own() -> None:
    """§7.1 line 8."""
    person = sample.person()
    other = {"enrollment": "Other000001", "program": "Other000000", "attributes": [], "events": []}
    other["attributes"] = [{"attribute": "VQl0wK3eqiw", "value": "Somebody Else"}]
    person["enrollments"].insert(0, other)
    assert made(person, "Patient")[0]["name"][0]["text"] == "John A. B. C. Doe"
    person["enrollments"][1]["attributes"] = []
    assert made(person, "Patient")[0]["birthDate"] == "1997-08-01"


def test_09_deleted_things_are_skipped_and_without_phn_the_next_number_counts() -> None:
    """§7.1 line 9."""
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["deleted"] = True
    sample.attribute(person, "IrUmPkFMDU5", None)
    sample.attribute(person, "CJLJmmp8r9g", None)
    person["attributes"] = [one for one in person["attributes"] if one["attribute"] != "CJLJmmp8r9g"]
    assert made(person, "Encounter") == []
    assert unquote(mapped(person).patient).endswith("nic|200012345678")


def test_10_an_observation_says_who_by_what_and_where() -> None:
    """§7.1 line 10."""
    person = of("visit", {"ANC_HB": "11"})
    [found], [visit] = made(person, "Observation"), made(person, "Encounter")
    assert found["performer"]
    assert found["device"]
    assert visit["location"]
    assert visit["serviceProvider"]
    assert {"Practitioner", "Organization", "Location"} <= {one["resourceType"] for one in made(person)}


def test_11_a_practitioner_without_telecom_claims_no_profile() -> None:
    """§7.1 line 11."""
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["updatedBy"] = {"uid": "noTelecomXX", "firstName": "A", "surname": "B"}
    found = next(one for one in made(person, "Practitioner") if "telecom" not in one)
    assert "meta" not in found


def test_12_she_was_registered_by_the_device_of_this_registry() -> None:
    """§7.1 line 12."""
    [device], [patient] = made(sample.person(), "Device"), made(sample.person(), "Patient")
    assert device["identifier"][0]["value"] == sample.context().system_id
    urls = {one.key.partition("?")[0]: one.full_url for one in mapped(sample.person()).entries}
    assert patient["extension"][0]["valueReference"] == {"reference": urls["Device"]}


def test_13_the_registration_number_is_the_pregnancys() -> None:
    """§7.1 line 13."""
    [episode] = made(sample.person(), "EpisodeOfCare")
    assert "ANC00000001" in [one["value"] for one in episode["identifier"]]
    assert "ANC00000001" not in json.dumps(made(sample.person(), "Patient"))
    assert all(one["episodeOfCare"] for one in made(sample.person(), "Encounter"))


def test_14_every_system_is_an_http_address() -> None:
    """§7.1 line 14."""
    systems = re.findall(r'"system": "([^"]*)"', json.dumps(made(sample.person())))
    assert {one for one in systems if not one.startswith("http")} <= {"phone", "email"}


def test_15_a_bundle_has_identifier_and_timestamp() -> None:
    """§7.1 line 15."""
    bundle = delivery.plan(MAPPER.map(sample.person(), sample.context()), None, "urn:test").bundle
    assert bundle is not None
    assert {"identifier", "timestamp"} <= set(json.loads(bundle))


def test_16_one_bad_value_is_left_out_and_named() -> None:
    """§7.1 line 16."""
    person = of("visit", {"ANC_HB": "a lot", "ANC_WEIGHT": "60"})
    assert [one["valueQuantity"]["value"] for one in made(person, "Observation")] == [60]
    assert [(one.field, one.reason) for one in mapped(person).left_out] == [("ANC_HB", "not a number")]


def test_17_one_word_is_a_family_name_whose_given_name_is_not_known() -> None:
    """§7.2 line 17."""
    name = made(having("VQl0wK3eqiw", "Kumari"), "Patient")[0]["name"][0]
    assert (name["text"], name["family"], name["given"]) == ("Kumari", "Kumari", [None])
    assert name["_given"][0]["extension"][0]["valueCode"] == "unknown"


@pytest.mark.parametrize("between", [", ", "\n"])
def test_18_an_address_has_its_parts_with_district_and_province(between: str) -> None:
    """§7.2 line 18."""
    text = between.join(["12 Lake Road", "20850 Nuwara Eliya", "Kandy"])
    [address] = made(having("EOMGwaUTMrU", text), "Patient")[0]["address"]
    assert (address["postalCode"], address["city"]) == ("20850", "Nuwara Eliya")
    assert (address["district"], address["state"], address["country"]) == ("Kandy", "Central Province", "LK")
    places = [one for districts in MAPPER.table.provinces.values() for one in districts]
    assert (len(MAPPER.table.provinces), len(places)) == (9, 25)


@pytest.mark.parametrize("text", ["0712345678", "071 234 5678", "+94 71 234 5678"])
def test_19_a_phone_is_in_its_international_form(text: str) -> None:
    """§7.2 line 19."""
    assert made(having("gGAQeOr1Pgu", text), "Patient")[0]["telecom"][0]["value"] == "+94712345678"


@pytest.mark.parametrize(("text", "taken"), [("912345678V", True), ("200012345678", True), ("not known", False)])
def test_20_a_nic_has_one_of_its_two_forms(text: str, taken: bool) -> None:
    """§7.2 line 20."""
    person = having("M6NNPC3hNrb", text)
    assert (text in [one["value"] for one in made(person, "Patient")[0]["identifier"]]) is taken
    assert [one.field for one in mapped(person).left_out] == ([] if taken else ["ANC_NIC"])


@pytest.mark.parametrize(("option", "said"), [("Female", "female"), ("Other", "other"), ("F", "unknown")])
def test_21_gender_is_what_was_said(option: str, said: str) -> None:
    """§7.2 line 21."""
    assert made(having("p7zizFkC6Lv", option), "Patient")[0]["gender"] == said


def test_22_the_reason_of_a_referral_is_its_own_text_and_no_null() -> None:
    """§7.4 line 22."""
    person = of("referral", {"ANC_REFERRAL_REASON": "150/100"})
    [request] = made(person, "ServiceRequest")
    assert request["reasonCode"] == [{"text": "150/100"}]
    assert "null" not in json.dumps(made(person))


def test_23_one_data_element_has_one_code_in_every_stage() -> None:
    """§7.4 line 23."""
    reason = {"ANC_REFERRAL_REASON": "high", "ANC_NEED_REFERRAL": "true"}
    said = [made(of(stage, reason), "ServiceRequest")[0] for stage in ("visit", "referral")]
    assert said[0]["code"] == said[1]["code"]


def test_24_no_local_code_is_a_uid() -> None:
    """§7.4 line 24."""
    local = re.findall(r"element#([^|\"\]]+)", (MAPPER.programme.folder / "mapping.yaml").read_text())
    assert len(local) > 30
    assert not [one for one in local if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", one)]


@pytest.mark.parametrize(
    "code", ["716101000000104", "886891000000102", "715851000000102", "1082101000000102", "1382601000000107"]
)
def test_25_no_concept_of_another_country_is_used(code: str) -> None:
    """§7.4 line 25."""
    assert code not in (MAPPER.programme.folder / "mapping.yaml").read_text()


def test_26_verification_status_is_of_its_code_system() -> None:
    """§7.4 line 26."""
    [found] = made(of("registration", {"ANC_DIABETES": "true"}), "Condition")
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    assert found["verificationStatus"]["coding"][0]["system"] == system


@pytest.mark.parametrize("code", ["ANC_DIABETES", "ANC_RUBELLA", "ANC_FOLIC_ACID"])
def test_27_a_no_asserts_nothing(code: str) -> None:
    """§7.4 line 27."""
    found = made(of("registration", {code: "false"}))
    assert [one["status"] for one in found if one["resourceType"] in ASSERTING] == (
        ["not-taken"] if code == "ANC_FOLIC_ACID" else []
    )


def test_28_an_immunization_has_its_encounter() -> None:
    """§7.4 line 28."""
    person = of("registration", {"ANC_RUBELLA": "true"})
    [found] = made(person, "Immunization")
    assert found["encounter"]


def test_29_the_clinical_resources_conform_too() -> None:
    """§7.4 line 29."""
    validator = Validator.load(MAPPER.programme.folder / "nehr")
    found = [issue for one in made(sample.person()) for issue in validator.validate(one)]
    assert [issue for issue in found if issue.severity in ("error", "fatal")] == []


def test_30_the_expected_bundle_has_none_of_this() -> None:
    """§7.4 line 30."""
    text = GOLDEN.read_text()
    assert json.loads(text)["entry"]
    assert not re.search(r'"meta": ?\[|T\d\d:\d\d:\d\d(\.\d+)?"|null', text)
    assert all(one["resource"]["period"]["start"] for one in json.loads(text)["entry"] if "period" in one["resource"])


def test_31_what_did_not_change_is_not_sent_again() -> None:
    """§7.4 line 31."""
    visits = [{"ANC_HB": "11", "ANC_WEIGHT": str(50 + number)} for number in range(12)]
    person = of("visit", {})
    events = [of("visit", values)["enrollments"][0]["events"][0] for values in visits]
    person["enrollments"][0]["events"] = [one | {"event": f"Visit{n:06}"} for n, one in enumerate(events)]
    first = delivery.plan(mapped(person), None, "urn:test")
    assert delivery.plan(mapped(person), first.delivered, "urn:test").bundle is None
    person["enrollments"][0]["events"][11]["dataValues"][0]["value"] = "12"
    second = delivery.plan(mapped(person), first.delivered, "urn:test").bundle
    assert second is not None
    assert [one["request"]["url"][:11] for one in json.loads(second)["entry"]].count("Observation") == 1


def test_32_a_value_taken_away_is_taken_from_the_record() -> None:
    """§7.4 line 32."""
    first = delivery.plan(mapped(of("visit", {"ANC_HB": "11", "ANC_WEIGHT": "60"})), None, "urn:test")
    gone = delivery.no_longer(mapped(of("visit", {"ANC_WEIGHT": "60"})), first.delivered)
    assert [key.endswith(ELEMENTS["ANC_HB"]) for key in gone] == [True]


def test_33_a_tick_that_is_missing_is_not_a_no() -> None:
    """§7.4 line 33."""
    assert made(of("visit", {}), "Observation") == []
