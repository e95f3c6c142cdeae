"""Example cases of a programme: a person in the table's own words, and what the record shall hold of her.

    - name: a child is given BCG at birth
      attributes: {EPI_FULL_NAME: Nimal Perera}
      events:
        - {stage: birth, day: 2026-03-02, values: {EPI_BCG: true}}
      gives:
        - {resourceType: Immunization, vaccineCode: {coding: [{code: 42284007}]}}
      gives_not:
        - {resourceType: Condition}

A resource of `gives` matches one that has at least what is written: every key, and for a list every item somewhere in
the list. What is written as a number or as true, and is not, matches a text that reads the same.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from msgspec import Struct

from janani.kernel.ids import uid_of
from janani.programmes import Programme, fault, nearest, read_yaml
from janani.sync.mapping.model import Context, Unit, User
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.values import Json

FOLDER = "tests"
UNIT, USER = uid_of("example/unit"), uid_of("example/user")


class Event(Struct, frozen=True, forbid_unknown_fields=True):
    """An event: role of its stage, its day, data element code → value."""

    stage: str
    day: date
    values: dict[str, Any] = {}
    status: str = "COMPLETED"


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """One example."""

    name: str
    attributes: dict[str, Any] = {}
    events: list[Event] = []
    gives: list[Json] = []
    gives_not: list[Json] = []


def read_cases(programme: Programme, catalogue: Catalogue) -> Iterator[tuple[Path, Case]]:
    """Every case in the programme's folder `tests`. Raises ProgrammeFault with file and line."""
    for path in sorted((programme.folder / FOLDER).glob("*.yaml")):
        cases: list[Case] = read_yaml(path, list[Case])
        for number, case in enumerate(cases):
            place = f"$[{number}]"
            _known(path, f"{place}.attributes", case.attributes, catalogue.attributes)
            for part, event in enumerate(case.events):
                _known(path, f"{place}.events[{part}].values", event.values, catalogue.elements)
                _known(path, f"{place}.events[{part}].stage", [event.stage], programme.registry.stages)
            yield path, case


def _known(path: Path, place: str, words: Any, known: Any) -> None:
    for word in words:
        if word not in known:
            raise fault(path, place, f"the programme has no {word!r}; {nearest(word, known)}")


def tracked_entity(programme: Programme, catalogue: Catalogue, attributes: dict[str, Any], events: list[Event]) -> Json:
    """The case as the registry would give it (`GET /api/tracker/trackedEntities/{uid}`)."""
    program, stages = programme.registry.program, programme.registry.stages
    days = [event.day.isoformat() for event in events] or ["2026-01-15"]
    user = {"uid": USER, "username": "example", "firstName": "Example", "surname": "User"}
    held = [{"attribute": catalogue.attributes[code].uid, "value": text(value)} for code, value in attributes.items()]
    return {
        "trackedEntity": uid_of("example/person"),
        "orgUnit": UNIT,
        "updatedAt": f"{max(days)}T08:00:00.000",
        "updatedBy": user,
        "attributes": [],
        "programOwners": [{"orgUnit": UNIT, "program": program}],
        "enrollments": [
            {
                "enrollment": uid_of("example/enrollment"),
                "program": program,
                "status": "ACTIVE",
                "orgUnit": UNIT,
                "enrolledAt": f"{min(days)}T00:00:00.000",
                "createdAt": f"{min(days)}T08:00:00.000",
                "createdBy": user,
                "attributes": held,
                "events": [
                    _event(number, event, stages[event.stage], user, catalogue) for number, event in enumerate(events)
                ],
            }
        ],
    }


def _event(number: int, event: Event, stage: str, user: Json, catalogue: Catalogue) -> Json:
    day = event.day.isoformat()
    return {
        "event": uid_of(f"example/event/{number}"),
        "status": event.status,
        "programStage": stage,
        "orgUnit": UNIT,
        "occurredAt": f"{day}T00:00:00.000",
        "scheduledAt": f"{day}T00:00:00.000",
        "createdAt": f"{day}T08:00:00.000",
        "updatedBy": user,
        "dataValues": [
            {"dataElement": catalogue.elements[code].uid, "value": text(value)} for code, value in event.values.items()
        ],
    }


def context(table: Table) -> Context:
    """What the registry of an example says about itself."""
    unit = Unit(UNIT, "Example clinic", "EXAMPLE-CLINIC", (UNIT,))
    user = User(USER, "example", "Example", "User", phone="+94112345678", email="user@example.org")
    return Context(
        zone=ZoneInfo(table.zone),
        system_id="00000000-0000-4000-8000-000000000000",
        version="2.42.1",
        name="Example",
        url="http://localhost:8080",
        units={UNIT: unit},
        users={USER: user},
    )


def text(value: Any) -> str:
    """A value of a YAML file as DHIS2 keeps it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def problems(case: Case, resources: list[Json]) -> list[str]:
    """What of the case does not hold for `resources`, in words."""
    found = []
    for wanted in case.gives:
        if not any(_has(one, wanted) for one in resources):
            found.append(f"nothing gives {_short(wanted)}{_nearest(wanted, resources)}")
    for unwanted in case.gives_not:
        if any(_has(one, unwanted) for one in resources):
            found.append(f"there is {_short(unwanted)}, and should not be")
    return found


def _has(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _has(found[key], one) for key, one in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_has(one, item) for one in found) for item in wanted)
    if isinstance(found, str) and not isinstance(wanted, str):
        return found == text(wanted)
    return bool(found == wanted and isinstance(found, bool) == isinstance(wanted, bool))


def _nearest(wanted: Json, resources: list[Json]) -> str:
    """For a message: the parts that differ in the resource of the same type that matches most."""
    alike = [one for one in resources if one["resourceType"] == wanted.get("resourceType")]
    if not alike:
        types = sorted({one["resourceType"] for one in resources})
        return f"; there are only {', '.join(types)}"
    best = max(alike, key=lambda one: sum(_has({key: one.get(key)}, {key: value}) for key, value in wanted.items()))
    differing = {key: best.get(key) for key, value in wanted.items() if not _has(best, {key: value})}
    return f"; the nearest has {_short(differing)}"


def _short(value: Any) -> str:
    return str(
        yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    ).strip()
