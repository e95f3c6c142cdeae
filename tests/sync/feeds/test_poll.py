"""Polling is complete: whatever shares a stamp, moves while it is read, commits late, or lives by another clock."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from janani.clients.dhis2 import SystemInfo
from janani.sync.feeds import poll
from janani.sync.feeds.poll import PollFeed

NOON = datetime(2031, 5, 5, 12)  # far from our own clock


class Server:
    """A DHIS2 that sorts by stamp alone: rows of one stamp come in another order each time."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {kind.collection: {} for kind in poll.KINDS}
        self.now, self.asked, self.between = NOON, [], lambda: None
        self.version = "2.42.1"

    def put(self, kind: str, uid: str, person: str, stamp: datetime) -> None:
        key = next(one.key for one in poll.KINDS if one.collection == kind)
        text = stamp.isoformat(timespec="milliseconds")
        self.rows[kind][uid] = {key: uid, "trackedEntity": person, "updatedAt": text}

    async def system_info(self) -> SystemInfo:
        return SystemInfo("id", self.version, server_date=self.now.isoformat(timespec="milliseconds"))

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        self.asked.append((path, query))
        rows = list(self.rows[path.rpartition("/")[2]].values())
        turn = len(self.asked) % 2 == 0
        rows.sort(key=lambda row: next(iter(row.values())), reverse=turn)
        rows = [row for row in rows if row["updatedAt"] >= query.get("updatedAfter", "")]
        rows.sort(key=lambda row: row["updatedAt"])
        self.between()
        return {path.rpartition("/")[2]: rows[: int(query["pageSize"])]}


class Desk:
    """Remembers what was queued."""

    def __init__(self, registry: Server) -> None:
        self.registry, self.program = registry, "programme01"
        self.positions: dict[str, str] = {}
        self.queued: list[str] = []
        self.backfills: list[str] = []

    async def position(self, feed: str) -> str:
        return self.positions.get(feed, "")

    async def keep(self, people: Any, feed: str, position: str, *, backfill: str = "") -> None:
        self.queued += people
        self.backfills += [backfill] if backfill else []
        self.positions[feed] = position


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(poll, "_PAGE", 4)
    return Server()


def feed_of(desk: Desk, units: list[str] | None = None) -> PollFeed:
    return PollFeed(desk, seconds=0, overlap_seconds=120, units=units or [])  # type: ignore[arg-type]


async def test_many_of_one_stamp_cross_the_edge_of_a_page(server: Server) -> None:
    for n in range(23):
        server.put("trackedEntities", f"p{n}", f"p{n}", NOON)
    desk = Desk(server)
    await feed_of(desk).poll()
    assert set(desk.queued) == {f"p{n}" for n in range(23)}


async def test_more_of_one_stamp_than_any_page_takes_are_left_to_one_backfill(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "_LARGEST", 16)
    for n in range(23):
        server.put("trackedEntities", f"p{n}", f"p{n}", NOON)
    server.put("trackedEntities", "later", "later", NOON + timedelta(seconds=1))
    desk = Desk(server)
    feed = feed_of(desk)
    for _ in range(3):
        await feed.poll()
        server.now += timedelta(seconds=30)
    assert desk.backfills == ["too many changed at one time"]
    assert "later" in desk.queued


async def test_one_who_changes_while_she_is_read_shifts_nobody_past_the_reader(server: Server) -> None:
    for n in range(12):
        server.put("trackedEntities", f"p{n:02}", f"p{n:02}", NOON + timedelta(seconds=n))

    def first_moves_to_the_end() -> None:
        server.put("trackedEntities", "p00", "p00", NOON + timedelta(minutes=1))

    server.between = first_moves_to_the_end
    desk = Desk(server)
    await feed_of(desk).poll()
    assert set(desk.queued) == {f"p{n:02}" for n in range(12)}


async def test_an_event_that_changes_alone_brings_its_person(server: Server) -> None:
    server.put("trackedEntities", "p", "p", NOON - timedelta(days=9))
    desk = Desk(server)
    feed = feed_of(desk)
    await feed.poll()
    server.put("events", "e", "p", NOON + timedelta(seconds=5))
    server.now = NOON + timedelta(seconds=10)
    await feed.poll()
    assert desk.queued == ["p", "p"]
    await feed.poll()
    server.now += timedelta(seconds=10)
    await feed.poll()
    again = len(desk.queued)
    await feed.poll()
    assert len(desk.queued) == again


async def test_an_old_server_is_asked_by_old_names_and_units_one_by_one(server: Server) -> None:
    server.version = "2.40.3"
    await feed_of(Desk(server), ["unit0000001", "unit0000002"]).poll()
    assert [(q["orgUnit"], q["ouMode"]) for _, q in server.asked[::3]] == [
        ("unit0000001", "DESCENDANTS"),
        ("unit0000002", "DESCENDANTS"),
    ]
    assert all(q["includeDeleted"] == "true" for _, q in server.asked)


CHANGE = st.tuples(
    st.sampled_from(["trackedEntities", "enrollments", "events"]),
    st.integers(0, 6),  # which
    st.integers(0, 110),  # how late it shows (s): within the overlap
    st.integers(-1, 12),  # the server's clock goes on so much before (s), or back
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(CHANGE, max_size=12), max_size=8), st.booleans())
async def test_every_change_is_queued_after_it_shows(rounds: list[list[Any]], restarts: bool) -> None:
    """Property: after the last of the polls, each change was followed by its person being queued."""
    server = Server()
    desk = Desk(server)
    feed = feed_of(desk)
    await feed.poll()
    for changes in rounds:
        before = {kind: dict(rows) for kind, rows in server.rows.items()}
        for kind, which, late, passed in changes:
            server.now += timedelta(seconds=passed)
            stamp = server.now - timedelta(seconds=late)
            server.put(kind, f"x{which}", f"p{which}", stamp)
        expected = {
            row["trackedEntity"]
            for kind, rows in server.rows.items()
            for uid, row in rows.items()
            if before[kind].get(uid) != row
        }
        desk.queued.clear()
        await (feed_of(desk) if restarts else feed).poll()
        missed = expected - set(desk.queued)
        if missed:  # the clock went back: the poll after it finds them
            await feed.poll()
        assert expected <= set(desk.queued)
