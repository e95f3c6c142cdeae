"""Several targets at once: one that is away or poisoned delays no other; dead letters; one woman, one Patient."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from janani.clients.fhir import FhirError, Issue
from janani.settings import Settings, Target
from janani.sync import verdicts
from janani.sync.verdicts import Verdict
from sync import sample
from sync.servers import FakeRecord, free_port, served
from sync.test_agent import client_of, woman
from sync.world import World


@pytest.fixture
async def other(world: World) -> AsyncIterator[FakeRecord]:
    """A second record beside the first; the settings name both."""
    record = FakeRecord()
    async with served(record, free_port()) as url:
        first = Target("record", f"{world.settings.record.url}/fhir", authorization="none")
        second = Target("ministry", f"{url}/fhir", authorization="none")
        replace = msgspec.structs.replace
        world.settings = replace(world.settings, sync=replace(world.settings.sync, targets=[first, second]))
        yield record


def operator(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {(settings.secrets / 'sync-token').read_text()}"}


async def test_a_target_that_is_down_delays_no_other_and_catches_up(world: World, other: FakeRecord) -> None:
    other.status = 503
    async with world.sync() as app:
        for number in range(10):
            world.registry.put(woman(number))
        await world.until(lambda: len(world.record.of("Patient")) == 10)
        assert not other.resources
        async with client_of(app) as client:
            states = {one["target"]: one for one in (await client.get("/status")).json()["targets"]}
        assert states["record"]["state"] == "closed"
        assert states["ministry"]["state"] != "closed"
        other.status = 0
        await world.settled()
    assert len(other.of("Patient")) == 10


async def test_poison_of_one_target_is_taken_by_the_other(world: World, other: FakeRecord) -> None:
    other.refuse = lambda bundle: 422 if "PHN2" in str(bundle) else 0
    async with world.sync() as app:
        for number in range(1, 5):
            world.registry.put(woman(number))
        await world.settled()
        assert (len(world.record.of("Patient")), len(other.of("Patient"))) == (4, 3)
        async with client_of(app) as client:
            asked: dict[str, Any] = {"headers": operator(world.settings)}
            (listed,) = (await client.get("/dead", **asked)).json()
            assert (listed["target"], listed["person"]) == ("ministry", "Person00002")
            assert "payload" not in listed
            (shown,) = (await client.get("/dead/Person00002", **asked)).json()
            assert "PHN2" in shown["payload"]
            assert shown["detail"] == "secret"
            assert (await client.get("/dead/Person00002")).status_code == 401
            assert (await client.post("/dead/retry?target=record", **asked)).json()["retried"] == 0
            other.refuse = lambda bundle: 0
            assert (await client.post("/dead/retry?target=ministry", **asked)).json()["retried"] == 1
            await world.settled()
    assert len(other.of("Patient")) == 4


async def test_what_was_dropped_comes_with_the_next_change(world: World) -> None:
    world.record.refuse = lambda bundle: 422
    async with world.sync() as app:
        world.registry.put(woman(1))
        await world.settled()
        async with client_of(app) as client:
            asked: dict[str, Any] = {"headers": operator(world.settings)}
            assert (await client.delete("/dead/Person00001", **asked)).json() == {"dropped": 1}
            assert (await client.delete("/dead/Person00001", **asked)).status_code == 404
        world.record.refuse = lambda bundle: 0
        world.registry.put(woman(1))
        await world.settled()
    assert len(world.record.of("Patient")) == 1


async def test_a_new_target_is_sent_everyone_known(world: World, other: FakeRecord) -> None:
    both = world.settings
    world.settings = msgspec.structs.replace(both, sync=msgspec.structs.replace(both.sync, targets=[]))
    async with world.sync():
        for number in range(5):
            world.registry.put(woman(number))
        await world.settled()
    assert not other.resources
    world.settings = both
    async with world.sync():
        await world.settled()
    assert len(other.of("Patient")) == 5


async def test_a_number_that_came_late_makes_two_patients_one(world: World) -> None:
    """The record knew her by her number already, from elsewhere, and by the registry's own identifier."""
    person = woman(1)
    sample.attribute(person, "IrUmPkFMDU5", None)
    phn = "http://fhir.health.gov.lk/ips/identifier/phn"
    async with world.sync():
        world.registry.put(person)
        await world.settled()
        elsewhere = {"resourceType": "Patient", "id": "else", "identifier": [{"system": phn, "value": "PHN1"}]}
        world.record.resources.append(elsewhere)
        sample.attribute(person, "IrUmPkFMDU5", "PHN1")
        world.registry.put(person)
        await world.settled()
    assert not await world.fetch("select 1 from dead")
    patients = {one["id"]: one for one in world.record.of("Patient")}
    assert len(patients) == 2
    stays = patients.pop("else")
    (retired,) = patients.values()
    assert len(stays["identifier"]) > 1
    assert (retired["active"], retired["link"][0]["type"]) == (False, "replaced-by")
    assert "PHN1" not in str(retired)
    assert "identifier" not in retired or stays["identifier"][0] not in retired["identifier"]


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (409, "HAPI-0550: HAPI-0823: The operation has failed with a version constraint failure", Verdict.CONTESTED),
        (
            409,
            "HAPI-0550: HAPI-0824: The operation has failed with a unique index constraint failure",
            Verdict.CONTESTED,
        ),
        (400, "HAPI-0389: Failed to call access method: deadlock detected", Verdict.CONTESTED),
        (
            409,
            "HAPI-0550: HAPI-0989: Trying to update Patient/1/_history/2 but this is not the current version",
            Verdict.CONTESTED,
        ),
        (
            412,
            'Failed to UPDATE resource with match URL "Patient?" because this search matched 2 resources',
            Verdict.AMBIGUOUS,
        ),
        (412, "HAPI-2207: Invalid match URL - Multiple resources match this search", Verdict.AMBIGUOUS),
        (404, "HAPI-1091: Invalid match URL - No resources match this search", Verdict.REFUSED),
        (400, "HAPI-1094: Resource Organization/1 not found, specified in path", Verdict.REFUSED),
        (422, "HAPI-0574: validation", Verdict.REFUSED),
        (500, "", Verdict.ERROR),
        (429, "", Verdict.AWAY),
        (0, "", Verdict.AWAY),
    ],
)
def test_what_an_answer_means(status: int, text: str, expected: Verdict) -> None:
    assert verdicts.verdict(FhirError(status, [Issue(diagnostics=text)])) is expected


DANGLING = (
    "Unable to delete Encounter/5 because at least one resource has a reference to this resource. First reference"
)


def test_a_reason_never_quotes_the_record() -> None:
    error = FhirError(409, [Issue(code="conflict", diagnostics=f"HAPI-0550: HAPI-0515: {DANGLING} Kamala")])
    assert verdicts.reason(error) == ("something else in the record refers to what is to be deleted (409): conflict")


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (FhirError(404), True),
        (FhirError(405), True),
        (FhirError(404, [Issue(code="not-found")]), False),
        (FhirError(404, [Issue(code="login", diagnostics="no access token")]), True),
        (FhirError(400, [Issue(code="login", diagnostics="no access token")]), True),
    ],
)
def test_a_proxy_without_its_server_and_a_login_that_fails_say_nothing_of_a_person(
    error: FhirError, away: bool
) -> None:
    assert (verdicts.verdict(error) is verdicts.Verdict.AWAY) is away


async def test_basic_and_bearer_targets_show_their_secret(settings: Settings) -> None:
    from contextlib import AsyncExitStack

    from janani.kernel.clock import system_clock
    from janani.sync import targets

    seen: list[str] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    settings.secrets.mkdir(parents=True, exist_ok=True)
    (settings.secrets / "sync-target-hapi").write_text("word")
    (settings.secrets / "sync-target-hapi").chmod(0o600)
    async with served(server, free_port()) as url, AsyncExitStack() as stack:
        for way in ("basic", "bearer"):
            target = Target("hapi", url, authorization=way, client_id="me")  # type: ignore[arg-type]
            client = await targets.client(stack, settings, target, system_clock)
            await client.get("/metadata")
    assert seen == [httpx.BasicAuth("me", "word")._auth_header, "Bearer word"]
