"""When a feed that can't be read wakes somebody: for what lasts, not for what passes by itself."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError, Issue
from janani.sync.interruption import Interruption, lasts
from sync.test_agent import client_of
from sync.world import World

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LOGIN, TOLD = [Issue(code="login")], [Issue(code="not-supported")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Dhis2Error(0, "", "not reached"), False),
        (Dhis2Error(503, "", "starting"), False),
        (Dhis2Error(500, "", "broken", told=True), False),
        (Dhis2Error(404, "", "a proxy"), False),
        (Dhis2Error(429, "", "slower", told=True), False),
        (Dhis2Error(401, "", "password"), True),
        (Dhis2Error(403, "", "no right", told=True), True),
        (Dhis2Error(409, "E1003", "not your unit", told=True), True),
        (FhirError(0), False),
        (FhirError(502, LOGIN), False),
        (FhirError(404), False),
        (FhirError(401), True),
        (FhirError(400, LOGIN), True),
        (FhirError(404, TOLD), True),
        (asyncpg.CannotConnectNowError(), False),
        (asyncpg.AdminShutdownError(), False),
        (asyncpg.InvalidPasswordError(), True),
        (asyncpg.InsufficientPrivilegeError(), True),
        (ConnectionResetError(), False),
    ],
)
def test_what_another_try_does_not_change(error: Exception, expected: bool) -> None:
    assert lasts(error) is expected


def test_what_passes_by_itself_has_ten_minutes() -> None:
    now = [NOW]
    feed = Interruption(lambda: now[0])
    feed.met("can't be read (503)", lasts=False)
    now[0] += timedelta(minutes=9)
    assert not feed.met("can't be read (503)", lasts=False)  # no news
    assert (feed.words, feed.needs_somebody) == ("can't be read (503)", False)
    now[0] += timedelta(minutes=1)
    assert feed.needs_somebody
    feed.over()
    assert not feed.needs_somebody
    assert feed.met("can't be read (0)", lasts=False)
    assert not feed.needs_somebody
    feed.over("everybody is being read again")
    assert feed.needs_somebody


async def told(world: World, app: object) -> dict[str, str]:
    """What Prometheus reads of the feeds, by direction."""
    async with client_of(app) as client:  # type: ignore[arg-type]
        lines = (await client.get("/metrics")).text.splitlines()
    return {
        direction: line.rpartition(" ")[2]
        for direction in ("out", "back")
        for line in lines
        if line.startswith("janani_sync_feed_trouble{") and f'"{direction}"' in line
    }


async def test_a_server_that_is_started_again_wakes_nobody_and_a_login_that_fails_does(world: World) -> None:
    world.registry.down, world.record.status = True, 503
    async with world.sync() as app:
        async with client_of(app) as client, asyncio.timeout(20):
            while True:
                status = (await client.get("/status")).json()
                if status["feed trouble"] and status["write-back"]["trouble"]:
                    break
                await asyncio.sleep(0.05)
        assert status["feed trouble"] == "the feed can't be read (503)"
        assert await told(world, app) == {"out": "0.0", "back": "0.0"}
        world.record.status = 401
        async with asyncio.timeout(20):
            while (await told(world, app))["back"] == "0.0":
                await asyncio.sleep(0.05)
        assert await told(world, app) == {"out": "0.0", "back": "1.0"}
        world.ahead = timedelta(minutes=10)
        assert await told(world, app) == {"out": "1.0", "back": "1.0"}
