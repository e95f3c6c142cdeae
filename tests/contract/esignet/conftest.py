"""The provider under test: by URL (`JANANI_CONTRACT_ESIGNET_URL` and `…_TOKEN`), else our own on a free port.

A provider by URL is of the main line, unless `…_GENERATION` says `1.6.1`.
"""

import os
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

import esignet_wire
from esignet_wire import RelyingParty, Wire, free_socket, serving
from janani.esignet.app import create_app
from janani.kernel.secrets import secret
from janani.settings import Esignet, Settings

URL = os.environ.get("JANANI_CONTRACT_ESIGNET_URL", "")
GENERATION = os.environ.get("JANANI_CONTRACT_ESIGNET_GENERATION", "main")


@pytest.fixture(autouse=True)
def clients_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of their own for each test, where the provider by URL goes on knowing those of the test before."""
    if URL:
        monkeypatch.setattr(esignet_wire, "apart", f"-{secrets.token_hex(4)}")


@pytest.fixture
def own_settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of our own provider; no database is made when another is tested by URL."""
    return Settings() if URL else request.getfixturevalue("settings")


@pytest.fixture
def generation(request: pytest.FixtureRequest) -> str:
    """Which eSignet it behaves as, where they differ; a test may ask for one or both (`indirect`)."""
    wanted: str = getattr(request, "param", "main")
    if URL and wanted != GENERATION:
        pytest.skip(f"the provider at {URL} is of the generation {GENERATION}")
    return wanted


@pytest.fixture
async def provider(own_settings: Settings, generation: Any) -> AsyncIterator[tuple[str, str]]:
    """Base URL and bearer token of client management."""
    if URL:
        yield URL, os.environ.get("JANANI_CONTRACT_ESIGNET_TOKEN", "")
        return
    listening = free_socket()
    url = f"http://localhost:{listening.getsockname()[1]}"
    settings = msgspec.structs.replace(own_settings, esignet=Esignet(url=url, generation=generation))
    async with serving(create_app(settings), listening):
        yield url, secret(settings.secrets, "esignet-clients-token", create=False)


@pytest.fixture
async def http(provider: tuple[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=provider[0], trust_env=False) as client:
        yield client


@pytest.fixture
def wire(http: httpx.AsyncClient) -> Wire:
    return Wire(http)


@pytest.fixture
async def rp(http: httpx.AsyncClient, provider: tuple[str, str], clients_apart: None) -> Any:
    party = RelyingParty(http, provider[1])
    answer = await party.manage(party.registration())
    assert answer.json()["errors"] == [], answer.text
    return party
