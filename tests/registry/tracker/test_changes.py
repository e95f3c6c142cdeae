"""The change feed: complete, in commit order, and prompt (docs/plan.md)."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from janani.kernel import postgres
from janani.registry.tracker import changes as feed
from janani.settings import Settings
from registry.tracker.antenatal import auth, payload, person

Json = dict[str, Any]


async def changes(client: httpx.AsyncClient, after: str = "", wait: int = 0, **query: Any) -> Json:
    answer = await client.get("/api/tracker/changes", params={"after": after, "wait": wait} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_import_is_told_once_and_a_cursor_never_repeats(registry: httpx.AsyncClient) -> None:
    women = [person() for _ in range(3)]
    for woman in women:
        await registry.post("/api/tracker?async=false", json=payload(woman))
    first = await changes(registry, limit=2)
    assert [one["trackedEntity"] for one in first["changes"]] == [her["trackedEntity"] for her in women[:2]]
    assert first["changes"][0]["changedAt"].endswith("Z")
    second = await changes(registry, first["next"])
    assert [one["trackedEntity"] for one in second["changes"]] == [women[2]["trackedEntity"]]
    assert await changes(registry, second["next"]) == {"changes": [], "next": second["next"]}


async def test_a_refused_or_tried_import_tells_nobody(registry: httpx.AsyncClient) -> None:
    await registry.post("/api/tracker?async=false&importMode=VALIDATE", json=payload(person()))
    await registry.post("/api/tracker?async=false", json=payload(person(orgUnit="zzzzzzzzzzz")))
    assert (await changes(registry))["changes"] == []


async def test_transactions_that_commit_out_of_order_leave_no_gap(
    registry: httpx.AsyncClient, settings: Settings
) -> None:
    """The later transaction commits first: it is held back until the earlier one has ended too."""
    insert = "insert into registry.tracker_change (tracked_entity, changed_at) values ($1, now())"
    early, late = await asyncpg.connect(settings.database.dsn), await asyncpg.connect(settings.database.dsn)
    slow = early.transaction()
    await slow.start()
    await early.execute(insert, "early")
    await late.execute(insert, "late")
    assert (await changes(registry))["changes"] == []
    await slow.commit()
    found = await changes(registry, wait=5)
    assert [one["trackedEntity"] for one in found["changes"]] == ["early", "late"]
    await early.close()
    await late.close()


async def test_a_waiting_reader_is_woken(registry: httpx.AsyncClient) -> None:
    woman = person()
    start = (await changes(registry))["next"]
    waiting = asyncio.create_task(changes(registry, start, wait=25))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await registry.post("/api/tracker?async=false", json=payload(woman))
    told = time.monotonic()
    found = await waiting
    assert time.monotonic() - told < 15
    assert found["changes"][0]["trackedEntity"] == woman["trackedEntity"]


async def test_nothing_to_tell_answers_after_the_wait(registry: httpx.AsyncClient) -> None:
    began = time.monotonic()
    assert (await changes(registry, wait=1))["changes"] == []
    assert 0.9 < time.monotonic() - began < 20


async def test_only_who_may_reads_it_and_only_with_a_cursor(registry: httpx.AsyncClient) -> None:
    refused = await registry.get("/api/tracker/changes?wait=0", auth=auth("nirmala"))
    assert refused.status_code == 403
    for query in ("after=x", "wait=999", "limit=0", "since=1"):
        assert (await registry.get(f"/api/tracker/changes?{query}")).status_code == 400


async def test_what_is_pruned_is_said_to_a_reader_who_has_not_read_it(
    registry: httpx.AsyncClient, settings: Settings
) -> None:
    for _ in range(2):
        await registry.post("/api/tracker?async=false", json=payload(person()))
    first, last = [one["cursor"] for one in (await changes(registry))["changes"]]
    pool = await postgres.open_pool(settings.database.dsn, "registry", max_size=2)
    await feed.prune(pool, datetime.now(UTC) + timedelta(days=1), 0)
    for gone in ("", "0.0", first):
        answer = await registry.get("/api/tracker/changes", params={"after": gone, "wait": 0})
        assert answer.status_code == 410
        assert "after=end" in answer.json()["message"]
    assert (await changes(registry, last))["changes"] == []
    woman = person()
    end = (await changes(registry, "end"))["next"]
    await registry.post("/api/tracker?async=false", json=payload(woman))
    for cursor in (last, end):
        found = await changes(registry, cursor)
        assert [one["trackedEntity"] for one in found["changes"]] == [woman["trackedEntity"]]
    await pool.close()


async def test_a_cursor_of_another_database_is_gone(registry: httpx.AsyncClient, settings: Settings) -> None:
    """A dump restored elsewhere: transaction ids there are others, so the outbox starts anew."""
    await registry.post("/api/tracker?async=false", json=payload(person()))
    before = (await changes(registry))["next"]
    pool = await postgres.open_pool(settings.database.dsn, "registry", max_size=2)
    await pool.execute("update tracker_feed set cluster = 'the cluster of the dump'")
    await feed.SQL.settle_in(pool)
    assert (await changes(registry))["changes"] == []
    await pool.execute("update tracker_feed set cluster = 'still another'")
    answer = await registry.get("/api/tracker/changes", params={"after": before, "wait": 0})
    assert answer.status_code == 410
    await pool.close()
