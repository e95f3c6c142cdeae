"""Numbers, dates and durations in queries that only look like some: refused in words, never a 500."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from janani.registry.numbers import whole_number
from janani.registry.tracker.times import read_duration, read_inclusive_end, read_instant
from registry_wire import ADMIN

COLOMBO, NEW_YORK = ZoneInfo("Asia/Colombo"), ZoneInfo("America/New_York")


@pytest.mark.parametrize("text", ["²", "٣", "१", "", " 1", "-1", "+1", "1_000", "1.0", "9" * 5000])
def test_only_plain_digits_are_a_number(text: str) -> None:
    assert whole_number(text) is None


def test_a_number_is_one() -> None:
    assert [whole_number(text) for text in ("0", "007", "1000000000")] == [0, 7, 10**9]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("0001-01-01", COLOMBO),
        ("0001-01-01T00:00:00Z", NEW_YORK),
        ("9999-12-31T23:00:00Z", COLOMBO),
        ("9999-12-31T23:00:00", NEW_YORK),
        ("21/11/2025", COLOMBO),
    ],
)
def test_an_instant_outside_the_calendar_is_none(text: str, zone: ZoneInfo) -> None:
    with pytest.raises(ValueError):
        read_instant(text, zone)


def test_the_last_day_is_one() -> None:
    assert read_inclusive_end("9999-12-31", COLOMBO).astimezone(COLOMBO).hour == 23
    with pytest.raises(ValueError):
        read_inclusive_end("9999-12-31", NEW_YORK)
    assert read_instant("0001-01-01", NEW_YORK).tzinfo is UTC


def test_a_duration_longer_than_time_is_none() -> None:
    with pytest.raises(ValueError):
        read_duration("P9999999999D")


QUERIES = (
    "organisationUnits?page=²",
    "organisationUnits?pageSize=²",
    "programs?fields=id,programStages~paging(²;1)",
    "organisationUnits?level=²",
    "tracker/trackedEntities?program={program}&page=²",
    "tracker/trackedEntities?program={program}&updatedWithin=P999999D",
    "tracker/trackedEntities?program={program}&updatedWithin=P9999999999D",
    "tracker/trackedEntities?program={program}&updatedAfter=0001-01-01T00:00:00%2B05:30",
    "tracker/changes?wait=²",
    "tracker/changes?wait=0&limit=²",
    "tracker/changes?wait=0&limit=" + "9" * 5000,
)


async def test_queries_with_what_is_no_number(registry: AsyncTestClient[Litestar], programme: dict[str, Any]) -> None:
    for query in QUERIES:
        answer = await registry.get(f"/api/{query.format(program=programme['programs'][0]['id'])}", auth=ADMIN)
        assert answer.status_code == 400, (query[:80], answer.text)
