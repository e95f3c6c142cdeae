"""What a registry takes back of an enrolment or an event leaves the record, and comes back when it is put back."""

from typing import Any

from sync.test_agent import woman
from sync.test_reference_defects import made
from sync.world import World


def clinical(world: World) -> dict[str, int]:
    """How many resources about her care the record has, by kind; drafts and cancelled ones apart."""
    kinds = ("EpisodeOfCare", "Encounter", "Observation", "Condition")
    return {kind: len(world.record.of(kind)) for kind in kinds}


def statuses(world: World, kind: str) -> list[str]:
    """The status of each resource of a kind, sorted."""
    return sorted(one["status"] for one in world.record.of(kind))


def names(world: World) -> set[str]:
    """The identifiers of the observations in the record."""
    return {one["identifier"][0]["value"] for one in world.record.of("Observation")}


def mapped(person: dict[str, Any]) -> set[str]:
    """The identifiers of the observations that `person` has as she is now, whatever was before."""
    return {one["identifier"][0]["value"] for one in made(person, "Observation")}


async def change(world: World, person: dict[str, Any]) -> None:
    """The person is written, and delivered."""
    world.registry.put(person)
    await world.settled()
    assert not await world.fetch("select reason from dead")


async def test_an_enrolment_cancelled_is_undone_and_comes_back_when_reopened(world: World) -> None:
    person = woman(1)
    async with world.sync():
        await change(world, person)
        before, episodes = clinical(world), statuses(world, "EpisodeOfCare")
        person["enrollments"][0]["status"] = "CANCELLED"
        await change(world, person)
        assert "active" not in statuses(world, "EpisodeOfCare")
        assert world.record.of("Patient")
        person["enrollments"][0]["status"] = "ACTIVE"
        await change(world, person)
        assert (clinical(world), statuses(world, "EpisodeOfCare")) == (before, episodes)


async def test_an_enrolment_deleted_takes_its_care_along_but_not_her(world: World) -> None:
    person = woman(1)
    async with world.sync():
        await change(world, person)
        before, enrolments = clinical(world), person["enrollments"]
        person["enrollments"] = []
        await change(world, person)
        assert not any(clinical(world).values())
        person["enrollments"] = enrolments
        await change(world, person)
        assert clinical(world) == before


async def test_an_event_moved_to_another_stage_leaves_nothing_of_the_first(world: World) -> None:
    person = woman(1)
    async with world.sync():
        await change(world, person)
        before = clinical(world)
        first, second = person["enrollments"][0]["events"]
        stage, second["programStage"] = second["programStage"], first["programStage"]
        await change(world, person)
        assert names(world) == mapped(person)
        second["programStage"] = stage
        await change(world, person)
        assert clinical(world) == before


async def test_an_event_no_longer_completed_is_in_progress_again(world: World) -> None:
    person = woman(1)
    async with world.sync():
        await change(world, person)
        before = clinical(world), statuses(world, "Encounter")
        event = person["enrollments"][0]["events"][1]
        status, event["status"] = event["status"], "ACTIVE"
        await change(world, person)
        assert "in-progress" in statuses(world, "Encounter")
        event["status"] = status
        await change(world, person)
        assert (clinical(world), statuses(world, "Encounter")) == before


async def test_her_clinic_changes_and_nothing_is_doubled(world: World) -> None:
    person = woman(1)
    async with world.sync():
        await change(world, person)
        before = clinical(world)
        person["orgUnit"] = person["programOwners"][0]["orgUnit"] = "OtherUnit01"
        person["enrollments"][0]["orgUnit"] = "OtherUnit01"
        await change(world, person)
        assert clinical(world) == before
        assert len(world.record.of("Patient")) == 1
