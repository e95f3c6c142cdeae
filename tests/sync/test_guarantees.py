"""What must not cost a woman her record: answers of proxies, rights that are missing, answers that are lost, merges."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from janani.kernel import postgres
from janani.sync.delivery import Delivered
from janani.sync.queue import Done, Queue
from sync.servers import FakeRecord
from sync.test_agent import named, woman
from sync.world import World

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def standing(record: FakeRecord) -> tuple[bool, int]:
    """Whether the only Patient is in use, and how many observations there are."""
    (patient,) = record.of("Patient")
    return patient["active"], len(record.of("Observation"))


async def waiting(world: World, trouble: str) -> None:
    """Until somebody waits for that reason."""
    async with asyncio.timeout(20):
        while not await world.fetch("select 1 from queue where trouble = $1", trouble):
            await asyncio.sleep(0.02)


async def test_a_404_of_a_proxy_takes_nothing_back(world: World) -> None:
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        before = standing(world.record)
        world.registry.lost = True
        world.registry.put(named(woman(1), "New Name"))
        await waiting(world, "away")
        assert standing(world.record) == before
        world.registry.lost = False
        await world.settled()
        assert not await world.fetch("select reason from dead")
    assert world.record.of("Patient")[0]["name"][0]["text"] == "New Name"


async def test_who_is_out_of_sight_is_set_aside_and_her_record_stays(world: World) -> None:
    """DHIS2 says "not found", or "no access", of a woman who went where the sync's user may not look."""
    async with world.sync():
        for number in (1, 2, 3):
            world.registry.put(woman(number))
        await world.settled()
        resources = len(world.record.resources)
        world.registry.hide("Person00001")
        world.registry.forbidden.add("Person00002")
        world.registry.put(woman(2))
        world.registry.put(named(woman(3), "Third Name"))
        await world.settled()
        rows = await world.fetch("select person, reason from dead order by person")
    assert [row["person"] for row in rows] == ["Person00001", "Person00002"]
    assert all("neither shows her" in row["reason"] for row in rows)
    assert len(world.record.resources) == resources
    assert all(one["active"] for one in world.record.of("Patient"))
    assert "Third Name" in [one["name"][0]["text"] for one in world.record.of("Patient")]


async def test_who_was_never_delivered_and_is_out_of_sight_is_nobodys_trouble(world: World) -> None:
    """DHIS2's maintenance removes people for good, and its log tells so of every programme."""
    async with world.sync():
        world.registry.put(woman(1))
        world.registry.hide("Person00001")
        await world.settled()
        assert not await world.fetch("select reason from dead")
    assert not world.record.of("Patient")


async def lost_answer(world: World, person: dict[str, Any]) -> None:
    """`person` is written and stored by the record, but its answer is lost, and then it is away."""

    def away() -> None:
        if not any(one["resource"]["resourceType"] == "Patient" for one in world.record.bundles[-1]["entry"]):
            return  # units and users go ahead
        world.record.status = 503
        raise ConnectionError

    await world.until(lambda: world.record.of("Device"))
    world.record.after_commit = away
    world.registry.put(person)
    await world.until(lambda: world.record.status == 503)
    world.record.after_commit = lambda: None
    await waiting(world, "away")


async def test_who_is_deleted_before_a_lost_answer_is_known_is_taken_back(world: World) -> None:
    async with world.sync():
        await lost_answer(world, woman(1))
        assert standing(world.record)[1]
        world.registry.remove("Person00001")
        world.record.status = 0
        await world.settled()
    assert standing(world.record) == (False, 0)
    assert not await world.fetch("select person from delivered")


async def test_an_event_deleted_before_a_lost_answer_is_known_is_taken_back(world: World) -> None:
    person = woman(1)
    event = person["enrollments"][0]["events"].pop(1)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        before = standing(world.record)
        person["enrollments"][0]["events"].insert(1, event)
        await lost_answer(world, person)
        assert standing(world.record) != before
        del person["enrollments"][0]["events"][1]
        world.registry.put(person)
        world.record.status = 0
        await world.settled()
    assert standing(world.record) == before


async def test_what_is_to_be_sent_again_is_so_whatever_is_on_its_way(database: str) -> None:
    """A doctor's edit is put right while a delivery that began before it ends."""
    pool = await postgres.open_pool(database, "sync")
    queue = Queue(pool, lambda: NOW, 0, "other")
    await pool.execute("insert into target values ('other', $1)", NOW)
    await pool.execute(
        "insert into queue (target, person, noticed_at, try_at) values ('other', 'Person00001', $1, $1)", NOW
    )
    (claim,) = await queue.claim()
    will = Delivered("Patient?identifier=a%7Cb", {"Patient": "1", "Observation?identifier=a%7Cx": "2"})
    await queue.intend([("Person00001", "Patient?identifier=own%7CPerson00001", will, None)])
    intended = (await queue.delivered(["Person00001"]))["Person00001"]
    assert (set(intended.digests.values()), intended.certain) == ({"?"}, False)
    marked = """{"Observation?identifier=a%7Cx": ""}"""
    await pool.execute("update queue set change = change + 1")
    await pool.execute("update delivered set digests = digests || $1::jsonb", marked)
    await queue.finish([Done(claim, will, 2, "delivered")])
    found = (await queue.delivered(["Person00001"]))["Person00001"]
    assert found.digests == {"Patient": "1", "Observation?identifier=a%7Cx": ""}
    queue.dropped([claim])
    (claim,) = await queue.claim()
    await queue.finish([Done(claim, will, 1, "delivered")])
    assert (await queue.delivered(["Person00001"]))["Person00001"].digests == will.digests
    await pool.close()
