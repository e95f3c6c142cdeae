"""People, enrolments and events as DHIS2 writes them, read whole with one statement a table (reference §3.4)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from janani.registry.metadata.fields import Selection
from janani.registry.tracker.catalogue import Catalogue
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
    """Reads trees on one connection.

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

    async def entities(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The people `ids` in that order, as much of them as `selection` shows."""
        rows = {row["id"]: row async for row in SQL.tree_entities(self._connection, ids=ids)}
        inner = inside(selection, "enrollments")
        enrolled = wants(selection, "enrollments")
        values: dict[int, dict[str, Json]] = {}
        if wants(selection, "attributes") or (enrolled and wants(inner, "attributes")):
            values = await self._values(ids)
        owners = await self._owners(ids)
        enrollments: dict[int, list[Json]] = {}
        if enrolled:
            enrollments = await self._enrollments([], ids, inner, values, owners)
        found = []
        for place in (each for each in ids if each in rows):
            entity = self._entity(rows[place])
            entity["relationships"] = []
            entity["attributes"] = self._shown(
                values.get(place, {}), self._own_attributes(entity, owners.get(place, ()))
            )
            entity["enrollments"] = enrollments.get(place, [])
            entity["programOwners"] = [owner for owner in owners.get(place, ()) if self._in_program(owner["program"])]
            found.append(entity)
        return found

    async def enrollments(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The enrolments `ids` in that order, as much of them as `selection` shows."""
        rows = [row async for row in SQL.people_of_enrollments(self._connection, ids=ids)]
        persons = list({row["tracked_entity"] for row in rows})
        values = await self._values(persons) if wants(selection, "attributes") else {}
        by_person = await self._enrollments(ids, [], selection, values, await self._owners(persons))
        found = {one["enrollment"]: one for some in by_person.values() for one in some}
        order = {row["id"]: row["uid"] for row in rows}
        return [found[order[place]] for place in ids if order.get(place) in found]

    async def events(self, ids: Sequence[int], selection: Selection | None) -> list[Json]:
        """The events `ids` in that order."""
        rows = [row async for row in SQL.tree_events(self._connection, ids=ids, enrollments=[], deleted=self._deleted)]
        notes = await self._notes([], [row["id"] for row in rows]) if wants(selection, "notes") else {}
        found = {row["id"]: self._event(row, notes) for row in rows if row["program_stage"] in self._stages}
        return [found[place] for place in ids if place in found]

    def _in_program(self, program: str) -> bool:
        return self._program is None or program == self._program

    def _own_attributes(self, entity: Json, owners: Iterable[Json]) -> set[str]:
        """Those of her type, and with `program` those of the programme."""
        kind = self._catalogue.types.get(entity["trackedEntityType"])
        shown = set(kind.attributes) if kind else set()
        program = self._catalogue.programs.get(self._program or "")
        readable = any(self._sees(owner["program"], owner["orgUnit"]) for owner in owners)
        return shown | set(program.attributes) if program and readable else shown

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

    async def _owners(self, people: Sequence[int]) -> dict[int, list[Json]]:
        found: dict[int, list[Json]] = {}
        async for row in SQL.tree_owners(self._connection, ids=people):
            if self._sees(row["program"], row["org_unit"]):
                owner = {"orgUnit": row["org_unit"], "trackedEntity": row["uid"], "program": row["program"]}
                found.setdefault(row["tracked_entity"], []).append(owner)
        return found

    async def _enrollments(
        self,
        ids: Sequence[int],
        people: Sequence[int],
        selection: Selection | None,
        values: dict[int, dict[str, Json]],
        owners: dict[int, list[Json]],
    ) -> dict[int, list[Json]]:
        """Enrolments by person, each with its events and notes; only those in programmes whose owner is seen."""
        seen = {(place, owner["program"]) for place, some in owners.items() for owner in some}
        query = SQL.tree_enrollments(self._connection, ids=ids, people=people, deleted=self._deleted)
        rows = [
            row async for row in query if (row["person"], row["program"]) in seen and self._in_program(row["program"])
        ]
        events = await self._events_of(rows, selection) if wants(selection, "events") else {}
        notes = await self._notes([row["id"] for row in rows], []) if wants(selection, "notes") else {}
        found: dict[int, list[Json]] = {}
        for row in rows:
            enrollment = self._enrollment(row)
            program = self._catalogue.programs.get(row["program"])
            enrollment["events"] = events.get(row["id"], [])
            enrollment["relationships"] = []
            enrollment["attributes"] = self._shown(values.get(row["person"], {}), program.attributes if program else ())
            enrollment["notes"] = notes.get(("enrollment", row["id"]), [])
            found.setdefault(row["person"], []).append(enrollment)
        return found

    async def _events_of(
        self, enrollments: Sequence[asyncpg.Record], selection: Selection | None
    ) -> dict[int, list[Json]]:
        ids = [row["id"] for row in enrollments]
        query = SQL.tree_events(self._connection, ids=[], enrollments=ids, deleted=self._deleted)
        rows = [row async for row in query if row["program_stage"] in self._stages]
        inner = inside(selection, "events")
        notes = await self._notes([], [row["id"] for row in rows]) if rows and wants(inner, "notes") else {}
        found: dict[int, list[Json]] = {}
        for row in rows:
            found.setdefault(row["enrollment_id"], []).append(self._event(row, notes))
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
    def _shown(values: dict[str, Json], attributes: Iterable[str]) -> list[Json]:
        return [values[uid] for uid in attributes if uid in values]

    def _time(self, instant: datetime | None) -> str | None:
        return None if instant is None else write_instant(instant, self._zone)

    def _common(self, row: asyncpg.Record) -> Json:
        return {
            "createdAt": self._time(row["created_at"]),
            "createdAtClient": self._time(row["created_at_client"]),
            "updatedAt": self._time(row["updated_at"]),
            "updatedAtClient": self._time(row["updated_at_client"]),
            "orgUnit": row["org_unit"],
            "deleted": row["deleted"],
            "storedBy": row["stored_by"],
            "geometry": msgspec.json.decode(row["geometry"]) if row["geometry"] else None,
            "createdBy": msgspec.json.decode(row["created_by"]),
            "updatedBy": msgspec.json.decode(row["updated_by"]),
        }

    def _entity(self, row: asyncpg.Record) -> Json:
        own = {
            "trackedEntity": row["uid"],
            "trackedEntityType": row["type"],
            "inactive": row["inactive"],
            "potentialDuplicate": row["potential_duplicate"],
        }
        return _without_nulls(own | self._common(row))

    def _enrollment(self, row: asyncpg.Record) -> Json:
        own = {
            "enrollment": row["uid"],
            "trackedEntity": row["tracked_entity"],
            "program": row["program"],
            "status": row["status"],
            "enrolledAt": self._time(row["enrolled_at"]),
            "occurredAt": self._time(row["occurred_at"]),
            "followUp": row["follow_up"],
            "completedBy": row["completed_by"],
            "completedAt": self._time(row["completed_at"]),
        }
        return _without_nulls(own | self._common(row))

    def _event(self, row: asyncpg.Record, notes: dict[tuple[str, int], list[Json]]) -> Json:
        own = {
            "event": row["uid"],
            "status": row["status"],
            "program": row["program"],
            "programStage": row["program_stage"],
            "enrollment": row["enrollment"],
            "trackedEntity": row["tracked_entity"],
            "occurredAt": self._time(row["occurred_at"]),
            "scheduledAt": self._time(row["scheduled_at"]),
            "followUp": row["follow_up"],
            "attributeOptionCombo": row["attribute_option_combo"],
            "attributeCategoryOptions": row["attribute_category_options"],
            "completedBy": row["completed_by"],
            "completedAt": self._time(row["completed_at"]),
            "assignedUser": msgspec.json.decode(row["assigned_user"]) if row["assigned_user"] else None,
            "relationships": [],
            "dataValues": self._data_values(msgspec.json.decode(row["data_values"])),
            "notes": notes.get(("event", row["id"]), []),
        }
        return _without_nulls(own | self._common(row))

    def _data_values(self, stored: dict[str, Json]) -> list[Json]:
        times: dict[str, str | None] = {}

        def local(text: str) -> str | None:
            if text not in times:
                times[text] = self._time(datetime.fromisoformat(text))
            return times[text]

        return [
            {"dataElement": uid}
            | value
            | {"createdAt": local(value["createdAt"]), "updatedAt": local(value["updatedAt"])}
            for uid, value in stored.items()
        ]


def _without_nulls(one: Json) -> Json:
    return {name: value for name, value in one.items() if value is not None}
