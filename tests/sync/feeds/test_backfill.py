"""A backfill queues everybody once, goes on where it was, and follows by itself when the feed's cursor is gone."""

from typing import Any

import pytest

from janani.clients.dhis2 import Changes, Dhis2Error, SystemInfo
from janani.kernel import postgres
from janani.kernel.clock import system_clock
from janani.settings import Settings
from janani.settings import Sync as Chosen
from janani.sync.feeds import Feed
from janani.sync.feeds.backfill import Backfill
from janani.sync.feeds.keeping import Desk, FeedTrouble
from janani.sync.gate import Bell
from janani.sync.problems import NoSuchProgramme

UNITS = {f"unit{n:07}": [f"p{n}x{k:05}" for k in range(n * 150)] for n in range(4)}  # 0 to 450 people: three pages


class Registry:
    """Org units and their people; `fails` so many answers from now on, `gone` says that no cursor is known."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails_at = -1
        self.gone = True
        self.version = "2.42.1"
        self.forbidden = ""
        self.refusal = Dhis2Error(403, "E1001", "not in her search scope")
        self.programmes = {"programme01"}

    async def metadata(self, kind: str, **_: Any) -> list[dict[str, str]]:
        return [{"id": unit} for unit in UNITS]

    async def system_info(self) -> SystemInfo:
        return SystemInfo("fake", self.version)

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        if path.startswith("/programs/"):
            if path.removeprefix("/programs/") not in self.programmes:
                raise self.refusal
            return {"id": path.removeprefix("/programs/")}
        unit, mode = ("orgUnit", "ouMode") if "2.40" in self.version else ("orgUnits", "orgUnitMode")
        assert query[mode] == "SELECTED"
        if query[unit] == self.forbidden:
            raise self.refusal
        if len(self.asked) == self.fails_at:
            self.fails_at = -1
            raise Dhis2Error(503, "", "away", retryable=True)
        self.asked.append((query[unit], query["page"]))
        size, page = int(query["pageSize"]), int(query["page"])
        people = UNITS[query[unit]][(page - 1) * size : page * size]
        return {"trackedEntities": [{"trackedEntity": one} for one in people]}

    async def changes(self, after: str, **_: Any) -> Changes:
        if after != "end" and self.gone:
            raise Dhis2Error(410, "", "gone")
        return Changes([], "e.9.0")


async def opened(settings: Settings) -> tuple[Any, Registry, Desk]:
    pool = await postgres.open_pool(settings.database.dsn, "sync", max_size=6)
    registry = Registry()
    return pool, registry, Desk(registry, pool, Bell(), system_clock, "programme01")  # type: ignore[arg-type]


async def test_everybody_is_queued_and_a_break_repeats_no_finished_unit(settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr("janani.sync.feeds.backfill._WINDOW", 10_000)
    pool, registry, desk = await opened(settings)
    feed = Feed(desk, Chosen())
    number = await feed.begin_backfill()
    assert number == await feed.begin_backfill()
    registry.fails_at = 4
    broken = False
    for _ in range(2):
        try:
            assert await Backfill(desk, []).step()
            break
        except Dhis2Error:
            broken = True
    assert broken
    assert not await Backfill(desk, []).step()
    assert len(registry.asked) == len(set(registry.asked))
    queued = {row["person"] for row in await pool.fetch("select distinct person from queue")}
    assert queued == {one for people in UNITS.values() for one in people}
    progress = await feed.backfill_progress()
    assert (progress["units"], progress["units_done"], progress["people"]) == (4, 4, 900)
    assert progress["finished_at"]
    await pool.close()


async def test_a_cursor_that_is_gone_starts_one(settings: Settings) -> None:
    pool, _, desk = await opened(settings)
    feed = Feed(desk, Chosen())
    await feed.step(wait=0)
    assert await desk.position("changes") == "e.9.0"
    assert "cursor" in (await feed.backfill_progress())["reason"]
    await pool.close()


@pytest.mark.parametrize("version", ["2.40.4", "2.41.0"])
async def test_a_unit_that_may_not_be_read_is_named_and_any_version_is_asked_in_its_words(
    settings: Settings, monkeypatch: Any, version: str
) -> None:
    monkeypatch.setattr("janani.sync.feeds.backfill._WINDOW", 10_000)
    pool, registry, desk = await opened(settings)
    registry.version, registry.forbidden = version, "unit0000003"
    feed = Feed(desk, Chosen())
    await feed.begin_backfill()
    assert await Backfill(desk, []).step()
    progress = await feed.backfill_progress()
    assert (progress["units_done"], progress["people"]) == (4, 450)
    assert list(progress["units_refused"]) == ["unit0000003"]
    await pool.close()


async def test_a_registry_without_the_feed_that_was_chosen_says_what_to_set(
    settings: Settings, monkeypatch: Any
) -> None:
    pool, registry, desk = await opened(settings)

    async def none(after: str, **_: Any) -> Changes:
        raise Dhis2Error(404, "E1005", "not there")

    monkeypatch.setattr(registry, "changes", none)
    with pytest.raises(FeedTrouble, match=r"set sync\.feed to auto, poll or cdc"):
        await Feed(desk, Chosen(feed="changes")).step(wait=0)
    await pool.close()


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_unit_that_is_gone_stops_neither_this_backfill_nor_the_next(
    settings: Settings, monkeypatch: Any, status: int
) -> None:
    monkeypatch.setattr("janani.sync.feeds.backfill._WINDOW", 10_000)
    pool, registry, desk = await opened(settings)
    registry.forbidden, registry.refusal = "unit0000003", Dhis2Error(status, "E1005", "no such unit", told=True)
    feed = Feed(desk, Chosen())
    await feed.begin_backfill()
    assert await Backfill(desk, []).step()
    assert list((await feed.backfill_progress())["units_refused"]) == ["unit0000003"]
    assert not await Backfill(desk, []).step()
    await pool.close()


async def test_a_404_that_is_not_dhis2s_own_says_nothing_of_the_unit(settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr("janani.sync.feeds.backfill._WINDOW", 10_000)
    pool, registry, desk = await opened(settings)
    registry.forbidden, registry.refusal = "unit0000003", Dhis2Error(404, "", "Not Found")
    await Feed(desk, Chosen()).begin_backfill()
    with pytest.raises(Dhis2Error):
        await Backfill(desk, []).step()
    await pool.close()


async def test_a_programme_that_the_registry_does_not_have_is_refused_in_words(settings: Settings) -> None:
    pool, registry, desk = await opened(settings)
    feed = Feed(desk, Chosen())
    registry.refusal = Dhis2Error(404, "E1005", "no such programme", told=True)
    with pytest.raises(NoSuchProgramme, match="no programme of that UID"):
        await feed.begin_backfill("mistyped001")
    assert await feed.backfill_progress() == {}
    registry.programmes.add("programme02")
    assert await feed.begin_backfill("programme02") == 1
    registry.refusal = Dhis2Error(503, "", "away", retryable=True)
    assert await feed.begin_backfill("programme03") == 2
    await pool.close()
