"""The queue under a clock that is put back: nobody waits for a time that was written by mistake."""

from datetime import UTC, datetime, timedelta

from janani.kernel import postgres
from janani.sync.queue import AWAY, Queue

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
    (claim,) = await queue.claim()
    await queue.release(claim, AWAY)
    times.append(NOW)
    assert await queue.claim()
    times.append(TOMORROW)
    await pool.execute("update queue set try_at = $1, lease = null", NOW)
    assert await queue.claim()
    times.append(NOW)
    assert await queue.claim()
    await pool.close()


async def test_who_waits_a_while_still_waits(database: str) -> None:
    queue, pool = await _queue_with(database, [NOW + timedelta(minutes=4), NOW])
    assert not await queue.claim()
    await pool.close()
