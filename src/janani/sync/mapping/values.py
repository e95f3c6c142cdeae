"""Texts of DHIS2 as values of FHIR: numbers, dates, instants, codes, identifiers. Every function is pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

Json = dict[str, Any]

_MIDNIGHT = re.compile(r"^(\d{4}-\d{2}-\d{2})(T00:00(:00(\.0+)?)?)?$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TOKEN_MARKS = re.compile(r"([\\,|$])")
_LARGEST = Decimal(10) ** 12
_SAFE_DIGITS = 12
_USUAL = len("2025-09-04T07:37:47.106")
_DAY, _SIGNS = slice(10), slice(4, 22, 3)  # of such a text
_encode = msgspec.json.Encoder().encode


class Unfit(Exception):
    """A value that can't be carried. Its text says why, without the value."""


def coding(written: str, systems: Mapping[str, str]) -> Json:
    """The Coding that `system#code|display` stands for."""
    system, _, rest = written.partition("#")
    code, _, display = rest.partition("|")
    return {"system": systems[system], "code": code} | ({"display": display} if display else {})


def concept(written: str | list[str], systems: Mapping[str, str], text: str = "") -> Json:
    """The CodeableConcept of one written code or several; its text defaults to the first display."""
    codings = [coding(one, systems) for one in ([written] if isinstance(written, str) else written)]
    words = text or codings[0].get("display", "")
    return {"coding": codings} | ({"text": words} if words else {})


def unit(written: str, system: str) -> Json:
    """The unit members of a Quantity from `UCUM code|printed unit`."""
    code, _, printed = written.partition("|")
    return {"unit": printed or code, "system": system, "code": code}


def json_text(value: Any) -> str:
    """`value` as JSON."""
    return _encode(value).decode()


def quoted(value: str) -> str:
    """A string as JSON, with its quotation marks."""
    return _encode(value).decode()


def words(value: str) -> str:
    """`value` without control characters and blanks at the ends; it may be ""."""
    if value.isprintable():
        return value.strip()
    return _CONTROL.sub(" ", value).strip()


def text_of(value: str) -> str:
    """A FHIR string: without control characters and blanks at the ends. Raises Unfit when nothing is left."""
    found = words(value)
    if not found:
        raise Unfit("the text is empty")
    return found


@lru_cache(maxsize=4096)  # weights, pressures and weeks of many people are the same few numbers
def decimal(value: str) -> str:
    """The JSON text of a number. Raises Unfit."""
    if len(value) <= _SAFE_DIGITS and value.isascii():
        if value.isdigit():
            return value if value[0] != "0" else str(int(value))
        whole, _, part = value.partition(".")
        if whole.isdigit() and part.isdigit():
            return value if whole[0] != "0" != part[-1] else json_text(float(value))
    return json_text(number(value))


def divided(value: str, by: float, decimals: int) -> str:
    """The JSON text of a number divided `by` and rounded. Raises Unfit."""
    return json_text(round(number(value) / by, decimals))


def dose_number(value: str) -> int:
    """A FHIR positiveInt. Raises Unfit."""
    found = integer(value)
    if found < 1:
        raise Unfit("a dose number is 1 or more")
    return found


def chosen(texts: Mapping[str, str], value: str) -> str:
    """What `value` stands for. Raises Unfit when it is no key of `texts`."""
    if value not in texts:
        raise Unfit("not one of the options")
    return texts[value]


def number(value: str) -> int | float:
    """A FHIR decimal. Raises Unfit (a comma is not taken for a point: it could be either)."""
    try:
        found = Decimal(value.strip())
    except InvalidOperation as error:
        raise Unfit("not a number") from error
    if not found.is_finite() or abs(found) > _LARGEST:
        raise Unfit("not a number in range")
    return int(found) if found == found.to_integral_value() and "." not in value else float(found)


def integer(value: str) -> int:
    """A FHIR integer (32 bits). Raises Unfit."""
    found = number(value)
    if found != int(found) or not -(2**31) <= found < 2**31:
        raise Unfit("not a whole number in range")
    return int(found)


def truth(value: str) -> bool:
    """A BOOLEAN or TRUE_ONLY value. Raises Unfit."""
    if value not in ("true", "false"):
        raise Unfit("neither true nor false")
    return value == "true"


@lru_cache(maxsize=4096)
def day(value: str) -> str:
    """A FHIR date of a DATE or DATETIME value. Raises Unfit."""
    text = value.strip()[:10]
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Unfit("not a date") from error
    return text if text[4:8:3] == "--" else found.isoformat()


def days_later(value: str, days: int) -> str:
    """The date `days` after the date `value`. Raises Unfit."""
    try:
        return (date.fromisoformat(day(value)) + timedelta(days=days)).isoformat()
    except OverflowError as error:
        raise Unfit("not a date in range") from error


@lru_cache(maxsize=4096)
def moment(value: str, zone: tzinfo) -> str:
    """A FHIR dateTime: midnight stands for a day and stays a date; anything else gets the offset of `zone`.

    Raises Unfit.
    """
    found = _MIDNIGHT.match(value)
    return day(found[1]) if found else instant(value, zone)


def instant(value: str, zone: tzinfo) -> str:
    """A FHIR instant with offset, milliseconds kept; a time without offset is of `zone`. Raises Unfit."""
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            if len(value) == _USUAL and value[_SIGNS] == "--T::." and (offset := _offset(value[_DAY], zone)):
                return value + offset  # as it would be written below, five times as fast
            found = found.replace(tzinfo=zone)
        return found.isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise Unfit("not a date and time") from error


@lru_cache(maxsize=4096)
def _offset(text: str, zone: tzinfo) -> str:
    """The offset of `zone` on a day as an instant ends with it; "" when it changes on that day."""
    start = datetime.fromisoformat(text).replace(tzinfo=zone)
    if start.date() == date.max or start.utcoffset() != (start + timedelta(1)).utcoffset():
        return ""
    return start.isoformat(timespec="milliseconds")[_USUAL:]


@lru_cache(maxsize=16)
def zone_of(name: str) -> ZoneInfo:
    """The time zone `name`."""
    return ZoneInfo(name)


def token(value: str) -> str:
    """`value` escaped as search token and percent-encoded."""
    if value.isascii() and value.replace("-", "").isalnum():
        return value
    return quote(_TOKEN_MARKS.sub(r"\\\1", value), safe="")


def condition_on(resource_type: str, system: str, value: str) -> str:
    """The conditional URL `Type?identifier=system|value`, escaped as search token and percent-encoded."""
    return f"{quote(resource_type)}?identifier={quote(system, safe='')}%7C{token(value)}"
