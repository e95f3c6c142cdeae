"""What all tests share: one embedded PostgreSQL a run, an empty database and fresh settings a test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

import system
from databases import Databases, QuickPostgres
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key
from janani.settings import Database, Settings
from remembered import install
from system import KEYS

install()
system.PROGRAM[:] = [str(Path(__file__).parent / "started.py")]

# What takes a worker long alone begins first; what shares a whole Janani with other files comes last, so that it does
# not run beside all the others.
_FIRST = ("tests/journey/test_chaos.py", "tests/chaos", "tests/sync/back", "tests/sync/test_operations.py")
_LAST = ("tests/journey", "tests/portals")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of the files; `--dist loadfile` hands them out as they come."""

    def turn(item: pytest.Item) -> tuple[int, int]:
        first = (place for place, name in enumerate(_FIRST) if item.nodeid.startswith(name))
        last = (place for place, name in enumerate(_LAST) if item.nodeid.startswith(name))
        return next(first, len(_FIRST)), next(last, -1)

    items.sort(key=turn)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for this run."""
    with tempfile.TemporaryDirectory(prefix="janani-test-") as folder:
        os.chmod(folder, 0o755)
        server = QuickPostgres(Path(folder) / "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> Iterator[Databases]:
    """The databases of this run."""
    all_ = Databases(postgres)
    yield all_
    all_.close()


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The DSN of a database in which every part has its tables; it is the test's own until it ends."""
    name = await asyncio.wrap_future(databases.take())
    yield databases.dsn(name)
    await asyncio.sleep(0)
    await asyncio.wrap_future(databases.give(name))


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of all parts, made once a run: making RSA keys is the slowest thing a part does when it starts."""
    folder = tmp_path_factory.mktemp("keys")
    for name in KEYS:
        signing_key(folder / f"{name}.pem", create=True)
    return folder


@pytest.fixture
def settings(database: str, tmp_path: Path, made_keys: Path) -> Settings:
    """Sandbox settings with a fresh database and data folder."""
    shutil.copytree(made_keys, tmp_path / "secrets")
    return msgspec.structs.replace(Settings(), home=str(tmp_path), database=Database(dsn=database))
