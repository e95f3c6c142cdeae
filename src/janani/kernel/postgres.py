"""A part's own schema in PostgreSQL: its pool, its migrations, its named statements."""

import hashlib
from importlib.resources import files
from typing import Any

import aiosql
import asyncpg
import msgspec
from aiosql.adapters.asyncpg import AsyncPGAdapter
from asyncpg.pool import PoolConnectionProxy

from janani.kernel.problems import RefusesToStart

# Any fixed number serves; two processes that migrate at once take turns on it.
_MIGRATION_LOCK = 7_231_804


class SchemaMismatch(RefusesToStart):
    """The database was made by another version of this software. Its text says what to do."""


class NoDatabase(RefusesToStart):
    """The database can't be reached or used. Its text says why and what to do, and nothing of the DSN."""

    def __init__(self, error: Exception) -> None:
        why = next((words for kinds, words in _WHY if isinstance(error, kinds)), type(error).__name__)
        super().__init__(
            f"The database can't be used: {why}. Correct `database.dsn` in janani.toml (or JANANI_DATABASE__DSN), "
            "or the database, then start again."
        )


_WHY: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (asyncpg.InvalidAuthorizationSpecificationError,),  # a wrong password is one of them
        "PostgreSQL refuses the user or the password",
    ),
    ((asyncpg.InvalidCatalogNameError,), "PostgreSQL has no database of that name"),
    ((asyncpg.InsufficientPrivilegeError,), "the user may not create schemas or tables in it"),
    ((asyncpg.TooManyConnectionsError,), "PostgreSQL has no connection free (max_connections)"),
    ((asyncpg.CannotConnectNowError,), "PostgreSQL is starting or stopping"),
    ((OSError, TimeoutError), "no PostgreSQL answers at that address"),
    ((ValueError, asyncpg.InterfaceError), "its address is not like postgresql://user:password@host:5432/name"),
)


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

    async def reset(self, *, timeout: float | None = None) -> None:
        if self._top_xact is not None or self._protocol.is_in_transaction() or self._listeners or self._log_listeners:
            await super().reset(timeout=timeout)


class _Pool(asyncpg.Pool):  # type: ignore[misc]
    """A pool that takes a connection back on the spot where nothing has to be waited for.

    asyncpg makes a task of it each time, so that a cancelled caller cannot keep the connection: where giving back has
    no point to be cancelled at, that protects from nothing, and it took half of what a statement costs here.
    """

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        link = getattr(connection, "_con", None)
        if type(connection) is not PoolConnectionProxy or link is None or not self._at_rest(connection._holder, link):
            await super().release(connection, timeout=timeout)
            return
        link._on_release()
        await connection._holder.release(timeout)

    def _at_rest(self, holder: Any, link: Any) -> bool:
        """Whether the connection has no transaction to roll back, nothing to cancel, and isn't to be closed."""
        protocol = link._protocol
        return not (
            holder._pool is not self
            or self._closing
            or link.is_closed()
            or protocol.is_in_transaction()
            or link._top_xact is not None
            or protocol._is_cancelling()
            or protocol.queries_count >= holder._max_queries
            or holder._generation != self._generation
        )


def queries(package: str, name: str = "queries.sql") -> Any:
    """The named statements of `package` (for example "janani.phn"), by aiosql, for asyncpg."""
    return aiosql.from_str((files(package) / name).read_text(), _Adapter, mandatory_parameters=False)


async def open_pool(dsn: str, schema: str, *, max_size: int = 6) -> asyncpg.Pool:
    """A pool whose connections see `schema` first.

    The schema is created and migrated (from `janani.<schema>/schema/NNNN_*.sql`) before the pool is given.
    Raises NoDatabase, SchemaMismatch.
    """
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NoDatabase(error) from error
    try:
        await migrate(connection, schema)
    except asyncpg.InsufficientPrivilegeError as error:
        raise NoDatabase(error) from error
    finally:
        await connection.close()
    return await _Pool(
        dsn,
        min_size=1,
        max_size=max_size,
        server_settings={"search_path": f"{schema},public", "timezone": "UTC", "application_name": f"janani {schema}"},
        command_timeout=30,
        connection_class=_Connection,
        record_class=asyncpg.Record,
        connect=None,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        setup=None,
        init=None,
        loop=None,
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
