"""What a worker takes from a queue is chosen once, however the planner would join: a `limit` within `in (select …)` may
be asked again for each row, and then more than the limit is taken when others finish meanwhile."""

import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

import janani
from janani.kernel import postgres

_SOURCE = Path(janani.__file__).parent
_FILES = sorted(file for file in _SOURCE.rglob("*.sql") if "skip locked" in file.read_text())
_VALUES = {"text": "any", "int4": 1, "int8": 1, "timestamptz": datetime.now(UTC), "uuid": uuid4(), "uuid[]": [uuid4()]}
_JOINS = "hashjoin", "mergejoin", "hashagg", "sort", "material", "bitmapscan"


@pytest.mark.parametrize("file", _FILES, ids=lambda file: str(file.relative_to(_SOURCE)))
async def test_a_limited_choice_is_made_before_its_rows_are_looked_up(database: str, file: Path) -> None:
    part = file.relative_to(_SOURCE).parts[0]
    package = ".".join(file.parent.relative_to(_SOURCE.parent).parts)
    queries = postgres.queries(package, file.name)
    taking = [sql for name in queries.available_queries if "skip locked" in (sql := getattr(queries, name).sql)]
    assert taking
    pool = await postgres.open_pool(database, part)
    try:
        async with pool.acquire() as connection, connection.transaction():
            for way in _JOINS:
                await connection.execute(f"set local enable_{way} = off")
            for sql in taking:
                assert _is_made_once(await _plan(connection, sql)), sql
    finally:
        await pool.close()


async def _plan(connection: asyncpg.Connection, sql: str) -> list[str]:
    asked = await connection.prepare(sql)
    values = [_VALUES[one.name] for one in asked.get_parameters()]
    return [line[0] for line in await connection.fetch(f"explain {sql}", *values)]


def _is_made_once(plan: list[str]) -> bool:
    """Whether what locks rows stands at the top, in a CTE or in an InitPlan: never within a join."""
    locking = next(place for place, line in enumerate(plan) if "LockRows" in line)
    above = [line for line in plan[:locking] if _depth(line) < _depth(plan[locking])]
    owner = max((place for place, line in enumerate(above) if re.match(r"\s*(InitPlan|CTE) ", line)), default=-1)
    return not any("Nested Loop" in line or "Join" in line for line in above[owner + 1 :])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
