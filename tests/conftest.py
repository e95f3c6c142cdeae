"""What all tests share: one embedded PostgreSQL a run, a fresh database and settings a test."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key
from janani.settings import Database, Settings

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for this run."""
    with tempfile.TemporaryDirectory(prefix="janani-test-") as folder:
        os.chmod(folder, 0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The DSN of an empty database that lives for one test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"create database {name}")
    try:
        yield postgres.dsn.replace("/postgres?", f"/{name}?")
    finally:
        await asyncio.sleep(0)
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for each part, made once a run: making RSA keys is the slowest thing a part does when it starts."""
    folder = tmp_path_factory.mktemp("keys")
    for part in ("esignet", "relying", "registry", "record", "sync", "portals"):
        signing_key(folder / f"{part}.pem", create=True)
    return folder


@pytest.fixture
def settings(database: str, tmp_path: Path, made_keys: Path) -> Settings:
    """Sandbox settings with a fresh database and data folder."""
    shutil.copytree(made_keys, tmp_path / "secrets")
    return msgspec.structs.replace(Settings(), home=str(tmp_path), database=Database(dsn=database))
