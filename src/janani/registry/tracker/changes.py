"""`GET /api/tracker/changes`: whose record changed, in commit order (docs/plan.md, "Change feed").

An extension: a real DHIS2 answers 404 and its clients poll `updatedAfter`. The same person may come several times;
bringing those together is the reader's business. The cursor is `<epoch>.<transaction>.<number>` of the outbox row read
last. The epoch is the database's own: a cursor from before a restore elsewhere, or older than what was pruned, is
answered with 410, and its reader backfills from `after=end`.

A row counts as settled once every transaction that began before it has ended. Only then is it given out, so nothing
can turn up behind a cursor. Waiting readers are woken by NOTIFY on one connection for the whole application.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from litestar import Litestar, Request, get

from janani.kernel.telemetry import log
from janani.registry.access import state_of
from janani.registry.numbers import whole_number
from janani.registry.problems import Refusal
from janani.registry.tracker import parameters
from janani.registry.tracker.asking import asking
from janani.registry.tracker.store import SQL

AUTHORITY = "F_TRACKER_CHANGES"
CHANNEL = "janani_tracker_change"
MAX_LIMIT, MAX_WAIT_SECONDS = 5000, 60
_UNSETTLED_SECONDS = 0.05  # a transaction that is still running ends soon, and tells nobody
_UNHEARD_SECONDS = 5.0  # a wake-up call may be lost with its connection
_PRUNE_SECONDS = 3600
_CURSOR = re.compile(r"(?:([0-9a-f]{8})\.)?([0-9]{1,19})\.([0-9]{1,19})")
_MOST_NUMBER = 2**63 - 1
_START = ("", "0", 0)
Cursor = tuple[str, str, int]
Json = dict[str, Any]


class WakeUp:
    """Hears NOTIFY on one connection and wakes everybody who waits. Connects when somebody first waits."""

    def __init__(self) -> None:
        self._connection: asyncpg.Connection | None = None
        self._signal = asyncio.Event()
        self._lock = asyncio.Lock()

    async def listen(self, dsn: str) -> None:
        """Makes sure of the connection; without one readers look again every few seconds."""
        async with self._lock:
            if self._connection is not None and not self._connection.is_closed():
                return
            try:
                self._connection = await asyncpg.connect(dsn, timeout=5)
                await self._connection.add_listener(CHANNEL, self._heard)
            except (OSError, asyncpg.PostgresError) as error:
                log("registry").warning("change_feed_cannot_listen", reason=type(error).__name__)

    def signal(self) -> asyncio.Event:
        """The event that the next call sets; take it before looking, so that no call is missed."""
        return self._signal

    def _heard(self, *_: object) -> None:
        ringing, self._signal = self._signal, asyncio.Event()
        ringing.set()

    async def close(self) -> None:
        """Wakes everybody a last time and hangs up."""
        self._heard()
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=2)


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Keeps the wake-up call for as long as the application runs."""
    app.state.wake_up = wake_up = WakeUp()
    await SQL.settle_in(app.state.registry.pool)
    pruning = asyncio.create_task(_prune(app))
    try:
        yield
    finally:
        pruning.cancel()
        await wake_up.close()


async def _prune(app: Litestar) -> None:
    """Every hour, forgets changes older than `registry.feed_days`."""
    while True:
        await asyncio.sleep(_PRUNE_SECONDS)
        try:
            await prune(
                app.state.registry.pool, app.state.registry.clock(), app.state.registry.settings.registry.feed_days
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log("registry").warning("change_feed_not_pruned", reason=type(error).__name__)


async def prune(pool: asyncpg.Pool, now: datetime, days: int) -> None:
    """Forgets changes older than `days`; a reader who has not read them is answered 410 from now on."""
    await SQL.prune_changes(pool, before=now - timedelta(days=days))


@get("/api/tracker/changes", summary="Whose record changed (extension)")
async def read_changes(request: Request[Any, Any, Any]) -> Json:
    """Changes after the cursor `after`, at most `limit`; at once if there are any, else within `wait` seconds.

    Raises Refusal: 403 without the authority F_TRACKER_CHANGES, 400 for a cursor that is none.
    """
    ask = await asking(request)
    if not ask.actor.has(AUTHORITY):
        raise Refusal(403, f"You don't have the required authority {AUTHORITY} for this.")
    after, limit, wait = _parameters(dict(request.query_params.items()))
    wake_up: WakeUp = request.app.state.wake_up
    if wait:
        await wake_up.listen(state_of(request).settings.database.dsn)
    state = await SQL.feed_state(ask.pool)
    if after is None:
        return {"changes": [], "next": f"{state['epoch']}.{state['horizon']}.0"}
    _refuse_gone(after, state)
    epoch, place = state["epoch"], after[1:]
    deadline = time.monotonic() + wait
    while True:
        signal = wake_up.signal()
        changes, unsettled = await _read(ask.pool, epoch, place, limit)
        left = deadline - time.monotonic()
        if changes or left <= 0:
            return {"changes": changes, "next": changes[-1]["cursor"] if changes else f"{epoch}.{place[0]}.{place[1]}"}
        if await _reader_left(request, signal, min(left, _UNSETTLED_SECONDS if unsettled else _UNHEARD_SECONDS)):
            return {"changes": [], "next": f"{epoch}.{place[0]}.{place[1]}"}


def _refuse_gone(after: Cursor, state: Any) -> None:
    """Raises Refusal 410 for a cursor of another database, or from before the oldest change that is kept."""
    epoch, transaction, number = after
    if after != _START and epoch != state["epoch"]:
        raise Refusal(410, "The cursor is of another database. Start from after=end, then read everybody once.")
    if (int(transaction), number) < (int(state["transaction"]), state["number"]):
        raise Refusal(410, "Changes after this cursor are not kept. Start from after=end, then read everybody once.")


async def _reader_left(request: Request[Any, Any, Any], signal: asyncio.Event, seconds: float) -> bool:
    """Waits for the signal, `seconds` at most; True as soon as the reader has hung up."""

    async def hung_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    heard, left = asyncio.ensure_future(signal.wait()), asyncio.ensure_future(hung_up())
    try:
        await asyncio.wait({heard, left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return left.done()
    finally:
        heard.cancel()
        left.cancel()


def _parameters(sent: dict[str, str]) -> tuple[Cursor | None, int, int]:
    """The cursor (None: the end), the limit and the wait."""
    unknown = sent.keys() - {"after", "limit", "wait"}
    if unknown:
        raise Refusal(400, f"Parameter {min(unknown)} is not supported here.")
    after = sent.get("after") or "0.0"
    found = _CURSOR.fullmatch(after)
    if after != "end" and (found is None or int(found[3]) > _MOST_NUMBER):
        raise Refusal(400, "Parameter after is not a cursor of this feed.")
    limit = parameters.number("limit", sent.get("limit", "500"), MAX_LIMIT)
    text = sent.get("wait", "20")
    wait = whole_number(text)
    if wait is None or wait > MAX_WAIT_SECONDS:
        raise Refusal(400, f"Value '{text}' is not valid for parameter wait. It should be 0 to {MAX_WAIT_SECONDS}.")
    return (found[1] or "", found[2], int(found[3])) if found else None, limit, wait


async def _read(pool: asyncpg.Pool, epoch: str, after: tuple[str, int], limit: int) -> tuple[list[Json], bool]:
    """The settled changes after the cursor, and whether there are others that are not settled yet."""
    rows = [row async for row in SQL.changes_after(pool, transaction=after[0], number=after[1], limit=limit)]
    settled = [row for row in rows if row["settled"]]
    changes = [
        {
            "cursor": f"{epoch}.{row['transaction']}.{row['number']}",
            "trackedEntity": row["tracked_entity"],
            "changedAt": row["changed_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **({"traceparent": row["traceparent"]} if row["traceparent"] else {}),
        }
        for row in settled
    ]
    return changes, len(settled) < len(rows)


handlers = [read_changes]
