"""Writing versions and their index rows: a handful of statements, whatever the number of resources."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from janani.kernel import postgres
from janani.record.indexing import Rows

queries = postgres.queries("janani.record")


class Current(Struct):
    """A resource as it stands, locked for change."""

    key: int
    type: str
    id: str
    version: int
    deleted: bool
    last_updated: datetime
    compartment: list[str]
    body: bytes | None
    sent: str | None = None


class Version(Struct):
    """A version to be written: `key` is None for a new resource, `body` None for a deletion, `sent` a digest of the
    JSON as it came (None after a patch)."""

    type: str
    id: str
    version: int
    method: str
    body: bytes | None
    compartment: list[str]
    rows: Rows
    key: int | None = None
    sent: str | None = None


async def lock(
    connection: asyncpg.Connection,
    *,
    leaving: Collection[tuple[str, str]],
    changing: Collection[tuple[str, str]],
    reading: Collection[tuple[str, str]],
) -> dict[tuple[str, str], Current]:
    """The current state of those of the named (type, id) that there are, until the transaction ends.

    Those that are `leaving` are locked for this transaction alone, those that are `changing` against changes but not
    against references to them; those it is only `reading` stay as they are.
    """
    locked = []
    asked = (
        (leaving, queries.lock_deleted),
        (changing, queries.lock_resources),
        (reading, queries.share_resources),
    )
    for names, statement in asked:
        if names:
            rows = statement(connection, types=[name[0] for name in names], ids=[name[1] for name in names])
            locked += [row async for row in rows]
    if not locked:
        return {}
    keys = [row["key"] for row in locked]
    bodies = {row["key"]: row async for row in queries.bodies_of(connection, keys=keys)}
    return {
        (row["type"], row["id"]): Current(**dict(row), body=bodies[row["key"]]["body"], sent=bodies[row["key"]]["sent"])
        for row in locked
    }


async def save(connection: asyncpg.Connection, versions: Sequence[Version], now: datetime) -> None:
    """Writes `versions` with their index rows, in place of the index rows of the versions before.

    Raises asyncpg.UniqueViolationError when another request created the same resource meanwhile.
    """
    if not versions:
        return
    await _save_resources(connection, versions, now)
    replaced = [version.key for version in versions if version.version > 1]
    if replaced:
        await queries.delete_index(connection, keys=replaced)
    await _save_index(connection, versions)


async def _save_resources(connection: asyncpg.Connection, versions: Sequence[Version], now: datetime) -> None:
    """Gives the new ones their keys. They come first in the history: those that change may refer to them."""
    fresh = [version for version in versions if version.key is None]
    known = [version for version in versions if version.key is not None]
    if fresh:
        made = queries.create_resources(connection, updated=now, **_columns(fresh))
        for version, key in zip(fresh, [row["key"] async for row in made], strict=True):
            version.key = key
    if known:
        await queries.update_resources(
            connection,
            keys=[version.key for version in known],
            versions=[version.version for version in known],
            updated=now,
            **_columns(known),
        )


def _columns(versions: Sequence[Version]) -> dict[str, list[Any]]:
    return {
        "types": [version.type for version in versions],
        "ids": [version.id for version in versions],
        "methods": [version.method for version in versions],
        "compartments": [" ".join(version.compartment) for version in versions],
        "bodies": [version.body for version in versions],
        "sent": [version.sent for version in versions],
    }


async def _save_index(connection: asyncpg.Connection, versions: Sequence[Version]) -> None:
    """Streams the index rows with COPY, one a table: cheaper than an insert of arrays from some ten rows on."""
    for table, columns, name in _TABLES:
        records = [(version.key, *row) for version in versions for row in getattr(version.rows, name)]
        if records:
            await connection.copy_records_to_table(table, records=records, columns=["key", *columns])


_TABLES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("token", ("name", "system", "code"), "tokens"),
    ("reference", ("name", "target_type", "target_id"), "references"),
    ("date_span", ("name", "low", "high"), "dates"),
    ("string", ("name", "folded", "exact"), "strings"),
    ("quantity", ("name", "value", "system", "code"), "quantities"),
)
