"""The portals in the test over a running system of their own: other tests register the same women elsewhere."""

from collections.abc import AsyncIterator, Iterator

import pytest

from janani.settings import Settings
from portals_care import Care, caring
from system import System, a_system


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """All parts, in which nobody has a record yet."""
    with a_system("--no-demo") as system:
        yield system


@pytest.fixture
async def care(system: System, settings: Settings) -> AsyncIterator[Care]:
    """The portals, nobody logged in yet."""
    async with caring(system, settings) as care:
        yield care
