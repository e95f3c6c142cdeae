"""Polling any DHIS2 from 2.40 on by `updatedAfter`: people, enrolments and events, deleted ones too.

Pages are not numbered but continue at the stamp of the last row, less a millisecond: a row that is updated meanwhile
moves to the end, and shifts nothing past the reader. When one stamp fills a page, the page grows; when it fills the
largest, there is a backfill. Each poll looks back over an overlap, for transactions that show late. All times are the
server's own words; our clock plays no part.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from janani.clients.dhis2 import minor
from janani.kernel.telemetry import log
from janani.sync.feeds.keeping import Desk

_PAGE, _LARGEST = 500, 32_000  # DHIS2 gives 50,000 people at most (KeyTrackedEntityMaxLimit)
_TICK = timedelta(milliseconds=1)
_SETTLED = timedelta(seconds=2)
"""A row this much older than the server's time does not change again under the same stamp."""


class Kind(Struct, frozen=True):
    """A collection of the Web API that is polled, and the key of its rows."""

    collection: str
    key: str


KINDS = (Kind("trackedEntities", "trackedEntity"), Kind("enrollments", "enrollment"), Kind("events", "event"))


class PollFeed:
    """Polls for one programme, below `units` (UIDs) or wherever its user may search."""

    def __init__(self, desk: Desk, *, seconds: int, overlap_seconds: int, units: list[str]) -> None:
        self._desk, self._seconds = desk, seconds
        self._overlap, self._units = timedelta(seconds=overlap_seconds), units or [""]
        self._seen: dict[str, dict[str, str]] = {}
        self._beyond: dict[str, str] = {}  # where a crowd of one stamp ends that a backfill reads
        self._old_names = False

    async def step(self, wait: int) -> None:
        """One poll and the pause after it. Raises Dhis2Error."""
        await self.poll()
        await asyncio.sleep(min(self._seconds, wait) if wait else 0)

    async def poll(self) -> None:
        """Everyone of whom anything changed since the last poll."""
        info = await self._desk.registry.system_info()
        self._old_names = minor(info.version) < 41
        now = _time(info.server_date)
        for unit in self._units:
            for kind in KINDS:
                await self._poll(kind, unit, now)

    async def _poll(self, kind: Kind, unit: str, now: datetime | None) -> None:
        name = "/".join(filter(None, ("poll", kind.collection, unit)))
        position, size = await self._desk.position(name), _PAGE
        if not position and kind is not KINDS[0]:
            position = _text(now - self._overlap) if now else ""  # the first poll of people finds everybody
        seen, latest = self._seen.get(name, {}), position
        found: dict[str, str] = {}
        while True:
            rows = await self._page(kind, unit, position, size)
            stamps = {row[kind.key]: str(row.get("updatedAt", "")) for row in rows}
            fresh = [row["trackedEntity"] for row in rows if seen.get(row[kind.key]) != stamps[row[kind.key]]]
            found |= {uid: stamp for uid, stamp in stamps.items() if _settled(stamp, now)}
            latest = max([latest, *stamps.values()])
            following = _text(datetime.fromisoformat(latest) - _TICK) if latest else ""
            if len(rows) < size:
                break
            if following <= position and size < _LARGEST:
                size *= 2
                continue
            crowd = ""
            if following <= position:  # no page goes beyond them: everybody is read once instead
                log("sync").error("too_many_at_one_time", kind=kind.collection, rows=len(rows))
                crowd = "too many changed at one time"
                following = self._beyond[name] = _text(datetime.fromisoformat(latest) + _TICK)
            await self._desk.keep(fresh, name, following, backfill=crowd)
            position, size = following, _PAGE
        final = (now if now else _time(latest)) or None
        back, beyond = _text(final - self._overlap) if final else "", self._beyond.get(name, "")
        # Not into the same crowd again, unless the server's clock was put back.
        await self._desk.keep(fresh, name, max(back, beyond) if final and beyond <= _text(final + _SETTLED) else back)
        self._seen[name] = found

    async def _page(self, kind: Kind, unit: str, after: str, size: int) -> list[dict[str, Any]]:
        mode = "ouMode" if self._old_names else "orgUnitMode"
        query = {"program": self._desk.program, "includeDeleted": "true", "order": "updatedAt:asc", "page": "1"}
        query |= {"fields": ",".join(dict.fromkeys((kind.key, "trackedEntity", "updatedAt"))), "pageSize": str(size)}
        query |= {mode: "DESCENDANTS", self._unit_name(kind): unit} if unit else {mode: "ACCESSIBLE"}
        answer = await self._desk.registry.get(
            f"/tracker/{kind.collection}", query | ({"updatedAfter": after} if after else {})
        )
        rows = answer.get(kind.collection) or answer.get("instances") or []
        return [row for row in rows if row.get("trackedEntity") and row.get(kind.key)]

    def _unit_name(self, kind: Kind) -> str:
        return "orgUnit" if self._old_names or kind.collection == "events" else "orgUnits"


def _settled(stamp: str, now: datetime | None) -> bool:
    return bool(stamp) and now is not None and datetime.fromisoformat(stamp) < now - _SETTLED


def _time(text: str) -> datetime | None:
    """The server's time as it writes stamps: in its own zone, without offset."""
    return datetime.fromisoformat(text).replace(tzinfo=None) if text else None


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
