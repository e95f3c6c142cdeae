"""Logical decoding of tables of DHIS2's shape: every committed change of a person queues her, and nothing is lost."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from janani.kernel import postgres as store
from janani.kernel.clock import system_clock
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.settings import Settings
from janani.settings import Sync as Chosen
from janani.sync.feeds import Feed, cdc
from janani.sync.feeds.cdc import CdcFeed, CdcSource
from janani.sync.feeds.keeping import SQL, Desk, FeedTrouble
from janani.sync.feeds.slot import Slot, position_of
from janani.sync.gate import Bell

PROGRAM = "WSGAb5XwJ3Y"
NAMES = {
    "2.42": ("trackedentity", "enrollment", "event"),
    "2.43": ("trackedentity", "enrollment", "trackerevent"),
    "2.40": ("trackedentityinstance", "programinstance", "programstageinstance"),
}


def tables_of(version: str) -> str:
    """The tables as DHIS2 makes them, of those columns that matter here and some that must not."""
    person, enrolment, event = NAMES[version]
    return f"""
    create table program (programid bigint primary key, uid varchar(11) not null unique);
    create table {person} ({person}id bigint primary key, uid varchar(11) not null unique, created timestamp,
      lastupdated timestamp, deleted boolean not null default false, inactive boolean not null default false);
    create table {enrolment} ({enrolment}id bigint primary key, uid varchar(11) not null unique,
      {person}id bigint references {person}, programid bigint not null references program, status varchar(50),
      deleted boolean not null default false);
    create table {event} ({event}id bigint primary key, uid varchar(11) not null unique,
      {enrolment}id bigint references {enrolment}, eventdatavalues jsonb not null default '{{}}',
      deleted boolean not null default false);
    create table trackedentityattributevalue ({person}id bigint not null references {person},
      trackedentityattributeid bigint not null, value varchar(1200),
      primary key ({person}id, trackedentityattributeid));
    create table trackedentityprogramowner (trackedentityprogramownerid bigint primary key,
      {person}id bigint not null references {person}, programid bigint not null, organisationunitid bigint not null);
    create table datavalue (dataelementid bigint primary key, value text);
    alter table {person} replica identity full;
    alter table {enrolment} replica identity full;
    alter table {event} replica identity full;
    create publication janani for table {person}, {enrolment}, {event}, trackedentityattributevalue,
      trackedentityprogramowner;
    insert into program values (1, '{PROGRAM}'), (2, 'otherProg01');
    """


class Dhis2:
    """A DHIS2's database with a few words to change it."""

    def __init__(self, dsn: str, connection: asyncpg.Connection) -> None:
        self.dsn, self.connection = dsn, connection

    async def run(self, *statements: str) -> None:
        """All in one transaction."""
        async with self.connection.transaction():
            for statement in statements:
                await self.connection.execute(statement)

    async def register(self, first: int, last: int = 0, program: int = 1) -> None:
        """People numbered so, each with an enrolment and an event of the same number."""
        numbers = f"generate_series({first}, {last or first}) n"
        await self.run(
            f"insert into trackedentity (trackedentityid, uid) select n, 'p' || lpad(n::text, 10, '0') from {numbers}",
            "insert into enrollment (enrollmentid, uid, trackedentityid, programid)"
            f" select n + 1000000, 'e' || lpad(n::text, 10, '0'), n, {program} from {numbers}",
            "insert into event (eventid, uid, enrollmentid)"
            f" select n + 2000000, 'v' || lpad(n::text, 10, '0'), n + 1000000 from {numbers}",
        )

    async def slots(self) -> list[str]:
        return [row["slot_name"] for row in await self.connection.fetch("select slot_name from pg_replication_slots")]


def person(number: int) -> str:
    return f"p{number:010}"


class Sync:
    """The feed on a queue of its own."""

    def __init__(self, pool: Any, dsn: str, **more: Any) -> None:
        self.pool = pool
        self.desk = Desk(None, pool, Bell(), system_clock, PROGRAM)  # type: ignore[arg-type]
        self.feed = CdcFeed(self.desk, CdcSource(dsn, **more))

    async def read(self) -> set[str]:
        """Whom reading to the end queues."""
        await self.pool.execute("delete from queue")
        while await self.feed._step():
            pass
        return {row["person"] for row in await self.pool.fetch("select person from queue")}

    async def backfills(self) -> list[str]:
        return [row["reason"] for row in await self.pool.fetch("select reason from backfill order by number")]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server whose log can be decoded."""
    with tempfile.TemporaryDirectory(prefix="janani-cdc-") as folder:
        os.chmod(folder, 0o755)
        embedded = EmbeddedPostgres(Path(folder) / "postgres", logical=True)
        embedded.start()
        try:
            yield embedded
        finally:
            embedded.stop()


async def made(server: EmbeddedPostgres, version: str) -> AsyncIterator[Dhis2]:
    admin = await asyncpg.connect(server.dsn)
    await admin.execute("create database dhis")
    dsn = server.dsn.replace("/postgres?", "/dhis?")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(tables_of(version))
        yield Dhis2(dsn, connection)
    finally:
        connection.terminate()
        admin.terminate()
        admin = await asyncpg.connect(server.dsn)
        await admin.execute(
            "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where active_pid is not null"
        )
        await admin.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
        await admin.execute("drop database dhis with (force)")
        await admin.close()


@pytest.fixture
async def dhis2(server: EmbeddedPostgres) -> AsyncIterator[Dhis2]:
    async for one in made(server, "2.42"):
        yield one


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Any]:
    opened = await store.open_pool(settings.database.dsn, "sync", max_size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def sync(dhis2: Dhis2, pool: Any) -> AsyncIterator[Sync]:
    """A feed that has begun."""
    one = Sync(pool, dhis2.dsn)
    await one.read()
    yield one
    one.feed.close()


async def test_it_begins_with_a_slot_and_asks_for_everybody_once(dhis2: Dhis2, pool: Any) -> None:
    await dhis2.register(1)
    sync = Sync(pool, dhis2.dsn)
    assert await sync.read() == set()
    assert await dhis2.slots() == ["janani"]
    assert await sync.backfills() == ["logical decoding begins here"]
    sync.feed.close()
    again = Sync(pool, dhis2.dsn)
    await dhis2.register(2)
    assert await again.read() == {person(2)}
    assert len(await again.backfills()) == 1
    again.feed.close()


CHANGES = {
    "a person is updated": "update trackedentity set lastupdated = now() where trackedentityid = 7",
    "a person is marked as deleted": "update trackedentity set deleted = true where trackedentityid = 7",
    "an enrolment is completed": "update enrollment set status = 'COMPLETED' where trackedentityid = 7",
    "an event is added": "insert into event (eventid, uid, enrollmentid) values (9, 'v9', 1000007)",
    "an event's values change": "update event set eventdatavalues = '{\"a\": 1}' where enrollmentid = 1000007",
    "an event is deleted": "delete from event where enrollmentid = 1000007",
    "an attribute is added": "insert into trackedentityattributevalue values (7, 2, 'new')",
    "an attribute changes": "update trackedentityattributevalue set value = 'x' where trackedentityid = 7",
    "an attribute is deleted": "delete from trackedentityattributevalue where trackedentityid = 7",
    "an owner is told": "insert into trackedentityprogramowner values (2, 7, 1, 1)",
    "the owner changes": "update trackedentityprogramowner set organisationunitid = 2 where trackedentityid = 7",
    "an enrolment is deleted": "with gone as (delete from event where enrollmentid = 1000007)"
    " delete from enrollment where trackedentityid = 7",
}


async def test_every_kind_of_change_queues_its_person_alone(dhis2: Dhis2, sync: Sync) -> None:
    await dhis2.register(1, 20)
    await dhis2.run(
        "insert into trackedentityattributevalue values (7, 1, 'old')",
        "insert into trackedentityprogramowner values (1, 7, 1, 1)",
    )
    assert await sync.read() == {person(n) for n in range(1, 21)}
    for what, statement in CHANGES.items():
        await dhis2.run(statement)
        assert await sync.read() == {person(7)}, what
        assert await sync.read() == set(), what


async def test_who_is_deleted_for_good_is_named_by_her_old_row(dhis2: Dhis2, sync: Sync) -> None:
    await dhis2.register(1, 3)
    await sync.read()
    # In several transactions, all before the log is read: what the first rows point to is gone by then.
    await dhis2.run("delete from event where enrollmentid = 1000002")
    await dhis2.run("delete from enrollment where trackedentityid = 2")
    await dhis2.run("delete from trackedentity where trackedentityid = 2")
    assert await sync.read() == {person(2)}
    assert sync.feed.word == ""


async def test_an_enrolment_that_moves_queues_both_people(dhis2: Dhis2, sync: Sync) -> None:
    await dhis2.register(1, 3)
    await sync.read()
    await dhis2.run("update enrollment set trackedentityid = 1 where trackedentityid = 3")
    assert await sync.read() == {person(1), person(3)}


async def test_other_programmes_and_tables_are_passed_over(dhis2: Dhis2, sync: Sync) -> None:
    await dhis2.register(1, 2, program=2)
    await dhis2.run("insert into datavalue values (1, 'x')", "insert into event (eventid, uid) values (1, 'alone')")
    assert await sync.read() == set()


async def test_a_transaction_of_many_rows_is_read_whole_and_people_wait_once(
    dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cdc, "_MOST", 50)
    await dhis2.register(1, 400)
    await dhis2.run(*["update event set eventdatavalues = eventdatavalues || '{\"n\": 1}'"] * 3)
    assert await sync.read() == {person(n) for n in range(1, 401)}
    assert await sync.pool.fetchval("select max(change) from queue") <= 2  # two transactions


async def test_many_transactions_are_read_in_pages(dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdc, "_MOST", 20)
    for number in range(1, 61):
        await dhis2.register(number)
    assert await sync.read() == {person(n) for n in range(1, 61)}
    assert await sync.read() == set()


async def test_what_is_rolled_back_is_not_seen_and_what_commits_late_is(dhis2: Dhis2, sync: Sync) -> None:
    other = await asyncpg.connect(dhis2.dsn)
    await dhis2.register(1, 3)
    await sync.read()
    undone = dhis2.connection.transaction()
    await undone.start()
    await dhis2.connection.execute("update trackedentity set inactive = true where trackedentityid = 1")
    late = other.transaction()
    await late.start()
    await other.execute("update trackedentity set inactive = true where trackedentityid = 2")
    await undone.rollback()
    await dhis2.run("update trackedentity set inactive = true where trackedentityid = 3")
    assert await sync.read() == {person(3)}
    await late.commit()
    assert await sync.read() == {person(2)}
    await other.close()


async def test_a_kill_between_queueing_and_advancing_repeats_and_loses_nothing(
    dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dhis2.register(1)

    async def killed(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(Slot, "advance", killed)
        with pytest.raises(asyncio.CancelledError):
            await sync.read()
    await dhis2.register(2)
    restarted = Sync(sync.pool, dhis2.dsn)
    sync.feed.close()
    assert await restarted.read() == {person(1), person(2)}
    assert len(await restarted.backfills()) == 1
    restarted.feed.close()


async def test_a_kill_before_queueing_reads_it_again(dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    await dhis2.register(1)

    async def killed(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(Desk, "keep", killed)
        with pytest.raises(asyncio.CancelledError):
            await sync.read()
    assert await sync.read() == {person(1)}


async def test_it_waits_until_a_transaction_of_the_log_can_be_seen(dhis2: Dhis2, sync: Sync) -> None:
    """A commit is in the log a moment before others see it; here that moment is a lock held on."""
    async with dhis2.connection.transaction():
        number = await dhis2.connection.fetchval("select txid_current()::text::xid")
        slot = Slot(sync.feed._connection, "janani", "janani")  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slot.ended([number]), 0.1)
    sync.feed.close()
    await sync.read()
    await Slot(sync.feed._connection, "janani", "janani").ended([number])  # type: ignore[arg-type]


async def test_a_slot_over_the_bound_is_given_up_with_a_backfill(dhis2: Dhis2, pool: Any) -> None:
    sync = Sync(pool, dhis2.dsn, max_lag_megabytes=2)
    await sync.read()
    await finish_backfills(pool)
    position = position_of(await sync.desk.position(cdc.NAME))
    await dhis2.run("insert into datavalue select n, repeat(md5(n::text), 20) from generate_series(1, 8000) n")
    await dhis2.register(1)
    await sync.read()
    assert "more than 2 MB" in sync.feed.word
    assert (await sync.backfills())[1:] == [sync.feed.word]
    assert position_of(await sync.desk.position(cdc.NAME)) > position + 2_000_000
    assert sync.feed.lag_megabytes < 1
    await dhis2.register(2)
    assert await sync.read() == {person(2)}
    await finish_backfills(pool)
    await sync.read()
    assert sync.feed.word == ""
    sync.feed.close()


async def finish_backfills(pool: Any) -> None:
    for row in await pool.fetch("select number from backfill"):
        await SQL.end_backfill(pool, number=row["number"], now=system_clock())


async def test_a_slot_that_is_gone_or_moved_by_another_is_begun_anew(dhis2: Dhis2, sync: Sync) -> None:
    await finish_backfills(sync.pool)
    await dhis2.run("select pg_drop_replication_slot('janani')")
    await sync.read()
    assert (await sync.backfills())[1:] == ["the replication slot is gone"]
    await finish_backfills(sync.pool)
    await dhis2.register(1)
    await dhis2.run("select pg_replication_slot_advance('janani', pg_current_wal_lsn())")
    await sync.read()
    assert (await sync.backfills())[2:] == ["the replication slot was moved by somebody else"]


async def test_a_kill_while_beginning_anew_still_ends_in_a_backfill(
    dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    await finish_backfills(sync.pool)
    await dhis2.run("select pg_drop_replication_slot('janani')")
    create = Slot.create

    async def killed(self: Slot) -> int:
        await create(self)
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(Slot, "create", killed)
        with pytest.raises(asyncio.CancelledError):
            await sync.read()
    sync.feed.close()
    restarted = Sync(sync.pool, dhis2.dsn)
    await dhis2.register(1)
    assert await restarted.read() == {person(1)}
    assert len(await restarted.backfills()) == 2
    restarted.feed.close()


async def test_emptied_tables_ask_for_everybody(dhis2: Dhis2, sync: Sync) -> None:
    await dhis2.register(1)
    await sync.read()
    await finish_backfills(sync.pool)
    await dhis2.run("truncate event")
    await sync.read()
    assert (await sync.backfills())[1:] == ["emptied (TRUNCATE): event"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("drop publication janani", "publication janani is missing"),
        ("alter publication janani set (publish = 'insert, update')", "must publish"),
        ("alter publication janani drop table event", "no table of events"),
        ("alter table enrollment replica identity default", "alter table enrollment replica identity full"),
    ],
)
async def test_what_would_miss_people_is_refused_with_what_to_do(
    dhis2: Dhis2, pool: Any, change: str, says: str
) -> None:
    await dhis2.run(change)
    sync = Sync(pool, dhis2.dsn)
    with pytest.raises(FeedTrouble, match=says):
        await sync.feed.step(0)
    assert await dhis2.slots() == []


async def test_a_log_of_other_tables_moves_the_slot_but_rarely(dhis2: Dhis2, sync: Sync) -> None:
    before = await sync.desk.position(cdc.NAME)
    await dhis2.run("insert into datavalue values (1, 'x')")
    await sync.read()
    assert await sync.desk.position(cdc.NAME) == before
    await dhis2.run("insert into datavalue select n, repeat(md5(n::text), 20) from generate_series(2, 4000) n")
    await sync.read()
    assert position_of(await sync.desk.position(cdc.NAME)) > position_of(before)


async def test_a_role_with_these_rights_suffices(dhis2: Dhis2, pool: Any) -> None:
    """As docs/how-to/read-the-log-of-dhis2.md has it."""
    await dhis2.run(
        "drop role if exists janani_sync",
        "create role janani_sync login replication",
        "grant select (trackedentityid, uid) on trackedentity to janani_sync",
        "grant select (enrollmentid, trackedentityid, programid) on enrollment to janani_sync",
        "grant select (programid, uid) on program to janani_sync",
    )
    sync = Sync(pool, dhis2.dsn.replace("//postgres@", "//janani_sync@"))
    await sync.read()
    await dhis2.register(1)
    assert await sync.read() == {person(1)}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await sync.feed._connection.fetch("select eventdatavalues from event")  # type: ignore[union-attr]
    sync.feed.close()
    await dhis2.run("drop owned by janani_sync", "drop role janani_sync")


@pytest.mark.parametrize("version", ["2.40", "2.43"])
async def test_the_names_of_other_versions(server: EmbeddedPostgres, pool: Any, version: str) -> None:
    table, enrolment, event = NAMES[version]
    async for dhis2 in made(server, version):
        sync = Sync(pool, dhis2.dsn)
        await sync.read()
        await dhis2.run(
            f"insert into {table} ({table}id, uid) values (1, '{person(1)}')",
            f"insert into {enrolment} ({enrolment}id, uid, {table}id, programid) values (1, 'e', 1, 1)",
            f"insert into {event} ({event}id, uid, {enrolment}id) values (1, 'v', 1)",
        )
        assert await sync.read() == {person(1)}
        await dhis2.run(f"update {event} set eventdatavalues = '{{\"a\": 2}}'")
        assert await sync.read() == {person(1)}
        sync.feed.close()


async def test_the_feed_runs_through_a_restart_of_the_database(
    dhis2: Dhis2, server: EmbeddedPostgres, pool: Any
) -> None:
    desk = Desk(None, pool, Bell(), system_clock, PROGRAM)  # type: ignore[arg-type]
    feed = Feed(desk, Chosen(feed="cdc", cdc_seconds=0.02), dhis2.dsn)
    running = asyncio.create_task(feed._read_on())
    try:
        await until(lambda: desk.position(cdc.NAME))
        await dhis2.register(1)
        await until(lambda: pool.fetchval("select count(*) = 1 from queue"))
        await asyncio.to_thread(server.stop)
        await until(lambda: is_so(feed.interruption.words.startswith("the feed can't be read")))
        await asyncio.to_thread(server.start)
        dhis2.connection = await asyncpg.connect(dhis2.dsn)
        await dhis2.register(2)
        await until(lambda: pool.fetchval("select count(*) = 2 from queue"))
        await until(lambda: is_so(feed.interruption.words == ""))
        assert await pool.fetchval("select count(*) from backfill") == 1
        await dhis2.connection.close()
    finally:
        running.cancel()
        await asyncio.wait([running])
        feed._cdc.close()


async def test_a_connection_that_breaks_in_any_way_is_made_anew(
    dhis2: Dhis2, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Slot) -> int:
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    await dhis2.register(1)
    with monkeypatch.context() as breaking:
        breaking.setattr(Slot, "flushed", broken)
        with pytest.raises(OSError, match="went away"):
            await sync.feed.step(0)
    assert await sync.read() == {person(1)}


async def is_so(condition: bool) -> bool:
    return condition


async def until(asked: Callable[[], Awaitable[Any]]) -> None:
    """Returns when it is so; fails after 20 s."""
    async with asyncio.timeout(60):
        while not await asked():
            await asyncio.sleep(0.02)
