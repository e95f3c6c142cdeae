"""From the registry to the record: at least once in, exactly once in effect, whatever happens between."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from litestar import Litestar
from msgspec.structs import replace

from janani.sync.queue import Claim, Queue
from sync import sample
from sync.world import World

NEW = "Akurana New"


def woman(number: int, **others: Any) -> dict[str, Any]:
    """A person of her own."""
    person = sample.person()
    uid = f"Person{number:05d}"
    person["trackedEntity"] = uid
    person["enrollments"][0]["enrollment"] = f"Enrol{number:06d}"
    for place, event in enumerate(person["enrollments"][0]["events"]):
        event["event"] = f"Event{number:04d}{place:02d}"
    sample.attribute(person, "IrUmPkFMDU5", f"PHN{number}")
    sample.attribute(person, "CJLJmmp8r9g", f"SUB{number}")
    sample.attribute(person, "M6NNPC3hNrb", f"19{number:010d}")
    return person | others


def named(person: dict[str, Any], name: str) -> dict[str, Any]:
    """The person under another name."""
    sample.attribute(person, "VQl0wK3eqiw", name)
    return person


def client_of(app: Litestar) -> httpx.AsyncClient:
    """A client of a sync that runs already."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sync")


async def test_a_change_reaches_the_record_at_once(world: World) -> None:
    world.settings = replace(world.settings, sync=replace(world.settings.sync, poll_seconds=60))
    async with world.sync():
        await world.until(lambda: world.record.of("Device"))
        began = time.monotonic()
        world.registry.put(woman(1))
        await world.until(lambda: world.record.of("Patient"))
        assert time.monotonic() - began < 20
        await world.settled()
    patient = world.record.of("Patient")[0]
    assert patient["identifier"][0]["value"] == "PHN1"
    assert len(world.record.of("Encounter")) == 2


async def test_one_worker_looks_for_work_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, looks, claim = 0, list[int](), Queue.claim

    async def claiming(queue: Queue, most: int = 1) -> list[Claim]:
        nonlocal looking
        looking += 1
        looks.append(looking)
        try:
            return await claim(queue, most)
        finally:
            looking -= 1

    monkeypatch.setattr(Queue, "claim", claiming)
    async with world.sync():
        for number in range(1, 30):
            world.registry.put(woman(number))
        await world.settled()
        await asyncio.sleep(0.2)
        assert max(looks) == 1
        looks.clear()
        world.registry.put(woman(30))
        await world.settled()
        assert (
            len(looks) <= 5
        )  # finds her; finds nobody; looks once more after carrying; a rest that was over meanwhile
    assert len(world.record.of("Patient")) == 30


async def test_only_what_changed_is_sent_again(world: World) -> None:
    person = woman(1)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        person["enrollments"][0]["events"][1]["dataValues"].append({"dataElement": "cw35l7X4hnV", "value": "11.2"})
        world.registry.put(person)
        await world.settled()
        sent = [entry["resource"]["resourceType"] for entry in world.record.bundles[-1]["entry"]]
        assert sent.count("Observation") == 1
        count = len(world.record.bundles)
        world.registry.put(person)
        await world.settled()
        assert len(world.record.bundles) == count


async def test_a_value_an_event_and_a_person_taken_back_are_undone(world: World) -> None:
    person = woman(1)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        before = len(world.record.of("Observation"))
        events = person["enrollments"][0]["events"]
        events[1]["dataValues"] = [one for one in events[1]["dataValues"] if one["dataElement"] != "gu4sr8eOZcT"]
        world.registry.put(person)
        await world.settled()
        assert len(world.record.of("Observation")) == before - 1
        events[1]["status"] = "ACTIVE"
        world.registry.put(person)
        await world.settled()
        assert {one["status"] for one in world.record.of("Encounter")} == {"finished", "in-progress"}
        del events[1]
        world.registry.put(person)
        await world.settled()
        assert len(world.record.of("Encounter")) == 1
        world.registry.remove("Person00001")
        await world.settled()
    assert not world.record.of("Encounter")
    assert not world.record.of("Observation")
    assert world.record.of("Patient")[0]["active"] is False


async def test_changes_of_one_person_are_coalesced_and_in_order(world: World) -> None:
    world.registry.slow = 0.1
    async with world.sync():
        for number in range(30):
            world.registry.put(named(woman(1), f"Name {number}"))
            await asyncio.sleep(0.005)
        await world.settled()
    assert world.record.of("Patient")[0]["name"][0]["text"] == "Name 29"
    assert len(world.registry.fetched) < 15
    sent = [
        int(entry["resource"]["name"][0]["text"].split()[1])
        for bundle in world.record.bundles
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    assert sent == sorted(sent)


async def test_poison_is_set_aside_and_the_others_flow(world: World) -> None:
    world.record.refuse = lambda bundle: 422 if "PHN2" in str(bundle) else 0
    async with world.sync() as app:
        for number in range(1, 5):
            world.registry.put(woman(number))
        await world.settled()
        assert len(world.record.of("Patient")) == 3
        async with client_of(app) as client:
            status = (await client.get("/status")).json()
            assert status["set aside"] == 1
            assert status["dead"][0]["person"] == "Person00002"
            assert status["dead"][0]["reason"] == "the record refused it (422): invalid at Patient.name"
            assert "secret" not in str(status)
            assert (await client.post("/dead/Person00002/retry")).status_code == 401


async def test_what_was_set_aside_can_be_tried_again(world: World) -> None:
    world.record.refuse = lambda bundle: 422 if "PHN2" in str(bundle) else 0
    async with world.sync() as app:
        world.registry.put(woman(2))
        await world.until(lambda: world.registry.fetched)
        await world.settled()
        world.record.refuse = lambda bundle: 0
        token = (world.settings.secrets / "sync-token").read_text()
        async with client_of(app) as client:
            headers = {"authorization": f"Bearer {token}"}
            assert (await client.post("/dead/Person00002/retry", headers=headers)).status_code == 202
            await world.until(lambda: world.record.of("Patient"))
            await world.settled()
            assert (await client.post("/dead/Person00002/retry", headers=headers)).status_code == 404
    assert not await world.fetch("select 1 from dead")


async def test_a_record_that_was_down_is_caught_up_by_itself(world: World) -> None:
    world.record.status = 503
    async with world.sync():
        for number in range(20):
            world.registry.put(woman(number))
        async with asyncio.timeout(60):
            while len(await world.fetch("select 1 from queue")) < 20:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert not world.record.resources
        assert len(await world.fetch("select 1 from queue")) == 20
        world.record.status = 0
        await world.settled()
    assert len(world.record.of("Patient")) == 20
    assert not await world.fetch("select 1 from dead")


async def test_a_registry_that_was_down_is_caught_up_by_itself(world: World) -> None:
    world.registry.down = True
    async with world.sync():
        world.registry.put(woman(1))
        await asyncio.sleep(0.5)
        world.registry.down = False
        await world.settled()
    assert len(world.record.of("Patient")) == 1


async def test_contested_writes_are_tried_again_then_set_aside(world: World) -> None:
    world.record.refuse = lambda bundle: 412 if "PHN1" in str(bundle) else 0
    async with world.sync():
        world.registry.put(woman(1))
        await world.until(lambda: len(world.registry.fetched) == 3)
        await world.settled()
    assert len(await world.fetch("select 1 from dead")) == 1


async def test_killed_at_any_step_it_resumes_and_doubles_nothing(world: World) -> None:
    """Twelve kills, one right after the record took a bundle and before the sync knew."""
    people = 12
    for number in range(people):
        async with world.sync():
            world.registry.put(named(woman(number), f"First {number}"))
            taken = len(world.record.bundles)
            if number % 2:
                await world.until(lambda taken=taken: len(world.record.bundles) > taken)
            else:
                await asyncio.sleep(0.013 * number)
    async with world.sync():
        await world.settled()
    assert sorted(one["name"][0]["text"] for one in world.record.of("Patient")) == sorted(
        f"First {number}" for number in range(people)
    )


async def test_a_key_that_changed_in_between_makes_no_second_patient(world: World) -> None:
    person = woman(1)
    sample.attribute(person, "IrUmPkFMDU5", None)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        sample.attribute(person, "IrUmPkFMDU5", "PHN1")
        world.registry.put(person)
        await world.settled()
    assert [one["identifier"][0]["value"] for one in world.record.of("Patient")] == ["PHN1"]


async def test_killed_on_the_first_delivery_then_keyed_otherwise_she_is_still_one(world: World) -> None:
    person = woman(1)
    sample.attribute(person, "IrUmPkFMDU5", None)
    died = asyncio.Event()
    async with world.sync() as app:
        queue = app.state.sync.agent.carriers[0].queue

        async def die(*_: Any, **__: Any) -> bool:
            died.set()
            await asyncio.sleep(60)
            return False

        queue.finish = die
        world.registry.put(person)
        await died.wait()
    sample.attribute(person, "IrUmPkFMDU5", "PHN1")
    world.registry.put(person)
    async with world.sync():
        await world.settled()
    assert [one["identifier"][0]["value"] for one in world.record.of("Patient")] == ["PHN1"]


async def test_a_registry_without_a_feed_is_polled(world: World) -> None:
    world.registry.feed = False
    async with world.sync() as app:
        world.registry.put(woman(1))
        await world.until(lambda: world.record.of("Patient"))
        await world.settled()
        async with client_of(app) as client:
            assert (await client.get("/status")).json()["feed"] == "poll"
        fetched = len(world.registry.fetched)
        await asyncio.sleep(1.3)
        assert len(world.registry.fetched) == fetched
        world.registry.put(named(woman(1), NEW) | {"updatedAt": "2026-01-02T00:00:00.000"})
        await world.until(lambda: world.record.of("Patient")[0]["name"][0]["text"] == NEW)


async def test_people_of_other_programmes_stay_where_they_are(world: World) -> None:
    async with world.sync():
        world.registry.put(woman(1, enrollments=[]))
        await world.settled()
    assert not world.record.of("Patient")


async def test_keys_and_metrics_are_published(world: World) -> None:
    async with world.sync() as app:
        async with client_of(app) as client:
            keys = (await client.get("/jwks.json")).json()["keys"]
            assert keys[0]["kid"]
            assert "d" not in keys[0]
            assert "janani_sync_people" in (await client.get("/metrics")).text
