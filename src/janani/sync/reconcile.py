"""Reconciliation: the registry against the record, person by person, by digests computed anew; repairs what differs.

Streams page by page, so memory does not grow with the number of people. A server that does not know `$sent-digests`
(only ours does) is read instead, which takes longer and is said in the report.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import asyncpg
from joserfc.jwk import RSAKey
from litestar import Request, get, post
from litestar.params import FromQuery
from msgspec import Struct, to_builtins

from janani.clients.fhir import FhirClient
from janani.kernel import jose, postgres
from janani.kernel.clock import Clock
from janani.sync.comparing import Key, compared, key_of, surplus, url_of
from janani.sync.holding import Holding, way_to
from janani.sync.mapping import Mapper
from janani.sync.problems import Busy, NoSuchTarget, NoTable
from janani.sync.source import Source

_queries = postgres.queries("janani.sync")
_PAGE = 200
_AT_ONCE = 10
"""People mapped before others have their turn on this thread."""
_LISTED = 1000
_SETTLE_SECONDS = 60.0


class Report(Struct):
    """What was found. `differing` names at most a thousand people; people are named by the UID of the registry.

    `compared_by` is "digests" (of what was sent) or "resources" (read from a server that does not know digests).
    """

    target: str
    programme: str
    registry: str
    started_at: str
    finished_at: str = ""
    people: int = 0
    equal: int = 0
    differing: dict[str, Any] = {}
    only_in_record: list[str] = []
    repaired: int = 0
    fingerprint: str = ""
    compared_by: str = ""

    @property
    def agrees(self) -> bool:
        """Whether all people are the same on both sides."""
        return self.equal == self.people and not self.only_in_record


class Sides(Struct, frozen=True):
    """The two sides, and how one becomes the other."""

    source: Source
    record: FhirClient
    target: str
    mapper: Mapper
    pool: asyncpg.Pool
    clock: Clock


class Reconciliation:
    """One comparison of everybody. `report` grows while it runs."""

    def __init__(self, sides: Sides) -> None:
        self._sides, self._mapper = sides, sides.mapper
        self._total = sha256()
        self._again: dict[str, list[str]] = {}
        """Who differs, with the keys of what there is too much of hers."""
        self._holding: Holding
        self.report = Report(sides.target, sides.mapper.programme.name, "", _now(sides.clock))

    async def run(self, *, repair: bool) -> Report:
        """Compares all; who differs is looked at again once nothing of hers is on its way.

        Raises Dhis2Error, FhirError. With `repair` who still differs is queued to be sent whole.
        """
        context = await self._sides.source.context()
        self.report.registry = context.system_id
        await _queries.forget_seen(self._sides.pool)
        kinds = [row["kind"] async for row in _queries.kinds(self._sides.pool, target=self.report.target)]
        self._holding = await way_to(self._sides.record, self._mapper, kinds)
        self.report.compared_by = self._holding.name
        await self._compare_all()
        await self._catch_up()
        await self._look_again()
        gone = await self._gone()
        await _queries.forget_seen(self._sides.pool)
        self.report.only_in_record = gone[:_LISTED]
        self.report.fingerprint = self._total.hexdigest()
        self.report.finished_at = _now(self._sides.clock)
        if repair and not self.report.agrees:
            await self._repair([*self._again, *gone])
        return self.report

    async def _compare_all(self) -> None:
        """While the target answers about one page, the next is mapped, and the one behind it is on its way."""
        pages: asyncio.Queue[list[Any] | None] = asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_pages(pages))
            asked: asyncio.Task[None] | None = None
            while (page := await pages.get()) is not None:
                mapped = await self._map(page)
                if asked is not None:
                    await asked
                asked = group.create_task(self._compare(mapped, again=False))

    async def _read_pages(self, pages: "asyncio.Queue[list[Any] | None]") -> None:
        size = self._holding.page
        async for people in self._sides.source.everybody(self._mapper, _PAGE):
            page = await self._concerned(people)
            for start in range(0, len(page), size):
                await pages.put(page[start : start + size])
        await pages.put(None)

    async def _concerned(self, people: dict[str, Any]) -> list[Any]:
        """Those of the programme and the units, whoever was there already left out."""
        source, found = self._sides.source, {}
        for uid, one in people.items():
            if await source.concerns(self._mapper, one):
                found[uid] = one
        return await self._fresh(found)

    async def _fresh(self, people: dict[str, Any]) -> list[Any]:
        uids = list(people)
        fresh = {row["person"] async for row in _queries.see(self._sides.pool, people=uids)}
        return [people[uid] for uid in uids if uid in fresh]

    async def _map(self, people: Sequence[Any]) -> list[Any]:
        mapped = []
        for number, one in enumerate(people):
            mapped.append(self._holding.mapped(one, await self._sides.source.context(one)))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # deliveries go on beside it
        return mapped

    async def _compare(self, mapped: Sequence[Any], *, again: bool) -> None:
        """Compares one page. Those who differ are kept for a second look, or (`again`) reported."""
        uids = [one.person for one in mapped]
        answers, held = await asyncio.gather(self._holding.differing(mapped), self._held(uids))
        for number, (wanted, rows) in enumerate(answers):
            person = wanted.person
            found = None if rows is None else compared(wanted.digests, rows, held.get(person, ()))
            if not again:
                self.report.people += 1
                self._total.update(person.encode() + wanted.fingerprint)
            if found is None:
                self.report.equal += 1
                self._again.pop(person, None)
            else:
                more = surplus(wanted.digests, rows or (), held.get(person, ()))
                self._again[person] = [url_of(key) for key in more if key[0] != "Patient"]
                if again and len(self.report.differing) < _LISTED:
                    self.report.differing[person] = to_builtins(found)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _held(self, uids: Sequence[str]) -> dict[str, list[Key]]:
        """What stands in the record as somebody there wrote it, by person: it need not be as the registry says."""
        found: dict[str, list[Key]] = {}
        async for row in _queries.held_of(self._sides.pool, people=list(uids)):
            found.setdefault(row["person"], []).append(key_of(row["key"]))
        return found

    async def _gone(self) -> list[str]:
        """Of whom the target still has something though nobody met her in the registry."""
        rows = _queries.only_delivered(self._sides.pool, target=self.report.target)
        return [row["person"] async for row in rows]

    async def _catch_up(self) -> None:
        """Whoever slipped from one page to another while they were read is there when asked for by name; so is she who
        left the programme, whose Patient stays."""
        gone, size = await self._gone(), self._holding.page
        for start in range(0, len(gone), size):
            there = await self._sides.source.people(gone[start : start + size])
            await self._compare(await self._map(await self._fresh(there)), again=False)

    async def _look_again(self) -> None:
        """Whoever differs may only have been on the way."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLE_SECONDS
        while self._again and await self._on_their_way() and loop.time() < until:  # noqa: ASYNC110 (it is in the database)
            await asyncio.sleep(0.2)
        uids = list(self._again)
        size = self._holding.page
        for start in range(0, len(uids), size):
            people = await self._sides.source.people(uids[start : start + size])
            self.report.people -= len(uids[start : start + size]) - len(people)  # gone since
            for uid in set(uids[start : start + size]) - set(people):
                del self._again[uid]
            await self._compare(await self._map(list(people.values())), again=True)

    async def _on_their_way(self) -> bool:
        waiting = _queries.waiting_of(self._sides.pool, target=self.report.target, people=list(self._again))
        return bool(await waiting)

    async def _repair(self, people: Sequence[str]) -> None:
        """Sends all of these people again, and takes back what there is too much.

        The queue first, as who ends a delivery does: then neither waits for the other in a circle.
        """
        now = self._sides.clock()
        for start in range(0, len(people), _PAGE):
            some = list(people[start : start + _PAGE])
            more = [postgres.json_of(dict.fromkeys(self._again.get(person) or (), "")) for person in some]
            async with self._sides.pool.acquire() as connection, connection.transaction():
                await _queries.notice(connection, people=some, now=now)
                await _queries.unremember_all(connection, target=self.report.target, people=some, more=more)
        self.report.repaired = len(people)


def signed(report: Report, key: RSAKey) -> str:
    """The report as a compact JWS (RS256) by the sync's key; its type is `reconciliation+jwt`."""
    return jose.sign(to_builtins(report) | {"agrees": report.agrees}, key, typ="reconciliation+jwt")


def _now(clock: Clock) -> str:
    return clock().isoformat(timespec="seconds")


class Desk:
    """The reconciliation that runs, or ran last."""

    def __init__(self, sides: dict[str, Sides], key: RSAKey) -> None:
        """`sides` by target; none without a mapping table."""
        self._sides, self._key = sides, key
        self._task: asyncio.Task[Report] | None = None
        self._running: Reconciliation | None = None

    def begin(self, target: str, *, repair: bool) -> None:
        """Begins one with `target`. Raises NoTable, NoSuchTarget, Busy."""
        if self._task is not None and not self._task.done():
            raise Busy
        if not self._sides:
            raise NoTable
        if target not in self._sides:
            raise NoSuchTarget
        self._running = Reconciliation(self._sides[target])
        self._task = asyncio.create_task(self._running.run(repair=repair))

    def state(self) -> dict[str, Any]:
        """How far it is; when it is done also `report` and the report `signed`, or the `trouble` that ended it."""
        if self._task is None or self._running is None:
            return {"state": "none"}
        seen = {"people": self._running.report.people, "equal": self._running.report.equal}
        if not self._task.done():
            return {"state": "running", **seen}
        error = self._task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is not None:
            status = getattr(error, "status", "")
            return {"state": "failed", "trouble": f"{type(error).__name__} {status}".strip(), **seen}
        report = self._task.result()
        return {"state": "done", "report": to_builtins(report), "signed": signed(report, self._key), **seen}

    async def close(self) -> None:
        """Ends the one that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@post("/reconciliation", status_code=202)
async def begin(
    request: Request[Any, Any, Any], target: FromQuery[str], repair: FromQuery[bool] = False
) -> dict[str, str]:
    """Compares the registry with a target, and repairs when asked to. Staff only."""
    request.app.state.staff(request)
    request.app.state.sync.reconciliation.begin(target, repair=repair)
    return {"state": "running"}


@get("/reconciliation")
async def look(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """How far the comparison is, or what it found. Staff only."""
    request.app.state.staff(request)
    state: dict[str, Any] = request.app.state.sync.reconciliation.state()
    return state


handlers = [begin, look]
