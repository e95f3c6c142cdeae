"""The whole sync against a server that answers as HAPI FHIR does: delivery, undoing, races, the way back, comparing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar

from janani.settings import Settings
from sync import sample
from sync.hapi import FakeHapi
from sync.servers import FakeRegistry, free_port, served
from sync.test_agent import client_of, named, woman
from sync.test_targets import operator
from sync.world import World

RACE = "HAPI-0550: HAPI-0823: The operation has failed with a version constraint failure."
TE = "http://fhir.health.gov.lk/ips/identifier/dhis2-tracked-entity"


@pytest.fixture
async def hapi() -> FakeHapi:
    return FakeHapi()


@pytest.fixture
async def world(settings: Settings, hapi: FakeHapi) -> AsyncIterator[World]:
    """A registry and a HAPI on real HTTP; the sync is started by the test."""
    registry: Any = FakeRegistry()
    ports = free_port(), free_port()
    async with served(registry, ports[0]) as registry_url, served(hapi, ports[1]) as record_url:
        replace = msgspec.structs.replace
        settings = replace(
            settings,
            registry=replace(settings.registry, url=registry_url),
            record=replace(settings.record, url=record_url, authorization="open"),
            sync=replace(settings.sync, poll_seconds=1, attempts=3),
        )
        record: Any = hapi
        yield World(settings, registry, record)


async def reconciled(world: World, app: Litestar, *, repair: bool = False) -> dict[str, Any]:
    """The report of a comparison with the record."""
    async with client_of(app) as client:
        client.headers.update(operator(world.settings))
        query = {"target": "record", "repair": str(repair).lower()}
        assert (await client.post("/reconciliation", params=query)).status_code == 202
        while (found := (await client.get("/reconciliation")).json())["state"] == "running":
            await asyncio.sleep(0.02)
    assert found["state"] == "done", found
    report: dict[str, Any] = found["report"]
    return report


async def test_a_woman_her_change_and_her_end_arrive(world: World, hapi: FakeHapi) -> None:
    person = woman(1)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        (patient,) = hapi.of("Patient")
        observations = len(hapi.of("Observation"))
        assert observations
        assert all(one["subject"]["reference"] == f"Patient/{patient['id']}" for one in hapi.of("Observation"))
        events = person["enrollments"][0]["events"]
        events[1]["dataValues"] = [one for one in events[1]["dataValues"] if one["dataElement"] != "gu4sr8eOZcT"]
        world.registry.put(named(person, "Kamala Other"))
        await world.settled()
        assert hapi.of("Patient")[0]["name"][0]["text"] == "Kamala Other"
        assert len(hapi.of("Observation")) == observations - 1
        world.registry.remove("Person00001")
        await world.settled()
        assert not await world.fetch("select reason from dead")
    assert [one["active"] for one in hapi.of("Patient")] == [False]
    assert not hapi.of("Observation")


async def test_an_event_that_a_merge_moved_is_not_deleted_with_the_duplicate(world: World, hapi: FakeHapi) -> None:
    """DHIS2 moves the duplicate's enrolment, with its UIDs, to the original, and deletes the duplicate."""
    original, duplicate = woman(1), woman(2)
    enrolments = [one | {"attributes": original["enrollments"][0]["attributes"]} for one in duplicate["enrollments"]]
    original["enrollments"] = []
    async with world.sync():
        world.registry.put(original)
        world.registry.put(duplicate)
        await world.settled()
        before = len(hapi.of("Observation"))
        original["enrollments"] = [one | {"trackedEntity": original["trackedEntity"]} for one in enrolments]
        world.registry.put(original)
        await world.settled()
        world.registry.remove("Person00002")
        await world.settled()
        assert not await world.fetch("select reason from dead")
    (kept,) = (one for one in hapi.of("Patient") if one["active"])
    assert kept["identifier"][0]["value"] == "PHN1"
    assert len(hapi.of("Observation")) == before
    assert {one["subject"]["reference"] for one in hapi.of("Observation")} == {f"Patient/{kept['id']}"}


def of_the_hospital(hapi: FakeHapi, number: str) -> str:
    """The place of a Patient whom the hospital registered under a national PHN before."""
    phn = "http://fhir.health.gov.lk/ips/identifier/phn"
    made = hapi.write({"resourceType": "Patient", "active": True, "identifier": [{"system": phn, "value": number}]})
    return f"Patient/{made['id']}"


async def test_a_first_delivery_that_was_refused_leaves_no_trace(world: World, hapi: FakeHapi) -> None:
    """Her number was mistyped; once it is right, the Patient of the hospital is hers, and there is no second."""
    place, person = of_the_hospital(hapi, "PHN1"), woman(1)
    sample.attribute(person, "IrUmPkFMDU5", "PHN9")
    hapi.refuse = lambda bundle: (422, "a check digit", {}) if "PHN9" in str(bundle) else None
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        assert len(await world.fetch("select reason from dead")) == 1
        for name in ("Her Name", "Her Other Name"):
            world.registry.put(named(woman(1), name))
            await world.settled()
        assert not await world.fetch("select reason from dead")
    assert [f"Patient/{one['id']}" for one in hapi.of("Patient")] == [place]


async def test_who_goes_before_anything_arrived_takes_nobody_along(world: World, hapi: FakeHapi) -> None:
    of_the_hospital(hapi, "PHN1")
    hapi.refuse = lambda bundle: (422, "not now", {}) if "Person00001" in str(bundle) else None
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        world.registry.remove("Person00001")
        await world.settled()
        assert not await world.fetch("select reason from dead")
        assert not await world.fetch("select person from delivered")
    assert [one["active"] for one in hapi.of("Patient")] == [True]


async def test_who_left_the_programme_still_agrees(world: World, hapi: FakeHapi) -> None:
    """Her enrolment was deleted: her care goes, her Patient stays, and the registry lists her no more."""
    person = woman(1)
    async with world.sync() as app:
        world.registry.put(person)
        world.registry.put(woman(2))
        await world.settled()
        person["enrollments"] = []
        world.registry.put(person)
        await world.settled()
        report = await reconciled(world, app)
    assert (report["people"], report["equal"], report["only_in_record"]) == (2, 2, [])


async def test_what_there_is_too_much_is_taken_back(world: World, hapi: FakeHapi) -> None:
    """An observation that a version before this one sent, and forgot when the answer was lost."""
    person, key = woman(1), "Observation?identifier="
    async with world.sync() as app:
        world.registry.put(person)
        await world.settled()
        before = len(hapi.of("Observation"))
        (row,) = await world.fetch("select digests::text from delivered where person = 'Person00001'")
        lost = next(one for one in msgspec.json.decode(row["digests"]) if one.startswith(key) and "gu4sr8eOZcT" in one)
        await world.fetch("update delivered set digests = digests - $1", lost)
        events = world.registry.people["Person00001"]["enrollments"][0]["events"]
        events[1]["dataValues"] = [one for one in events[1]["dataValues"] if one["dataElement"] != "gu4sr8eOZcT"]
        report = await reconciled(world, app, repair=True)
        assert len(report["differing"]["Person00001"]["extra"]) == 1
        await world.settled()
        assert len(hapi.of("Observation")) == before - 1
        assert (await reconciled(world, app))["differing"] == {}


async def test_a_race_is_tried_again_and_a_busy_server_is_waited_for(world: World, hapi: FakeHapi) -> None:
    answers = [(409, RACE), (503, "", {"retry-after": "1"}), (429, "", {"retry-after": "1"})]
    hapi.refuse = lambda bundle: answers.pop() if answers and "Person" in bundle["identifier"]["value"] else None
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled(20)
        assert not await world.fetch("select reason from dead")
    assert len(hapi.of("Patient")) == 1
    assert not answers


async def test_two_patients_with_her_number_are_told_apart_by_nobody(world: World, hapi: FakeHapi) -> None:
    phn = "http://fhir.health.gov.lk/ips/identifier/phn"
    for _ in range(2):
        hapi.write({"resourceType": "Patient", "identifier": [{"system": phn, "value": "PHN1"}]})
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled(20)
        (row,) = await world.fetch("select reason from dead")
    assert row["reason"].startswith("several resources of the record answer to one of her identifiers (412)")


async def test_what_somebody_else_refers_to_is_not_deleted_and_said_so(world: World, hapi: FakeHapi) -> None:
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        observation = hapi.of("Observation")[0]
        patient = {"reference": f"Patient/{hapi.of('Patient')[0]['id']}"}
        result = [{"reference": f"Observation/{observation['id']}"}]
        hapi.write({"resourceType": "DiagnosticReport", "subject": patient, "result": result})
        world.registry.remove("Person00001")
        await world.settled(20)
        (row,) = await world.fetch("select reason from dead")
    assert row["reason"].startswith("something else in the record refers to what is to be deleted (409)")


async def test_what_many_share_is_written_once(world: World, hapi: FakeHapi) -> None:
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        count = len(hapi.of("Location"))
        world.registry.put(woman(2))
        await world.settled()
        assert len(hapi.of("Location")) == count
        assert not await world.fetch("select reason from dead")


async def test_a_number_that_changes_keeps_one_patient(world: World, hapi: FakeHapi) -> None:
    person = woman(1)
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        sample.attribute(person, "IrUmPkFMDU5", "PHN9")
        world.registry.put(person)
        await world.settled()
        assert not await world.fetch("select reason from dead")
    (patient,) = hapi.of("Patient")
    assert "PHN9" in str(patient["identifier"])
    assert "PHN1'" not in str(patient["identifier"])


async def test_without_digests_the_resources_are_read_and_all_agree(world: World, hapi: FakeHapi) -> None:
    async with world.sync() as app:
        for number in range(1, 5):
            world.registry.put(woman(number))
        await world.settled()
        report = await reconciled(world, app)
    assert report["compared_by"] == "resources"
    assert (report["people"], report["equal"], report["differing"]) == (4, 4, {})


async def test_without_digests_what_was_lost_altered_or_doubled_is_found_and_mended(
    world: World, hapi: FakeHapi
) -> None:
    async with world.sync() as app:
        for number in range(1, 5):
            world.registry.put(woman(number))
        await world.settled()
        theirs = {
            next(one["value"] for one in patient["identifier"] if one["system"] == TE): f"Patient/{patient['id']}"
            for patient in hapi.of("Patient")
        }
        first, second, third, _ = (
            [one for one in hapi.of("Observation") if one["subject"]["reference"] == theirs[f"Person{number:05d}"]]
            for number in range(1, 5)
        )
        hapi.remove(f"Observation/{first[0]['id']}")
        hapi.write(second[0] | {"status": "entered-in-error"})
        hapi.write({key: held for key, held in third[0].items() if key != "id"})
        report = await reconciled(world, app, repair=True)
        found = {uid: {how for how, what in one.items() if what} for uid, one in report["differing"].items()}
        assert found == {"Person00001": {"missing"}, "Person00002": {"different"}, "Person00003": {"doubled"}}
        await world.settled(20)
        report = await reconciled(world, app)
        assert set(report["differing"]) == {"Person00003"}  # whom no conditional request can mend: she is set aside
        (row,) = await world.fetch("select person, reason from dead")
    assert (row["person"], "several resources" in row["reason"]) == ("Person00003", True)


async def test_the_way_back_reads_its_history(world: World, hapi: FakeHapi) -> None:
    async with world.sync():
        world.registry.put(woman(1))
        await world.settled()
        while not await world.fetch("select 1 from back_feed"):
            await asyncio.sleep(0.05)
        patient = {"reference": f"Patient/{hapi.of('Patient')[0]['id']}"}
        note = {"resourceType": "Condition", "subject": patient, "code": {"text": "Headache"}}
        written = hapi.write(note)
        source = f"Condition/{written['id']}"
        query = "select 1 from back_queue where source = $1 union select 1 from back_dead where source = $1"

        async def noticed(what: str) -> None:
            async with asyncio.timeout(60):
                while not await world.fetch(query, what):
                    await asyncio.sleep(0.05)

        await noticed(source)
    assert "GET _history" in hapi.asked
