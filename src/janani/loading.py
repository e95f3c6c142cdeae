"""`janani load`: tracker payloads from a file to the registry over its Web API, batch by batch.

A file is what `POST /api/tracker` takes, with one addition: `asOf` (a date) moves every date of enrolments, events
and DATE values by the days since then, so that a demo district is always of today.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.kernel import http
from janani.kernel.clock import system_clock
from janani.kernel.secrets import secret
from janani.settings import Settings

BATCH_PEOPLE = 50
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_MOVED = ("enrolledAt", "occurredAt", "scheduledAt", "completedAt")


class LoadFailed(Exception):
    """The file could not be read or the registry refused it. Its text says where and why."""


def registry_admin(settings: Settings) -> tuple[str, str]:
    """User name and password of the registry's first administrator."""
    if settings.sandbox:
        return ("admin", "district")
    return ("admin", secret(settings.secrets, "admin-password", create=False))


async def load(settings: Settings, file: Path, out: Console) -> None:
    """Loads `file` with a progress bar on `out`. Raises LoadFailed; what was acknowledged by then stays."""
    people = people_of(read(file), system_clock().astimezone(ZoneInfo(settings.portals.time_zone)).date())
    columns = (TextColumn("Loading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        bar = progress.add_task("", total=len(people))
        await send(settings, people, lambda count: progress.advance(bar, count))
    out.print(f"{len(people)} people are in the registry.")


async def send(settings: Settings, people: list[dict[str, Any]], loaded: Callable[[int], None]) -> None:
    """Sends `people` (nested tracked entities) in batches; `loaded` hears the size of each acknowledged one.

    Raises LoadFailed with the registry's own words at the first refusal.
    """
    async with http.client(timeout=60) as client:
        registry = Dhis2Client(client, settings.registry.url, basic=registry_admin(settings))
        for start, batch in _batches(people):
            try:
                report = await registry.import_tracker({"trackedEntities": batch})
            except Dhis2Error as error:
                text = f"The registry at {settings.registry.url} did not take the batch: {error}{_so_far(start)}"
                raise LoadFailed(text) from error
            if refused := _refusal(report):
                raise LoadFailed(f"The registry refused the batch: {refused}{_so_far(start)}")
            loaded(len(batch))


def read(file: Path) -> dict[str, Any]:
    """The payload in `file`. Raises LoadFailed."""
    try:
        payload = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise LoadFailed(f"{file}: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise LoadFailed(f"{file} is not JSON: {error}.") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("trackedEntities"), list):
        raise LoadFailed(f'{file} has no list "trackedEntities" (the payload of POST /api/tracker).')
    return payload


def people_of(payload: dict[str, Any], today: date) -> list[dict[str, Any]]:
    """The payload's tracked entities, their dates moved by the days from `asOf` to `today`. Raises LoadFailed."""
    people: list[dict[str, Any]] = payload["trackedEntities"]
    if "asOf" not in payload:
        return people
    try:
        days = (today - date.fromisoformat(payload["asOf"])).days
    except (TypeError, ValueError) as error:
        raise LoadFailed(f"asOf is {payload['asOf']!r}; expected a date like 2026-11-22.") from error
    moved = []
    for number, person in enumerate(people):
        try:
            moved.append(_moved(person, timedelta(days=days)))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise LoadFailed(f"trackedEntities[{number}]: a date of hers can't be moved ({error}).") from error
    return moved


def _moved(person: dict[str, Any], by: timedelta) -> dict[str, Any]:
    def event(one: dict[str, Any]) -> dict[str, Any]:
        values = [
            value | {"value": _later(value["value"], by)} if _DAY.match(value.get("value") or "") else value
            for value in one.get("dataValues", [])
        ]
        return _dates_moved(one, by) | ({"dataValues": values} if values else {})

    enrollments = [
        _dates_moved(one, by) | {"events": [event(each) for each in one.get("events", [])]}
        for one in person.get("enrollments", [])
    ]
    return person | {"enrollments": enrollments}


def _dates_moved(one: dict[str, Any], by: timedelta) -> dict[str, Any]:
    return one | {key: _later(one[key], by) for key in _MOVED if one.get(key)}


def _later(text: str, by: timedelta) -> str:
    if _DAY.match(text):
        return (date.fromisoformat(text) + by).isoformat()
    return (datetime.fromisoformat(text) + by).isoformat(timespec="milliseconds")


def _batches(people: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    for start in range(0, len(people), BATCH_PEOPLE):
        yield start, people[start : start + BATCH_PEOPLE]


def _so_far(count: int) -> str:
    return f" ({count} people before it are in the registry.)" if count else ""


def _refusal(report: dict[str, Any]) -> str:
    """Why the registry refused, in its words; "" when it did not."""
    errors = report.get("validationReport", {}).get("errorReports", [])
    if report.get("status") != "ERROR" and not errors:
        return ""
    words = "; ".join(f"{error.get('errorCode')}: {error.get('message')}" for error in errors[:5])
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return f"{words or report.get('message', 'no reason given')}{more}"
