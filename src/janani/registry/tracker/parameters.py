"""The query parameters of tracker export, typed (reference §3.1–3.6). Pure.

A parameter this server doesn't know is refused with 400 rather than silently ignored, as its effect would be missed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from janani.kernel.ids import is_uid
from janani.registry.numbers import whole_number
from janani.registry.problems import Refusal
from janani.registry.tracker.times import read_duration, read_inclusive_end, read_instant

MAX_PAGE_SIZE = 1000


class Shared(Struct, rename="camel", forbid_unknown_fields=True):
    """What every collection takes. Texts as sent; the methods read them."""

    page: str = "1"
    page_size: str = "50"
    total_pages: str = "false"
    paging: str = "true"
    order: list[str] = []
    fields: str = ""
    include_deleted: str = "false"
    org_unit_mode: str = ""
    program: str | None = None
    updated_after: str | None = None
    updated_before: str | None = None
    updated_within: str | None = None
    follow_up: str | None = None
    id_scheme: str = "UID"
    org_unit_id_scheme: str = "UID"


class EntityParameters(Shared, forbid_unknown_fields=True, rename="camel"):
    """`GET /api/tracker/trackedEntities` (§3.3)."""

    org_units: str = ""
    tracked_entity_type: str | None = None
    tracked_entities: str = ""
    program_stage: str | None = None
    filter: list[str] = []
    enrollment_status: str | None = None
    program_status: str | None = None
    enrollment_enrolled_after: str | None = None
    enrollment_enrolled_before: str | None = None
    enrollment_occurred_after: str | None = None
    enrollment_occurred_before: str | None = None
    event_status: str | None = None
    event_occurred_after: str | None = None
    event_occurred_before: str | None = None
    potential_duplicate: str | None = None
    query: str | None = None


class EnrollmentParameters(Shared, forbid_unknown_fields=True, rename="camel"):
    """`GET /api/tracker/enrollments` (§3.5)."""

    org_units: str = ""
    tracked_entity_type: str | None = None
    tracked_entity: str | None = None
    enrollments: str = ""
    status: str | None = None
    program_status: str | None = None
    enrolled_after: str | None = None
    enrolled_before: str | None = None


class EventParameters(Shared, forbid_unknown_fields=True, rename="camel"):
    """`GET /api/tracker/events` (§3.6)."""

    org_unit: str | None = None
    program_stage: str | None = None
    tracked_entity: str | None = None
    events: str = ""
    enrollments: str = ""
    status: str | None = None
    enrollment_status: str | None = None
    program_status: str | None = None
    filter: list[str] = []
    filter_attributes: list[str] = []
    occurred_after: str | None = None
    occurred_before: str | None = None
    scheduled_after: str | None = None
    scheduled_before: str | None = None
    enrollment_enrolled_after: str | None = None
    enrollment_enrolled_before: str | None = None
    enrollment_occurred_after: str | None = None
    enrollment_occurred_before: str | None = None
    assigned_user_mode: str | None = None
    assigned_users: str = ""


Kind = TypeVar("Kind", bound=Shared)
_LISTS = ("filter", "filterAttributes", "order")


def read(pairs: Iterable[tuple[str, str]], kind: type[Kind]) -> Kind:
    """The parameters in a query string. Raises Refusal (400) for an unknown or a repeated one."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in _LISTS:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise Refusal(400, f"Parameter {name} is given twice.")
        else:
            values[name] = text
    try:
        found = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"A query parameter is not supported: {error}") from error
    for scheme in (found.id_scheme, found.org_unit_id_scheme):
        if scheme != "UID":
            raise Refusal(400, f"Identifier scheme {scheme} is not supported; only UID is.")
    return found


def uids(name: str, text: str | None) -> list[str] | None:
    """The UIDs in a comma-separated list; None when there is none. Raises Refusal (400)."""
    found = [part.strip() for part in (text or "").split(",") if part.strip()]
    for one in found:
        uid(name, one)
    return found or None


def uid(name: str, text: str | None) -> str | None:
    """`text` if it is a UID or None. Raises Refusal (400)."""
    if text is not None and not is_uid(text):
        raise Refusal(
            400,
            f"Value '{text}' is not valid for parameter {name}."
            " UID must be an alphanumeric string of 11 characters starting with a letter.",
        )
    return text


def flag(name: str, text: str | None) -> bool | None:
    """A truth value, or None. Raises Refusal (400)."""
    if text is None:
        return None
    if text not in ("true", "false"):
        raise Refusal(400, f"Value '{text}' is not valid for parameter {name}. It should be true or false.")
    return text == "true"


def choice(name: str, text: str | None, among: tuple[str, ...]) -> str | None:
    """`text` if it is one of `among`, or None. Raises Refusal (400)."""
    if text is not None and text not in among:
        raise Refusal(400, f"Value '{text}' is not valid for parameter {name}. Valid values are: {list(among)}")
    return text


def number(name: str, text: str, most: int) -> int:
    """A whole number from 1 to `most`. Raises Refusal (400)."""
    found = whole_number(text)
    if found is None or not 1 <= found <= most:
        raise Refusal(400, f"Value '{text}' is not valid for parameter {name}. It should be between 1 and {most}.")
    return found


def start(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant of an "after" parameter, which is inclusive. Raises Refusal (400)."""
    return _instant(name, text, zone, read_instant)


def end(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant of a "before" parameter, inclusive; a date means its whole day. Raises Refusal (400)."""
    return _instant(name, text, zone, read_inclusive_end)


def _instant(
    name: str, text: str | None, zone: ZoneInfo, reader: Callable[[str, ZoneInfo], datetime]
) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus sign that was not encoded arrives as a blank.
        return reader(text.replace(" ", "+") if "T" in text else text, zone)
    except ValueError as error:
        raise Refusal(400, f"Value '{text}' is not a valid date for parameter {name}.") from error


def updated_since(shared: Shared, now: datetime, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The span that updatedAfter, updatedBefore or updatedWithin asks for. Raises Refusal (400)."""
    if shared.updated_within is None:
        after = start("updatedAfter", shared.updated_after, zone)
        return after, end("updatedBefore", shared.updated_before, zone)
    if shared.updated_after or shared.updated_before:
        raise Refusal(400, "updatedWithin cannot be used together with updatedAfter or updatedBefore.")
    try:
        return now - read_duration(shared.updated_within), None
    except (ValueError, OverflowError) as error:
        raise Refusal(400, f"Duration is not valid: {shared.updated_within}") from error


def orders(texts: Iterable[str]) -> list[tuple[str, str]]:
    """The (property, direction) pairs of `order`. Raises Refusal (400)."""
    found = []
    for part in (part for text in texts for part in text.split(",") if part):
        name, _, direction = part.partition(":")
        if direction.lower() not in ("", "asc", "desc"):
            raise Refusal(400, f"order direction '{direction}' is not valid. Valid values are asc and desc.")
        found.append((name, direction.lower() or "asc"))
    return found
