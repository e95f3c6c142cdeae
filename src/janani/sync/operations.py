"""What operators see: the state of the sync and of each target."""

from datetime import datetime
from typing import Any

import asyncpg

from janani.kernel import postgres
from janani.sync.dead import listed

_queries = postgres.queries("janani.sync")


async def status(pool: asyncpg.Pool, now: datetime) -> dict[str, Any]:
    """How far the sync is: position, queue, lag (s), latest deliveries, and who was set aside and why.

    People appear by their UID in the registry, never by name or number.
    """
    row = await _queries.summary(pool)
    dead = await listed(pool, most=100)
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
        "dead": dead,
    }


async def targets(pool: asyncpg.Pool, now: datetime) -> list[dict[str, Any]]:
    """Each target: who waits and for how long (s), who was delivered, and who was set aside."""
    return [
        {
            "target": row["name"],
            "waiting": row["waiting"],
            "lag (s)": round((now - row["oldest"]).total_seconds(), 1) if row["oldest"] else 0,
            "people delivered": row["people"],
            "last delivery": _text(row["last_delivery"]),
            "set aside": row["dead"],
        }
        async for row in _queries.targets(pool)
    ]


def _text(instant: datetime | None) -> str:
    return instant.isoformat(timespec="seconds") if instant else ""
