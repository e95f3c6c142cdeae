"""A sync between two small servers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import asyncpg
from litestar import Litestar

from janani.kernel.clock import system_clock
from janani.settings import Settings
from janani.sync.app import create_app
from sync.servers import FakeRecord, FakeRegistry


class World:
    """The two servers, and a sync that can be started and killed."""

    def __init__(self, settings: Settings, registry: FakeRegistry, record: FakeRecord) -> None:
        self.settings, self.registry, self.record = settings, registry, record
        self.app: Litestar | None = None
        self.ahead = timedelta()
        """How far the sync's clock is ahead."""

    @contextlib.asynccontextmanager
    async def sync(self) -> AsyncIterator[Litestar]:
        """The sync, running."""
        app = create_app(self.settings, lambda: system_clock() + self.ahead)
        async with app.lifespan():
            yield app

    async def until(self, true: Callable[[], Any], seconds: float = 30) -> None:
        """Waits until `true()`."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come to pass"
            await asyncio.sleep(0.01)

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Rows of the sync's own tables."""
        connection = await asyncpg.connect(self.settings.database.dsn, server_settings={"search_path": "sync"})
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def settled(self, seconds: float = 30) -> None:
        """Waits until nobody waits."""
        end = time.monotonic() + seconds
        while await self._unread() or await self.fetch("select 1 from queue"):
            assert time.monotonic() < end, "the queue did not empty"
            await asyncio.sleep(0.02)

    async def _unread(self) -> bool:
        rows = await self.fetch("select position from feed where name = 'changes'")
        return (
            self.registry.feed
            and bool(self.registry.changes)
            and (not rows or int(rows[0]["position"]) < len(self.registry.changes))
        )
