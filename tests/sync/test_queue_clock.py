"""The queue under a clock that is put back: nobody waits for a time that was written by mistake."""

from datetime import UTC, datetime, timedelta

import pytest

from janani.kernel import postgres
from janani.sync import gate
from janani.sync.queue import AWAY, Queue, settle

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)


async def _queue_with(database: str, times: list[datetime]) -> tuple[Queue, postgres.asyncpg.Pool]:
    """A queue in which one person waits, noticed at the first of `times`; its clock shows the last of them."""
    pool = await postgres.open_pool(database, "sync")
    await pool.execute("insert into target values ('other', $1)", times[0])
    await pool.execute(
        "insert into queue (target, person, noticed_at, try_at) values ('other', 'Person00001', $1, $1)", times[0]
    )
    return Queue(pool, lambda: times[-1], 0, "other"), pool


async def test_who_was_noticed_tomorrow_goes_at_once(database: str) -> None:
    queue, pool = await _queue_with(database, [TOMORROW, NOW])
    assert [claim.person for claim in await queue.claim()] == ["Person00001"]
    await pool.close()


async def test_who_was_released_until_tomorrow_or_is_held_until_then_goes_at_once(database: str) -> None:
    times = [NOW, TOMORROW]
    queue, pool = await _queue_with(database, times)
    claims = await queue.claim()
    await queue.release(claims[0], AWAY)
    queue.dropped(claims)
    times.append(NOW)
    assert await queue.claim()
    times.append(TOMORROW)
    await pool.execute("update queue set try_at = $1, lease = null", NOW)
    assert await queue.claim()
    times.append(NOW)
    assert await Queue(pool, lambda: NOW, 0, "other").claim()  # of another process, which was killed
    await pool.close()


async def test_who_waits_for_a_server_that_is_away_is_due_whenever_its_gate_lets_one_through(database: str) -> None:
    """However long it has been away; who waits for anything else waits longer at each try."""
    queue, pool = await _queue_with(database, [NOW])
    waits = dict[str, list[float]]()
    for trouble in (AWAY, "500"):
        for _ in range(12):
            await pool.execute("update queue set attempts = 20, try_at = $1", NOW)
            (claim,) = await queue.claim()
            await queue.release(claim, trouble)
            queue.dropped([claim])
            waits.setdefault(trouble, []).append(await queue.seconds_to_next() or 0)
    assert max(waits[AWAY]) <= gate._LONGEST_SECONDS / 2
    assert max(waits["500"]) > 60
    await pool.close()


@pytest.mark.parametrize("then", [TOMORROW, NOW - timedelta(days=1)])
async def test_who_is_in_hand_stays_so_whatever_the_clock_says(database: str, then: datetime) -> None:
    times = [NOW - timedelta(days=1), NOW]
    queue, pool = await _queue_with(database, times)
    claims = await queue.claim()
    times.append(then)
    assert not await queue.claim()
    queue.dropped(claims)
    assert await queue.claim()
    await pool.close()


async def test_what_a_killed_process_sent_may_arrive_before_the_next_is_sent(database: str) -> None:
    times = [NOW]
    queue, pool = await _queue_with(database, times)
    assert await queue.claim()
    after = Queue(pool, lambda: times[-1], 1, "other")
    await settle(pool, ["other"], NOW)
    assert not await after.claim()
    seconds = await after.seconds_to_next()
    assert seconds is not None
    assert 1 <= seconds <= 10
    times.append(NOW + timedelta(seconds=seconds, milliseconds=1))
    assert await after.claim()
    await pool.close()


async def test_who_waits_a_while_still_waits(database: str) -> None:
    queue, pool = await _queue_with(database, [NOW + timedelta(minutes=4), NOW])
    assert not await queue.claim()
    await pool.close()
