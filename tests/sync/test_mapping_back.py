"""The same row reads back: what the registry holds comes back as it went, and what a doctor wrote is understood."""

import datetime
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from janani import programmes
from janani.sync import mapping
from janani.sync.mapping import checking
from janani.sync.mapping.back import BackValue, compile_back
from janani.sync.mapping.coverage import uses
from sync import sample

PROGRAMME = programmes.load("anc_lk")
TABLE, CATALOGUE = checking.read(PROGRAMME)
METADATA = json.loads((PROGRAMME.folder / "metadata.json").read_bytes())
MAPPER, BACK, CONTEXT = mapping.compile(PROGRAMME), compile_back(PROGRAMME), sample.context()
NAMED = {(CATALOGUE.attributes if use.attribute else CATALOGUE.elements)[use.code].uid for use in uses(TABLE)}
ELEMENTS = {code: field.uid for code, field in CATALOGUE.elements.items()}
_CODE = {field.uid: code for fields in (CATALOGUE.elements, CATALOGUE.attributes) for code, field in fields.items()}
_FIELDS = {field.uid: field for fields in (CATALOGUE.elements, CATALOGUE.attributes) for field in fields.values()}
_LOST = {(one.field, text) for one in BACK.one_way for text in (one.texts or ("",))}
_IDENTIFIERS = {"event": TABLE.identifiers["event"], "value": TABLE.identifiers["value"]}


def _texts(uid: str) -> st.SearchStrategy[str]:
    """Values as DHIS2 keeps them, in the plain form: no zeros at the end, no blanks around."""
    field = _FIELDS[uid]
    if field.code == "ANC_NIC":
        return st.from_regex(r"[0-9]{9}[VX]|[0-9]{12}", fullmatch=True)
    if field.options:
        return st.sampled_from(sorted(field.options))
    return {
        "BOOLEAN": st.sampled_from(["true", "false"]),
        "TRUE_ONLY": st.just("true"),
        "DATE": st.dates(min_value=datetime.date(1950, 1, 1), max_value=datetime.date(2200, 1, 1)).map(str),
        "NUMBER": st.integers(0, 9000).map(lambda tenths: f"{tenths / 10:g}"),
        "INTEGER": st.integers(-1000, 1000).map(str),
        "INTEGER_POSITIVE": st.integers(1, 1000).map(str),
        "INTEGER_ZERO_OR_POSITIVE": st.integers(0, 1000).map(str),
        "PHONE_NUMBER": st.integers(710_000_000, 719_999_999).map(lambda number: f"+94{number}"),
    }.get(field.value_type, st.text("abcXYZ සිත்த0123-", min_size=1, max_size=20).map(str.strip).filter(bool))


def _held(draw: st.DrawFn, uids: list[str]) -> dict[str, str]:
    chosen = draw(st.lists(st.sampled_from(sorted(uids)), unique=True))
    return {uid: draw(_texts(uid)) for uid in chosen}


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    person = sample.person()
    enrollment = person["enrollments"][0]
    attributes = _held(draw, [field.uid for field in CATALOGUE.attributes.values()])
    person["attributes"] = []
    enrollment["attributes"] = [{"attribute": uid, "value": value} for uid, value in attributes.items()]
    stages = draw(st.lists(st.sampled_from(METADATA["programStages"]), max_size=3))
    enrollment["events"] = [
        sample.event(f"event{number:06}", stage["id"], _held(draw, list(CATALOGUE.stages[stage["id"]])))
        for number, stage in enumerate(stages)
    ]
    return person


def _carried(uid: str, text: str) -> bool:
    code = _CODE[uid]
    return uid in NAMED and (code, "") not in _LOST and (code, text) not in _LOST


def _expected(person: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What the table promises to bring back: (event or "", field, text)."""
    enrollment = person["enrollments"][0]
    found = {("", one["attribute"], one["value"]) for one in enrollment["attributes"]}
    for event in enrollment["events"]:
        found |= {(event["event"], one["dataElement"], one["value"]) for one in event["dataValues"]}
    return {one for one in found if _carried(*one[1:])}


def to_dhis2(entries: list[mapping.Entry]) -> set[tuple[str, str, str]]:
    """(event or "", field, text) that the resources say."""
    found = set()
    for entry in entries:
        own = {one["system"]: one["value"] for one in entry.resource.get("identifier", ())}
        event = own.get(_IDENTIFIERS["event"]) or own.get(_IDENTIFIERS["value"], "").partition("-")[0]
        found |= {("" if one.attribute else event, one.uid, one.text) for one in BACK.read(entry.resource)}
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(people())
def test_whatever_goes_to_the_record_comes_back(person: dict[str, Any]) -> None:
    mapped = MAPPER.map(person, CONTEXT)
    assert mapped.left_out == []
    back = to_dhis2(mapped.entries)
    assert {one for one in back if _carried(*one[1:])} == _expected(person)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(people())
def test_without_our_identifiers_the_codes_alone_say_the_same(person: dict[str, Any]) -> None:
    """A doctor's resource carries codes, no identifier of ours; the stage it is for decides between equal codes."""
    roles = {uid: role for role, uid in PROGRAMME.registry.stages.items()}
    stages = {one["event"]: roles[one["programStage"]] for one in person["enrollments"][0]["events"]}
    for entry in MAPPER.map(person, CONTEXT).entries:
        own = {one["system"]: one["value"] for one in entry.resource.get("identifier", ())}
        event, _, name = own.get(_IDENTIFIERS["value"], "").partition("-")
        if name in _FIELDS:
            bare = {key: value for key, value in entry.resource.items() if key != "identifier"}
            assert BACK.read(bare, stages[event]) == BACK.read(entry.resource, stages[event])


def _observation(code: str, **value: Any) -> dict[str, Any]:
    system, _, code = code.rpartition("|")
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {
            "coding": [{"system": "urn:other", "code": "x"}, {"system": system or "http://loinc.org", "code": code}]
        },
    } | value


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


BP = [
    {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}, "valueQuantity": _quantity(142, "mm[Hg]")},
    {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]}, "valueQuantity": _quantity(95, "mm[Hg]")},
]
SCT = "http://snomed.info/sct"


@pytest.mark.parametrize(
    ("resource", "code", "text"),
    [
        (_observation("718-7", valueQuantity=_quantity(10.5, "g/dL")), "ANC_HB", "10.5"),
        (_observation("718-7", valueQuantity={"value": 11.0, "unit": "g/dL"}), "ANC_HB", "11"),
        (_observation("15074-8", valueQuantity=_quantity(4.996, "mmol/L")), "ANC_BLOOD_SUGAR", "90"),
        (_observation("11996-6", valueInteger=3), "ANC_GRAVIDA", "3"),
        (_observation("11779-6", valueDateTime="2026-04-07T20:00:00Z"), "ANC_EDD_BY_DATES", "2026-04-08"),
        (_observation("20454-5", valueBoolean=True), "ANC_URINE_ALBUMIN", "true"),
        (
            _observation("20507-0", valueCodeableConcept={"coding": [{"system": SCT, "code": "10828004"}]}),
            "ANC_SYPHILIS",
            "POSITIVE",
        ),
        (
            _observation(
                "20507-0",
                dataAbsentReason={
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                            "code": "not-performed",
                        }
                    ]
                },
            ),
            "ANC_SYPHILIS",
            "NOT_DONE",
        ),
        (_observation("8480-6", valueQuantity=_quantity(130, "mm[Hg]")), "ANC_SYSTOLIC", "130"),
        (
            {
                "resourceType": "MedicationRequest",
                "status": "active",
                "medicationCodeableConcept": {
                    "coding": [
                        {
                            "system": "http://fhir.health.gov.lk/ips/CodeSystem/cs-medication-name-msd",
                            "code": "00401601",
                        }
                    ]
                },
            },
            "ANC_CALCIUM",
            "true",
        ),
        (
            {
                "resourceType": "Condition",
                "clinicalStatus": {"coding": [{"code": "active"}]},
                "code": {"coding": [{"system": SCT, "code": "73211009"}]},
            },
            "ANC_DIABETES",
            "true",
        ),
        ({"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}}, "ANC_ALLERGIES", "Penicillin"),
    ],
)
def test_what_a_doctor_wrote_is_read_by_any_known_code(resource: dict[str, Any], code: str, text: str) -> None:
    (found,) = BACK.read(resource)
    assert (found.uid, found.text) == (ELEMENTS[code], text)


def test_a_panel_gives_each_of_its_components() -> None:
    found = BACK.read(_observation("85354-9", component=BP), "visit")
    assert found == [
        BackValue(ELEMENTS["ANC_SYSTOLIC"], "visit", "142"),
        BackValue(ELEMENTS["ANC_DIASTOLIC"], "visit", "95"),
    ]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (_observation("718-7", valueQuantity=_quantity(105, "g/L")), "another unit than g/dL"),
        (_observation("718-7", valueString="low"), "no quantity"),
        (_observation("718-7", status="preliminary", valueQuantity=_quantity(10, "g/dL")), "not final"),
        (_observation("718-7", valueQuantity=_quantity(10, "g/dL") | {"comparator": "<"}), "no number"),
        (_observation("8665-2", valueDateTime="2025-07"), "not a whole date"),
        (_observation("11885-1", valueQuantity=_quantity(18, "wk")), "several rows have this code"),
        (_observation("18776-5", valueString="Rest"), "several rows have this code"),
    ],
)
def test_what_can_not_be_read_is_refused_in_words(resource: dict[str, Any], reason: str) -> None:
    said: list[str] = []
    assert BACK.read(resource, refuse=lambda field, text: said.append(text)) == []
    assert reason in said[0]


def test_the_stage_or_the_words_tell_rows_with_one_code_apart() -> None:
    weeks = _observation("11885-1", valueQuantity=_quantity(18, "wk"))
    assert BACK.read(weeks, "visit") == [BackValue(ELEMENTS["ANC_POA"], "visit", "18")]
    plan = _observation("18776-5", valueString="Rest")
    plan["code"]["text"] = "plan of management"
    assert BACK.read(plan) == [BackValue(ELEMENTS["ANC_PLAN"], "referral", "Rest")]


@pytest.mark.parametrize(
    "resource",
    [
        _observation("9999-9", valueString="x"),
        _observation("718-7", status="entered-in-error", valueQuantity=_quantity(10, "g/dL")),
        _observation("82810-3", valueCodeableConcept={"coding": [{"system": SCT, "code": "77386006"}]}),
        {"resourceType": "Practitioner"},
        {"resourceType": "Observation"},
    ],
)
def test_what_no_row_knows_or_is_withdrawn_gives_nothing(resource: dict[str, Any]) -> None:
    said: list[str] = []
    assert BACK.read(resource, refuse=lambda field, text: said.append(text)) == []
    assert said == []


def test_rows_that_can_not_be_inverted_say_so() -> None:
    whole = {one.field: one.reason for one in BACK.one_way if not one.texts}
    assert whole["edd"] == "worked out from ANC_LMP"
    assert "pregnancy" in whole
    assert [one.row for one in BACK.one_way if "Task" in one.reason] == ["referrals: visit", "referrals: referral"]
    assert "patient: deceased" in {one.row for one in BACK.one_way}
    assert {one.field for one in BACK.one_way if one.texts == ("false",)} >= {"ANC_DIABETES", "ANC_RUBELLA"}
