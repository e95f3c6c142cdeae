"""What a server holds beside what would be sent: whatever a server may change about it does not count."""

from typing import Any

import pytest

from janani import programmes
from janani.sync import mapping
from janani.sync.comparing import by_key, canonical, fingerprint, key_of, rows_of
from sync import sample

TE, VALUE = "http://example.org/te", "http://example.org/value"
SENT: dict[str, Any] = {
    "resourceType": "Observation",
    "meta": {"profile": ["http://example.org/bp"]},
    "identifier": [{"system": VALUE, "value": "e1-bp"}],
    "subject": {"reference": "urn:uuid:her"},
    "category": [{"text": "one"}, {"text": "two"}],
    "valueQuantity": {"value": 24},
}
NAMES = {"urn:uuid:her": "Patient her", "Patient/7": "Patient her", "http://hapi/fhir/Patient/7": "Patient her"}


@pytest.mark.parametrize(
    "held",
    [
        {"id": "9", "meta": {"versionId": "3"}, "text": {"status": "generated"}},
        {"valueQuantity": {"value": 24.0}},
        {"category": [{"text": "two"}, {"text": "one"}]},
        {"subject": {"reference": "Patient/7/_history/2"}},
        {"subject": {"reference": "http://hapi/fhir/Patient/7"}},
    ],
)
def test_what_a_server_may_do_to_it_is_no_difference(held: dict[str, Any]) -> None:
    assert canonical(SENT | {"subject": {"reference": "Patient/7"}} | held, NAMES) == canonical(SENT, NAMES)


@pytest.mark.parametrize(
    "held",
    [
        {"valueQuantity": {"value": 24.5}},
        {"subject": {"reference": "Patient/8"}},
        {"category": [{"text": "one"}]},
        {"note": [{"text": "added"}]},
    ],
)
def test_what_says_something_else_is_one(held: dict[str, Any]) -> None:
    assert canonical(SENT | held, NAMES) != canonical(SENT, NAMES)


def test_rows_are_of_the_person_referred_to_and_of_what_the_sync_named() -> None:
    patient = {"resourceType": "Patient", "id": "7", "identifier": [{"system": TE, "value": "her"}]}
    hers = SENT | {"id": "9", "subject": {"reference": "Patient/7"}}
    others = {"resourceType": "Observation", "id": "10", "subject": {"reference": "Patient/7"}}
    found = rows_of([patient, hers, others, hers], {TE, VALUE}, TE, {}, "http://hapi/fhir")
    assert [(row.key, row.id) for row in found["her"]] == [
        (("Patient", TE, "her"), "Patient/7"),
        (("Observation", VALUE, "e1-bp"), "Observation/9"),
    ]


def test_a_key_is_read_however_it_was_written() -> None:
    key = ("Observation", "http://example.org/a b", "e1 bp|2")
    assert key_of("Observation?identifier=http%3A%2F%2Fexample.org%2Fa%20b%7Ce1%20bp%7C2") == key
    assert key_of("Provenance?_tag=http://example.org|x") == ("Provenance", "http://example.org", "x")


def test_digests_alone_are_those_of_what_is_mapped() -> None:
    mapper, context = mapping.compile(programmes.load("anc_lk")), sample.context()
    mapped, digests = (make(sample.person(), context) for make in (mapper.map, mapper.digests))
    own, whole = mapper.table.identifiers["tracked_entity"], {}
    for entry in mapped.entries:
        if not entry.shared:
            key = ("Patient", own, mapped.person) if entry.kind == "Patient" else key_of(entry.key)
            whole[key] = entry.digest
    assert len(whole) > 20
    assert by_key(digests.lines) == whole
    assert fingerprint(digests.lines) == fingerprint(reversed(digests.lines))
    assert fingerprint(digests.lines) != fingerprint(digests.lines[1:])
