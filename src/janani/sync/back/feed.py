"""Follows the record's history (`_history?_since=`) into the queue of what is to be brought back.

What was read is queued in the transaction that moves the position. Reading leaves a trace in a woman's audit trail, so
nothing is read twice but the seconds in which a slow transaction may show its changes late.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from janani.clients.fhir import FhirClient, FhirError
from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.sync.back.ours import Ours
from janani.sync.back.sorting import Sorter, Source, Version, instant_of, versions
from janani.sync.gate import Bell

_queries = postgres.queries("janani.sync.back")
_PAGE = 500
_LATE = timedelta(seconds=10)
_BUSY_SECONDS = 30.0
_LONGEST_SECONDS = 30.0
_STEP = timedelta(milliseconds=1)


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
        self._look_again: datetime | None = None
        self._look_from: datetime | None = None
        self.trouble = ""

    async def run(self) -> None:
        """Reads on for ever; a record that is away is asked again, ever more rarely."""
        delay = 1.0
        while True:
            try:
                await self.step()
                delay, self.trouble = 1.0, ""
                await asyncio.sleep(await self._pause())
            except (FhirError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                status = error.status if isinstance(error, FhirError) else type(error).__name__
                if not self.trouble:
                    log("sync").warning("record_history_interrupted", status=status)
                self.trouble = f"the record's history can't be read ({status})"
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_SECONDS)

    async def step(self) -> int:
        """Everything new; how many sources it named. The first time, only what comes from now on."""
        position = await _queries.position(self._pool)
        if position is None:
            await _queries.move(self._pool, position=self._clock() - _LATE, now=self._clock())
            return 0
        since = position + _STEP
        if self._look_from is None:  # after a start: what came late before it may have been missed
            since = position - _LATE
            self._look_from = position
        elif self._look_again is not None and self._clock() >= self._look_again:
            since, self._look_again = self._look_from - _LATE, None
        entries = [entry async for entry in self._record.history(_parameters(since))]
        newest = max([position, *(datetime.fromisoformat(at) for at in map(instant_of, entries) if at)])
        fresh = [one for one in versions(entries) if (one.reference, one.number) not in self._seen]
        if not fresh and newest == position:
            return 0
        sources = await self._sources(fresh)
        await self._keep(sources, newest)
        self._remember(fresh)
        self._look_again, self._look_from = self._clock() + _LATE, position
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

    async def _keep(self, sources: Sequence[Source], position: datetime) -> None:
        first: dict[str, int] = {}
        last: dict[str, Source] = {}
        for one in sources:
            first[one.source] = min(one.version, first.get(one.source, one.version))
            last[one.source] = one
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            if last:
                await _queries.notice(
                    connection,
                    sources=list(last),
                    names=[one.name for one in last.values()],
                    versions=[one.version for one in last.values()],
                    firsts=[first[source] for source in last],
                    now=now,
                )
            await _queries.move(connection, position=position, now=now)
        if last:
            self._bell.ring()

    def _remember(self, found: Sequence[Version]) -> None:
        self._seen.update(((one.reference, one.number), None) for one in found)
        while len(self._seen) > 50_000:
            self._seen.pop(next(iter(self._seen)))

    async def _pause(self) -> float:
        """Longer while much is on its way out: the record's history is then the sync's own words."""
        waiting = await _queries.forward_waiting(self._pool)
        return _BUSY_SECONDS if waiting >= 200 else self._seconds


def _parameters(since: datetime) -> dict[str, str]:
    return {"_since": since.isoformat(timespec="milliseconds"), "_count": str(_PAGE)}
