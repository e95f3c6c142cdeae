"""What people of an earlier release are compared by is made anew when the service starts."""

from datetime import UTC, datetime

import asyncpg

from janani import programmes
from janani.kernel import postgres
from janani.phn.anew import make_anew
from janani.phn.authority import SQL
from janani.phn.patients import Systems
from janani.settings import Settings

SYSTEMS = Systems.of(programmes.load("anc_lk"))


async def _stored(pool: asyncpg.Pool, phn: str, resource: object) -> None:
    """As an earlier release kept her: W.M.Kumari was one word, and a NIC of other digits was no NIC."""
    old: dict[str, object] = {
        "phn": phn,
        "name": "wmkumari perera",
        "name_keys": ["vmkmr", "prr"],
        "nic": "௯௬",
        "gender": "female",
    }
    old["phones"] = list[str]()
    await SQL.add_people(pool, people=postgres.json_of([old | {"resource": resource}]), at=datetime.now(UTC))
    await pool.execute("update person set rules = 1")


async def test_names_and_numbers_are_made_anew_once(settings: Settings) -> None:
    pool = await postgres.open_pool(settings.database.dsn, "phn")
    nic = {"system": SYSTEMS.nic, "value": "௧௯௯௦௬௮௪௦௫௬௭௮"}
    name = {"text": "W.M.Kumari Perera"}
    await _stored(pool, "00011111112", {"resourceType": "Patient", "identifier": [nic], "name": [name]})
    assert await make_anew(pool, SYSTEMS) == 1
    row = await pool.fetchrow("select nic, name, name_keys, revision from person")
    assert tuple(row) == ("199068405678", "w m kumari perera", ["kmr", "pr"], 1)
    assert await make_anew(pool, SYSTEMS) == 0
    await pool.close()


async def test_who_can_no_longer_be_read_stays_as_she_is(settings: Settings) -> None:
    pool = await postgres.open_pool(settings.database.dsn, "phn")
    await _stored(pool, "00011111112", {"resourceType": "Patient", "gender": "woman"})
    assert await make_anew(pool, SYSTEMS) == 1
    assert tuple(await pool.fetchrow("select nic, name from person")) == ("௯௬", "wmkumari perera")
    await pool.close()
