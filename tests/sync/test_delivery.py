"""What is sent, given what was delivered before."""

import json
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.sync import delivery, mapping
from sync import sample


@pytest.fixture(scope="module")
def mapper() -> mapping.Mapper:
    return mapping.compile(programmes.load("anc_lk"))


def requests(bundle: bytes | None) -> list[dict[str, str]]:
    assert bundle is not None
    return [entry["request"] for entry in json.loads(bundle)["entry"]]


def plan(mapper: mapping.Mapper, person: dict[str, Any], before: Any = None, **options: Any) -> delivery.Plan:
    return delivery.plan(mapper.map(person, sample.context()), before, "urn:test", **options)


def test_shared_entries_are_created_once_and_her_own_are_updated(mapper: mapping.Mapper) -> None:
    asked = requests(plan(mapper, sample.person()).bundle)
    assert {one["method"] for one in asked if "ifNoneExist" in one} == {"POST"}
    assert all(
        one["url"].count("?identifier=") + one["url"].startswith("Provenance?_tag=") == 1 and "|" not in one["url"]
        for one in asked
        if one["method"] == "PUT"
    )


def test_nothing_changed_is_nothing_to_send(mapper: mapping.Mapper) -> None:
    first = plan(mapper, sample.person())
    assert plan(mapper, sample.person(), first.delivered).bundle is None


def test_one_changed_value_is_sent_with_what_it_refers_to(mapper: mapping.Mapper) -> None:
    first = plan(mapper, sample.person())
    person = sample.person()
    event = person["enrollments"][0]["events"][1]
    event["dataValues"][0]["value"], event["updatedAt"] = "19", "2025-09-17T08:00:00.000"
    second = plan(mapper, person, first.delivered)
    kinds = [one["url"].partition("?")[0] for one in requests(second.bundle) if one["method"] == "PUT"]
    assert kinds == ["Patient", "EpisodeOfCare", "Encounter", "Observation", "Provenance"]


def test_a_visit_does_not_change_who_entered_anything_else(mapper: mapping.Mapper) -> None:
    """DHIS2 calls her changed whenever an event is."""
    first = plan(mapper, sample.person())
    person = sample.person() | {"updatedAt": "2026-01-01T08:00:00.000", "updatedBy": {"uid": "otherOtherO"}}
    assert plan(mapper, person, first.delivered).bundle is None


def test_what_is_gone_is_deleted_but_never_her_patient(mapper: mapping.Mapper) -> None:
    first = plan(mapper, sample.person())
    person = sample.person()
    person["enrollments"] = []
    keys = delivery.no_longer(mapper.map(person, sample.context()), first.delivered)
    assert len(keys) == len(first.delivered.digests) - 1
    assert delivery.PATIENT not in keys


def test_what_goes_is_named_by_its_place_and_version(mapper: mapping.Mapper) -> None:
    """An event keeps its identifier when it goes to somebody else: who had it last must not delete it there."""
    first = plan(mapper, sample.person())
    person = sample.person()
    person["enrollments"] = []
    keys = delivery.no_longer(mapper.map(person, sample.context()), first.delivered)
    gone = {keys[0]: [("Encounter/7", "3")]}
    found = delivery.plan(mapper.map(person, sample.context()), first.delivered, "urn:test", gone=gone)
    expected = {"method": "DELETE", "url": "Encounter/7", "ifMatch": 'W/"3"'}
    assert [one for one in requests(found.bundle) if one["method"] == "DELETE"] == [expected]
    assert requests(delivery.removal(sample.PERSON, gone, "urn:test")) == [expected]
    assert delivery.removal(sample.PERSON, {}, "urn:test") is None
    nothing = delivery.plan(mapper.map(person, sample.context()), first.delivered, "urn:test")
    assert not nothing.removals


def test_what_one_has_no_more_and_another_has_now_is_written(mapper: mapping.Mapper) -> None:
    """A merge moves events with their UIDs; both people may go in one transaction, in either order."""
    theirs = plan(mapper, sample.person())
    key = next(key for key in theirs.entries if key.startswith("Encounter?"))
    person = sample.person()
    person["enrollments"] = []
    hers = delivery.plan(
        mapper.map(person, sample.context()), theirs.delivered, "urn:test", gone={key: [("Encounter/7", "3")]}
    )
    for plans in ([theirs, hers], [hers, theirs]):
        sent = [one for one in requests(delivery.together(plans)) if one["url"] in (key, "Encounter/7")]
        assert [one["method"] for one in sent] == ["PUT"]


def test_a_changed_key_finds_her_by_her_own_identifier_once(mapper: mapping.Mapper) -> None:
    person = sample.person()
    sample.attribute(person, "IrUmPkFMDU5", None)
    first = plan(mapper, person)
    second = plan(mapper, sample.person(), first.delivered)
    assert requests(second.bundle)[0]["url"].endswith(f"dhis2-tracked-entity%7C{sample.PERSON}")
    third = plan(mapper, sample.person(), second.delivered, whole=True)
    assert requests(third.bundle)[0]["url"].endswith("phn%7C12345678")


def test_the_same_content_has_the_same_identifier(mapper: mapping.Mapper) -> None:
    bundles = [json.loads(plan(mapper, sample.person()).bundle or b"") for _ in range(2)]
    assert bundles[0]["identifier"] == bundles[1]["identifier"]
    assert bundles[0]["timestamp"] == "2025-09-04T07:42:13.455+00:00"


def test_what_others_changed_stands_even_when_all_is_sent_again_or_refers_to_it(mapper: mapping.Mapper) -> None:
    first = plan(mapper, sample.person())
    [encounter, *_] = [key for key in first.delivered.digests if key.startswith("Encounter?")]
    standing = msgspec.structs.replace(first.delivered, standing=frozenset({encounter}))
    asked = {
        one.get("ifNoneExist"): one["method"]
        for one in requests(plan(mapper, sample.person(), standing, whole=True).bundle)
    }
    assert asked[encounter.partition("?")[2]] == "POST"
    assert plan(mapper, sample.person(), standing).bundle is None
