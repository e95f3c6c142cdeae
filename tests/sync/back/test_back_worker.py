"""The way back's loops and queue: what goes wrong, how often it is tried, and what arrives meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel import postgres
from janani.kernel.clock import system_clock
from janani.settings import Settings
from janani.sync.back.clinic import Refused
from janani.sync.back.desk import decide
from janani.sync.back.edits import Edit
from janani.sync.back.feed import RecordFeed
from janani.sync.back.sorting import seen
from janani.sync.back.worker import WriteBack
from janani.sync.gate import Bell
from janani.sync.metrics import Metrics

UNUSED: Any = None
SAW = seen(None, None)  # what the page showed of a conflict: its texts


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    opened = await postgres.open_pool(settings.database.dsn, "sync")
    yield opened
    await opened.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


class Record:
    """A record without news; what `errors` has is raised first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.asked = list(errors), 0

    async def history(self, _parameters: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        for entry in ():
            yield entry


class Edits:
    """Does `does` with each edit."""

    def __init__(self, does: Callable[[Any], Awaitable[str]]) -> None:
        self.bring = does


class Later:
    """A clock that is `after` a real one."""

    def __init__(self) -> None:
        self.after = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.after


def way_back(pool: asyncpg.Pool, record: Any = None, edits: Any = None, clock: Any = system_clock) -> WriteBack:
    bell = Bell()
    feed = RecordFeed(record or Record(), pool, UNUSED, UNUSED, bell, clock, 0.01)
    return WriteBack(feed, UNUSED, edits, pool, bell, clock, {}, Metrics(), 8)


@pytest.mark.parametrize("error", [asyncpg.InternalClientError("unexpected message"), KeyError("entry")])
async def test_what_nobody_foresaw_stops_reading_for_a_moment_and_is_told(
    pool: asyncpg.Pool, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    await pool.execute("insert into back_feed (name, position, read_at) values ('history', now(), now())")
    record = Record(error)
    back = way_back(pool, record)
    async with back.running():
        await until(lambda: bool(back.feed.interruption.words))
        assert type(error).__name__ in back.feed.interruption.words
        await until(lambda: record.asked > 2)
        assert back.feed.interruption.words == ""
    assert type(error).__name__ in capsys.readouterr().out


async def test_the_worker_goes_on_after_what_nobody_foresaw(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    back, calls = way_back(pool), list[int]()

    async def bring_next() -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise asyncpg.InternalClientError
        if len(calls) == 2:
            raise KeyError
        return False

    monkeypatch.setattr(back, "bring_next", bring_next)
    monkeypatch.setattr("janani.sync.back.worker._IDLE_SECONDS", 0.01)
    async with back.running():
        await until(lambda: len(calls) > 3)


async def test_a_database_that_breaks_off_sets_nothing_aside(pool: asyncpg.Pool) -> None:
    await noticed(pool, 2)

    async def breaks(_edit: Any) -> str:
        raise asyncpg.InternalClientError

    with pytest.raises(asyncpg.InternalClientError):
        await way_back(pool, edits=Edits(breaks)).bring_next()
    assert await pool.fetchval("select count(*) from back_dead") == 0


async def tried(pool: asyncpg.Pool, error: Exception, minutes: float) -> tuple[int, str]:
    """A document that is answered with `error` for so long: the tries in all, and why it was set aside."""
    times, clock = list[timedelta](), Later()

    async def refuses(_edit: Any) -> str:
        times.append(clock.after)
        raise error

    back = way_back(pool, edits=Edits(refuses), clock=clock)
    end = clock() + timedelta(minutes=minutes)
    while clock() < end and not await pool.fetchval("select count(*) from back_dead"):
        await back.bring_next()
        due = await pool.fetchval("select min(try_at) from back_queue")
        clock.after += max(due - clock(), timedelta()) if due else timedelta()
    return len(times), await pool.fetchval("select reason from back_dead") or ""


@pytest.mark.parametrize(
    "error", [Dhis2Error(409, "E1001", "no"), FhirError(412), Dhis2Error(500, "", ""), FhirError(403)]
)
async def test_what_is_refused_at_every_try_is_set_aside(pool: asyncpg.Pool, error: Any) -> None:
    await noticed(pool, 2)
    times, reason = await tried(pool, error, 9)
    assert (times >= 8, reason) == (True, "")  # a server that is broken for some minutes sets nobody aside
    more, reason = await tried(pool, error, 30)
    assert (1 <= more < 8, reason) == (True, f"answered {error.status} at every one of {times + more} tries")


@pytest.mark.parametrize("status", [0, 401, 503])
async def test_while_a_server_is_away_nothing_is_set_aside(pool: asyncpg.Pool, status: int) -> None:
    await noticed(pool, 2)
    times, reason = await tried(pool, Dhis2Error(status, "", ""), 120)
    assert (times > 20, reason) == (True, "")
    _, reason = await tried(pool, Dhis2Error(500, "", ""), 4)  # nor at its first error after that
    assert reason == ""


class Meanwhile:
    """What is brought, in order; during the first `happens` happens, and it ends with `error` if there is one."""

    def __init__(self, happens: Awaitable[object], error: Exception | None = None) -> None:
        self.brought, self._happens, self._error = list[tuple[int, int, str]](), happens, error

    async def bring(self, edit: Edit) -> str:
        self.brought.append((edit.version, edit.first, edit.verdict))
        if len(self.brought) == 1:
            await self._happens
            if self._error:
                raise self._error
        return "changed"


async def brought(pool: asyncpg.Pool, edits: Meanwhile) -> list[tuple[int, int, str]]:
    back = way_back(pool, edits=edits)
    while await back.bring_next():
        pass
    return edits.brought


async def test_an_edit_that_arrives_meanwhile_is_judged_by_what_was_brought(pool: asyncpg.Pool) -> None:
    await noticed(pool, 2)
    assert await brought(pool, Meanwhile(noticed(pool, 3))) == [(2, 2, ""), (3, 3, "")]


async def test_an_edit_that_arrives_while_the_one_before_is_refused_is_judged_by_what_was_before_both(
    pool: asyncpg.Pool,
) -> None:
    await noticed(pool, 2)
    assert await brought(pool, Meanwhile(noticed(pool, 3), Refused("E1300"))) == [(2, 2, ""), (3, 2, "")]
    assert await pool.fetchval("select count(*) from back_dead") == 0


async def test_what_was_set_aside_was_not_brought(pool: asyncpg.Pool) -> None:
    await noticed(pool, 2)
    assert await brought(pool, Meanwhile(asyncio.sleep(0), Refused("E1300"))) == [(2, 2, "")]
    await noticed(pool, 3)
    assert await brought(pool, Meanwhile(asyncio.sleep(0))) == [(3, 2, "")]


async def test_what_waits_for_a_person_was_not_brought(pool: asyncpg.Pool) -> None:
    await conflict(pool, version=2)
    await noticed(pool, 3)
    assert await brought(pool, Meanwhile(noticed(pool, 4))) == [(3, 2, ""), (4, 2, "")]


async def test_a_decision_that_arrives_meanwhile_is_done_next(pool: asyncpg.Pool) -> None:
    number = await conflict(pool, version=2)
    await noticed(pool, 2)
    found = await brought(pool, Meanwhile(decide(pool, number, "record", SAW, "staff", system_clock())))
    assert found == [(2, 2, ""), (2, 2, f"element=record:{SAW}")]


async def test_a_decision_settles_no_later_edit(pool: asyncpg.Pool) -> None:
    await decide(pool, await conflict(pool, version=2), "registry", SAW, "staff", system_clock())
    await noticed(pool, 3)
    assert await brought(pool, Meanwhile(asyncio.sleep(0))) == [(3, 2, "")]
    number = await conflict(pool, version=2)
    await noticed(pool, 3)
    await decide(pool, number, "registry", SAW, "staff", system_clock())
    assert await brought(pool, Meanwhile(asyncio.sleep(0))) == [(3, 2, "")]


async def conflict(pool: asyncpg.Pool, version: int) -> int:
    """The number of an open conflict about a version of the Observation."""
    found = await pool.fetchval(
        "insert into conflict (source, name, version, first, person, event, element, noticed_at)"
        " values ('Observation/7', 'EVENT000001-haemoglobin', $1, $1, 'person', 'EVENT000001', 'element', now())"
        " returning number",
        version,
    )
    return int(found)


async def noticed(pool: asyncpg.Pool, version: int) -> None:
    """A version of an edited Observation that the feed finds."""
    await postgres.queries("janani.sync.back").notice(
        pool,
        sources=["Observation/7"],
        names=["EVENT000001-haemoglobin"],
        versions=[version],
        firsts=[version],
        now=system_clock(),
    )
