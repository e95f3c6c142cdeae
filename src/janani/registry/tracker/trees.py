"""People, enrolments and events as DHIS2 writes them, read whole with one statement a table (reference §3.4)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from janani.registry.metadata.fields import Selection
from janani.registry.tracker.catalogue import Catalogue
from janani.registry.tracker.shapes import ENROLLMENT, ENTITY, EVENT, Shape, cut, maker, shape_of, within
from janani.registry.tracker.store import SQL
from janani.registry.tracker.times import write_instant

Json = dict[str, Any]
Reader = Callable[[str, str], bool]
"""Whether the user may see what hangs on (programme, owning unit)."""


def wants(selection: Selection | None, name: str) -> bool:
    """Whether `selection` shows property `name`; None shows everything."""
    if selection is None:
        return True
    if name in selection.excluded:
        return False
    return any(item.name in ("*", ":all", ":owner", ":persisted", name) for item in selection.items)


def inside(selection: Selection | None, name: str) -> Selection | None:
    """What `selection` says about the properties of `name`; None when it says nothing."""
    if selection is None:
        return None
    return next((item.nested for item in reversed(selection.items) if item.name == name and item.nested), None)


class Trees:
    """Reads trees on one connection. A selection of nothing but names (`shape_of`) is met at once; of any other all is
    made that it may need, and is to be chosen from.

    `program` limits what of a person is shown to that programme; `sees` says whose records the user may see and
    `stages` which stages' events.
    """

    def __init__(
        self,
        connection: asyncpg.Connection,
        catalogue: Catalogue,
        zone: ZoneInfo,
        *,
        sees: Reader,
        stages: frozenset[str],
        deleted: bool = False,
        program: str | None = None,
    ) -> None:
        self._connection, self._catalogue, self._zone = connection, catalogue, zone
        self._sees, self._stages, self._deleted, self._program = sees, stages, deleted, program
        self._times: dict[datetime, str] = {}

    async def entities(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The people `ids` in that order, as much of them as `selection` shows."""
        rows = {row["id"]: row async for row in SQL.tree_entities(self._connection, ids=ids)}
        shape, inner = shape_of(selection), inside(selection, "enrollments")
        attributes, enrolled = wants(selection, "attributes"), wants(selection, "enrollments")
        values: dict[int, dict[str, Json]] = {}
        if attributes or (enrolled and wants(inner, "attributes")):
            values = await self._values(ids)
        owners = await self._owners(ids)
        enrollments: dict[int, list[Json]] = {}
        if enrolled:
            for person, enrollment in (await self._enrollments([], ids, inner, values, owners)).values():
                enrollments.setdefault(person, []).append(enrollment)
        make, found = maker(ENTITY, shape, self._time), []
        for row in (rows[each] for each in ids if each in rows):
            entity, place = make(row), row["id"]
            if shape is None or "relationships" in shape.names:
                entity["relationships"] = []
            if attributes:
                shown = self._own_attributes(row["type"], row["org_unit"], owners.get(place, {}))
                entity["attributes"] = self._shown(values.get(place, {}), shown, within(shape, "attributes"))
            if enrolled:
                entity["enrollments"] = enrollments.get(place, [])
            if wants(selection, "programOwners"):
                theirs = (one for one in owners.get(place, {}).values() if self._in_program(one["program"]))
                seen = (one for one in theirs if self._sees(one["program"], one["orgUnit"]))
                entity["programOwners"] = [cut(one, within(shape, "programOwners")) for one in seen]
            found.append(entity)
        return found

    async def enrollments(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The enrolments `ids` in that order, as much of them as `selection` shows."""
        rows = [row async for row in SQL.people_of_enrollments(self._connection, ids=ids)]
        persons = list({row["tracked_entity"] for row in rows})
        values = await self._values(persons) if wants(selection, "attributes") else {}
        found = await self._enrollments(ids, [], selection, values, await self._owners(persons))
        return [found[place][1] for place in ids if place in found]

    async def events(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The events `ids` in that order."""
        found = {row["id"]: event for row, event in await self._events(ids, [], selection, _LISTED_EVENT)}
        return [found[place] for place in ids if place in found]

    def _in_program(self, program: str) -> bool:
        return self._program is None or program == self._program

    def _own_attributes(self, type_uid: str, unit: str, owners: Mapping[str, Json]) -> set[str]:
        """Those of her type, and with `program` its own too, if its owner (without one, her unit) is seen."""
        kind = self._catalogue.types.get(type_uid)
        shown = set(kind.attributes) if kind else set()
        program = self._catalogue.programs.get(self._program or "")
        if program is None or not self._sees(program.uid, owners.get(program.uid, {}).get("orgUnit", unit)):
            return shown
        return shown | set(program.attributes)

    async def _values(self, people: Sequence[int]) -> dict[int, dict[str, Json]]:
        found: dict[int, dict[str, Json]] = {}
        async for row in SQL.tree_values(self._connection, ids=people):
            attribute = self._catalogue.attributes.get(row["attribute"])
            if attribute is None:
                continue
            value = {
                "attribute": attribute.uid,
                "code": attribute.code,
                "displayName": attribute.name,
                "createdAt": self._time(row["created_at"]),
                "updatedAt": self._time(row["updated_at"]),
                "storedBy": row["stored_by"],
                "valueType": attribute.value_type,
                "value": row["value"],
            }
            found.setdefault(row["tracked_entity"], {})[attribute.uid] = _without_nulls(value)
        return found

    async def _owners(self, people: Sequence[int]) -> dict[int, dict[str, Json]]:
        """Each one's owners by programme, also those the user may not see."""
        found: dict[int, dict[str, Json]] = {}
        async for row in SQL.tree_owners(self._connection, ids=people):
            owner = {"orgUnit": row["org_unit"], "trackedEntity": row["uid"], "program": row["program"]}
            found.setdefault(row["tracked_entity"], {})[row["program"]] = owner
        return found

    async def _enrollments(
        self,
        ids: Sequence[int],
        people: Sequence[int],
        selection: Selection | None,
        values: dict[int, dict[str, Json]],
        owners: dict[int, dict[str, Json]],
    ) -> dict[int, tuple[int, Json]]:
        """Whose each enrolment is, and itself with events and notes; only those in programmes whose owner is seen."""
        seen = {
            (place, program)
            for place, some in owners.items()
            for program, owner in some.items()
            if self._sees(program, owner["orgUnit"])
        }
        query = SQL.tree_enrollments(self._connection, ids=ids, people=people, deleted=self._deleted)
        rows = [
            row async for row in query if (row["person"], row["program"]) in seen and self._in_program(row["program"])
        ]
        shape, attributes = shape_of(selection), wants(selection, "attributes")
        with_events, with_notes = wants(selection, "events"), wants(selection, "notes")
        events: dict[int, list[Json]] = {}
        if with_events:
            ids = [row["id"] for row in rows]
            for row, event in await self._events([], ids, inside(selection, "events")):
                events.setdefault(row["enrollment_id"], []).append(event)
        notes = await self._notes([row["id"] for row in rows], []) if with_notes else {}
        make, found = maker(ENROLLMENT, shape, self._time), {}
        for row in rows:
            enrollment, program = make(row), self._catalogue.programs.get(row["program"])
            if with_events:
                enrollment["events"] = events.get(row["id"], [])
            if shape is None or "relationships" in shape.names:
                enrollment["relationships"] = []
            if attributes:
                shown = program.attributes if program else ()
                mine = values.get(row["person"], {})
                enrollment["attributes"] = self._shown(mine, shown, within(shape, "attributes"))
            if with_notes:
                mine_too = notes.get(("enrollment", row["id"]), [])
                enrollment["notes"] = [cut(one, within(shape, "notes")) for one in mine_too]
            found[row["id"]] = (row["person"], enrollment)
        return found

    async def _events(
        self,
        ids: Sequence[int],
        enrollments: Sequence[int],
        selection: Selection | None,
        table: Mapping[str, tuple[str, str]] = EVENT,
    ) -> list[tuple[asyncpg.Record, Json]]:
        """Events by their own ids, or all of these enrolments, with their rows."""
        shape = shape_of(selection)
        said, with_values = within(shape, "dataValues"), wants(selection, "dataValues")
        brief = not with_values or (said is not None and said.is_brief_value)
        query = SQL.tree_events(self._connection, ids=ids, enrollments=enrollments, deleted=self._deleted, brief=brief)
        rows = [row async for row in query if row["program_stage"] in self._stages]
        with_notes = wants(selection, "notes")
        notes = await self._notes([], [row["id"] for row in rows]) if rows and with_notes else {}
        make, found = maker(table, shape, self._time), []
        for row in rows:
            event = make(row)
            if shape is None or "relationships" in shape.names:
                event["relationships"] = []
            if with_values:
                event["dataValues"] = (
                    _brief_values(row, said) if brief and said else self._data_values(row["data_values"], said)
                )
            if with_notes:
                mine = notes.get(("event", row["id"]), [])
                event["notes"] = [cut(one, within(shape, "notes")) for one in mine]
            found.append((row, event))
        return found

    async def _notes(self, enrollments: Sequence[int], events: Sequence[int]) -> dict[tuple[str, int], list[Json]]:
        found: dict[tuple[str, int], list[Json]] = {}
        async for row in SQL.tree_notes(self._connection, enrollments=enrollments, events=events):
            note = {
                "note": row["uid"],
                "value": row["value"],
                "storedAt": self._time(row["stored_at"]),
                "storedBy": row["stored_by"],
                "createdBy": msgspec.json.decode(row["created_by"]),
            }
            key = ("enrollment", row["enrollment"]) if row["enrollment"] is not None else ("event", row["event"])
            found.setdefault(key, []).append(_without_nulls(note))
        return found

    @staticmethod
    def _shown(values: dict[str, Json], attributes: Iterable[str], shape: Shape | None) -> list[Json]:
        return [cut(values[uid], shape) for uid in attributes if uid in values]

    def _time(self, instant: datetime) -> str:
        """`instant` as the wire has it; what was imported together bears one."""
        found = self._times.get(instant)
        if found is None:
            found = self._times[instant] = write_instant(instant, self._zone)
        return found

    def _data_values(self, text: str, shape: Shape | None) -> list[Json]:
        stored: dict[str, Json] = msgspec.json.decode(text)
        times: dict[str, str] = {}

        def local(text: str) -> str:
            if text not in times:
                times[text] = self._time(datetime.fromisoformat(text))
            return times[text]

        every = (
            {"dataElement": uid}
            | value
            | {"createdAt": local(value["createdAt"]), "updatedAt": local(value["updatedAt"])}
            for uid, value in stored.items()
        )
        return [cut(one, shape) for one in every]


_LISTED_EVENT = EVENT | {"followup": EVENT["followUp"]}
"""In a list of events this property has a second name (reference §3.6)."""


def _brief_values(row: asyncpg.Record, shape: Shape) -> list[Json]:
    said = zip(row["elements"], msgspec.json.decode(row["said"]), strict=True)
    return [cut({"dataElement": element, "value": value}, shape) for element, value in said]


def _without_nulls(one: Json) -> Json:
    return {name: value for name, value in one.items() if value is not None}
