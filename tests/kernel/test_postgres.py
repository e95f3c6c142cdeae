"""Connections are given back as they are, so nothing may change a session: the rule that makes that safe."""

import re
from pathlib import Path

import asyncpg
import pytest

import janani
from janani.kernel.postgres import NoDatabase, open_pool

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


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        ("postgresql://x:hush@127.0.0.1:1/x", "no PostgreSQL answers"),
        ("x:hush", "not like postgresql://"),
        ("postgresql://x@h:hush/x", "not like postgresql://"),
        ("postgresql://x:hush@[h/x", "not like postgresql://"),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_without_the_password(dsn: str, why: str) -> None:
    with pytest.raises(NoDatabase, match=why) as said:
        await open_pool(dsn, "phn")
    assert "hush" not in str(said.value)
    assert "database.dsn" in str(said.value)


async def test_a_name_that_the_server_does_not_know_is_said(database: str) -> None:
    url, _, options = database.partition("?")
    unknown = url.rpartition("/")[0] + "/nosuch" + (f"?{options}" if options else "")
    with pytest.raises(NoDatabase, match="no database of that name"):
        await open_pool(unknown, "phn")


def test_a_wrong_password_and_a_missing_right_are_said() -> None:
    assert "the user or the password" in str(NoDatabase(asyncpg.InvalidPasswordError("hush")))
    assert "may not create schemas" in str(NoDatabase(asyncpg.InsufficientPrivilegeError("hush")))
