"""The PHN authority over real PostgreSQL, called as the registry's Route calls it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from litestar.testing import AsyncTestClient

from janani.kernel.secrets import secret
from janani.phn.app import create_app
from janani.settings import Settings


@pytest.fixture
async def route(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    token = secret(settings.secrets, "phn-token", create=True)
    async with AsyncTestClient(create_app(settings)) as client:
        client.headers.update({"authorization": f"ApiToken {token}", "x-forwarded-user": "midwife"})
        yield client
