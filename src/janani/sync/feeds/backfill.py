"""Everybody of a programme, once: org unit by org unit in parallel, resumable, never far ahead of the queue."""

import asyncio

import asyncpg

from janani.clients.dhis2 import Dhis2Error, minor
from janani.kernel.telemetry import log
from janani.sync.feeds.keeping import SQL, Desk

_READERS, _PAGE = 3, 200
_NO = (400, 403, 404, 409)
_WINDOW = 200  # people of a backfill in the queue: a live change waits for these at most
_AWAY_SECONDS, _IDLE_SECONDS, _FULL_SECONDS = 5.0, 5.0, 0.1


class Backfill:
    """Works off what was asked for, one backfill after the other."""

    def __init__(self, desk: Desk, units: list[str]) -> None:
        self._desk, self._roots = desk, units
        self._turn = asyncio.Lock()
        self._old_names = False

    async def run(self) -> None:
        """For ever; picks up after a restart where it was."""
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(_IDLE_SECONDS)
            except (Dhis2Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log("sync").warning("backfill_interrupted", error=type(error).__name__)
                await asyncio.sleep(_AWAY_SECONDS)

    async def step(self) -> bool:
        """One backfill to its end; False when none was asked for. Raises Dhis2Error."""
        asked = await SQL.next_backfill(self._desk.pool)
        if asked is None:
            return False
        self._old_names = minor((await self._desk.registry.system_info()).version) < 41
        if not asked["planned"]:
            await SQL.plan_backfill(self._desk.pool, number=asked["number"], units=await self._units())
        left = [(row["unit"], row["page"]) async for row in SQL.units_left(self._desk.pool, number=asked["number"])]
        readers = [self._read(asked["number"], asked["program"], left) for _ in range(_READERS)]
        for done in await asyncio.gather(*readers, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
        await SQL.end_backfill(self._desk.pool, number=asked["number"], now=self._desk.clock())
        log("sync").info("backfill_done", number=asked["number"])
        return True

    async def _units(self) -> list[str]:
        found: dict[str, None] = {}
        for filters in [[f"path:like:{root}"] for root in self._roots] or [[]]:
            units = await self._desk.registry.metadata("organisationUnits", fields="id", filters=filters)
            found |= dict.fromkeys(unit["id"] for unit in units)
        return list(found)

    async def _read(self, number: int, program: str, left: list[tuple[str, int]]) -> None:
        while left:
            unit, page = left.pop(0)
            more = True
            while more:
                more = await self._page(number, program, unit, page)
                page += 1

    async def _page(self, number: int, program: str, unit: str, page: int) -> bool:
        """One page of a unit, sorted by when people were registered, so that new ones come last (ties: by UID)."""
        names = ("orgUnit", "ouMode") if self._old_names else ("orgUnits", "orgUnitMode")
        query = {"program": program, names[0]: unit, names[1]: "SELECTED", "order": "createdAt:asc,trackedEntity:asc"}
        query |= {"includeDeleted": "true", "fields": "trackedEntity", "page": str(page), "pageSize": str(_PAGE)}
        refused = False
        try:
            answer = await self._desk.registry.get("/tracker/trackedEntities", query)
        except Dhis2Error as error:
            if error.status != 403 and not refuses(error):
                raise
            answer, refused = {}, True  # a unit outside the search scope of our user, or deleted since it was planned
            log("sync").warning("backfill_unit_refused", unit=unit, number=number, status=error.status)
        rows = answer.get("trackedEntities") or answer.get("instances") or []
        people = list(dict.fromkeys(row["trackedEntity"] for row in rows))
        more = len(rows) == _PAGE
        async with self._turn:
            await self._room()
            async with self._desk.pool.acquire() as connection, connection.transaction():
                if people:
                    await self._desk.queue(connection, people)
                await SQL.unit_read(
                    connection,
                    number=number,
                    unit=unit,
                    page=page + 1,
                    people=len(people),
                    done=not more,
                    refused=refused,
                )
        if people:
            self._desk.bell.ring()
        return more

    async def _room(self) -> None:
        while await SQL.waiting(self._desk.pool) >= _WINDOW:  # noqa: ASYNC110 (the queue is in the database)
            await asyncio.sleep(_FULL_SECONDS)


def refuses(error: Dhis2Error) -> bool:
    """Whether DHIS2 itself says no to what is asked, and would again: another try does not help."""
    return error.told and error.status in _NO
