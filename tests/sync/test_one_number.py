"""Two people of the registry with one number: one Patient is never overwritten by the other."""

from typing import Any

from sync import sample
from sync.test_agent import named, woman
from sync.world import World

PHN = "IrUmPkFMDU5"


def numbered(number: int, phn: str) -> dict[str, Any]:
    """The woman `number`, with that PHN."""
    person = woman(number)
    sample.attribute(person, PHN, phn)
    return person


def names(world: World) -> list[str]:
    """The names of all Patients in use."""
    return sorted(one["name"][0]["text"] for one in world.record.of("Patient") if one["active"])


async def test_the_second_is_set_aside_and_both_are_named(world: World) -> None:
    async with world.sync():
        world.registry.put(named(numbered(1, "PHN1"), "First"))
        await world.settled()
        world.registry.put(named(numbered(2, "PHN1"), "Second"))
        await world.settled(20)
        (row,) = await world.fetch("select person, reason from dead")
        assert row["person"] == "Person00002"
        assert "Person00001" in row["reason"]
        assert "PHN1" not in row["reason"]
        assert names(world) == ["First"]
        world.registry.put(named(numbered(1, "PHN1"), "First again"))
        await world.settled()
    assert names(world) == ["First again"]


async def test_two_who_come_at_once_are_told_apart_too(world: World) -> None:
    world.registry.put(named(numbered(1, "PHN1"), "Either"))
    world.registry.put(named(numbered(2, "PHN1"), "Or"))
    async with world.sync():
        await world.settled(20)
        assert len(await world.fetch("select person from dead")) == 1
    assert len(names(world)) == 1


async def test_a_number_corrected_at_the_registry_lets_both_in(world: World) -> None:
    async with world.sync():
        world.registry.put(named(numbered(1, "PHN1"), "First"))
        await world.settled()
        world.registry.put(named(numbered(2, "PHN1"), "Second"))
        await world.settled(20)
        world.registry.put(named(numbered(2, "PHN2"), "Second"))
        await world.settled()
        assert not await world.fetch("select person from dead")
    assert names(world) == ["First", "Second"]


async def test_who_takes_the_number_of_one_who_was_deleted_has_it(world: World) -> None:
    async with world.sync():
        world.registry.put(named(numbered(1, "PHN1"), "First"))
        await world.settled()
        world.registry.remove("Person00001")
        await world.settled()
        world.registry.put(named(numbered(2, "PHN1"), "Second"))
        await world.settled()
        assert not await world.fetch("select person from dead")
    assert names(world) == ["Second"]


async def test_a_number_that_moves_from_one_to_another_is_waited_for(world: World) -> None:
    """The change of who gets it may be seen before the change of who had it."""
    async with world.sync():
        world.registry.put(named(numbered(1, "PHN1"), "First"))
        world.registry.put(named(numbered(2, "PHN2"), "Second"))
        await world.settled()
        world.registry.put(named(numbered(2, "PHN1"), "Second"))
        world.registry.put(named(numbered(1, "PHN3"), "First"))
        await world.settled(20)
        assert not await world.fetch("select person from dead")
    held = {one["name"][0]["text"]: one["identifier"][0]["value"] for one in world.record.of("Patient")}
    assert held == {"First": "PHN3", "Second": "PHN1"}


async def test_one_who_changes_to_the_number_of_another_keeps_her_own_patient(world: World) -> None:
    async with world.sync():
        world.registry.put(named(numbered(1, "PHN1"), "First"))
        world.registry.put(named(numbered(2, "PHN2"), "Second"))
        await world.settled()
        world.registry.put(named(numbered(2, "PHN1"), "Second"))
        await world.settled(20)
        assert [row["person"] for row in await world.fetch("select person from dead")] == ["Person00002"]
    assert names(world) == ["First", "Second"]
