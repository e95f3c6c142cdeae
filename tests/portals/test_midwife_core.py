"""What the midwife's pages decide, as plain functions."""

import time
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from janani import programmes
from janani.portals.midwife import derived, drafts, forms, identity_state, payloads, registry
from janani.portals.midwife.access import Midwife
from janani.portals.midwife.derived import nic_forms
from janani.portals.midwife.forms import Field, Section
from janani.portals.midwife.identity_state import IdentityState
from janani.portals.midwife.pages_details import conflicts, merged
from janani.portals.midwife.pages_registration import compared
from janani.portals.midwife.women import found_by, in_order_of_need, woman
from janani.portals.oauth import way_back

PROGRAMME = programmes.load("anc_lk")
ROLES, ELEMENTS = PROGRAMME.registry.attributes, PROGRAMME.registry.elements
TODAY = date(2026, 11, 21)


def question(value_type: str, **more: Any) -> Field:
    given = {"id": "A" * 11, "label": "It", "hint": "", "mandatory": False, "future": False, "options": []}
    return Field(value_type=value_type, **given | more)


@pytest.mark.parametrize(
    ("value_type", "text", "words"),
    [
        ("NUMBER", "54.5", ""),
        ("NUMBER", "nan", "a number"),
        ("NUMBER", "1_0", "a number"),
        ("INTEGER", "2.5", "whole number"),
        ("INTEGER_POSITIVE", "3.000", "whole number"),  # typed as 3,000
        ("INTEGER_POSITIVE", "0", "less than 1"),
        ("INTEGER_ZERO_OR_POSITIVE", "0", ""),
        ("DATE", "2026-11-21", ""),
        ("DATE", "2026-11-22", "not come yet"),
        ("DATE", "0026-11-22", "check the year"),
        ("DATE", "21/11/2026", "day, month and year"),
        ("TEXT", "anything", ""),
    ],
)
def test_answers_that_can_not_be_are_said_so_in_words(value_type: str, text: str, words: str) -> None:
    one = question(value_type)
    found = forms.faults([Section("", "", [one])], {one.id: text}, TODAY)
    assert (words in found.get(one.id, "")) if words else not found


@pytest.mark.parametrize(
    ("role", "value_type", "text", "words"),
    [
        ("height", "NUMBER", "1.56", "1.56 is not between 100 and 220"),  # in metres
        ("height", "NUMBER", "156", ""),
        ("weight", "NUMBER", "-5", "-5 is not between 25 and 250"),
        ("weight", "NUMBER", "250", ""),
        ("lmp", "DATE", "2025-06-20", "more than 45 weeks ago"),  # last year's
        ("lmp", "DATE", "2026-06-20", ""),
        ("lmp", "DATE", "20 June", "day, month and year"),
    ],
)
def test_what_can_not_be_is_asked_again(role: str, value_type: str, text: str, words: str) -> None:
    one = question(value_type, id=ELEMENTS[role])
    found = forms.faults([Section("", "", [one])], {one.id: text}, TODAY, PROGRAMME.registry.plausible)
    assert (words in found.get(one.id, "")) if words else not found


def test_a_needed_answer_is_asked_for_and_an_unknown_option_refused() -> None:
    needed, choice = question("TEXT", mandatory=True), question("TEXT", id="B" * 11, options=[("a", "A")])
    found = forms.faults([Section("", "", [needed, choice])], {choice.id: "z"}, TODAY)
    assert set(found) == {needed.id, choice.id}


def test_a_decimal_comma_is_a_point_and_what_is_no_field_is_left() -> None:
    weight = question("NUMBER")
    assert forms.read([Section("", "", [weight])], {weight.id: " 54,5 ", "do": "send"}) == {weight.id: "54.5"}


def test_a_draft_keeps_answers_and_nothing_else() -> None:
    sent = {"A" * 11: " x ", "B" * 11: " ", "day": "2026-11-21", "do": "send", "code": "secret"}
    assert drafts.typed(sent) == {"A" * 11: "x", "day": "2026-11-21"}


def test_dates_weeks_and_index_are_worked_out_unless_typed() -> None:
    typed = {ELEMENTS["lmp"]: "2026-07-04", ELEMENTS["height"]: "156", ELEMENTS["weight"]: "54.5"}
    found = derived.filled(PROGRAMME, typed | {ROLES["birth_date"]: "1996-11-22"}, TODAY)
    assert found[ELEMENTS["edd"]] == "2027-04-10"
    assert found[ELEMENTS["poa_registration"]] == "20"
    assert found[ELEMENTS["bmi"]] == "22.4"
    assert found[ROLES["age"]] == "29"
    assert derived.filled(PROGRAMME, typed | {ELEMENTS["bmi"]: "23"}, TODAY)[ELEMENTS["bmi"]] == "23"


def test_a_mark_stays_while_the_value_does() -> None:
    state = IdentityState(
        status="VERIFIED", verified_at="2026-11-21T04:00:00Z", values={ROLES["phone"]: "+94771234501"}
    )
    assert state.marks({ROLES["phone"]: "+94771234501"}) == {ROLES["phone"]}
    assert state.marks({ROLES["phone"]: "+94770000000"}) == set()
    kept = identity_state.attributes(state, {ROLES["phone"]: "x"}, PROGRAMME)
    assert kept[ROLES["identity_verified_fields"]] == ""
    assert identity_state.known({ROLES["identity_status"]: "PENDING"}, PROGRAMME).status == "PENDING"


def test_only_what_both_changed_differently_is_a_conflict() -> None:
    fields = [question("TEXT", id=letter * 11) for letter in "ABCD"]
    a, b, c, d = (one.id for one in fields)
    base = {a: "1", b: "1", c: "1", d: "1"}
    now, typed = {a: "2", b: "2", c: "1", d: "2"}, {a: "3", b: "1", c: "3", d: "2"}
    assert [(one.theirs, one.ours) for one in conflicts(fields, base, now, typed)] == [("2", "3")]


def test_what_was_left_alone_is_as_the_registry_has_it_now() -> None:
    fields = [question("TEXT", id=letter * 11) for letter in "ABCD"]
    a, b, c, d = (one.id for one in fields)
    base, now = {a: "1", b: "1", c: "1"}, {a: "2", c: "1", d: "2"}
    assert merged(fields, base, now, {a: "1", b: "1", c: "3", "unit": "x"}) == {a: "2", c: "3", d: "2", "unit": "x"}


@pytest.mark.parametrize(
    ("value_type", "ours", "theirs", "differs"),
    [
        ("TEXT", "Malini  Jayawardena", "malini jayawardena", False),
        ("TEXT", "906845678V", "199068405678", False),
        ("PHONE_NUMBER", "077 123 4502", "+94771234502", False),
        ("TEXT", "Malini", "Malani", True),
    ],
)
def test_the_same_written_otherwise_is_the_same(value_type: str, ours: str, theirs: str, differs: bool) -> None:
    one = question(value_type)
    [row] = compared({one.id: one}, {one.id: ours}, {one.id: theirs}, "LK")
    assert row["differs"] is differs


def test_a_nic_is_looked_for_in_every_form() -> None:
    assert nic_forms("906845678v") == ["906845678V", "199068405678", "906845678X"]
    assert "906845678V" in nic_forms("199068405678")
    assert nic_forms("200079512345") == ["200079512345"]
    assert nic_forms("passport 12") == ["passport 12"]


async def test_elsewhere_too_she_is_found_by_either_form_of_her_nic(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, tuple[str, ...]] = {}

    async def people_with(_midwife: Midwife, attribute: str, *values: str) -> list[Any]:
        asked[attribute] = values
        return []

    monkeypatch.setattr(registry, "people_with", people_with)
    state, nobody = cast(Any, SimpleNamespace(programme=PROGRAMME)), cast(Any, None)
    midwife = Midwife(nobody, nobody, state, nobody)
    await registry.by_number(midwife, "8565 43210v")
    assert asked[ROLES["nic"]] == ("856543210V", "198565403210", "856543210X")
    assert asked[ROLES["phn"]] == ("856543210V",)


def test_a_refusal_stands_at_its_field_in_words() -> None:
    nic = question("TEXT", id=ROLES["nic"], label="NIC Number")
    report = {"validationReport": {"errorReports": [{"errorCode": "E1064", "message": f"… `{nic.id}` …"}]}}
    refused = payloads.refusals(report, [nic])
    assert refused[nic.id].startswith("NIC Number: another woman is registered with this already.")


def person(name: str, *events: dict[str, Any], **attributes: str) -> dict[str, Any]:
    rows = [{"attribute": ROLES[role], "value": value} for role, value in {"full_name": name, **attributes}.items()]
    enrollment = {"enrollment": "E" * 11, "enrolledAt": "2026-01-01", "attributes": rows, "events": list(events)}
    return {"trackedEntity": "T" * 11, "orgUnit": "U" * 11, "enrollments": [enrollment]}


def visit(status: str, day: str, **values: str) -> dict[str, Any]:
    data = [{"dataElement": ELEMENTS[role], "value": value} for role, value in values.items()]
    stage = PROGRAMME.registry.stages["visit"]
    when = {"scheduledAt" if status == "SCHEDULE" else "occurredAt": day}
    return {"event": "V" * 11, "programStage": stage, "status": status, "dataValues": data} | when


def test_a_woman_is_overdue_and_at_risk_by_her_newest_values() -> None:
    well = visit("COMPLETED", "2026-10-01", systolic="150", lmp="2026-07-04")
    better = visit("COMPLETED", "2026-11-01", systolic="120", haemoglobin="9.5")
    one = woman(person("Nimali", better, well, visit("SCHEDULE", "2026-11-20")), PROGRAMME, TODAY)
    assert (one.weeks, one.overdue, one.risks) == (20, True, ["Anaemia"])


async def test_who_belongs_to_a_district_may_write_at_the_clinics_below_it() -> None:
    rows = [
        ("Clinic00001", "/Country0001/District001/Clinic00001"),
        ("Clinic00002", "/Country0001/District002/Clinic00002"),
    ]
    offered = [{"id": uid, "displayName": uid, "path": path} for uid, path in rows]
    later = time.monotonic() + 60

    async def offers(*own: str) -> list[str]:
        me = {"organisationUnits": [{"id": uid} for uid in own]}
        kept = {("nirmala", "me"): (me, later), ("nirmala", "program"): ({"organisationUnits": offered}, later)}
        session: Any = SimpleNamespace(username="nirmala")
        state: Any = SimpleNamespace(kept=kept, programme=PROGRAMME)
        return [uid for uid, _name in await registry.units(Midwife(session, cast(Any, None), state, cast(Any, None)))]

    assert await offers("Clinic00002") == ["Clinic00002"]
    assert await offers("District001") == ["Clinic00001"]
    assert await offers("Country0001") == ["Clinic00001", "Clinic00002"]


def test_a_pregnancy_ends_with_a_birth_or_with_its_enrolment() -> None:
    booked = visit("COMPLETED", "2026-03-01", lmp="2026-01-10", edd="2026-10-17")
    born = visit("COMPLETED", "2026-10-10") | {"programStage": PROGRAMME.registry.stages["birth"]}
    left = person("Nimali", booked)
    left["enrollments"][0]["status"] = "COMPLETED"
    before, after = (woman(person("Nimali", booked, *more), PROGRAMME, date(2026, 10, 12)) for more in ([], [born]))
    assert (before.weeks, before.due) == (39, date(2026, 10, 17))
    for over in (after, woman(left, PROGRAMME, date(2026, 10, 12))):
        assert (over.weeks, over.due) == (None, None)
    assert woman(person("Nimali", booked), PROGRAMME, TODAY + timedelta(weeks=4)).weeks is None


def test_women_are_found_by_words_of_the_name_and_by_numbers_and_listed_by_need() -> None:
    soon = woman(person("Anoma Silva", visit("SCHEDULE", "2026-11-30"), phone="+94771234501"), PROGRAMME, TODAY)
    late = woman(person("Zeenath Careem", visit("SCHEDULE", "2026-11-01"), nic="906845678V"), PROGRAMME, TODAY)
    none = woman(person("Kumari"), PROGRAMME, TODAY)
    everyone = [soon, none, late]
    assert found_by(everyone, "silva ano") == [soon]
    assert found_by(everyone, "077 123") == [soon]
    assert found_by(everyone, "9068 45678v") == found_by(everyone, "199068405678") == [late]
    composed, apart = "\u0d9a\u0ddd", "\u0d9a\u0dd9\u0dcf\u0dca"  # one syllable of Sinhala, as two keyboards write it
    written = woman(person(f"{composed}\u0dc4\u0dd2\u0dbd"), PROGRAMME, TODAY)
    assert found_by([*everyone, written], apart) == [written]
    assert in_order_of_need(everyone) == [late, soon, none]


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/doctor", "/midwife/\\evil", "midwife/x", ""]
)
def test_after_logging_in_only_pages_of_the_portal_follow(wanted: str) -> None:
    assert way_back("midwife", wanted) == "/midwife"


def test_after_logging_in_the_page_asked_for_follows() -> None:
    assert way_back("midwife", "/midwife/women/x") == "/midwife/women/x"


@pytest.mark.parametrize(
    ("code", "note"),
    [
        ("access_refused", "identity-refused"),
        ("code_refused", "identity-over"),
        ("state_unknown", "identity-over"),
        ("provider_silent", "identity-away"),
        ("client_refused", "identity-away"),
        ("", "identity-away"),
        ("bad_signature", "identity-failed"),
        ("bad_subject", "identity-failed"),
    ],
)
def test_each_refusal_of_an_identity_has_its_words(code: str, note: str) -> None:
    assert identity_state.note_of(code) == note
