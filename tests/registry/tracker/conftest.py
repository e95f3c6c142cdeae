"""A registry with the Sri Lankan programme loaded, its people with passwords, and a clock that stands still.

Requests run in the test's own event loop, so that what tests send at once is handled at once.
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from janani.registry.app import create_app
from janani.settings import Settings
from registry.tracker.antenatal import ADMIN, Clock, package


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registry(settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """The registry's API as its administrator."""
    app = create_app(settings, clock)
    async with app.lifespan():
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost:8080", auth=ADMIN, timeout=30
        ) as client:
            answer = await client.post("/api/metadata", content=package())
            assert answer.status_code == 200, answer.text
            yield client
