"""A registry with the Sri Lankan programme loaded, its people with passwords, and a clock that stands still.

Requests run in the test's own event loop, so that what tests send at once is handled at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from litestar import Litestar

from janani.registry.app import create_app
from janani.settings import Registry, Settings
from registry.tracker.antenatal import ADMIN, Clock, package


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """Runs `app`'s lifespan in one task of its own, as Litestar asks; fixtures end in another than they began."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            ready.set()
            await over.wait()

    task = asyncio.create_task(live())
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    yield
    over.set()
    await task


@pytest.fixture
async def registry(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """The registry's API as its administrator."""
    in_utc = msgspec.structs.replace(settings, registry=Registry(time_zone="Etc/UTC"))
    app = create_app(in_utc, clock)
    async with running(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost:8080", auth=ADMIN, timeout=30
        ) as client:
            answer = await client.post("/api/metadata", content=package())
            assert answer.status_code == 200, answer.text
            yield client
