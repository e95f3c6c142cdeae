"""What the doctor's and mother's pages make of a record, and what the doctor's form makes for it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from janani import programmes
from janani.portals.chart.definition import Definition, definition
from janani.portals.chart.svg import HEIGHT, WIDTH, draw
from janani.portals.chart.view import View, newest, value_of, view
from janani.portals.doctor.additions import Additions, bundle, read
from janani.record.validation import Validator

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PROGRAMME = programmes.load("anc_lk")


@pytest.fixture(scope="module")
def chart() -> Definition:
    return definition(PROGRAMME)


def observation(code: str, day: str, **value: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{code}-{day}",
        "code": {"coding": [{"code": code}], "text": code},
        "encounter": {"reference": "Encounter/e1"},
        "effectiveDateTime": day,
        **value,
    }


def pressure(day: str, systolic: float, diastolic: float) -> dict[str, Any]:
    parts = [("8480-6", systolic), ("8462-4", diastolic)]
    components = [
        {"code": {"coding": [{"code": code}]}, "valueQuantity": {"value": value, "unit": "mmHg"}}
        for code, value in parts
    ]
    return observation("85354-9", day, component=components)


def record(*more: dict[str, Any]) -> list[dict[str, Any]]:
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "name": [{"text": "Kumari Dissanayake"}],
        "birthDate": "1996-03-14",
    }
    encounter = {"resourceType": "Encounter", "id": "e1", "status": "finished", "period": {"start": "2026-11-07"}}
    # 2026-07-04 to 2026-11-21 are 140 days: 20 weeks.
    return [patient, encounter, observation("8665-2", "2026-11-07", valueDateTime="2026-07-04"), *more]


def seen(chart: Definition, *more: dict[str, Any]) -> View:
    return view(record(*more), chart, PROGRAMME, NOW)


def test_weeks_and_due_date_follow_from_the_last_period(chart: Definition) -> None:
    her = seen(chart)
    assert her.weeks == 20
    assert her.due == date(2027, 4, 10)  # 2026-07-04 + 280 days


def test_a_due_date_by_ultrasound_wins(chart: Definition) -> None:
    scan = observation("11781-2", "2026-11-07", valueDateTime="2027-04-02")
    dates = observation("11779-6", "2026-11-07", valueDateTime="2027-04-10")
    assert seen(chart, dates, scan).due == date(2027, 4, 2)


@pytest.mark.parametrize(
    "ending",
    [
        {"resourceType": "Encounter", "id": "b", "status": "finished", "type": [{"coding": [{"code": "birth"}]}]},
        {"resourceType": "EpisodeOfCare", "id": "e", "status": "finished"},
        {"resourceType": "EpisodeOfCare", "id": "e", "status": "cancelled"},
    ],
)
def test_a_pregnancy_ends_with_a_birth_or_with_its_episode(chart: Definition, ending: dict[str, Any]) -> None:
    after = seen(chart, ending | {"period": {"start": "2026-11-12T08:00:00+05:30"}})
    assert (after.weeks, after.due) == (None, None)
    earlier = seen(chart, ending | {"period": {"start": "2025-11-12"}})
    assert (earlier.weeks, earlier.due) == (20, date(2027, 4, 10))


def test_an_open_episode_ends_nothing_and_a_pregnancy_is_not_endless(chart: Definition) -> None:
    opened = {"resourceType": "EpisodeOfCare", "id": "e", "status": "active", "period": {"start": "2026-11-07"}}
    assert seen(chart, opened).weeks == 20
    late = view(record(), chart, PROGRAMME, NOW + timedelta(weeks=30))
    assert (late.weeks, late.due) == (None, None)


def test_the_dates_of_an_earlier_pregnancy_are_not_those_of_this(chart: Definition) -> None:
    scan = observation("11781-2", "2024-06-01", valueDateTime="2024-12-01")
    assert seen(chart, scan).due == date(2027, 4, 10)


def test_a_pressure_is_two_lines_of_a_chart_and_one_fact(chart: Definition) -> None:
    her = seen(chart, pressure("2026-11-07", 118, 74), pressure("2026-11-21", 144, 94))
    [drawn] = [one for one in her.charts if one.definition.title == "Blood pressure"]
    assert [(line.name, [point.value for point in line.points]) for line in drawn.series] == [
        ("Systolic", [118, 144]),
        ("Diastolic", [74, 94]),
    ]
    assert [fact.value for fact in her.newest] == ["144/94 mmHg"]


def test_a_value_of_another_foetus_says_so_and_hides_no_one_elses(chart: Definition) -> None:
    rate = {"code": {"coding": [{"code": "55283-6"}]}, "effectiveDateTime": "2026-10-01"}
    first = rate | {"valueQuantity": {"value": 140, "unit": "/min"}}
    second = rate | {"valueQuantity": {"value": 152, "unit": "/min"}, "focus": [{"display": "Second foetus"}]}
    found = newest([first, second], chart.mother)
    assert [(fact.label, fact.value) for fact in found] == [
        ("Baby's heart beats a minute", "140 /min"),
        ("Baby's heart beats a minute (Second foetus)", "152 /min"),
    ]


def test_every_point_of_a_drawing_is_inside_its_box(chart: Definition) -> None:
    her = seen(chart, pressure("2026-11-07", 60, 30), pressure("2026-11-21", 210, 130))
    for one in her.charts:
        for line in draw(one).lines:
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y, _words in line.points)


def test_a_refuted_problem_is_not_shown_and_a_past_appointment_is_not_coming(chart: Definition) -> None:
    refuted = {
        "resourceType": "Condition",
        "id": "c",
        "code": {"text": "x"},
        "verificationStatus": {"coding": [{"code": "refuted"}]},
    }
    past = {"resourceType": "Appointment", "id": "a", "status": "booked", "start": "2026-11-20T08:00:00+05:30"}
    her = seen(chart, refuted, past)
    assert (her.problems, her.coming) == ([], [])


ALL = Additions(
    measured={
        "systolic": 144,
        "diastolic": 94,
        "weight": 56.5,
        "haemoglobin": 10.8,
        "fundal_height": 20,
        "fetal_heart_rate": 142,
    },
    diagnosis="gestational-hypertension",
    medicine="methyldopa",
    dose="250 mg three times a day",
    note="Review in two weeks.",
    follow_up="2026-12-05",
)


def test_what_the_doctor_adds_conforms_to_the_national_profiles(chart: Definition) -> None:
    validator = Validator.load(PROGRAMME.folder / PROGRAMME.record.profiles)
    written = bundle(ALL, chart, "form-1", "p1", "Practitioner/d1", NOW)
    faults = [
        (entry["resource"]["resourceType"], issue.diagnostics, issue.expression)
        for entry in written["entry"]
        for issue in validator.validate(entry["resource"])
        if issue.severity in ("error", "fatal")
    ]
    assert faults == []


def test_a_form_sent_twice_makes_the_same_entries_each_created_only_once(chart: Definition) -> None:
    first = bundle(ALL, chart, "form-1", "p1", "Practitioner/d1", NOW)
    assert first == bundle(ALL, chart, "form-1", "p1", "Practitioner/d1", NOW)
    assert all("ifNoneExist" in entry["request"] for entry in first["entry"])
    other = bundle(ALL, chart, "form-2", "p1", "Practitioner/d1", NOW)
    assert {entry["fullUrl"] for entry in first["entry"]}.isdisjoint(entry["fullUrl"] for entry in other["entry"])


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({}, ""),
        ({"systolic": "120"}, "systolic"),
        ({"systolic": "12", "diastolic": "80"}, "systolic"),
        ({"weight": "heavy"}, "weight"),
        ({"follow_up": "2026-11-20"}, "follow_up"),
    ],
)
def test_slips_of_the_finger_are_named_by_field(chart: Definition, sent: dict[str, str], place: str) -> None:
    _typed, faults = read(sent, chart, NOW)
    assert list(faults) == [place]


def test_a_decimal_comma_is_understood(chart: Definition) -> None:
    typed, faults = read({"weight": "56,5"}, chart, NOW)
    assert (typed.measured, faults) == ({"weight": 56.5}, {})


def test_a_panel_of_different_things_says_each_with_its_name() -> None:
    parts = [
        {"code": {"text": "Outcome"}, "valueCodeableConcept": {"text": "Stillbirth"}},
        {"code": {"text": "Weeks"}, "valueQuantity": {"value": 30, "unit": "weeks"}},
    ]
    assert value_of({"component": parts}) == "Outcome: Stillbirth · Weeks: 30 weeks"
    assert value_of({"component": parts[1:]}) == "30 weeks"
