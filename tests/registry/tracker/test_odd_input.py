"""What no database holds and no number reaches is refused in DHIS2's words (§1.2), and a database away is a 503."""

from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from janani.registry.tracker import importing
from registry.tracker.antenatal import ADMIN, PROGRAM, attribute, payload, person

Json = dict[str, Any]


async def _refused(client: httpx.AsyncClient, method: str, url: str, *, status: int = 400, **request: Any) -> str:
    answer = await client.request(method, url, **request)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert (said["httpStatusCode"], said["status"]) == (status, "ERROR")
    return str(said["message"])


async def test_a_nul_is_no_value_and_no_word_to_search_for(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["attributes"][0] = attribute("full_name", "Kumari\0Perera")
    assert "NUL" in await _refused(registry, "POST", "/api/tracker?async=false", json=payload(woman))
    for query in ("query=a%00b", f"filter={attribute('full_name', '')['attribute']}:eq:a%00b"):
        kind = woman["trackedEntityType"]
        await _refused(registry, "GET", f"/api/tracker/trackedEntities?trackedEntityType={kind}&{query}")


async def test_a_half_character_is_no_value(registry: httpx.AsyncClient) -> None:
    body = msgspec.json.encode(payload(person(name="Kumari"))).replace(b"Kumari", b"\\ud800")
    await _refused(registry, "POST", "/api/tracker?async=false", content=body)


async def test_nobody_has_a_name_with_a_nul(registry: httpx.AsyncClient) -> None:
    wrong = {"username": "admin\0", "password": "dis\0trict"}
    assert "Incorrect" in await _refused(registry, "POST", "/api/auth/login", json=wrong, status=401, auth=None)
    for login in (wrong, wrong | {"username": "admin"}):
        assert (await registry.post("/login", data=login)).status_code == 401
    await _refused(registry, "GET", "/api/me", auth=("admin\0", "district"), status=401)


@pytest.mark.parametrize("depth", [900, 3000, 100_000])
async def test_nesting_without_end_is_a_body_that_cannot_be_read(registry: httpx.AsyncClient, depth: int) -> None:
    body = msgspec.json.encode(payload(person(geometry="HERE")))
    body = body.replace(b'"HERE"', b'{"type":"Point","coordinates":' + b"[" * depth + b"]" * depth + b"}")
    answer = await registry.post("/api/tracker?async=false", content=body)
    assert answer.status_code in (400, 409), answer.text


@pytest.mark.parametrize("place", ["1.9999999999999999999", "99999999999999999999.1", "١.٢", "1.²"])
async def test_a_cursor_beyond_all_numbers_is_none(registry: httpx.AsyncClient, place: str) -> None:
    epoch = (await registry.get("/api/tracker/changes?after=end")).json()["next"].partition(".")[0]
    for after in (place, f"{epoch}.{place}"):
        await _refused(registry, "GET", "/api/tracker/changes", params={"after": after, "wait": "0"})


@pytest.mark.parametrize("expire", [10**18, 10**400, 1e300, True])
async def test_a_token_for_ever_is_refused(registry: httpx.AsyncClient, expire: float) -> None:
    body = f'{{"expire":{str(expire).lower()}}}'
    await _refused(registry, "POST", "/api/apiToken", content=body)


async def test_a_database_that_is_away_is_told_with_when_to_try_again(
    registry: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (ConnectionRefusedError(), asyncpg.InterfaceError("pool is closing"), asyncpg.AdminShutdownError("x")):

        async def away(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(asyncpg.Connection, "_execute", away)
        answer = await registry.get("/api/me", auth=ADMIN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["httpStatusCode"] == 503


async def test_who_collides_at_every_try_is_told(registry: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken(*_: object, **__: object) -> None:
        raise asyncpg.UniqueViolationError("Key (value)=(her number)")

    monkeypatch.setattr(importing.store, "save", taken)
    said = await _refused(registry, "POST", "/api/tracker?async=false", json=payload(person()), status=409)
    assert "number" not in said


async def test_a_search_has_twenty_words_at_most(registry: httpx.AsyncClient) -> None:
    """Each is a join: with some hundreds the database plans for longer than anybody waits."""
    url = f"/api/tracker/trackedEntities?program={PROGRAM}&query="
    assert (await registry.get(url + "%20".join(f"word{number % 20}" for number in range(300)))).status_code == 200
    assert "20" in await _refused(registry, "GET", url + "%20".join(f"word{number}" for number in range(21)))
