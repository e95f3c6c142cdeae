"""A FHIR R4 server by URL: `JANANI_CONTRACT_RECORD_URL` (its FHIR base; ours, HAPI …), or our own on a free port.

`JANANI_CONTRACT_RECORD_TOKEN`: a bearer token, if it needs one.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
import uvicorn

from janani.clients.fhir import FhirClient
from janani.kernel import http
from janani.record.app import create_app
from janani.settings import Record, Settings

URL = os.environ.get("JANANI_CONTRACT_RECORD_URL", "").rstrip("/")


@pytest.fixture
def own_settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of our own record; no database is made when another server is tested by URL."""
    return Settings() if URL else request.getfixturevalue("settings")


@pytest.fixture
async def base_url(own_settings: Settings) -> AsyncIterator[str]:
    """The FHIR base of the server under test."""
    if URL:
        yield URL
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://localhost:{listener.getsockname()[1]}"
        record = Record(url=url, authorization="open", validation="base")
        app = create_app(msgspec.structs.replace(own_settings, record=record))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.02)
            if task.done():
                task.result()
        yield f"{url}/fhir"
        server.should_exit = True
        await task


@pytest.fixture
async def fhir(base_url: str) -> AsyncIterator[FhirClient]:
    """A client of the server under test."""

    async def token() -> str:
        return os.environ["JANANI_CONTRACT_RECORD_TOKEN"]

    async with http.client(timeout=30) as client:
        known = "JANANI_CONTRACT_RECORD_TOKEN" in os.environ
        yield FhirClient(client, base_url, token if known else None)
