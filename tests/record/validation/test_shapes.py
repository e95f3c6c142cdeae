"""What is remembered of good resources changes no finding: with it and without, each resource has the same."""

import copy
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from janani.record import indexing, json_text
from janani.record.problems import Issue
from janani.record.validation import Validator
from janani.record.validation.shapes import MOST_SHAPES

Entry = dict[str, Any]
EXAMPLES = msgspec.json.decode(gzip.decompress(Path(__file__).with_name("nehr_examples.json.gz").read_bytes()))
KINDS = (
    "patient", "encounter", "blood_pressure", "haemoglobin", "blood_sugar", "condition", "referral", "device",
    "organization", "location", "practitioner",
)  # fmt: skip
WRONG: tuple[Any, ...] = (None, "", "x", 5, [], {}, [None], True, {"reference": "#x"}, {"extension": []})
CONTAINED = {"resourceType": "Organization", "id": "x", "name": "Within"}


def remembered(validator: Validator, resource: Entry) -> list[Issue]:
    """The findings on `resource` as it is stored: with the JSON of its elements."""
    body = msgspec.json.encode(resource)
    said = json_text.elements(body)
    for name in ("id", "resourceType"):
        said.pop(name, None)
    return validator.validate(json_text.decode(body), said)


def plain(validator: Validator, resource: Entry) -> list[Issue]:
    return validator.validate(json_text.decode(msgspec.json.encode(resource)))


def variants(resource: Entry) -> Iterator[Entry]:
    """`resource` without each element, with each of its values wrong in several ways, and with more than it may."""
    for path in [path for path in _paths(resource) if path != ("resourceType",)]:
        for wrong in ("gone", "twice", *WRONG):
            changed = copy.deepcopy(resource)
            owner = changed
            for step in path[:-1]:
                owner = owner[step]
            if wrong == "gone":
                del owner[path[-1]]
            elif wrong == "twice":
                owner[path[-1]] = [owner[path[-1]]] * 2
            else:
                owner[path[-1]] = wrong
            yield changed
    yield resource | {"contained": [CONTAINED], "unknown": 1}
    yield resource | {"contained": [CONTAINED], "managingOrganization": {"reference": "#x"}}
    yield resource | {"_status": {"id": "a"}, "_gender": {"extension": [{"url": "urn:x", "valueCode": "x"}]}}


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    for step, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield (step,)
        if isinstance(child, (dict, list)):
            yield from ((step, *rest) for rest in _paths(child))


@pytest.mark.parametrize("name", KINDS)
def test_findings_are_the_same(name: str, validator: Validator, request: pytest.FixtureRequest) -> None:
    good = request.getfixturevalue(name)
    for _ in range(3):  # unknown, then its shape known, then its elements
        assert remembered(validator, good) == plain(validator, good)
    for variant in variants(good):
        expected = plain(validator, variant)
        assert remembered(validator, variant) == expected
        assert remembered(validator, variant) == expected
    assert remembered(validator, good) == plain(validator, good)


def test_findings_on_examples_are_the_same(validator: Validator) -> None:
    examples = EXAMPLES.values() if isinstance(EXAMPLES, dict) else EXAMPLES
    for _ in range(2):
        for example in examples:
            assert remembered(validator, example) == plain(validator, example)


def test_a_number_is_known_by_how_it_is_written(validator: Validator) -> None:
    someone = b'[{"status":"accepted","type":[{"text":"A"}]}]'
    start = b'{"resourceType":"Appointment","status":"proposed","participant":%b,' % someone
    for _ in range(3):
        for number, expected in ((b"5", []), (b"5e0", ["value"])):  # equal for Python
            body = start + b'"priority":%b}' % number
            said = json_text.elements(body)
            assert [issue.code for issue in validator.validate(json_text.decode(body), said)] == expected


@pytest.mark.parametrize("name", KINDS)
def test_index_rows_are_the_same(name: str, request: pytest.FixtureRequest) -> None:
    base = "http://localhost:8081/fhir"
    resource = request.getfixturevalue(name) | {"id": "x"}
    body = msgspec.json.encode(resource).replace(b'"urn:uuid:', b'"Patient/')
    stored, said = json_text.decode(body), json_text.elements(body)
    for _ in range(2):
        with_said, without = (astuple(indexing.rows(stored, given, base)) for given in (said, {}))
        assert [sorted(rows) for rows in with_said] == [sorted(rows) for rows in without]
        assert indexing.compartment(stored, said, base) == indexing.compartment(stored, {}, base)


def test_what_anybody_may_claim_takes_no_memory(validator: Validator, patient: Entry) -> None:
    [profile] = patient["meta"]["profile"]
    long = "x" * 100_000

    def kept() -> int:
        return sum(
            len(str(key)) for held in (validator._shapes, validator._elements, validator._profiles) for key in held
        )

    remembered(validator, patient)
    before = kept()
    for claims in ([f"{profile}|{long}"], [profile] * 20_000, [f"https://example.org/{long}"]):
        remembered(validator, patient | {"meta": {"profile": claims}})
    assert kept() == before
    for number in range(MOST_SHAPES + 10):
        remembered(validator, patient | {"meta": {"profile": [f"{profile}|{number}"]}})
    assert len(validator._shapes) <= MOST_SHAPES
    assert len(validator._elements) <= MOST_SHAPES
