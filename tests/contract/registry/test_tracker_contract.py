"""What every DHIS2 tracker does with a registration: ours on a free port, or any server by URL.

`JANANI_CONTRACT_REGISTRY_URL` names a server with the antenatal programme's metadata in it, and
`JANANI_CONTRACT_REGISTRY_LOGIN` (`user:password`) a user who may write there. Everything written is deleted again.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from janani.kernel.ids import uid
from janani.registry.app import create_app
from janani.settings import Registry, Settings
from registry.tracker.antenatal import AREA, PROGRAM, ROLES, VISIT, attribute, package, payload, person

URL = os.environ.get("JANANI_CONTRACT_REGISTRY_URL", "")
LOGIN = os.environ.get("JANANI_CONTRACT_REGISTRY_LOGIN", "admin:district")
Json = dict[str, Any]
pytestmark = pytest.mark.contract


@asynccontextmanager
async def serving(settings: Settings, listening: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.02)
    yield
    server.should_exit = True
    await task


@pytest.fixture
def own_settings(request: pytest.FixtureRequest) -> Settings | None:
    """Settings and database of our own registry; none are made when another is tested by URL."""
    return None if URL else request.getfixturevalue("settings")


@pytest.fixture
async def dhis2(own_settings: Settings | None) -> AsyncIterator[httpx.AsyncClient]:
    """The Web API under test."""
    auth = httpx.BasicAuth(*LOGIN.split(":", 1))
    if own_settings is None:
        async with httpx.AsyncClient(base_url=URL, auth=auth, timeout=60) as client:
            yield client
        return
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://localhost:{listening.getsockname()[1]}"
        own = msgspec.structs.replace(own_settings, registry=Registry(url=url))
        async with serving(own, listening), httpx.AsyncClient(base_url=url, auth=auth, timeout=60) as client:
            answer = await client.post("/api/metadata", content=package())
            assert answer.status_code == 200, answer.text
            yield client


@pytest.fixture
async def her(dhis2: httpx.AsyncClient) -> AsyncIterator[Json]:
    """A woman registered, enrolled and seen; gone afterwards."""
    woman = person(f"Contract {uid()}")
    woman["attributes"] = [dict(one) for one in woman["enrollments"][0]["attributes"][:2]]
    answer = await send(dhis2, payload(woman))
    assert answer.status_code == 200, answer.text
    yield woman
    await send(dhis2, payload({"trackedEntity": woman["trackedEntity"]}), importStrategy="DELETE")


async def send(client: httpx.AsyncClient, body: Json, **query: str) -> httpx.Response:
    return await client.post("/api/tracker", params={"async": "false"} | query, json=body)


def codes(answer: httpx.Response) -> set[str]:
    return {line["errorCode"] for line in answer.json()["validationReport"]["errorReports"]}


async def test_a_registration_reads_back_whole(dhis2: httpx.AsyncClient, her: Json) -> None:
    answer = await dhis2.get(f"/api/tracker/trackedEntities/{her['trackedEntity']}", params={"fields": "*"})
    found = answer.json()
    assert found["trackedEntity"] == her["trackedEntity"]
    enrollment = found["enrollments"][0]
    assert enrollment["program"] == PROGRAM
    assert {event["status"] for event in enrollment["events"]} == {"COMPLETED", "SCHEDULE"}
    done = next(event for event in enrollment["events"] if event["status"] == "COMPLETED")
    sent = her["enrollments"][0]["events"][0]["dataValues"]
    kept = {value["dataElement"]: value["value"] for value in done["dataValues"]}
    assert kept == {value["dataElement"]: value["value"] for value in sent}
    assert found["programOwners"][0]["orgUnit"] == AREA


async def test_she_is_found_by_name(dhis2: httpx.AsyncClient, her: Json) -> None:
    name = her["attributes"][0]["value"]
    query = {"program": PROGRAM, "orgUnits": AREA, "filter": f"{ROLES.attributes['full_name']}:eq:{name.upper()}"}
    found = (await dhis2.get("/api/tracker/trackedEntities", params=query)).json()
    assert [one["trackedEntity"] for one in found["trackedEntities"]] == [her["trackedEntity"]]
    assert found["pager"]["pageSize"] == 50


async def test_a_retry_with_uids_makes_nobody_twice(dhis2: httpx.AsyncClient, her: Json) -> None:
    again = await send(dhis2, payload(her), importStrategy="CREATE_AND_UPDATE")
    assert again.status_code == 200, again.text
    assert again.json()["stats"]["created"] == 0


async def test_errors_are_a_bare_report_with_409(dhis2: httpx.AsyncClient, her: Json) -> None:
    twice = await send(dhis2, payload(her), importStrategy="CREATE")
    assert twice.status_code == 409
    assert twice.json()["status"] == "ERROR"
    assert "bundleReport" not in twice.json()
    assert codes(twice) == {"E1002", "E1080", "E1030"}
    nobody = await send(dhis2, payload(person(orgUnit="zzzzzzzzzzz")))
    assert "E1049" in codes(nobody)


async def test_a_visit_is_added_and_moves_her_stamp(dhis2: httpx.AsyncClient, her: Json) -> None:
    place = f"/api/tracker/trackedEntities/{her['trackedEntity']}"
    before = (await dhis2.get(place)).json()["updatedAt"]
    visit = {
        "event": uid(), "program": PROGRAM, "programStage": VISIT, "orgUnit": AREA, "status": "SCHEDULE",
        "scheduledAt": "2030-01-15", "enrollment": her["enrollments"][0]["enrollment"],
    }  # fmt: skip
    added = await send(dhis2, {"events": [visit]})
    assert added.status_code == 200, added.text
    assert (await dhis2.get(place)).json()["updatedAt"] > before
    event = (await dhis2.get(f"/api/tracker/events/{visit['event']}")).json()
    assert event["scheduledAt"] == "2030-01-15T00:00:00.000"
    assert event["attributeOptionCombo"] == "HllvX50cXC0"


async def test_null_removes_a_value_but_not_a_mandatory_one(dhis2: httpx.AsyncClient, her: Json) -> None:
    enrollment = {name: her["enrollments"][0][name] for name in ("enrollment", "program", "orgUnit", "enrolledAt")}
    enrollment |= {"trackedEntity": her["trackedEntity"], "attributes": [attribute("gender", None)]}
    assert codes(await send(dhis2, {"enrollments": [enrollment]})) == {"E1076"}


async def test_the_deleted_are_gone(dhis2: httpx.AsyncClient) -> None:
    woman = person()
    await send(dhis2, payload(woman))
    only = payload({"trackedEntity": woman["trackedEntity"]})
    assert (await send(dhis2, only, importStrategy="DELETE")).json()["stats"]["deleted"] == 1
    assert (await dhis2.get(f"/api/tracker/trackedEntities/{woman['trackedEntity']}")).status_code == 404
    assert "E1114" in codes(await send(dhis2, payload(woman)))
