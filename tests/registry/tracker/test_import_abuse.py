"""Tracker import against those who try it (reference §2): nothing unchecked is stored, nothing ends in a 500."""

from typing import Any

import httpx
import pytest

from janani.kernel.ids import uid
from registry.tracker.antenatal import OTHER_AREA, attribute, payload, person
from registry.tracker.test_import import codes, send

Json = dict[str, Any]


async def _read(client: httpx.AsyncClient, uid: str) -> Json:
    fields = {"fields": "trackedEntity,orgUnit,enrollments[enrollment,attributes[attribute,value]]"}
    answer = await client.get(f"/api/tracker/trackedEntities/{uid}", params=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("strategy", ["CREATE_AND_UPDATE", "UPDATE", "DELETE"])
async def test_failing_fast_stores_nothing_that_was_not_checked(registry: httpx.AsyncClient, strategy: str) -> None:
    """An error before hers must not spare a stranger's record the check of who may write it."""
    woman = person()
    await send(registry, payload(woman), as_user="nirmala")
    before = await _read(registry, woman["trackedEntity"])
    bait = person(trackedEntity="short", orgUnit=OTHER_AREA, enrollments=[])
    hers = {name: woman[name] for name in ("trackedEntity", "trackedEntityType", "orgUnit")}
    enrolled = woman["enrollments"][0]
    stolen = enrolled | {"trackedEntity": hers["trackedEntity"], "events": []}
    stolen["attributes"] = [attribute("full_name", "Somebody Else"), *enrolled["attributes"][1:]]
    answer = await send(
        registry,
        {"trackedEntities": [bait, hers], "enrollments": [stolen]},
        as_user="thevaki",
        expect=409,
        validationMode="FAIL_FAST",
        atomicMode="OBJECT",
        importStrategy=strategy,
    )
    assert codes(answer) == {("TRACKED_ENTITY", "E1048")}
    assert answer["stats"]["ignored"] == answer["stats"]["total"]
    assert await _read(registry, woman["trackedEntity"]) == before


async def test_failing_fast_stores_what_is_all_sound(registry: httpx.AsyncClient) -> None:
    query = {"validationMode": "FAIL_FAST", "atomicMode": "OBJECT"}
    assert (await send(registry, payload(person()), **query))["stats"]["created"] == 4


_NO_DATES = ("21/11/2025", "soon", "2026-02-30", "0001-01-01T00:00:00+05:30", "9999-12-31T23:00:00-05:00")
_DATES = {
    "trackedEntities": ("createdAtClient", "updatedAtClient"),
    "enrollments": ("enrolledAt", "occurredAt", "completedAt", "createdAtClient", "updatedAtClient"),
    "events": ("occurredAt", "scheduledAt", "completedAt", "createdAtClient", "updatedAtClient"),
}


@pytest.mark.parametrize("strategy", ["CREATE_AND_UPDATE", "DELETE"])
async def test_a_date_that_cannot_be_read_is_a_body_that_cannot(registry: httpx.AsyncClient, strategy: str) -> None:
    places = [(kind, name) for kind, names in _DATES.items() for name in names]
    for number, (kind, name) in enumerate(places):
        woman = person()
        enrolled = woman["enrollments"][0]
        owner = {"trackedEntities": woman, "enrollments": enrolled, "events": enrolled["events"][0]}[kind]
        owner[name] = _NO_DATES[number % len(_NO_DATES)]
        answer = await registry.post(
            "/api/tracker", params={"async": "false", "importStrategy": strategy}, json=payload(woman)
        )
        assert answer.status_code == 400, (kind, name, answer.text)
        assert name in answer.json()["message"]
        assert owner[name] not in answer.text


async def test_an_empty_date_is_none(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["enrolledAt"] = ""
    assert ("ENROLLMENT", "E1025") in codes(await send(registry, payload(woman), expect=409))


async def test_days_at_the_ends_of_the_calendar_are_read_where_they_are_days(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["events"][1]["scheduledAt"] = "9999-12-31"
    woman["enrollments"][0]["occurredAt"] = "0001-01-01"
    await send(registry, payload(woman))
    await _read(registry, woman["trackedEntity"])


async def test_one_uid_on_two_new_objects_is_told(registry: httpx.AsyncClient) -> None:
    """Nested and flat, or twice in a list: which of the two is meant nobody knows, so neither is stored."""
    woman = person()
    enrolled = woman["enrollments"][0]
    event = enrolled["events"][1] | {"enrollment": enrolled["enrollment"]}
    flat = enrolled | {"trackedEntity": woman["trackedEntity"], "events": []}
    assert codes(await send(registry, payload(woman) | {"events": [event]}, expect=409)) == {("EVENT", "E5004")}
    twice = await send(registry, payload(woman) | {"enrollments": [flat]}, expect=409)
    assert {("ENROLLMENT", "E5004"), ("EVENT", "E5000")} <= codes(twice)
    twice = await send(registry, payload(woman, woman | {"enrollments": []}, person()), expect=409, atomicMode="OBJECT")
    assert codes(twice) == {("TRACKED_ENTITY", "E5004"), ("ENROLLMENT", "E5000"), ("EVENT", "E5000")}
    assert twice["stats"] == {"created": 4, "updated": 0, "deleted": 0, "ignored": 5, "total": 9}
    assert (await send(registry, payload(woman), importStrategy="CREATE"))["stats"]["created"] == 4


async def test_one_uid_on_two_stored_objects_is_told_but_for_deletion(registry: httpx.AsyncClient) -> None:
    woman = person(enrollments=[])
    await send(registry, payload(woman))
    assert codes(await send(registry, payload(woman, woman), expect=409)) == {("TRACKED_ENTITY", "E5004")}
    await send(registry, payload(woman, woman), importStrategy="DELETE")


async def test_one_note_uid_twice_is_one_note_and_a_warning(registry: httpx.AsyncClient) -> None:
    woman = person()
    enrolled, note = woman["enrollments"][0], uid()
    enrolled["notes"] = [{"note": note, "value": "Prefers mornings"}, {"note": note, "value": "Prefers evenings"}]
    enrolled["events"][0]["notes"] = [{"note": note, "value": "Prefers nothing"}]
    report = await send(registry, payload(woman), reportMode="WARNINGS")
    lines = [(line["trackerType"], line["errorCode"]) for line in report["validationReport"]["warningReports"]]
    assert lines == [("ENROLLMENT", "E1119"), ("EVENT", "E1119")]
    fields = {"fields": "notes[value],events[notes[value]]"}
    stored = (await registry.get(f"/api/tracker/enrollments/{enrolled['enrollment']}", params=fields)).json()
    assert stored["notes"] == [{"value": "Prefers mornings"}]
    assert not any(event["notes"] for event in stored["events"])


async def test_a_unique_value_with_blanks_has_one_holder(registry: httpx.AsyncClient) -> None:
    await send(registry, payload(person(nic="199012345678 ")))
    report = await send(registry, payload(person(nic="199012345678 ")), expect=409)
    assert ("ENROLLMENT", "E1064") in codes(report)
