"""Clinical values in the form that anc-programme.md §7.3 asks for: each row of its table."""

import json
from typing import Any

import pytest

from sync import sample
from sync.test_reference_defects import ELEMENTS, made, of

RIGHT = [
    ("visit", {"ANC_SYSTOLIC": "120", "ANC_DIASTOLIC": "80"}, "85354-9", "vital-signs", {"mm[Hg]"}),
    ("visit", {"ANC_POA": "18"}, "11885-1", "exam", {"wk"}),
    ("registration", {"ANC_EDD_BY_DATES": "2026-04-08"}, "11779-6", "survey", "valueDateTime"),
    ("registration", {"ANC_EDD_BY_ULTRASOUND": "2026-04-08"}, "11781-2", "exam", "valueDateTime"),
    ("registration", {"ANC_EDD_CORRECTED": "2026-04-08"}, "11778-8", "survey", "valueDateTime"),
    ("registration", {"ANC_LMP": "2025-07-02"}, "8665-2", "survey", "valueDateTime"),
    ("registration", {"ANC_GRAVIDA": "3"}, "11996-6", "survey", "valueInteger"),
    ("registration", {"ANC_PARITY": "2"}, "11977-6", "survey", "valueInteger"),
    ("registration", {"ANC_LIVING_CHILDREN": "2"}, "11638-4", "survey", "valueInteger"),
    ("registration", {"ANC_AGE_YOUNGEST_CHILD": "4"}, "age-of-youngest-child", "survey", {"a"}),
    ("visit", {"ANC_FUNDAL_HEIGHT": "20"}, "11881-0", "exam", {"cm"}),
    ("visit", {"ANC_FOETAL_HEART_SOUNDS": "true"}, "foetal-heart-sounds", "exam", "249045009"),
    ("visit", {"ANC_FOETAL_HEART_RATE": "140"}, "55283-6", "exam", {"/min"}),
    ("visit", {"ANC_FOETAL_MOVEMENTS": "true"}, "57088-7", "exam", "52101004"),
    ("visit", {"ANC_HB": "11.2"}, "718-7", "laboratory", {"g/dL"}),
    ("visit", {"ANC_BLOOD_SUGAR": "90"}, "15074-8", "laboratory", {"mmol/L"}),
    ("visit", {"ANC_URINE_SUGAR": "true"}, "25428-4", "laboratory", "10828004"),
    ("visit", {"ANC_URINE_ALBUMIN": "false"}, "20454-5", "laboratory", "260385009"),
    ("visit", {"ANC_PALLOR": "false"}, "398979000", "exam", "2667000"),
    ("visit", {"ANC_ANKLE_OEDEMA": "true"}, "26237000", "exam", "52101004"),
    ("visit", {"ANC_FACIAL_OEDEMA": "true"}, "445088006", "exam", "52101004"),
    ("registration", {"ANC_CONSANGUINITY": "true"}, "842009", "social-history", "52101004"),
    ("registration", {"ANC_SUBFERTILITY": "false"}, "17276009", "social-history", "2667000"),
    ("visit", {"ANC_SPECIAL_FINDINGS": "none"}, "29545-1", "exam", "valueString"),
    ("referral", {"ANC_COMPLAINTS": "headache"}, "10154-3", "survey", "valueString"),
    ("referral", {"ANC_INVESTIGATION_RESULTS": "Hb 9"}, "30954-2", "laboratory", "valueString"),
    ("referral", {"ANC_MANAGEMENT": "rest"}, "18776-5", "exam", "valueString"),
]


@pytest.mark.parametrize(("stage", "values", "code", "category", "value"), RIGHT)
def test_7_3_each_observation_has_the_right_form(
    stage: str, values: dict[str, str], code: str, category: str, value: Any
) -> None:
    """§7.3: the rows of its table that are Observations; a set is a unit, a number the value's code."""
    wanted = [f"{sample.VISIT}-{ELEMENTS[next(iter(values))]}", f"{sample.VISIT}-blood-pressure"]
    [found] = [one for one in made(of(stage, values), "Observation") if one["identifier"][0]["value"] in wanted]
    assert found["code"]["coding"][0]["code"] == code
    assert found["category"][0]["coding"][0]["code"] == category
    text = json.dumps(
        found.get("component", found.get("valueQuantity", found.get("valueCodeableConcept", list(found))))
    )
    assert f'"{next(iter(value)) if isinstance(value, set) else value}"' in text


@pytest.mark.parametrize(
    ("code", "snomed", "local"),
    [
        ("ANC_CARDIAC", "56265001", "I51.9"),
        ("ANC_DIABETES", "73211009", "E14"),
        ("ANC_HEPATIC", "235856003", "K76.9"),
        ("ANC_HYPERTENSION", "38341003", "I10"),
        ("ANC_PSYCHIATRIC", "74732009", "F99"),
        ("ANC_RENAL", "90708001", "N28.9"),
    ],
)
def test_7_3_a_disease_has_both_codes_and_who_said_so_when(code: str, snomed: str, local: str) -> None:
    """§7.3: the rows of its table that are Conditions, and the table of local codes below it."""
    [found] = made(of("registration", {code: "true"}), "Condition")
    assert [one["code"] for one in found["code"]["coding"]] == [snomed, local]
    assert {"recordedDate", "recorder", "encounter"} <= set(found)
    assert found["category"][0]["coding"][0]["code"] == "problem-list-item"


@pytest.mark.parametrize(
    ("stage", "code", "msd"),
    [
        ("visit", "ANC_IRON_FOLATE", "00400501"),
        ("registration", "ANC_FOLIC_ACID", "00403401"),
        ("visit", "ANC_VITAMIN_C", "00402902"),
        ("visit", "ANC_CALCIUM", "00401601"),
        ("visit", "ANC_MEBENDAZOLE", "00106601"),
    ],
)
def test_7_3_a_medicine_is_a_product(stage: str, code: str, msd: str) -> None:
    """§7.3: the rows of its table that are medicines, and the list of local codes below it."""
    [found] = made(of(stage, {code: "true"}), "MedicationStatement")
    assert found["medicationCodeableConcept"]["coding"][0]["code"] == msd


def test_7_3_a_vaccine_of_the_past_is_said_to_be_of_the_past() -> None:
    """§7.3: the row for rubella."""
    [found] = made(of("registration", {"ANC_RUBELLA": "true"}), "Immunization")
    assert (found["occurrenceString"], found["primarySource"]) == ("Before this pregnancy", False)
