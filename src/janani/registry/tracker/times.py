"""Times as DHIS2 writes them: without offset, in the server's zone (reference §1.3). Pure."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant `text` says: a date (midnight in `zone`) up to ISO 8601 with offset.

    Raises ValueError; also at the ends of the calendar, where the instant has no day in UTC or in `zone`.
    """
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        instant = found.astimezone(UTC)
        instant.astimezone(zone)
    except OverflowError as error:
        raise ValueError("outside the calendar") from error
    return instant


def read_inclusive_end(text: str, zone: ZoneInfo) -> datetime:
    """The last instant that is not after `text`; a date without time means its whole day. Raises ValueError."""
    start = read_instant(text, zone)
    if len(text.strip()) > 10:
        return start
    end = start.astimezone(zone).replace(hour=23, minute=59, second=59, microsecond=999_999)
    try:
        return end.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the calendar") from error


def read_duration(text: str) -> timedelta:
    """An ISO 8601 duration of days, hours, minutes and seconds. Raises ValueError."""
    found = _DURATION.match(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"not an ISO 8601 duration: {text}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise ValueError("longer than time") from error


def write_instant(instant: datetime, zone: ZoneInfo) -> str:
    """`instant` as `yyyy-MM-ddTHH:mm:ss.SSS` in `zone`."""
    return instant.astimezone(zone).replace(tzinfo=None).isoformat(timespec="milliseconds")


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day of `instant` in `zone`."""
    return instant.astimezone(zone).date()
