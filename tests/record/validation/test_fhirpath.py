# ruff: noqa: E501 - a case a line reads better here than a case a page
"""Our compiled FHIRPath against fhirpathpy, on every invariant of R4 and on expressions of each kind."""

from typing import Any

import fhirpathpy
import msgspec
import pytest
from fhirpathpy.models import models

from janani.record.validation import Validator
from janani.record.validation.fhirpath import invariant
from janani.record.validation.fhirpath_syntax import NotUnderstood, parse
from janani.record.validation.model import Type

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}],
    "name": [{"family": "Doe", "given": ["Jane", "Ann"]}, {"text": "JD"}],
    "birthDate": "1997-08-01",
    "multipleBirthInteger": 2,
}


class Environment:
    resource = root = PATIENT

    def resolve(self, reference: str) -> Any:
        return None

    def member_of(self, value: Any, url: str) -> bool | None:
        return None


@pytest.mark.parametrize(
    "expression",
    [
        "name.exists()", "photo.exists()", "photo.empty()", "name.given.count() = 3", "name.given.count() = 2",
        "name.where(family.exists()).given.first() = 'Jane'", "name.all(family.exists())", "name.all(given.exists() or text.exists())",
        "identifier.system.isDistinct()", "name.exists() and photo.exists()", "name.exists() xor photo.exists()",
        "photo.exists() implies name.empty()", "name.exists() implies photo.exists()", "active", "active.not()",
        "name.given contains 'Ann'", "'Bob' in name.given", "(1 | 2 | 2).count() = 2", "name.select(given).count() = 2",
        "name[0].given[1] = 'Ann'", "name.given.first() & '-' & name.family.first() = 'Jane-Doe'", "1 + 2 * 3 = 7",
        "birthDate >= @1990-01-01", "birthDate.matches('^1997')", "name.family.startsWith('D')", "name.tail().text = 'JD'",
        "multipleBirth is integer", "multipleBirth.exists()", "multiple.exists()", "Patient.name.exists()",
        "identifier.where(system = 'a' and value = '1').exists()", "identifier.exists(system = 'c')", "-1 < 0",
        "name.given.intersect('Ann' | 'Bob').count() = 1", "children().count() > id.count()", "active = true", "{}.empty()",
        "iif(name.family.exists(), true, false)", "'a\\'b' = 'a\\'b'",
    ],
)  # fmt: skip
def test_as_fhirpathpy(expression: str) -> None:
    theirs = fhirpathpy.evaluate(PATIENT, expression, {}, models["r4"])
    choices = {"multipleBirth": ["multipleBirthBoolean", "multipleBirthInteger"]}
    assert invariant(expression, choices)(PATIENT, Environment()) is (theirs != [False])


def test_every_invariant_of_r4_is_understood() -> None:
    validator = Validator.load(None)
    kinds = [msgspec.json.decode(raw, type=Type) for raw in validator._base.types.values()]
    rules = [rule for kind in kinds for rule in (*kind.rules, *(r for e in kind.elements.values() for r in e.rules))]
    assert len(rules) > 200
    for rule in rules:
        invariant(rule.expression, validator._base.choices)


@pytest.mark.parametrize("text", ["", "a.", "a b", "(a", "a ~~ b", "%secret", "a.unheardOf()", "'open"])
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(NotUnderstood):
        invariant(text, {})


def test_precedence() -> None:
    assert parse("a or b and c = 1 | 2")[:2] == ("binary", "or")
    assert parse("a implies b or c")[:2] == ("binary", "implies")
