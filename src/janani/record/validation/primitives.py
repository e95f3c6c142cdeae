"""R4's primitive types in JSON: the right JSON type, the right form, and a real day of the calendar.

FHIR R4 §datatypes. Each test takes a JSON value and tells whether it is a value of that type.
"""

import math
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

_DAY = r"(?!0000)\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_WHOLE_DAY = r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_URN = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+")
_UNBROKEN = re.compile(r"[^ \t\r\n]+").fullmatch
_UUID = r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Test = Callable[[Any], bool]


def _form(pattern: str) -> Test:
    matches = re.compile(pattern).fullmatch
    return lambda value: type(value) is str and matches(value) is not None


def _calendar(pattern: str) -> Test:
    matches = re.compile(pattern).fullmatch

    def test(value: Any) -> bool:
        if type(value) is not str or matches(value) is None:
            return False
        return len(value) < 10 or value[8:10] <= "28" or _exists(value[:10])

    return test


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _whole(least: int) -> Test:
    return lambda value: type(value) is int and least <= value <= 2_147_483_647


def _text(value: Any) -> bool:
    return type(value) is str and bool(value) and not value.isspace() and "\x00" not in value


def _uri(value: Any) -> bool:
    if type(value) is not str or _UNBROKEN(value) is None:
        return False
    return not value.startswith(("urn:uuid:", "urn:oid:")) or _URN.fullmatch(value) is not None


def _decimal(value: Any) -> bool:
    return type(value) in (int, float, Decimal) and math.isfinite(value)


TESTS: dict[str, Test] = {
    "boolean": lambda value: type(value) is bool,
    "integer": _whole(-2_147_483_648),
    "unsignedInt": _whole(0),
    "positiveInt": _whole(1),
    "decimal": _decimal,
    "string": _text,
    "markdown": _text,
    "code": _form(r"[^\s]+(?:\s[^\s]+)*"),
    "id": _form(r"[A-Za-z0-9\-.]{1,64}"),
    "uri": _uri,
    "url": _uri,
    "canonical": _uri,
    "oid": _form(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+"),
    "uuid": _form(_UUID),
    "date": _calendar(_DAY),
    "dateTime": _calendar(rf"{_DAY}|{_WHOLE_DAY}T{_CLOCK}{_ZONE}"),
    "instant": _calendar(rf"{_WHOLE_DAY}T{_CLOCK}{_ZONE}"),
    "time": _form(_CLOCK),
    "base64Binary": _form(r"\s*(?:[0-9a-zA-Z+/=]\s*)*"),
}

EXPECTED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "unsignedInt": "a whole number, 0 or more",
    "positiveInt": "a whole number, 1 or more",
    "decimal": "a number",
    "string": "a text that is not empty",
    "markdown": "a text that is not empty",
    "code": "a code (text without leading, trailing or double spaces)",
    "id": "an id (1 to 64 letters, digits, '-' or '.')",
    "uri": "a URI (a urn:uuid with a real UUID)",
    "date": "a date (YYYY, YYYY-MM or YYYY-MM-DD) that exists",
    "dateTime": "a date, or a date with time to the second and a zone offset",
    "instant": "a date with time to the second and a zone offset",
    "time": "a time of day (hh:mm:ss)",
}
