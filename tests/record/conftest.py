"""The record as an application, open to all, over its own database."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from janani.record.app import create_app
from janani.settings import Record, Settings


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One data folder for all: its keys take longer to make than a test to run."""
    return str(tmp_path_factory.mktemp("record"))


@pytest.fixture
def open_settings(settings: Settings, home: str) -> Settings:
    """Without authorization, and R4 validation alone."""
    return msgspec.structs.replace(settings, home=home, record=Record(authorization="open", validation="base"))


@pytest.fixture
async def record(open_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a fresh record."""
    async with AsyncTestClient(create_app(open_settings)) as client:
        yield client
