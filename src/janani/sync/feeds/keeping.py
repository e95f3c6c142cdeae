"""What all feeds stand on: people are queued in the transaction that moves the position."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import asyncpg
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Client
from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.sync.gate import Bell

_queue = postgres.queries("janani.sync")
SQL = postgres.queries("janani.sync.feeds")


class Told(Struct, frozen=True):
    """What a feed says of a change: when it was made, and the trace it belongs to (W3C `traceparent`)."""

    changed_at: datetime | None
    traceparent: str = ""


class FeedTrouble(Exception):
    """A feed can't be read until somebody does something. Its text, for the operator, says what."""


class Desk(Struct, frozen=True):
    """The registry, the queue and the bell, as feeds use them."""

    registry: Dhis2Client
    pool: asyncpg.Pool
    bell: Bell
    clock: Clock
    program: str

    async def position(self, feed: str) -> str:
        """How far `feed` was read; empty when never."""
        return await _queue.position(self.pool, feed=feed) or ""

    async def keep(
        self, people: Iterable[str] | Mapping[str, Told], feed: str, position: str, *, backfill: str = ""
    ) -> None:
        """Queues `people` and moves `feed` to `position`, or neither; with a reason in `backfill` asks for that too."""
        now, once = self.clock(), list(dict.fromkeys(people))
        async with self.pool.acquire() as connection, connection.transaction():
            if once and isinstance(people, Mapping):
                changed, traces = (
                    [one.changed_at for one in people.values()],
                    [one.traceparent for one in people.values()],
                )
                await _queue.notice_told(connection, people=once, changed=changed, traces=traces, now=now)
            elif once:
                await _queue.notice(connection, people=once, now=now)
            if backfill:
                await SQL.begin_backfill(connection, program=self.program, reason=backfill, now=now)
            await _queue.move(connection, feed=feed, position=position, now=now)
        if once or backfill:
            self.bell.ring()

    async def queue(self, connection: asyncpg.Connection, people: list[str]) -> None:
        """Queues `people` within the caller's transaction."""
        await _queue.notice(connection, people=people, now=self.clock())
