"""The portals in the test over a running system."""

from collections.abc import AsyncIterator

import pytest

from janani.settings import Settings
from portals_care import Care, caring
from system import System


@pytest.fixture
async def care(system: System, settings: Settings) -> AsyncIterator[Care]:
    """The portals, nobody logged in yet."""
    async with caring(system, settings) as care:
        yield care
