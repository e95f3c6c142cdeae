"""`POST /offline`: a card is taken with the network away, by keys that were fetched before, after a restart too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from janani.esignet.card import card_text
from janani.kernel import http
from janani.kernel.secrets import secret
from janani.relying import cards
from janani.relying.app import create_app
from janani.settings import Esignet, Settings
from oidc_provider import TestProvider, serving
from relying_world import Clock, World

KAMALA = {
    "individualId": "199631234567",
    "fullName": {"eng": "Kamala Perera", "sin": "කමලා පෙරේරා"},
    "gender": {"eng": "Female"},
    "dateOfBirth": "1996/05/12",
    "streetAddress": "12 Lake Road",
    "locality": "Akurana",
    "region": "Kandy",
    "country": "Sri Lanka",
    "postalCode": "20850",
    "phone": "+94771234567",
}


def card(provider: TestProvider, clock: Clock, **changes: Any) -> str:
    return card_text(KAMALA, issuer=provider.url, key=changes.get("key", provider.key), now=clock.now)


async def read(route: httpx.AsyncClient, qr: str) -> httpx.Response:
    return await route.post("/offline", json={"qr": qr})


@asynccontextmanager
async def relying(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(create_app(settings, clock)) as url, http.client(base_url=url) as route:
        token = secret(settings.secrets, "relying-token", create=False)
        route.headers.update({"authorization": f"ApiToken {token}", "x-forwarded-user": "midwife"})
        yield route


async def test_a_card_fills_the_form(world: World) -> None:
    answer = await read(world.route, card(world.provider, world.clock))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["status"], found["provider"], found["acr"]) == ("VERIFIED_OFFLINE", world.provider.url, "")
    assert {row["claim"]: row["value"] for row in found["attributes"]} == {
        "name": "Kamala Perera",
        "birthdate": found["attributes"][2]["value"],  # the age comes from it, too
        "gender": "Female",
        "phone_number": "+94771234567",
        "address": "12 Lake Road, 20850 Akurana, Kandy, Central Province, LK",
        "individual_id": "199631234567",
    }
    assert ("midwife", "verified_offline") in await world.trail()


async def test_it_is_taken_with_the_network_away_and_after_a_restart(settings: Settings, relying_pem: bytes) -> None:
    clock, provider = Clock(), TestProvider(client_keys={"keys": []})
    async with AsyncExitStack() as network:
        provider.url = await network.enter_async_context(serving(provider.app()))
        settings = msgspec.structs.replace(settings, esignet=Esignet(url=provider.url))
        async with relying(settings, clock) as route:
            assert (await read(route, card(provider, clock))).status_code == 200
    clock.now += timedelta(days=29)
    async with relying(settings, clock) as route:
        assert (await read(route, card(provider, clock))).status_code == 200
        clock.now += timedelta(days=2)
        old = await read(route, card(provider, clock))
        assert (old.status_code, old.json()["error"]) == (503, "card_keys_missing")


async def test_without_any_keys_it_says_so(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, esignet=Esignet(url="http://127.0.0.1:9"))
    clock, provider = Clock(), TestProvider(client_keys={"keys": []}, url="http://127.0.0.1:9")
    async with relying(settings, clock) as route:
        answer = await read(route, card(provider, clock))
    assert (answer.status_code, answer.json()["error"]) == (503, "card_keys_missing")


async def test_a_new_key_is_fetched_once_and_not_at_once(world: World) -> None:
    world.provider.published = []
    world.provider.extra_keys = [{"kty": "oct", "k": "x"}, {"kty": "EC", "kid": "broken"}]
    text = card(world.provider, world.clock)
    assert (await read(world.route, text)).json()["error"] == "card_unknown_key"
    world.provider.published = None
    assert (await read(world.route, text)).json()["error"] == "card_unknown_key"
    world.clock.now += timedelta(seconds=21)
    assert (await read(world.route, text)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"qr": ""}, {"qr": "no card"}, {"qr": "A" * 60_000}])
async def test_what_is_no_card_is_told_in_words(world: World, body: dict[str, Any]) -> None:
    answer = await world.route.post("/offline", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "card_unreadable")
    assert answer.json()["message"]
    assert answer.json()["hint"]


async def test_only_the_registry_may_ask(world: World) -> None:
    answer = await world.route.post("/offline", json={"qr": ""}, headers={"authorization": ""})
    assert answer.status_code == 401


async def test_keys_are_fetched_by_themselves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_FIRST_AFTER", 0.0)
    before = world.provider.key_fetches
    async with relying(world.settings, world.clock):
        for _ in range(3000):
            if world.provider.key_fetches > before:
                break
            await asyncio.sleep(0.02)
    assert world.provider.key_fetches == before + 1
