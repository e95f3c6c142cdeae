"""Cases worth a test (issue 4) that no other file has; the others are in `test_mapping.py` and `test_delivery.py`."""

from typing import Any

import pytest

from sync import sample
from sync.test_reference_defects import ELEMENTS, MAPPER, made, of

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
