"""What a value of each DHIS2 value type may look like (reference §2.6), and its stored form. Pure."""

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, time

from janani.kernel.ids import is_uid

NUMERIC = frozenset(
    (
        "NUMBER",
        "INTEGER",
        "INTEGER_POSITIVE",
        "INTEGER_NEGATIVE",
        "INTEGER_ZERO_OR_POSITIVE",
        "PERCENTAGE",
        "UNIT_INTERVAL",
    )
)
MAX_ATTRIBUTE_LENGTH = 1200
_MAX_TEXT = 50_000
_PHONE = re.compile(r"^[0-9+()#./\- ext]{6,50}$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_URL = re.compile(r"^(https?|ftp)://[^\s/?#]+\S*$")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_MOST_DIGITS = 255
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
# Python's fromisoformat takes more of ISO 8601 than DHIS2 does (weeks, no hyphens).
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}\S*)?")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}\S*")
_TRUE, _FALSE = frozenset(("true", "t", "1")), frozenset(("false", "f", "0"))


def stored_form(value: str, value_type: str) -> str:
    """`value` as it is kept: booleans in their long form, numbers and dates without blanks around them."""
    if value_type == "BOOLEAN":
        low = value.strip().lower()
        return "true" if low in _TRUE else "false" if low in _FALSE else value
    return value if value_type in ("TEXT", "LONG_TEXT", "MULTI_TEXT") else value.strip()


def fault_of(value: str, value_type: str) -> str | None:
    """Why `value` is none of `value_type`, as a phrase without the value itself; None when it is one."""
    check = _CHECKS.get(value_type)
    if check is None or check(value):
        return None
    return f"value is not a valid {value_type}"


def _number(value: str, low: float = float("-inf"), high: float = float("inf")) -> bool:
    """Finite, and short enough to be compared as a number (`conditions`)."""
    if len(value) > _MOST_DIGITS or not _NUMBER.fullmatch(value):
        return False
    return low <= float(value) <= high and math.isfinite(float(value))


def _integer(value: str, low: int = -(2**31), high: int = 2**31 - 1) -> bool:
    return len(value) <= 11 and bool(_INTEGER.fullmatch(value)) and low <= int(value) <= high


def _date(value: str) -> bool:
    try:
        return bool(_DATE.fullmatch(value)) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _date_time(value: str) -> bool:
    try:
        return bool(_DATE_TIME.fullmatch(value)) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _time(value: str) -> bool:
    try:
        return bool(_TIME.fullmatch(value)) and time.fromisoformat(value) is not None
    except ValueError:
        return False


def _coordinate(value: str) -> bool:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, int | float) for part in found):
        return False
    return bool(-180 <= found[0] <= 180 and -90 <= found[1] <= 90)


def _geojson(value: str) -> bool:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "type" in found and "coordinates" in found


_CHECKS: dict[str, Callable[[str], bool]] = {
    "TEXT": lambda value: len(value) <= _MAX_TEXT,
    "LETTER": lambda value: len(value) == 1 and value.isalpha(),
    "PHONE_NUMBER": lambda value: bool(_PHONE.match(value)),
    "EMAIL": lambda value: bool(_EMAIL.match(value)),
    "URL": lambda value: bool(_URL.match(value)),
    "BOOLEAN": lambda value: value.lower() in _TRUE | _FALSE,
    "TRUE_ONLY": lambda value: value == "true",
    "DATE": _date,
    "AGE": _date,
    "DATETIME": _date_time,
    "TIME": _time,
    "NUMBER": _number,
    "INTEGER": _integer,
    "INTEGER_POSITIVE": lambda value: _integer(value, 1),
    "INTEGER_NEGATIVE": lambda value: _integer(value, high=-1),
    "INTEGER_ZERO_OR_POSITIVE": lambda value: _integer(value, 0),
    "PERCENTAGE": lambda value: _number(value, 0, 100),
    "UNIT_INTERVAL": lambda value: _number(value, 0, 1),
    "COORDINATE": _coordinate,
    "GEOJSON": _geojson,
    "ORGANISATION_UNIT": is_uid,
    "TRACKER_ASSOCIATE": is_uid,
    "REFERENCE": is_uid,
}
