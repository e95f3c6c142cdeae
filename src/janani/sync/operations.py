"""What operators see and do: the state of the sync, and trying again what was set aside."""

from datetime import datetime
from typing import Any

import asyncpg

from janani.kernel import postgres
from janani.sync.problems import NotSetAside

_queries = postgres.queries("janani.sync")


async def status(pool: asyncpg.Pool, now: datetime) -> dict[str, Any]:
    """How far the sync is: position, queue, lag (s), latest deliveries, and who was set aside and why.

    People appear by their UID in the registry, never by name or number.
    """
    row = await _queries.summary(pool)
    dead = [dict(one) async for one in _queries.dead(pool)]
    return {
        "position": row["position"] or "",
        "read at": _text(row["read_at"]),
        "waiting": row["waiting"],
        "in flight": row["in_flight"],
        "to be tried again": row["troubled"],
        "lag (s)": round((now - row["oldest"]).total_seconds(), 1) if row["oldest"] else 0,
        "people delivered": row["people"],
        "last delivery": _text(row["last_delivery"]),
        "median of latest deliveries (s)": round(row["median_seconds"] or 0, 3),
        "set aside": row["dead"],
        "dead": [one | {"since": _text(one["since"])} for one in dead],
    }


async def retry(pool: asyncpg.Pool, person: str, now: datetime) -> None:
    """Queues a person who was set aside, to be sent whole. Raises NotSetAside."""
    async with pool.acquire() as connection, connection.transaction():
        done = await _queries.revive(connection, person=person)
        if not str(done).endswith(" 1"):
            raise NotSetAside
        await _queries.unremember(connection, person=person)
        await _queries.notice(connection, people=[person], now=now)


def _text(instant: datetime | None) -> str:
    return instant.isoformat(timespec="seconds") if instant else ""
