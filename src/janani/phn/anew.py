"""What stored people are compared by, made anew when a release compares otherwise: once, before anybody is answered."""

import asyncpg
import msgspec

from janani.kernel.telemetry import log
from janani.phn import names
from janani.phn.authority import SQL
from janani.phn.matching import Person
from janani.phn.patients import Systems, read
from janani.phn.problems import PhnProblem

_AT_ONCE = 1000


async def make_anew(pool: asyncpg.Pool, systems: Systems) -> int:
    """How many rows of older rules there were; none is left. The resources and their revisions stay as they are."""
    made = 0
    while count := await _some(pool, systems):
        made += count
    if made:
        log("phn").info("compared_anew", people=made)
    return made


async def _some(pool: asyncpg.Pool, systems: Systems) -> int:
    async with pool.acquire() as connection, connection.transaction():
        rows = [row async for row in SQL.of_old_rules(connection, most=_AT_ONCE)]
        fresh = [_compared(row["resource"], systems) for row in rows]
        if rows:
            await SQL.made_anew(
                connection,
                ids=[row["id"] for row in rows],
                nics=[one.nic or None if one else None for one in fresh],
                names=[one.name if one else None for one in fresh],
                name_keys=[" ".join(names.keys(one.name)) if one else None for one in fresh],
            )
    return len(rows)


def _compared(resource: str, systems: Systems) -> Person | None:
    """Whom a stored resource describes; None for one that is no longer taken, whose columns stay as they are."""
    try:
        return read(msgspec.json.decode(resource), systems)[0]
    except PhnProblem:
        return None
