"""A part's own schema in PostgreSQL: its pool, its migrations, its named statements."""

import hashlib
from importlib.resources import files
from typing import Any

import aiosql
import asyncpg
import msgspec
from aiosql.adapters.asyncpg import AsyncPGAdapter

from janani.kernel.problems import RefusesToStart

# Any fixed number serves; two processes that migrate at once take turns on it.
_MIGRATION_LOCK = 7_231_804


class SchemaMismatch(RefusesToStart):
    """The database was made by another version of this software. Its text says what to do."""


class _Adapter(AsyncPGAdapter):
    """aiosql's adapter, less its search (at each statement) for whether it was given a pool or a connection.

    Both have the same methods.
    """

    async def select_one(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:
        return await conn.fetchrow(sql, *self._in_order(query_name, parameters))

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self._in_order(query_name, parameters))

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self._in_order(query_name, parameters))

    def _in_order(self, query_name: str, parameters: Any) -> Any:
        return self.maybe_order_params(query_name, parameters)  # type: ignore[no-untyped-call]


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A pooled connection, taken back as it is, which saves each use a round trip.

    No statement of ours changes the session: locks and settings end with their transaction. One that was left open is
    rolled back all the same.
    """

    def get_reset_query(self) -> str:
        return ""


def queries(package: str, name: str = "queries.sql") -> Any:
    """The named statements of `package` (for example "janani.phn"), by aiosql, for asyncpg."""
    return aiosql.from_str((files(package) / name).read_text(), _Adapter, mandatory_parameters=False)


async def open_pool(dsn: str, schema: str, *, max_size: int = 6) -> asyncpg.Pool:
    """A pool whose connections see `schema` first.

    The schema is created and migrated (from `janani.<schema>/schema/NNNN_*.sql`) before the pool is given.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, schema)
    finally:
        await connection.close()
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        server_settings={"search_path": f"{schema},public", "timezone": "UTC", "application_name": f"janani {schema}"},
        command_timeout=30,
        connection_class=_Connection,
    )


async def migrate(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Brings `schema` up to the newest migration, each in one transaction; the names of those it ran.

    Raises SchemaMismatch when a migration already run has changed since or is unknown here.
    """
    folder = files(f"janani.{schema}") / "schema"
    scripts = sorted((item.name, item.read_text()) for item in folder.iterdir() if item.name.endswith(".sql"))
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(f'create schema if not exists "{schema}"')
        await connection.execute(f'set local search_path to "{schema}", public')
        await connection.execute(
            "create table if not exists migration"
            " (name text primary key, digest text not null, ran_at timestamptz not null default now())"
        )
        done = {row["name"]: row["digest"] for row in await connection.fetch("select name, digest from migration")}
        _refuse_other_version(schema, dict(scripts), done)
        fresh = [(name, text) for name, text in scripts if name not in done]
        for name, text in fresh:
            await connection.execute(text)
            await connection.execute("insert into migration (name, digest) values ($1, $2)", name, _digest(text))
    return [name for name, _ in fresh]


def _refuse_other_version(schema: str, scripts: dict[str, str], done: dict[str, str]) -> None:
    for name, digest in done.items():
        if name not in scripts:
            raise SchemaMismatch(
                f"The data folder was written by a newer version (schema {schema} has {name}). "
                "Install that version, or start over with `janani up --fresh`."
            )
        if _digest(scripts[name]) != digest:
            raise SchemaMismatch(
                f"The data folder was written by another version ({schema}/{name} differs). "
                "Install that version, or start over with `janani up --fresh`."
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def json_of(value: Any) -> str:
    """`value` as JSON text, for a json or jsonb parameter."""
    return msgspec.json.encode(value).decode()
