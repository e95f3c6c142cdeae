"""People from a file: all or none, the same again changes nothing, a mistake names its line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from janani.esignet.people_file import Loaded, PeopleFault, load
from janani.esignet.provider import SQL
from janani.kernel import postgres

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ANOMA = """
  - individualId: "4000000001"
    fullName: {eng: Anoma Silva, sin: අනෝමා සිල්වා}
    gender: Female
    dateOfBirth: 1994/02/28
    streetAddress: 1 Temple Road
    locality: Kegalle
    region: Sabaragamuwa
    country: Sri Lanka
    postalCode: "71000"
    phone: "+94771234777"
    aliases: ["94 5594 123v", {number: "550000000001", kind: VID, expires: 2027-01-01T00:00:00Z}]
"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await postgres.open_pool(database, "esignet", max_size=1)
    yield pool
    await pool.close()


def written(tmp_path: Path, text: str, name: str = "people.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


async def refused(pool: asyncpg.Pool, path: Path) -> str:
    with pytest.raises(PeopleFault) as found:
        await load(pool, path, NOW)
    assert await pool.fetchval("select count(*) from person where individual_id like '4%'") == 0
    return str(found.value).replace(str(path), path.name)


async def test_a_file_is_loaded_and_again_changes_nothing(pool: asyncpg.Pool, tmp_path: Path) -> None:
    path = written(tmp_path, "people:" + ANOMA)
    assert await load(pool, path, NOW) == Loaded(1, 1)
    assert await load(pool, path, NOW) == Loaded(1, 0)
    person = await SQL.person_by_number(pool, number="945594123V", now=NOW)
    record = msgspec.json.decode(person["identity"])
    assert record["fullName"] == {"eng": "Anoma Silva", "sin": "අනෝමා සිල්වා"}
    assert record["locality"] == {"eng": "Kegalle"}
    assert await SQL.person_by_number(pool, number="550000000001", now=NOW)
    assert not await SQL.person_by_number(pool, number="550000000001", now=NOW.replace(year=2027))


async def test_a_change_in_the_file_is_a_change_of_the_person(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await load(pool, written(tmp_path, "people:" + ANOMA), NOW)
    assert await load(pool, written(tmp_path, "people:" + ANOMA.replace("777", "888")), NOW) == Loaded(1, 1)


async def test_lines_of_json_in_the_shape_of_the_api(pool: asyncpg.Pool, tmp_path: Path) -> None:
    def lang(value: str) -> Any:
        return [{"language": "eng", "value": value}]

    person = {
        "individualId": "4000000002",
        "pin": "123456",
        "fullName": lang("Rizna Farook"),
        "gender": lang("Female"),
        "dateOfBirth": "1990/01/01",
        "locality": lang("Akurana"),
        "region": lang("Kandy"),
        "country": lang("Sri Lanka"),
        "postalCode": "20850",
    }
    text = b"\n".join(msgspec.json.encode(person | {"individualId": str(4000000002 + n)}) for n in range(1500))
    assert await load(pool, written(tmp_path, text.decode(), "people.jsonl"), NOW) == Loaded(1500, 1500)
    kept = await pool.fetchval("select identity from person where individual_id = '4000000002'")
    assert "123456" not in kept
    assert msgspec.json.decode(kept)["fullName"] == {"eng": "Rizna Farook"}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("fullName:", "fulName:", "people.yaml:2  Object contains unknown field `fulName`"),
        ("1994/02/28", "28.2.1994", "people.yaml:5  "),
        ('"4000000001"', '"4"', "people.yaml:2  "),
        ("+94771234777", "none", "people.yaml:11  "),
    ],
)
async def test_a_mistake_names_its_line(pool: asyncpg.Pool, tmp_path: Path, before: str, after: str, says: str) -> None:
    said = await refused(pool, written(tmp_path, "people:" + ANOMA.replace(before, after)))
    assert said.startswith(says)
    if after == "fulName:":
        assert "fullName" in said


async def test_a_mistake_in_a_line_of_json(pool: asyncpg.Pool, tmp_path: Path) -> None:
    said = await refused(pool, written(tmp_path, '{"individualId": "4000000001"}\n{"phon": 1}\nno', "people.jsonl"))
    assert [line.partition("  ")[0] for line in said.splitlines()] == [f"people.jsonl:{n}" for n in (1, 2, 3)]


async def test_one_number_for_two_people_in_a_file(pool: asyncpg.Pool, tmp_path: Path) -> None:
    other = ANOMA.replace("4000000001", "4000000002").replace("550000000001", "550000000002")
    said = await refused(pool, written(tmp_path, "people:" + ANOMA + other))
    assert said == "people.yaml:14  945594123V is also a number of person 1; one number is one person's"


async def test_a_number_of_somebody_else_undoes_the_file(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await load(pool, written(tmp_path, "people:" + ANOMA.replace("4000000001", "5000000001")), NOW)
    said = await refused(pool, written(tmp_path, "people:" + ANOMA))
    assert said.splitlines()[0].startswith("people.yaml:2  550000000001 is a number of somebody else")


async def test_what_was_revoked_is_not_revived_by_loading_again(pool: asyncpg.Pool, tmp_path: Path) -> None:
    path = written(tmp_path, "people:" + ANOMA)
    await load(pool, path, NOW)
    assert await SQL.revoke_alias(pool, number="550000000001", now=NOW)
    await load(pool, path, NOW)
    assert not await SQL.person_by_number(pool, number="550000000001", now=NOW)


async def test_people_who_are_loaded_are_no_demo_people(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await load(pool, written(tmp_path, "people:" + ANOMA), NOW)
    assert not await pool.fetchval("select bool_or(demo) from person")
