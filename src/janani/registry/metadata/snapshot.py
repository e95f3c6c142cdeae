"""All metadata in memory, as of one version.

`Store.current()` gives the `Snapshot`; it is read again only when the version row has moved, so a change made by
another process is seen. A snapshot is immutable by convention: nobody writes into the objects it gives.

    snapshot.objects("programs")          every object of a type, as DHIS2 writes it
    snapshot.get("programs", uid)         one of them, or None
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec

from janani.kernel.postgres import queries
from janani.registry.metadata.computed import complete
from janani.registry.times import instant

SQL = queries("janani.registry")
_LOOK_SECONDS = 1.0


class Snapshot:
    """Every metadata object by type and uid, as of `version`; `memo` keeps what is worked out from it."""

    def __init__(self, version: int, objects: dict[str, dict[str, dict[str, Any]]]) -> None:
        self.version = version
        self.memo: dict[str, Any] = {}
        self._objects = objects

    def objects(self, kind: str) -> Iterable[dict[str, Any]]:
        """Every object of type `kind` (its plural, "programStages")."""
        return self._objects.get(kind, {}).values()

    def get(self, kind: str, uid: str) -> dict[str, Any] | None:
        """The object of type `kind` with `uid`."""
        return self._objects.get(kind, {}).get(uid)

    def find(self, kind: str, uid_or_code: str) -> dict[str, Any] | None:
        """The object of type `kind` with this uid or code."""
        return self.get(kind, uid_or_code) or next(
            (one for one in self.objects(kind) if one.get("code") == uid_or_code), None
        )


class Store:
    """The snapshot of a database, read again when it changed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._snapshot: Snapshot | None = None
        self._looked = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> Snapshot:
        """The newest snapshot; another process's change is seen within a second."""
        if self._snapshot is not None and time.monotonic() - self._looked < _LOOK_SECONDS:
            return self._snapshot
        async with self._lock:
            version = await SQL.metadata_version(self._pool)
            if self._snapshot is None or self._snapshot.version != version:
                self._snapshot = await _read(self._pool)
            self._looked = time.monotonic()
            return self._snapshot

    def changed(self) -> None:
        """Looks again at the next call: this process wrote metadata."""
        self._looked = 0.0


async def _read(pool: asyncpg.Pool) -> Snapshot:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        version = await SQL.metadata_version(connection)
        rows = [row async for row in SQL.all_metadata(connection)]
    objects: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        body = msgspec.json.decode(row["body"], type=dict[str, Any])
        body["created"], body["lastUpdated"] = instant(row["created"]), instant(row["last_updated"])
        objects.setdefault(row["type"], {})[body["id"]] = body
    return Snapshot(version, complete(objects))
