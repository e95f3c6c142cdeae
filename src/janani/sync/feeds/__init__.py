"""Feeds: who changed in the registry, at least once and without a gap, into the durable queue.

`changes` reads the registry's change feed, `poll` any DHIS2, `cdc` the log of a DHIS2's database; `auto` is the change
feed, or polling where there is none. `backfill` reads everybody once, beside them. What was read is queued in the
transaction that moves the position.
"""

import asyncio
from typing import Any
from urllib.parse import quote

import asyncpg

from janani.clients.dhis2 import Dhis2Error
from janani.kernel.telemetry import log
from janani.settings import Sync
from janani.sync.feeds.backfill import Backfill, refuses
from janani.sync.feeds.cdc import CdcFeed, CdcSource
from janani.sync.feeds.changes import ChangeFeed
from janani.sync.feeds.keeping import SQL, Desk, FeedTrouble
from janani.sync.feeds.poll import PollFeed
from janani.sync.interruption import Interruption, lasts
from janani.sync.problems import NoSuchProgramme

_WAIT_SECONDS = 20
_RETRY_SECONDS = (0.2, 2.0)


class Feed:
    """The feed that the settings choose, and the backfill beside it. Rings the desk's bell when there is work."""

    def __init__(self, desk: Desk, chosen: Sync, cdc_dsn: str = "") -> None:
        self._desk, self._chosen = desk, chosen
        self.kind = "changes" if chosen.feed == "auto" else chosen.feed
        self.interruption = Interruption(desk.clock)
        self._changes = ChangeFeed(desk)
        self._poll = PollFeed(
            desk, seconds=chosen.poll_seconds, overlap_seconds=chosen.poll_overlap_seconds, units=chosen.org_units
        )
        self._cdc = CdcFeed(desk, _cdc_source(chosen, cdc_dsn))
        self._backfill = Backfill(desk, chosen.org_units)

    async def run(self) -> None:
        """Reads on for ever; a registry that is away is asked again, every 2 s."""
        try:
            async with asyncio.TaskGroup() as both:  # when one fails the other ends too: the caller starts both again
                both.create_task(self._read_on())
                both.create_task(self._backfill.run())
        except ExceptionGroup as stopped:
            raise stopped.exceptions[0] from None
        finally:
            self._cdc.close()

    async def _read_on(self) -> None:
        delay = _RETRY_SECONDS[0]
        while True:
            try:
                await self.step()
                delay = _RETRY_SECONDS[0]
                self.interruption.over(self._cdc.word)
            except (Dhis2Error, FeedTrouble, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                self._note(error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _RETRY_SECONDS[1])

    async def step(self, *, wait: int = _WAIT_SECONDS) -> None:
        """One page of changes, or one poll or reading of the log and the pause after it."""
        if self.kind == "cdc":
            await self._cdc.step(wait)
            return
        if self.kind == "poll":
            await self._poll.step(wait)
            return
        try:
            await self._changes.step(wait)
        except Dhis2Error as error:
            if error.status != 404:
                raise
            await self._desk.registry.system_info()  # a proxy that misses its server says 404 as well
            if self._chosen.feed != "auto":
                raise FeedTrouble("the registry has no change feed: set sync.feed to auto, poll or cdc") from error
            log("sync").info("no_change_feed", feed="poll")
            self.kind = "poll"

    @property
    def lag_megabytes(self) -> float:
        """The log (MB) that DHIS2's database keeps for us; 0 for other feeds."""
        return self._cdc.lag_megabytes

    async def begin_backfill(self, program: str = "") -> int:
        """Asks for everybody of `program` (a UID; empty: the sync's own); the number of the backfill.

        Raises NoSuchProgramme when the registry says so. One that is away is believed: its units will say so.
        """
        if program and program != self._desk.program:
            await self._check(program)
        now = self._desk.clock()
        number: int = await SQL.begin_backfill(
            self._desk.pool, program=program or self._desk.program, reason="asked for", now=now
        )
        return number

    async def _check(self, program: str) -> None:
        try:
            await self._desk.registry.get(f"/programs/{quote(program, safe='')}", {"fields": "id"})
        except Dhis2Error as error:
            if refuses(error):
                raise NoSuchProgramme from error

    async def backfill_progress(self) -> dict[str, Any]:
        """How far the latest backfill is; empty when there was none."""
        row = await SQL.backfill_progress(self._desk.pool)
        return dict(row) if row else {}

    def _note(self, error: Exception) -> None:
        status = error.status if isinstance(error, Dhis2Error) else type(error).__name__
        told = isinstance(error, FeedTrouble)
        words = str(error) if told else f"the feed can't be read ({status})"
        if self.interruption.met(words, lasts=told or lasts(error)):
            log("sync").warning("feed_interrupted", status=status, reason=words)


def _cdc_source(chosen: Sync, dsn: str) -> CdcSource:
    return CdcSource(dsn, chosen.cdc_publication, chosen.cdc_slot, chosen.cdc_seconds, chosen.cdc_max_lag_megabytes)
