"""The registry as a running application with the programme's metadata in it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from janani import programmes
from janani.registry.app import create_app
from janani.settings import Settings
from registry_wire import ADMIN


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """An empty registry."""
    async with AsyncTestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
async def programme(registry: AsyncTestClient[Litestar]) -> dict[str, Any]:
    """The antenatal programme's package, imported."""
    folder = programmes.folder("anc_lk")
    package = msgspec.json.decode((folder / "metadata.json").read_bytes(), type=dict[str, Any])
    answer = await registry.post("/api/metadata", json=package, auth=ADMIN)
    assert answer.status_code == 200, answer.text
    return package
