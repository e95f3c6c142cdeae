"""Follows the record's history (`_history?_since=`) into the queue of what is to be brought back.

What was read is queued before the position moves: a kill between the two reads it again. Reading leaves a trace in a
woman's audit trail, so nothing is read twice but the seconds in which a slow transaction may show its changes late.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from msgspec import Struct

from janani.clients.fhir import FhirClient, FhirError
from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.sync.back.ours import Ours
from janani.sync.back.sorting import Sorter, Source, Version, instant_of, versions
from janani.sync.gate import Bell
from janani.sync.interruption import Interruption, lasts

_queries = postgres.queries("janani.sync.back")
_PAGE = 200
_LATE = timedelta(seconds=10)
_LATEST_LOOK = timedelta(seconds=60)  # under a steady stream of news
_BUSY = 200  # people waiting to be carried
_BUSY_SECONDS = 5.0
_BUSY_ROUNDS = 60
_REMEMBERED = 50_000
_LONGEST_SECONDS = 30.0
_STEP = timedelta(milliseconds=1)
DATABASE_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class _Look(Struct, frozen=True):
    """A look back at what came late: from when, at what time, and the latest time for it."""

    since: datetime
    at: datetime
    latest: datetime


class RecordFeed:
    """Reads until cancelled. Rings `bell` when there is something to bring back."""

    def __init__(
        self,
        record: FhirClient,
        pool: asyncpg.Pool,
        sorter: Sorter,
        ours: Ours,
        bell: Bell,
        clock: Clock,
        seconds: float,
    ) -> None:
        self._record, self._pool, self._sorter, self._ours = record, pool, sorter, ours
        self._bell, self._clock, self._seconds = bell, clock, seconds
        self._seen: dict[tuple[str, int], None] = {}
        self._started = False
        self._look: _Look | None = None
        self.interruption = Interruption(clock)

    async def run(self) -> None:
        """Reads on for ever; a record that is away is asked again, ever more rarely."""
        delay = 1.0
        while True:
            try:
                await self._let_out()
                await self.step()
                delay = 1.0
                self.interruption.over()
                await asyncio.sleep(self._seconds)
            except (FhirError, *DATABASE_AWAY) as error:
                status = error.status if isinstance(error, FhirError) else type(error).__name__
                if self.interruption.met(_troubled(status), lasts=lasts(error)):
                    log("sync").warning("record_history_interrupted", status=status)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_SECONDS)
            except Exception as error:
                self.interruption.met(_troubled(type(error).__name__), lasts=True)
                raise

    async def step(self) -> int:
        """Everything new; how many sources it named. The first time, only what comes from now on."""
        position = await _queries.position(self._pool)
        if position is None:
            await _queries.move(self._pool, position=self._clock() - _LATE, now=self._clock())
            return 0
        since = position + _STEP
        if not self._started:  # what came late before the start may have been missed
            since, self._started = position - _LATE, True
        elif self._look is not None and self._clock() >= self._look.at:
            since, self._look = self._look.since - _LATE, None
        newest, named, chunk = position, 0, list[dict[str, Any]]()
        async for entry in self._record.history(_parameters(since)):
            at = instant_of(entry)
            newest = max(newest, datetime.fromisoformat(at)) if at else newest
            chunk.append(entry)
            if len(chunk) == _PAGE:
                named += await self._take(chunk)
                chunk = []
        named += await self._take(chunk)
        if newest > position:
            await _queries.move(self._pool, position=newest, now=self._clock())
            now = self._clock()
            look = self._look or _Look(position, now, now + _LATEST_LOOK)
            self._look = _Look(look.since, min(now + _LATE, look.latest), look.latest)
        return named

    async def _take(self, entries: Sequence[dict[str, Any]]) -> int:
        """Queues what a page asks for; a page that is read again asks for the same."""
        fresh = [one for one in versions(entries) if (one.reference, one.number) not in self._seen]
        sources = await self._sources(fresh) if fresh else []
        if sources:
            await self._keep(sources)
        self._seen.update(((one.reference, one.number), None) for one in fresh)
        while len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        return len(sources)

    async def _sources(self, found: Sequence[Version]) -> list[Source]:
        """What `found` asks for, the oldest first."""
        ordered = sorted(found, key=lambda one: (one.at, one.number))
        names = {self._sorter.delivered_as(one.resource).partition("-")[0] for one in ordered if one.resource}
        said = await self._ours.said(sorted(names - {""}))
        gone = [one.reference for one in ordered if one.resource is None]
        rows: list[Any] = [row async for row in _queries.sources_of(self._pool, resources=gone)] if gone else []
        lost = {row["resource"]: row["source"] for row in rows}
        sources = []
        for one in ordered:
            source = self._sorter.source(one, said)
            if source is None and one.reference in lost:
                source = Source(lost[one.reference], "", one.number)
            if source is not None:
                sources.append(source)
        return sources

    async def _keep(self, sources: Sequence[Source]) -> None:
        first: dict[str, int] = {}
        last: dict[str, Source] = {}
        for one in sources:
            first[one.source] = min(one.version, first.get(one.source, one.version))
            last[one.source] = one
        await _queries.notice(
            self._pool,
            sources=list(last),
            names=[one.name for one in last.values()],
            versions=[one.version for one in last.values()],
            firsts=[first[source] for source in last],
            now=self._clock(),
        )
        self._bell.ring()

    async def _let_out(self) -> None:
        """Rests while much is on its way out (some minutes at most): the record's history is then the sync's own words,
        and reading them takes the machine from those who wait."""
        for _ in range(_BUSY_ROUNDS):
            if await _queries.forward_waiting(self._pool) < _BUSY:
                return
            await asyncio.sleep(_BUSY_SECONDS)


def _troubled(status: int | str) -> str:
    return f"the record's history can't be read ({status})"


def _parameters(since: datetime) -> dict[str, str]:
    return {"_since": since.isoformat(timespec="milliseconds"), "_count": str(_PAGE)}
