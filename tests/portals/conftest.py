"""Janani on free ports for all tests of the portals; the portals themselves in the test, so that the world can fail."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from esignet_wire import free_socket, serving
from janani import programmes
from janani.portals.app import create_app
from janani.programmes import Programme
from janani.settings import Settings
from portals_walk import Browser, Switch
from system import System, a_system


@dataclass
class World:
    """The portals over a running system, and the switch that cuts them off from it."""

    browser: Browser
    switch: Switch
    system: System
    programme: Programme
    other: Browser

    @property
    def roles(self) -> dict[str, str]:
        return self.programme.registry.attributes | self.programme.registry.elements

    async def registered(self, filter_: str) -> list[dict[str, Any]]:
        """The tracked entities that meet a filter, as the administrator sees them."""
        query = {"program": self.programme.registry.program, "orgUnitMode": "ALL", "filter": filter_, "fields": "*"}
        async with httpx.AsyncClient(auth=("admin", "district")) as admin:
            answer = await admin.get(f"{self.system.url('registry')}/api/tracker/trackedEntities", params=query)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["trackedEntities"]
        return found

    async def write_event(self, event: dict[str, Any], **changes: Any) -> None:
        """Somebody else writes this event, changed."""
        kept = {key: event[key] for key in ("event", "program", "programStage", "enrollment", "orgUnit")}
        async with httpx.AsyncClient(auth=("admin", "district")) as admin:
            url = f"{self.system.url('registry')}/api/tracker?async=false"
            answer = await admin.post(url, json={"events": [kept | changes]})
            assert answer.status_code == 200, answer.text

    async def write_attribute(self, woman: dict[str, Any], attribute: str, value: str) -> None:
        """Somebody else writes this attribute of a woman and of her enrolment."""
        rows = {"attributes": [{"attribute": attribute, "value": value}]}
        person = {key: woman[key] for key in ("trackedEntity", "trackedEntityType", "orgUnit")} | rows
        kept = ("enrollment", "program", "orgUnit", "status", "enrolledAt", "occurredAt")
        person["enrollments"] = [{key: one[key] for key in kept} | rows for one in woman["enrollments"]]
        async with httpx.AsyncClient(auth=("admin", "district")) as admin:
            url = f"{self.system.url('registry')}/api/tracker?async=false"
            answer = await admin.post(url, json={"trackedEntities": [person]})
            assert answer.status_code == 200, answer.text


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """All parts, without the demo district."""
    with a_system("--no-demo") as system:
        yield system


@pytest.fixture
async def world(system: System, settings: Settings) -> AsyncIterator[World]:
    """The portals with a midwife who is logged in, and another browser for when two are at work."""
    settings = msgspec.structs.replace(
        settings,
        portals=msgspec.structs.replace(settings.portals, url=system.url("portals")),
        registry=msgspec.structs.replace(settings.registry, url=system.url("registry")),
    )
    app, switch, listening = create_app(settings), Switch(), free_socket()
    async with serving(app, listening):  # for its lifespan; requests go straight to it
        app.state.portals = msgspec.structs.replace(app.state.portals, http=httpx.AsyncClient(transport=switch))
        browsers = [Browser(app, system.url("portals"), system.url("esignet")) for _ in range(2)]
        world = World(browsers[0], switch, system, programmes.load("anc_lk"), browsers[1])
        await world.browser.log_in()
        try:
            yield world
        finally:
            for browser in browsers:
                await browser.close()
            await app.state.portals.http.aclose()
