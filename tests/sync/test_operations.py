"""The operations page, over the real registry's login and with real deliveries."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.sync import life
from people import visited
from system import System, a_system


@pytest.fixture(scope="module")
def system() -> Any:
    with a_system("--no-demo") as one:
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(follow_redirects=True, headers={"accept": "text/html"}, timeout=30) as one:
        yield one


async def logged_in(
    system: System, browser: httpx.AsyncClient, username: str = "admin", password: str = "district", path: str = "/"
) -> httpx.Response:
    """What the browser shows after logging in at the registry on the way to `path`."""
    door = await browser.get(system.url("sync") + path)
    assert str(door.url).startswith(system.url("registry")), door.url
    form = {"username": username, "password": password, "then": door.url.params["then"]}
    return await browser.post(system.url("registry") + "/login", data=form, headers={"origin": system.url("registry")})


async def delivered(system: System, number: int) -> str:
    """A woman whose registration reached the record: her UID."""
    async with httpx.AsyncClient(auth=("admin", "district"), timeout=60) as admin:
        url = f"{system.url('registry')}/api/tracker?async=false"
        answer = await admin.post(url, json={"trackedEntities": [visited(number)]})
        assert answer.status_code == 200, answer.text
    person: str = visited(number)["trackedEntity"]
    headers = {"authorization": f"Bearer {(system.home / 'secrets' / 'sync-token').read_text()}"}
    async with httpx.AsyncClient(base_url=system.url("sync"), headers=headers) as client, asyncio.timeout(60):
        while "Acknowledged by record" not in (await client.get(f"/people/{person}")).text:
            await asyncio.sleep(0.1)
    return person


async def test_staff_log_in_at_the_registry_and_come_to_the_page_they_wanted(
    system: System, browser: httpx.AsyncClient
) -> None:
    person = await delivered(system, 1)
    page = await logged_in(system, browser, path=f"/people/{person}")
    assert str(page.url) == f"{system.url('sync')}/people/{person}", page.text
    page = await browser.get(system.url("sync") + "/")
    assert "Everything that was noticed is delivered" in page.text
    assert person in page.text
    page = await browser.post(system.url("sync") + "/logout")
    assert "You are logged out here" in page.text
    async with httpx.AsyncClient(cookies=browser.cookies, headers={"accept": "text/html"}) as again:
        assert (await again.get(system.url("sync") + "/")).status_code == 303


async def test_who_lacks_the_authority_is_told_so(system: System, browser: httpx.AsyncClient) -> None:
    page = await logged_in(system, browser, "sync", (system.home / "secrets" / "sync-password").read_text())
    assert page.status_code == 403
    assert "F_SYNC_OPERATIONS" in page.text


async def test_a_program_without_the_token_gets_nothing(system: System) -> None:
    async with httpx.AsyncClient(base_url=system.url("sync")) as client:
        for path in ("/", "/people/abc", "/dead", "/conflicts", "/reconciliation"):
            answer = await client.get(path, headers={"accept": "application/json"})
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized"), path
        answer = await client.get("/", headers={"accept": "application/json", "authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def test_a_callback_that_nobody_began_is_refused(system: System, browser: httpx.AsyncClient) -> None:
    page = await browser.get(system.url("sync") + "/callback", params={"state": "x", "code": "y"})
    assert page.status_code == 403
    assert "begun elsewhere" in page.text


async def test_login_leads_nowhere_but_here(system: System, browser: httpx.AsyncClient) -> None:
    for path in ("//evil.example/x", "https://evil.example/"):
        browser.cookies.clear()
        door = await browser.get(system.url("sync") + "/login", params={"then": path})
        form = {"username": "admin", "password": "district", "then": door.url.params["then"]}
        headers = {"origin": system.url("registry")}
        page = await browser.post(system.url("registry") + "/login", data=form, headers=headers)
        assert str(page.url) == system.url("sync") + "/"


async def test_the_life_of_a_change_shows_every_step_in_order(system: System, browser: httpx.AsyncClient) -> None:
    page = await logged_in(system, browser, path=f"/people/{await delivered(system, 2)}")
    steps = ["Changed in the registry", "Noticed by the sync", "Read from the registry", "Mapped", "Sent to record"]
    places = [page.text.index(step) for step in [*steps, "Acknowledged by record"]]
    assert places == sorted(places)


async def test_another_site_can_change_nothing(system: System, browser: httpx.AsyncClient) -> None:
    await logged_in(system, browser)
    for headers in ({"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}):
        answer = await browser.post(system.url("sync") + "/people/retry", headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.text
    assert (await browser.post(system.url("sync") + "/people/retry")).status_code == 200


async def set_aside(system: System, person: str, document: str) -> None:
    """As if both sides had refused something."""
    connection = await asyncpg.connect(EmbeddedPostgres(system.home / "postgres").dsn)
    try:
        await connection.execute(
            "insert into sync.dead (target, person, reason, detail, payload, attempts, since)"
            " values ('record', $1, 'the record refused it', 'its own words', '{}', 2, now())",
            person,
        )
        await connection.execute(
            "insert into sync.back_dead (source, reason, attempts, since)"
            " values ($1, 'answered 409 (E1011)', 3, now())",
            document,
        )
    finally:
        await connection.close()


def commanded(system: System, *words: str) -> str:
    """What `janani sync dead` says."""
    command = [sys.executable, "-m", "janani", "sync", "dead", *words]
    done = subprocess.run(command, env=system.environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


async def test_the_command_lists_shows_retries_and_drops_what_was_set_aside_both_ways(system: System) -> None:
    person, document = await delivered(system, 3), "Encounter/11111111-1111-1111-1111-111111111111"
    await set_aside(system, person, document)
    listed = await asyncio.to_thread(commanded, system, "list")
    assert person in listed
    assert document in listed
    assert document not in await asyncio.to_thread(commanded, system, "list", "--target", "record")
    assert "its own words" in await asyncio.to_thread(commanded, system, "show", person)
    assert "E1011" in await asyncio.to_thread(commanded, system, "show", document)
    assert "Dropped: 1." in await asyncio.to_thread(commanded, system, "drop", document, "--yes")
    assert "No document of that name" in await asyncio.to_thread(commanded, system, "retry", document)
    assert "Queued again: 1." in await asyncio.to_thread(commanded, system, "retry")
    assert "Nothing was set aside." in await asyncio.to_thread(commanded, system, "list")


async def test_the_page_shows_what_was_set_aside_both_ways_and_lets_it_be_settled(
    system: System, browser: httpx.AsyncClient
) -> None:
    person, document = await delivered(system, 4), "Encounter/22222222-2222-2222-2222-222222222222"
    await set_aside(system, person, document)
    page = await logged_in(system, browser)
    assert "1 person was set aside." in page.text
    assert "1 document was set aside on the way back." in page.text
    assert "answered 409 (E1011)" in page.text
    page = await browser.post(f"{system.url('sync')}/back/{document}", data={"do": "drop"})
    assert "on the way back" not in page.text
    page = await browser.post(f"{system.url('sync')}/people/{person}/record", data={"do": "drop"})
    assert "the record refused it" not in page.text
    page = await browser.get(system.url("sync") + "/people", params={"uid": f" {person} "})
    assert page.url.path == f"/people/{person}"
    told = (await browser.get(system.url("sync") + "/metrics")).text
    assert 'janani_sync_dead{direction="back",target="registry"} 0.0' in told
    assert 'janani_sync_people_total{direction="out",outcome="delivered",target="record"}' in told


def test_steps_that_did_not_happen_are_left_out_and_a_clock_that_is_behind_takes_no_time() -> None:
    noticed = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"target": "record", "outcome": "unchanged", "changed_at": noticed + timedelta(seconds=1), "sent_at": None}
    row |= {"noticed_at": noticed, "fetched_at": noticed + timedelta(milliseconds=20), "mapped_at": None}
    found = life.steps(row | {"delivered_at": noticed + timedelta(milliseconds=50)})
    assert [step.seconds for step in found] == [None, 0.0, 0.02, 0.03]
    assert life.whole(found) == 0.0


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.0124, "12 ms"), (1.26, "1.3 s"), (250, "4 min"), (9000, "2.5 h"), (260000, "3 d"), (None, "")],
)
def test_lengths_of_time_are_said_as_people_say_them(seconds: float | None, says: str) -> None:
    assert life.span(seconds) == says
