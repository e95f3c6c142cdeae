"""What marks a woman as at risk, and when it ends; plain functions, and the programme's own files."""

import json
from typing import Any

from janani.portals.midwife.women import Woman, woman
from portals.test_midwife_core import PROGRAMME, TODAY, person, visit

PACKAGE = json.loads((PROGRAMME.folder / "metadata.json").read_bytes())
ELEMENTS = {one["id"]: one for one in PACKAGE["dataElements"]}
SIGNS = [risk for risk in PROGRAMME.registry.risks if ELEMENTS[risk.element]["valueType"] == "TRUE_ONLY"]
SIGN = SIGNS[0]


def seen(*events: dict[str, Any]) -> Woman:
    return woman(person("Nimali", *events), PROGRAMME, TODAY)


def with_sign(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"dataValues": [*event["dataValues"], {"dataElement": SIGN.element, "value": "true"}]}


def test_a_danger_sign_marks_her_until_she_is_seen_without_it() -> None:
    first, later = with_sign(visit("COMPLETED", "2026-11-01", systolic="150")), visit("COMPLETED", "2026-11-10")
    referred = visit("COMPLETED", "2026-11-12") | {"programStage": PROGRAMME.registry.stages["referral"]}
    clinic = visit("COMPLETED", "2026-11-15") | {"programStage": PROGRAMME.registry.stages["specialist"]}
    assert seen(first, referred).risks == ["High blood pressure", SIGN.says]
    assert seen(first, later).risks == ["High blood pressure"]
    assert seen(first, clinic).risks == ["High blood pressure"]
    assert seen(first, later, with_sign(clinic)).risks == ["High blood pressure", SIGN.says]
    assert seen(first, visit("SCHEDULE", "2026-11-20")).risks == ["High blood pressure", SIGN.says]


def test_a_sign_of_either_of_two_visits_of_one_day_counts() -> None:
    morning, evening = with_sign(visit("COMPLETED", "2026-11-01")), visit("COMPLETED", "2026-11-01")
    assert seen(morning, evening).risks == seen(evening, morning).risks == [SIGN.says]


def test_what_no_later_visit_can_deny_is_taken_from_the_newest_alone() -> None:
    assert {risk.element for risk in PROGRAMME.registry.risks if risk.newest_visit} == {one.element for one in SIGNS}


def test_after_the_birth_only_what_was_seen_since_marks_her() -> None:
    stages = PROGRAMME.registry.stages
    before = with_sign(visit("COMPLETED", "2026-10-01", systolic="150", lmp="2026-01-10"))
    birth = visit("COMPLETED", "2026-10-10") | {"programStage": stages["birth"]}
    after = visit("COMPLETED", "2026-10-15", systolic="120") | {"programStage": stages["postnatal"]}
    assert seen(before).risks == ["High blood pressure", SIGN.says]
    assert seen(before, birth).risks == []
    assert seen(before, birth, with_sign(after)).risks == [SIGN.says]
    assert seen(before, birth, with_sign(after), after | {"occurredAt": "2026-10-18"}).risks == []
