"""FHIR dates as ranges of instants: what is not said is the whole of it (R4 §search 3.1.1.4.5)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
Range = tuple[datetime, datetime]

_DATE = re.compile(
    r"^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+\- ]\d{2}:\d{2})?)?)?)?$"
)


@lru_cache(maxsize=1024)  # what was done on one visit bears one date
def span(text: str) -> Range | None:
    """The half-open range [low, high) of a date, dateTime or instant in UTC; None when it is none.

    "2026" is the year, "2026-11-21T08:00" the minute; without an offset UTC is meant. A blank before the offset
    stands for the plus that a query string lost.
    """
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        low = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            min(int(second or 0), 59),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(offset),
        )
    except ValueError:
        return None
    return _utc(low), _end(low, found)


def widened(range_: Range, margin: timedelta) -> Range:
    """`range_` with `margin` before and after it, as far as there are dates."""
    low, high = range_
    return max(low, BEGINNING + margin) - margin, min(high, _LAST - margin) + margin


def _utc(moment: datetime) -> datetime:
    """`moment` in UTC; the first or last one there is when it would be beyond."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return BEGINNING if moment.year == BEGINNING.year else _LAST


def _end(low: datetime, found: re.Match[str]) -> datetime:
    try:
        return _utc(low + _length(low, found))
    except (ValueError, OverflowError):  # of the year 9999
        return _LAST


def _zone(offset: str | None) -> timezone:
    if offset is None or offset == "Z":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))


def _length(low: datetime, found: re.Match[str]) -> timedelta:
    _, month, day, _, minute, second, fraction, _ = found.groups()
    if month is None:
        return low.replace(year=low.year + 1) - low
    if day is None:
        following = low.replace(year=low.year + 1, month=1) if low.month == 12 else low.replace(month=low.month + 1)
        return following - low
    if minute is None:
        return timedelta(days=1)
    if second is None:
        return timedelta(minutes=1)
    return timedelta(seconds=1) if fraction is None else timedelta(microseconds=10 ** max(6 - len(fraction), 0))
