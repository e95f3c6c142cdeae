"""Our own provider on a free port, with a clock the test moves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from jinja2 import DictLoader

from esignet_wire import RelyingParty, Wire, free_socket, serving
from janani.esignet import page
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


if not page.TEMPLATES.loader.list_templates().count("base.html"):  # until the shared layout is there
    page.TEMPLATES.loader.loaders.append(
        DictLoader(
            {
                "base.html": '<!doctype html><html lang="{{ language() }}"><head><meta charset="utf-8">'
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
                "<title>{% block title %}{% endblock %}</title></head><body>"
                "<main>{% block content %}{% endblock %}</main>{% block scripts %}{% endblock %}</body></html>"
            }
        )
    )
