"""Connections are given back as they are, so nothing may change a session: the rule that makes that safe."""

import re
from pathlib import Path

import janani
from janani.kernel.postgres import open_pool

# Locks, settings and notifications that outlive their transaction.
SESSION = re.compile(
    r"pg_(try_)?advisory_lock|set_config\(.*false|\bset session\b|^\s*(set(?! local)|listen) \w", re.I | re.M
)


def test_no_statement_of_ours_changes_its_session() -> None:
    folder = Path(janani.__file__).parent
    found = [path for path in folder.rglob("queries*.sql") if SESSION.search(_statements(path.read_text()))]
    assert found == []


def _statements(text: str) -> str:
    """SQL without its comments and the `set` clauses of updates."""
    return re.sub(r"--.*|\bset\s+[\w\"]+\s*=", "", text)


async def test_a_transaction_left_open_is_rolled_back_for_the_next_who_gets_the_connection(database: str) -> None:
    pool = await open_pool(database, "phn", max_size=1)
    async with pool.acquire() as connection:
        await connection.execute("create table kept (id int)")
        await connection.execute("begin; insert into kept values (1)")
    assert await pool.fetchval("select count(*) from kept") == 0
    await pool.close()
