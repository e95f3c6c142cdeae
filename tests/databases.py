"""Databases for tests, emptied and used again: making, migrating and dropping one a test was what most tests took.

A database in which a test changed more than rows (a table, a publication, a replication slot) is dropped instead.
"""

import asyncio
import itertools
import os
import threading
from concurrent.futures import Future
from typing import Any

import asyncpg

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.postgres import migrate

SCHEMAS = ("esignet", "relying", "registry", "phn", "record", "sync", "portals")
_SLOWER = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "wal_compression = off")

# What a database is besides its rows. A test that changes it has it for itself.
_SHAPE = """
select concat_ws(' ',
    (select count(*) || ' ' || max(oid) || ' ' || sum(relnatts) from pg_class),
    (select count(*) || ' ' || sum(ascii(tgenabled::text)) from pg_trigger),
    (select count(*) || ' ' || sum(hashtext(prosrc)) from pg_proc where oid >= 16384),
    (select count(*) from pg_constraint where oid >= 16384),
    (select count(*) from pg_namespace where nspname not like 'pg\\_%'),
    (select count(*) from pg_publication),
    (select count(*) from pg_replication_slots where database = current_database()),
    (select count(*) from pg_db_role_setting s join pg_database d on d.oid = setdatabase
        where datname = current_database()))"""

# Tables that hold something. What was emptied by `truncate` has no page.
_USED = """
select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
where relkind = 'r' and nspname = any($1) and pg_relation_size(c.oid) > 0"""

_OTHERS = """
select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()"""


class QuickPostgres(EmbeddedPostgres):
    """A server whose data need not outlive the machine."""

    def _initialise(self) -> None:
        super()._initialise()
        with open(self.folder / "postgresql.conf", "a") as file:
            file.writelines(f"{line}\n" for line in _SLOWER)


class Databases:
    """The databases of one test process: `take` one, `give` it back.

    They are looked after from a thread, over connections that stay open from test to test.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._free: list[str] = []
        self._keepers: dict[str, asyncpg.Connection] = {}
        self._seeds: dict[str, list[str]] = {}
        self._unchanged = ""
        self._digests: set[Any] = set()
        self._shape = ""
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def dsn(self, name: str) -> str:
        """How `name` is reached."""
        return self.server.dsn.replace("/postgres?", f"/{name}?")

    def take(self) -> "Future[str]":
        """The name of a database with the tables of every part, and nothing in them but what migrations put there."""
        return asyncio.run_coroutine_threadsafe(self._take(), self._loop)

    def give(self, name: str) -> "Future[None]":
        """Empties `name` for the next, or drops it when more than rows has changed."""
        return asyncio.run_coroutine_threadsafe(self._give(name), self._loop)

    def close(self) -> None:
        """Lets the server stop."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _take(self) -> str:
        return self._free.pop() if self._free else await self._make()

    async def _give(self, name: str) -> None:
        keeper = self._keepers[name]
        await keeper.execute(_OTHERS)
        if await keeper.fetchval(_SHAPE) == self._shape:
            await self._empty(keeper)
            self._free.append(name)
        else:
            await self._keepers.pop(name).close()
            await self._on_server(f"drop database {name} with (force)")

    async def _close(self) -> None:
        for keeper in self._keepers.values():
            await keeper.close()

    async def _make(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        await self._on_server(f"create database {name}")
        keeper = self._keepers[name] = await asyncpg.connect(self.dsn(name))
        for schema in SCHEMAS:
            await migrate(keeper, schema)
        for (table,) in await keeper.fetch(_USED, SCHEMAS):
            rows = await keeper.fetch(f"select row_to_json(t)::text as row from {table} t")
            self._seeds[table] = [row["row"] for row in rows]
        self._unchanged = " union all ".join(
            f"select '{table}', md5(string_agg(t::text, ';' order by t::text)) from {table} t" for table in self._seeds
        )
        self._shape = await keeper.fetchval(_SHAPE)
        self._digests = set(await keeper.fetch(self._unchanged))
        return name

    async def _empty(self, keeper: asyncpg.Connection) -> None:
        used = {table for (table,) in await keeper.fetch(_USED, SCHEMAS)}
        changed = used - {table for table, _ in self._digests & set(await keeper.fetch(self._unchanged))}
        if not changed:
            return
        async with keeper.transaction():
            await keeper.execute("set local session_replication_role = replica")
            await keeper.execute(f"truncate {', '.join(changed)} restart identity cascade")
            for table, rows in self._seeds.items():
                if rows and not await keeper.fetchval(f"select exists (select from {table})"):
                    await keeper.executemany(
                        f"insert into {table} overriding system value"
                        f" select (json_populate_record(null::{table}, $1::json)).*",
                        [(row,) for row in rows],
                    )

    async def _on_server(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
