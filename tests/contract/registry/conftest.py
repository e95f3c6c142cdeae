"""The registry under test by these files: by URL, else our own on a free port.

`JANANI_CONTRACT_REGISTRY_URL` names any DHIS2 v42 server and `JANANI_CONTRACT_REGISTRY_LOGIN` (`user:password`) one of
its administrators. What a test writes it deletes again.
"""

import os
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from janani.kernel import http
from janani.registry.app import create_app
from janani.settings import Registry, Settings
from oidc_provider import free_listener, serving

URL = os.environ.get("JANANI_CONTRACT_REGISTRY_URL", "")
LOGIN = os.environ.get("JANANI_CONTRACT_REGISTRY_LOGIN", "admin:district")


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> Settings | None:
    """Settings and database of our own registry; none are made when another is tested by URL."""
    return None if URL else request.getfixturevalue("settings")


@pytest.fixture
async def anybody(ours: Settings | None) -> AsyncIterator[httpx.AsyncClient]:
    """The server under test, to somebody who is not logged in."""
    if ours is None:
        async with http.client(base_url=URL, timeout=60) as client:
            yield client
        return
    listener = free_listener()
    url = f"http://localhost:{listener.getsockname()[1]}"
    own = msgspec.structs.replace(ours, registry=Registry(url=url, route_hosts=["https://*", "http://127.0.0.1:*"]))
    async with serving(create_app(own), listener), http.client(base_url=url) as client:
        yield client


@pytest.fixture
async def administrator(anybody: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The same server, to an administrator."""
    auth = httpx.BasicAuth(*LOGIN.split(":", 1))
    async with http.client(base_url=anybody.base_url, auth=auth) as client:
        yield client
