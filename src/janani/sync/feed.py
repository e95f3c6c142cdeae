"""Reads the registry's changes into the queue: the change feed where there is one, else polling by `updatedAfter`.

What was read is queued in the transaction that moves the position, so a kill at any point loses and skips nothing.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

import asyncpg

from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.sync.gate import Bell

_queries = postgres.queries("janani.sync")
_LIMIT = 500
_WAIT_SECONDS = 20
_RETRY_SECONDS = (0.2, 2.0)
_OVERLAP = timedelta(minutes=2)
"""Polls look back this far: clocks differ, and a slow transaction shows its changes late."""


class Feed:
    """Reads until cancelled. Rings `bell` when there is work."""

    def __init__(
        self, registry: Dhis2Client, pool: asyncpg.Pool, bell: Bell, clock: Clock, program: str, poll_seconds: int
    ) -> None:
        self._registry, self._pool, self._bell, self._clock = registry, pool, bell, clock
        self._program, self._poll_seconds = program, poll_seconds
        self._seen: dict[str, str] = {}
        self.kind = "changes"
        self.trouble = ""

    async def run(self) -> None:
        """Reads on for ever; a registry that is away is asked again, every 2 s."""
        delay = _RETRY_SECONDS[0]
        while True:
            try:
                await self.step()
                delay, self.trouble = _RETRY_SECONDS[0], ""
            except (Dhis2Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._note(error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _RETRY_SECONDS[1])

    async def step(self, *, wait: int = _WAIT_SECONDS) -> None:
        """One page of changes, or one poll and the pause after it."""
        if self.kind == "poll":
            await self.poll()
            await asyncio.sleep(self._poll_seconds)
            return
        after = await _queries.position(self._pool, feed="changes") or ""
        try:
            page = await self._registry.changes(after, limit=_LIMIT, wait=wait)
        except Dhis2Error as error:
            if error.status != 404:
                raise
            log("sync").info("no_change_feed", feed="poll")
            self.kind = "poll"
            return
        if page.changes or page.next != after:
            await self._keep((change.tracked_entity for change in page.changes), "changes", page.next)

    async def poll(self) -> None:
        """Everyone updated since the last poll, less an overlap; who was seen with the same stamp is passed over."""
        began = await self._server_time()
        after = await _queries.position(self._pool, feed="poll")
        query = {
            "program": self._program,
            "orgUnitMode": "ACCESSIBLE",
            "includeDeleted": "true",
            "order": "updatedAt:asc",
            "fields": "trackedEntity,updatedAt",
            "pageSize": "500",
        } | ({"updatedAfter": after} if after else {})
        found: dict[str, str] = {}
        async for person in self._registry.tracked_entities(query):
            found[person["trackedEntity"]] = person.get("updatedAt", "")
        fresh = [uid for uid, stamp in found.items() if self._seen.get(uid) != stamp]
        await self._keep(fresh, "poll", began)
        self._seen = found

    async def _server_time(self) -> str:
        """The server's own time less the overlap, as it writes times: the position of the next poll."""
        info = await self._registry.system_info()
        now = datetime.fromisoformat(info.server_date) if info.server_date else self._clock()
        return (now - _OVERLAP).replace(tzinfo=None).isoformat(timespec="milliseconds")

    async def _keep(self, people: Iterable[str], feed: str, position: str) -> None:
        now, once = self._clock(), list(dict.fromkeys(people))
        async with self._pool.acquire() as connection, connection.transaction():
            if once:
                await _queries.notice(connection, people=once, now=now)
            await _queries.move(connection, feed=feed, position=position, now=now)
        if once:
            self._bell.ring()

    def _note(self, error: Exception) -> None:
        status = error.status if isinstance(error, Dhis2Error) else type(error).__name__
        if not self.trouble:
            log("sync").warning("feed_interrupted", status=status)
        self.trouble = f"the feed can't be read ({status})"
