"""One with whom it always fails is set aside, however that looks from outside; an outage sets nobody aside."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from janani.sync import carrier, gate
from sync.test_agent import client_of, woman
from sync.world import World

POISON = "Person00002"


def record_says(status: int) -> Any:
    """A trouble of the record with every bundle of hers."""

    def trouble(world: World) -> None:
        world.record.refuse = lambda bundle: status if "PHN2" in str(bundle) else 0

    return trouble


def registry_fails(world: World) -> None:
    """A trouble of the registry with her alone."""
    world.registry.broken.add(POISON)


async def tried(world: World) -> int:
    """How often she was tried; 1,000 when she was set aside."""
    if await world.fetch("select 1 from dead"):
        return 1000
    rows = await world.fetch("select attempts from queue where person = $1 and lease is null", POISON)
    return int(rows[0]["attempts"]) if rows else 0


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (record_says(500), "the record answered 500 at every one of many tries, while others got through"),
        (record_says(-1), "the record gave no answer in time at every one of many tries, while others got through"),
        (registry_fails, "the registry answered 500 at every one of many tries, while others got through"),
    ],
    ids=["the record fails", "the record hangs", "the registry fails"],
)
async def test_she_is_set_aside_while_the_others_are_delivered(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Any, reason: str
) -> None:
    monkeypatch.setattr(carrier, "_WORK_SECONDS", 1.0)
    trouble(world)
    async with world.sync() as app:
        for number in range(1, 5):
            world.registry.put(woman(number))
        await world.until(lambda: len(world.record.of("Patient")) == 3)
        for number in range(10, 30):
            before = await tried(world)
            if before == 1000:
                break
            world.ahead += timedelta(minutes=6)
            taken = len(world.record.of("Patient"))
            world.registry.put(woman(number))
            await world.until(lambda taken=taken: len(world.record.of("Patient")) > taken)
            async with asyncio.timeout(20):
                while await tried(world) <= before:
                    await asyncio.sleep(0.02)
        await world.settled()
        async with client_of(app) as client:
            status = (await client.get("/status")).json()
    assert [(one["person"], one["reason"]) for one in status["dead"]] == [(POISON, reason)]
    assert status["servers"] == "up"
    assert status["targets"][0]["state"] == "closed"
    assert world.ahead >= timedelta(minutes=10)


@pytest.mark.parametrize("status", [500, 503])
async def test_an_outage_of_an_hour_sets_nobody_aside(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(gate, "_LONGEST_SECONDS", 0.02)
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        world.record.status = status
        for number in range(2, 6):
            world.registry.put(woman(number))
        for _ in range(12):
            world.ahead += timedelta(minutes=5)
            world.registry.put(woman(6))
            await asyncio.sleep(0.15)
        rows = await world.fetch("select attempts, failed from queue")
        world.record.status = 0
        await world.settled()
    assert (len(rows), sum(row["failed"] for row in rows)) == (5, 0)
    assert sum(row["attempts"] for row in rows) > 3 * 5  # as many as would do, were they counted
    assert not await world.fetch("select reason from dead")
    assert len(world.record.of("Patient")) == 6
