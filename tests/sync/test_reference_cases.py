"""The cases worth a test (anc-programme.md §10), each by its number."""

from typing import Any

import pytest

from janani.sync import delivery
from sync import sample
from sync.test_reference_defects import ELEMENTS, MAPPER, having, made, mapped, of

BOOLEANS = [
    (code, stage, text)
    for code, field in MAPPER.catalogue.elements.items()
    for stage, uid in MAPPER.programme.registry.stages.items()
    if field.uid in MAPPER.catalogue.stages[uid] and field.value_type in ("BOOLEAN", "TRUE_ONLY")
    for text in ("true", "false")
]


@pytest.mark.parametrize(("code", "stage", "text"), BOOLEANS)
def test_1_every_element_true_and_false(code: str, stage: str, text: str) -> None:
    mapped = MAPPER.map(of(stage, {code: text}), sample.context())
    assert mapped.left_out == []


@pytest.mark.parametrize("field", ["scheduledAt", "completedAt", "updatedBy", "updatedAt"])
def test_5_an_event_without(field: str) -> None:
    person = of("visit", {"ANC_HB": "11"})
    person["enrollments"][0]["events"][0].pop(field)
    assert made(person, "Encounter")
    assert made(person, "Observation")


def test_5_planned_after_it_was_completed_does_not_end_before_it_begins() -> None:
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["scheduledAt"] = "2025-12-01T00:00:00.000"
    assert made(person, "Encounter")[0]["period"] == {"start": "2025-09-04", "end": "2025-09-04"}


def test_7_an_event_moved_to_another_unit_is_that_units() -> None:
    person = of("visit", {})
    [before] = made(person, "Encounter")
    person["enrollments"][0]["events"][0]["orgUnit"] = "GYBZ1og9bk7"
    [after] = made(person, "Encounter")
    assert before["serviceProvider"] != after["serviceProvider"]
    assert before["identifier"] == after["identifier"]


@pytest.mark.parametrize(
    ("values", "components"),
    [
        ({"ANC_SYSTOLIC": "120"}, 1),
        ({"ANC_DIASTOLIC": "80"}, 1),
        ({"ANC_SYSTOLIC": "120", "ANC_DIASTOLIC": "80"}, 2),
    ],
)
def test_8_blood_pressure_by_halves(values: dict[str, str], components: int) -> None:
    [found] = made(of("visit", values), "Observation")
    given = [one for one in found["component"] if "valueQuantity" in one]
    assert len(given) == components


def test_8_half_a_blood_pressure_that_is_no_number_leaves_out_the_panel_and_says_so() -> None:
    mapped = MAPPER.map(of("visit", {"ANC_SYSTOLIC": "120", "ANC_DIASTOLIC": "eighty"}), sample.context())
    assert [(one.field, one.reason) for one in mapped.left_out] == [("blood-pressure", "not a number")]


@pytest.mark.parametrize(
    "values",
    [
        {"ANC_LMP": "2025-12-01"},
        {"ANC_LMP": "2025-06-01", "ANC_POA_REGISTRATION": "40"},
        {"ANC_LMP": "2025-06-01", "ANC_EDD_BY_DATES": "2026-06-01"},
    ],
)
def test_12_dates_that_disagree_are_carried_as_they_were_said(values: dict[str, Any]) -> None:
    person = of("registration", values)
    names = {one["identifier"][0]["value"].partition("-")[2] for one in made(person, "Observation")}
    assert {ELEMENTS[code] for code in values} <= names


def test_1_all_stages_completed() -> None:
    person = sample.person()
    events = [of(stage, values)["enrollments"][0]["events"][0] for stage, values in (
        ("registration", {"ANC_LMP": "2025-07-02"}), ("visit", {"ANC_HB": "11"}),
        ("referral", {"ANC_REFERRAL_REASON": "150/100"}), ("earlier", {"ANC_EP_OUTCOME": "LIVE_BIRTH"}),
        ("birth", {"ANC_OUTCOME": "LIVE_BIRTH"}), ("postnatal", {"ANC_VITAMIN_A": "true"}),
    )]  # fmt: skip
    person["enrollments"][0]["events"] = [one | {"event": f"Event{n:06}"} for n, one in enumerate(events)]
    assert [one["status"] for one in made(person, "Encounter")] == ["finished"] * 6
    assert mapped(person).left_out == []


def without(person: dict[str, Any], *attributes: str) -> dict[str, Any]:
    person["attributes"] = []
    for uid in attributes:
        sample.attribute(person, uid, None)
    return person


def test_2_no_phn_claims_no_profile() -> None:
    [patient] = made(without(sample.person(), "IrUmPkFMDU5"), "Patient")
    assert "meta" not in patient
    assert "esignet-subject" in mapped(without(sample.person(), "IrUmPkFMDU5")).patient


def test_2_a_phn_and_no_other_number_has_the_tracked_entity_as_second() -> None:
    [patient] = made(without(sample.person(), "CJLJmmp8r9g", "M6NNPC3hNrb"), "Patient")
    assert [one["value"] for one in patient["identifier"]] == ["12345678", sample.PERSON]
    assert "meta" in patient


@pytest.mark.parametrize(("text", "key"), [(" 12345678 ", "phn%7C12345678"), ("1|2", "phn%7C1%5C%7C2")])
def test_2_a_phn_with_blanks_or_a_bar(text: str, key: str) -> None:
    assert mapped(having("IrUmPkFMDU5", text)).patient.endswith(key)


@pytest.mark.parametrize(
    ("text", "given", "family"),
    [
        ("Kumari", [None], "Kumari"),
        ("A. B. Perera", ["A.", "B."], "Perera"),
        ("නිල්මිණි පෙරේරා", ["නිල්මිණි"], "පෙරේරා"),
        ("கமலா சிவகுமார்", ["கமலா"], "சிவகுமார்"),
        ("Nilmini  Perera", ["Nilmini"], "Perera"),
    ],
)
def test_3_names(text: str, given: list[str | None], family: str) -> None:
    name = made(having("VQl0wK3eqiw", text), "Patient")[0]["name"][0]
    assert (name["text"], name["given"], name["family"]) == (text, given, family)


@pytest.mark.parametrize(
    ("text", "city", "postal"),
    [
        ("12 Lake Road, 20850 Akurana, Kandy", "Akurana", "20850"),
        ("12 Lake Road\n20850 Akurana\nKandy", "Akurana", "20850"),
        ("5 Hill St, 22200 Nuwara Eliya", "Nuwara Eliya", "22200"),
        ("12 Lake Road, Akurana, Kandy", "Akurana", None),
    ],
)
def test_4_addresses(text: str, city: str, postal: str | None) -> None:
    [address] = made(having("EOMGwaUTMrU", text), "Patient")[0]["address"]
    assert (address["city"], address.get("postalCode")) == (city, postal)


@pytest.mark.parametrize("text", ["", " "])
def test_4_an_empty_address_is_none(text: str) -> None:
    assert "address" not in made(having("EOMGwaUTMrU", text), "Patient")[0]


def test_6_two_pregnancies_the_older_first_and_another_programme() -> None:
    person = sample.person()
    older = {"enrollment": "Older000001", "status": "COMPLETED", "enrolledAt": "2022-01-01", "events": []}
    older |= {"program": MAPPER.programme.registry.program, "attributes": []}
    other = older | {"enrollment": "Other000001", "program": "Other000000"}
    person["enrollments"] = [other, older, *person["enrollments"]]
    assert [one["status"] for one in made(person, "EpisodeOfCare")] == ["finished", "active"]


@pytest.mark.parametrize(("change", "states"), [({"deleted": True}, []), ({"status": "ACTIVE"}, ["in-progress"])])
def test_7_an_event_deleted_or_reopened_takes_its_values_out(change: dict[str, Any], states: list[str]) -> None:
    person = of("visit", {"ANC_HB": "11"})
    first = delivery.plan(mapped(person), None, "urn:test")
    person["enrollments"][0]["events"][0] |= change
    assert [one["status"] for one in made(person, "Encounter")] == states
    gone = delivery.no_longer(mapped(person), first.delivered)
    assert any(key.startswith("Observation") for key in gone)


@pytest.mark.parametrize(("text", "value"), [("120.5", 120.5), ("120.0", 120.0), ("120", 120)])
def test_8_a_number_with_decimals(text: str, value: float) -> None:
    [found] = made(of("visit", {"ANC_SYSTOLIC": text}), "Observation")
    assert found["component"][0]["valueQuantity"]["value"] == value


def test_9_blood_sugar_in_its_profiles_unit_and_a_decimal_comma_is_no_point() -> None:
    [found] = made(of("visit", {"ANC_BLOOD_SUGAR": "90"}), "Observation")
    assert found["valueQuantity"]["value"] == 4.996
    assert [one.field for one in mapped(of("visit", {"ANC_HB": "11,2"})).left_out] == ["ANC_HB"]


@pytest.mark.parametrize("zone", [None, sample.COLOMBO])
@pytest.mark.parametrize(("when", "length"), [("2025-09-16T00:00:00.000", 10), ("2025-09-16T10:30:00.000", 29)])
def test_10_times_by_the_servers_zone_and_days_as_days(zone: Any, when: str, length: int) -> None:
    person = of("visit", {})
    person["enrollments"][0]["events"][0]["occurredAt"] = when
    context = sample.context(zone) if zone else sample.context()
    start = next(one.resource for one in MAPPER.map(person, context).entries if one.kind == "Encounter")["period"]
    assert len(start["start"]) == length
    assert length == 10 or start["start"].endswith("+05:30" if zone else "+00:00")


def test_11_sent_twice_is_once_and_a_change_changes_its_own_resource() -> None:
    person = of("visit", {"ANC_HB": "11", "ANC_WEIGHT": "60"})
    first = delivery.plan(mapped(person), None, "urn:test")
    assert delivery.plan(mapped(person), first.delivered, "urn:test").bundle is None
    second = mapped(of("visit", {"ANC_HB": "12", "ANC_WEIGHT": "60"})).entries
    before = {one.key: one.digest for one in mapped(person).entries}
    changed = [one.key for one in second if before.get(one.key) != one.digest]
    assert [key.rpartition("-")[2] for key in changed] == [ELEMENTS["ANC_HB"]]
