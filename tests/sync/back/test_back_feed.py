"""When the record's history is read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from janani.kernel.clock import system_clock
from janani.kernel.postgres import open_pool
from janani.settings import Settings
from janani.sync.back import feed
from janani.sync.gate import Bell


class Record:
    """A record without news that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def history(self, _parameters: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        self.asked += 1
        for entry in ():
            yield entry


@contextlib.asynccontextmanager
async def read_on(settings: Settings, waiting: str) -> AsyncIterator[tuple[Record, Any]]:
    """The feed at work, and the database, where 200 wait to be carried to the target `waiting`."""
    record: Any = Record()
    unused: Any = None
    pool = await open_pool(settings.database.dsn, "sync")
    try:
        await pool.execute("insert into back_feed (name, position, read_at) values ('history', now(), now())")
        await pool.execute("insert into target (name, since) values ($1, now()) on conflict do nothing", waiting)
        await pool.execute(
            "insert into queue (target, person, noticed_at, try_at)"
            " select $1, 'Person' || n, now(), now() from generate_series(1, 200) as n",
            waiting,
        )
        reading = asyncio.create_task(feed.RecordFeed(record, pool, unused, unused, Bell(), system_clock, 0.01).run())
        yield record, pool
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    finally:
        await pool.close()


async def asked(record: Record) -> None:
    """Until the record was asked."""
    async with asyncio.timeout(10):
        while not record.asked:
            await asyncio.sleep(0.01)


async def test_it_rests_while_many_wait_to_be_carried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would read is the sync's own words, and the reading would slow those who wait."""
    monkeypatch.setattr(feed, "_BUSY_SECONDS", 0.02)
    async with read_on(settings, "record") as (record, pool):
        await asyncio.sleep(0.3)
        assert record.asked == 0
        await pool.execute("delete from queue where person = 'Person1'")
        await asked(record)


async def test_it_does_not_rest_while_another_target_is_away(settings: Settings) -> None:
    async with read_on(settings, "ministry") as (record, _):
        await asked(record)
