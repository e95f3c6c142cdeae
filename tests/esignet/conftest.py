"""Our own provider on a free port, with a clock the test moves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from esignet_wire import RelyingParty, Wire, free_socket, serving
from janani.esignet.app import create_app
from janani.kernel.secrets import secret
from janani.settings import Esignet, Settings


class MovableClock:
    """The present, plus what the test added."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_seconds(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def http(settings: Settings, clock: MovableClock) -> AsyncIterator[httpx.AsyncClient]:
    listening = free_socket()
    url = f"http://localhost:{listening.getsockname()[1]}"
    ours = msgspec.structs.replace(settings, esignet=Esignet(url=url))
    async with serving(create_app(ours, clock), listening), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture
def wire(http: httpx.AsyncClient, clock: MovableClock) -> Wire:
    return Wire(http, clock)


@pytest.fixture
async def rp(http: httpx.AsyncClient, settings: Settings) -> Any:
    party = RelyingParty(http, secret(settings.secrets, "esignet-clients-token", create=False))
    answer = await party.manage(party.registration())
    assert answer.json()["errors"] == [], answer.text
    return party
