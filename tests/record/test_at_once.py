"""Transactions at the same moment: what one relies on stays while it lasts, and nobody waits without need."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from janani.kernel import postgres
from janani.record import json_text
from janani.record.actor import OPEN
from janani.record.changes import Change, Done
from janani.record.problems import FhirProblem, Issue
from janani.record.writing import Writer

BASE = "http://record.example/fhir"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Anything:
    """Finds no fault."""

    def validate(self, _resource: dict[str, Any], _said: dict[str, bytes]) -> list[Issue]:
        return []


@pytest.fixture
async def two(database: str) -> AsyncIterator[list[asyncpg.Connection]]:
    """Two connections to a record that has Patient/p and Organization/o."""
    pool = await postgres.open_pool(database, "record", max_size=2)
    async with pool.acquire() as one, pool.acquire() as other:
        async with one.transaction():
            await write(one, put("Patient", "p"), put("Organization", "o", identifier=[{"system": "s", "value": "o"}]))
        yield [one, other]
    await pool.close()


def put(kind: str, name: str, **more: Any) -> Change:
    return Change("PUT", kind, name, resource=_sent({"resourceType": kind, "id": name, **more}))


def about_her(name: str) -> Change:
    return put("Observation", name, subject={"reference": "Patient/p"})


def if_none(kind: str, value: str) -> Change:
    resource = _sent({"resourceType": kind, "identifier": [{"system": "s", "value": value}]})
    return Change("POST", kind, criteria=f"{kind}?identifier=s|{value}", resource=resource)


def _sent(resource: dict[str, Any]) -> json_text.Sent:
    return json_text.sent(json_text.encode(resource))


async def write(connection: asyncpg.Connection, *wanted: Change) -> list[Done]:
    return await Writer(connection, BASE, OPEN, NOW, Anything()).apply(wanted)


async def whole(connection: asyncpg.Connection, *wanted: Change) -> list[Done]:
    async with connection.transaction():
        return await write(connection, *wanted)


async def begun(connection: asyncpg.Connection, *wanted: Change) -> asyncio.Task[list[Done]]:
    """`wanted` under way, as far as it comes without the other's commit."""
    task = asyncio.create_task(whole(connection, *wanted))
    await asyncio.wait([task], timeout=0.3)
    return task


async def test_what_another_is_about_to_refer_to_is_not_deleted(two: list[asyncpg.Connection]) -> None:
    async with two[0].transaction():
        await write(two[0], about_her("a"))
        leaving = await begun(two[1], Change("DELETE", "Patient", "p"))
        assert not leaving.done()
    with pytest.raises(FhirProblem, match="HAPI-0550"):
        await leaving


async def test_what_another_is_about_to_delete_is_not_referred_to(two: list[asyncpg.Connection]) -> None:
    async with two[0].transaction():
        await write(two[0], Change("DELETE", "Patient", "p"))
        referring = await begun(two[1], about_her("a"))
        assert not referring.done()
    with pytest.raises(FhirProblem, match="HAPI-1094"):
        await referring


async def test_what_comes_back_while_another_refers_to_it_is_there(two: list[asyncpg.Connection]) -> None:
    await whole(two[0], Change("DELETE", "Patient", "p"))
    await whole(two[0], put("Patient", "p"), about_her("a"))
    assert (await whole(two[1], about_her("b")))[0].status == 201


@pytest.mark.parametrize(
    "wanted",
    [
        lambda name: [put("Patient", name, managingOrganization={"reference": "Organization/o"})],
        lambda name: [
            if_none("Organization", "o"),
            put("Patient", name, managingOrganization={"reference": "Organization?identifier=s|o"}),
        ],
    ],
    ids=["by name", "by criteria"],
)
async def test_bundles_that_refer_to_the_same_unit_do_not_wait_for_each_other(
    two: list[asyncpg.Connection], wanted: Any
) -> None:
    async with two[0].transaction():
        await write(two[0], *wanted("x"))
        assert (await asyncio.wait_for(whole(two[1], *wanted("y")), 5))[-1].status == 201


async def test_who_refers_to_a_resource_does_not_wait_for_who_changes_it(two: list[asyncpg.Connection]) -> None:
    async with two[0].transaction():
        await write(two[0], put("Patient", "p", active=True))
        assert (await asyncio.wait_for(whole(two[1], about_her("a")), 5))[0].status == 201
    async with two[0].transaction():
        await write(two[0], about_her("b"))
        assert (await asyncio.wait_for(whole(two[1], put("Patient", "p", active=False)), 5))[0].version == 3


async def test_a_conditional_create_whose_match_goes_meanwhile_is_to_be_tried_again(
    two: list[asyncpg.Connection],
) -> None:
    async with two[0].transaction():
        await write(two[0], Change("DELETE", "Organization", "o"))
        making = await begun(two[1], if_none("Organization", "o"))
        assert not making.done()
    with pytest.raises(FhirProblem, match="HAPI-0823") as refused:
        await making
    assert refused.value.status == 409
    assert (await whole(two[1], if_none("Organization", "o")))[0].status == 201
