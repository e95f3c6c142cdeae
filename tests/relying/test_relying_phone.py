"""On her own phone: a link, a button, a sign-in there; the midwife's side waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx
import pytest

from janani import programmes
from janani.kernel import http
from janani.relying import verification
from relying_world import ATTRIBUTES, World

ROLES = programmes.load("anc_lk").registry.attributes


@pytest.fixture
async def phone(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with http.client(base_url=str(world.route.base_url)) as browser:
        yield browser


async def begin(world: World) -> tuple[dict[str, Any], str]:
    answer = await world.route.post("/verifications", json={"ui_locales": "si"})
    assert answer.status_code == 201, answer.text
    begun: dict[str, Any] = answer.json()
    return begun, urlsplit(begun["link"]).path


async def pressed(world: World, phone: httpx.AsyncClient, path: str) -> dict[str, str]:
    """The button is pressed; what the provider was asked."""
    answer = await phone.post(path)
    assert answer.status_code == 303, answer.text
    asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    world.provider.expect(asked)
    world.provider.code = "the-code"
    return asked


async def look(world: World, handle: str, wait: int = 0, **headers: str) -> dict[str, Any]:
    answer = await world.route.get(
        f"/verifications/{handle}", params={"wait": wait}, headers={"accept": ATTRIBUTES} | headers
    )
    found: dict[str, Any] = answer.json()
    return found


async def test_she_signs_in_on_her_phone_and_the_one_who_waits_gets_it(world: World, phone: httpx.AsyncClient) -> None:
    world.provider.claims = {"name": "Nimali Perera", "birthdate": "1996/03/14"}
    begun, path = await begin(world)
    assert (await look(world, begun["id"]))["status"] == "waiting"
    page = await phone.get(path)
    assert f"data-sign>{begun['sign']}<" in page.text
    assert world.provider.url in page.headers["content-security-policy"]
    asked = await pressed(world, phone, path)
    assert asked["redirect_uri"] == "http://localhost:8090/phone/callback"
    assert asked["ui_locales"] == "si"
    opened = await look(world, begun["id"], wait=5)
    assert opened["status"] == "opened"
    waiting = asyncio.create_task(look(world, begun["id"], wait=10))
    done = await phone.get("/phone/callback", params={"code": "the-code", "state": asked["state"]})
    assert "put your phone away" in done.text
    assert "Nimali" not in done.text
    state = await waiting
    assert (state["status"], state["sign"]) == ("verified", begun["sign"])
    assert state["identity"]["status"] == "VERIFIED"
    values = {one["attribute"]: one["value"] for one in state["identity"]["attributes"]}
    assert values[ROLES["full_name"]] == "Nimali Perera"
    patient = await look(world, begun["id"], accept="application/fhir+json")
    assert patient["identity"]["name"] == [{"text": "Nimali Perera"}]
    assert await world.trail() == [("midwife", "verified")]


async def test_nothing_about_anybody_is_in_the_link_or_the_database(world: World, phone: httpx.AsyncClient) -> None:
    begun, path = await begin(world)
    assert set(begun) == {"id", "link", "qr", "sign", "expires_in"}
    assert begun["qr"].startswith("<svg")
    assert begun["id"] not in begun["link"]
    asked = await pressed(world, phone, path)
    await phone.get("/phone/callback", params={"code": "the-code", "state": asked["state"]})
    connection = await asyncpg.connect(world.settings.database.dsn)
    row = await connection.fetchrow("select * from relying.phone_verification")
    await connection.close()
    assert b"Nimali" not in row["sealed"]
    for secret in (begun["id"], begun["link"].rpartition("/")[2], asked["state"]):
        assert secret not in str(dict(row))


async def test_looking_at_the_link_spends_nothing_and_its_button_works_once(
    world: World, phone: httpx.AsyncClient
) -> None:
    _begun, path = await begin(world)
    for _ in range(2):
        assert (await phone.get(path)).status_code == 200
    await pressed(world, phone, path)
    for again in (await phone.get(path), await phone.post(path), await phone.get("/v/made-up")):
        assert again.status_code == 410
        assert "This link is over" in again.text


async def test_only_the_phone_that_opened_it_can_finish(world: World, phone: httpx.AsyncClient) -> None:
    begun, path = await begin(world)
    asked = await pressed(world, phone, path)
    async with http.client(base_url=str(world.route.base_url)) as thief:
        for cookies in ({}, {"relying_phone": "made up"}):
            thief.cookies.update(cookies)
            stolen = await thief.get("/phone/callback", params={"code": "the-code", "state": asked["state"]})
            assert stolen.status_code == 410
    other = await world.fetch(code="the-code", state=asked["state"])  # nor can it be finished by the other way
    assert (other.status_code, other.json()["error"]) == (400, "state_unknown")
    assert world.provider.token_calls == 0
    assert (await look(world, begun["id"]))["status"] == "opened"


async def test_only_who_began_sees_what_came_of_it(world: World, phone: httpx.AsyncClient) -> None:
    begun, _path = await begin(world)
    for handle, user in ((begun["id"], "another"), ("made-up", "midwife")):
        found = await world.route.get(f"/verifications/{handle}", headers={"x-forwarded-user": user})
        assert (found.status_code, found.json()["error"]) == (400, "verification_unknown")
    without = await phone.get(f"/verifications/{begun['id']}")
    assert without.status_code == 401


@pytest.mark.parametrize(
    ("query", "change", "code"),
    [
        ({"error": "access_denied"}, {}, "access_refused"),
        ({}, {}, "access_refused"),
        ({"code": "another"}, {}, "code_refused"),
        ({"code": "the-code", "iss": "https://evil.example"}, {}, "bad_issuer"),
        ({"code": "the-code"}, {"userinfo": {"sub": "someone else"}}, "bad_subject"),
        ({"code": "the-code"}, {"token_error": (503, "")}, "provider_failed"),
    ],
)
async def test_what_goes_wrong_there_is_told_here(
    world: World, phone: httpx.AsyncClient, query: dict[str, str], change: dict[str, Any], code: str
) -> None:
    begun, path = await begin(world)
    asked = await pressed(world, phone, path)
    for name, value in change.items():
        setattr(world.provider, name, value)
    page = await phone.get("/phone/callback", params=query | {"state": asked["state"]})
    assert page.status_code == 400
    state = await look(world, begun["id"])
    assert (state["status"], state["error"]) == ("failed", code)
    assert state["message"]
    assert state["hint"]
    assert await world.trail() == [("midwife", code)]


async def test_a_page_loaded_again_meanwhile_loses_nothing(
    world: World, phone: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, path = await begin(world)
    asked = await pressed(world, phone, path)
    redeeming, go_on, redeem = threading.Event(), threading.Event(), verification.redeem

    async def slow(*given: Any, **named: Any) -> Any:
        redeeming.set()
        await asyncio.to_thread(go_on.wait, 30)
        return await redeem(*given, **named)

    monkeypatch.setattr(verification, "redeem", slow)
    back = {"code": "the-code", "state": asked["state"]}
    first = asyncio.create_task(phone.get("/phone/callback", params=back))
    assert await asyncio.to_thread(redeeming.wait, 30)
    again = await phone.get("/phone/callback", params=back)
    meanwhile = await look(world, begun["id"])
    go_on.set()
    assert (await first).status_code == 200
    assert (again.status_code, meanwhile["status"]) == (400, "opened")
    assert (await look(world, begun["id"]))["status"] == "verified"


async def test_it_ends_after_ten_minutes_or_when_it_is_called_off(world: World, phone: httpx.AsyncClient) -> None:
    begun, path = await begin(world)
    world.clock.now += timedelta(minutes=10)
    assert (await phone.get(path)).status_code == 410
    begun, path = await begin(world)
    assert (await world.route.delete(f"/verifications/{begun['id']}")).status_code == 204
    assert (await phone.post(path)).status_code == 410
