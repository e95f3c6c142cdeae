"""Write-back's pure parts: whose word a version is, what it says, where it belongs, who is right."""

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from janani import programmes
from janani.kernel.ids import is_uid
from janani.programmes import ProgrammeFault
from janani.sync.back import definition, event
from janani.sync.back.judging import judge
from janani.sync.back.sorting import Sorter, Source, Version, digest, versions
from janani.sync.mapping import checking
from janani.sync.mapping.back import Back

PROGRAMME = programmes.load("anc_lk")
TABLE, CATALOGUE = checking.read(PROGRAMME)
BACK = Back(PROGRAMME, TABLE, CATALOGUE)
FOUND = definition.read(PROGRAMME, CATALOGUE)
assert FOUND is not None
DEFINITION = FOUND
SORTER = Sorter(BACK, TABLE.identifiers)
HB, EVENT = CATALOGUE.elements["ANC_HB"].uid, "aaaaaaaaaa1"
NOTES, DIAGNOSES = (CATALOGUE.elements[f"ANC_SPECIALIST_{code}"].uid for code in ("NOTES", "DIAGNOSES"))
Json = dict[str, Any]


def haemoglobin(value: float, name: str = "", **more: Any) -> Json:
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}], "text": "Haemoglobin"}
    quantity = {"value": value, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
    one: Json = {"resourceType": "Observation", "id": "o1", "status": "final", "code": code, "valueQuantity": quantity}
    return one | ({"identifier": [{"system": TABLE.identifiers["value"], "value": name}]} if name else {}) | more


def version(resource: Json | None, number: int = 2) -> Version:
    return Version("Observation", "o1", number, "2026-11-21T08:00:00Z", resource)


def test_what_the_sync_said_is_known_as_its_own() -> None:
    said = {EVENT: {HB: " ".join((digest(EVENT, HB, "11.1"), digest(EVENT, HB, "10.4")))}}
    name = f"{EVENT}-{HB}"
    assert SORTER.source(version(haemoglobin(11.1, name)), said) is None
    assert SORTER.source(version(haemoglobin(10.4, name)), said) is None  # an earlier word of its own
    assert SORTER.source(version(haemoglobin(9.9, name), 7), said) == Source("Observation/o1", name, 7)


def test_what_others_wrote_comes_back_with_the_visit_it_belongs_to() -> None:
    alone, visit = haemoglobin(9.9), haemoglobin(9.9, encounter={"reference": "Encounter/e1"})
    assert SORTER.source(version(alone), {}) == Source("Observation/o1", "", 2)
    assert SORTER.source(version(visit), {}) == Source("Encounter/e1", "", 2)
    assert SORTER.source(version(None), {}) is None


def test_a_history_bundle_is_read_as_versions_with_its_deletions() -> None:
    entries = [
        {"resource": haemoglobin(9, meta={"versionId": "3", "lastUpdated": "2026-11-21T08:00:00Z"})},
        {"request": {"method": "DELETE", "url": "Observation/o2"}, "response": {"etag": 'W/"4"'}},
        {"resource": {"resourceType": "Patient", "id": "p"}},
    ]
    found = [(one.reference, one.number, one.resource is None) for one in versions(entries)]
    assert found == [("Observation/o1", 3, False), ("Observation/o2", 4, True)]


def test_rows_read_what_they_can_and_words_keep_the_rest() -> None:
    condition = {"resourceType": "Condition", "id": "c", "code": {"text": "Placenta praevia"}}
    note = {
        "resourceType": "Observation",
        "id": "n",
        "status": "final",
        "code": {"text": "Note"},
        "valueString": "Rest",
    }
    odd = haemoglobin(30.5) | {"id": "x", "code": {"text": "Cervix"}, "valueQuantity": {"value": 30.5, "unit": "mm"}}
    found = event.read([haemoglobin(9.9), condition, note, odd], BACK, DEFINITION)
    assert found.texts == {HB: "9.9", DIAGNOSES: "Placenta praevia", NOTES: "Rest\nCervix: 30.5 mm"}
    assert not found.unread


def test_what_no_words_can_say_is_listed_by_type_and_code_without_its_value() -> None:
    silent = {"resourceType": "Observation", "id": "s", "status": "final", "code": {"coding": [{"code": "1"}]}}
    assert event.read([silent], BACK, DEFINITION).unread == ["Observation |1"]


def test_what_was_entered_in_error_is_not_said() -> None:
    assert event.read([haemoglobin(9.9, status="entered-in-error")], BACK, DEFINITION).texts == {}


def test_a_source_is_always_the_same_event_and_what_is_gone_is_taken_out() -> None:
    care = event.Care("woman", "enrolment", "unit")
    first = event.payload("Encounter/e1", care, DEFINITION, "2026-11-21", {HB: "9.9"}, [])
    again = event.payload("Encounter/e1", care, DEFINITION, "2026-11-21", {}, [HB])
    assert first["event"] == again["event"]
    assert is_uid(first["event"])
    assert {"dataElement": HB, "value": None} in again["dataValues"]
    assert {"dataElement": DEFINITION.origin, "value": "Encounter/e1"} in first["dataValues"]


def test_the_running_enrolment_is_meant_else_the_last_that_had_begun() -> None:
    def person(*enrollments: tuple[str, str]) -> Json:
        given = [
            {"enrollment": f"e{n}", "program": "p", "orgUnit": "u", "status": status, "enrolledAt": at}
            for n, (status, at) in enumerate(enrollments)
        ]
        return {"trackedEntity": "w", "enrollments": given}

    both = person(("COMPLETED", "2024-01-01"), ("ACTIVE", "2026-01-01"))
    assert event.care_of(both, "p", "2026-11-21") == event.Care("w", "e1", "u")
    assert event.care_of(both, "p", "2025-01-01") == event.Care("w", "e0", "u")
    assert event.care_of(person(), "p", "2026-11-21") is None


def test_the_day_is_the_clinics_own() -> None:
    late = {"resourceType": "Encounter", "period": {"start": "2026-11-20T20:00:00Z"}}
    assert event.day_of(late, ZoneInfo("Asia/Colombo")) == "2026-11-21"


NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("base", "registry", "record", "rule", "verdict"),
    [
        ("1", "2", "2", "ask", "same"),
        ("1", "1", "2", "registry", "record"),  # one side changed it: no rule is needed
        ("1", "2", "1", "record", "registry"),
        ("1", "2", "3", "registry", "registry"),
        ("1", "2", "3", "record", "record"),
        ("1", "2", "3", "ask", "ask"),
        ("1", "2", "3", "newest", "record"),
        ("1", "1", None, "ask", "record"),
        (None, "2", "3", "ask", "ask"),
    ],
)
def test_a_rule_decides_only_when_both_changed(
    base: str | None, registry: str | None, record: str | None, rule: Any, verdict: str
) -> None:
    assert judge(base, registry, record, rule, NOW, NOW + timedelta(seconds=1)) == verdict


def test_newest_asks_when_a_time_is_missing() -> None:
    assert judge("1", "2", "3", "newest", None, NOW) == "ask"


def test_the_file_of_the_programme_names_line_and_the_word_that_was_meant(tmp_path: Any) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(PROGRAMME.folder, folder, ignore=shutil.ignore_patterns("demo", "nehr"))
    file = folder / definition.FILE
    file.write_text(file.read_text().replace("ANC_HB: newest", "ANC_HBB: newest"))
    with pytest.raises(ProgrammeFault, match=r"write_back.yaml:\d+  there is no data element 'ANC_HBB'; did you mean"):
        definition.read(programmes.load(str(folder)), CATALOGUE)


@pytest.mark.parametrize(("registry", "record"), [("24.0", "24"), ("24", "24"), ("-0.50", "-0.5"), ("yes.", "yes.")])
def test_a_number_is_the_same_however_many_zeros_it_ends_with(registry: str, record: str) -> None:
    assert judge("20", registry, record, "ask", None, None) == "same"
    assert digest("event", "element", registry) == digest("event", "element", record)


def test_ten_is_not_one() -> None:
    assert judge("10", "10", "1", "ask", None, None) == "record"
    assert digest("event", "element", "10") != digest("event", "element", "1")
