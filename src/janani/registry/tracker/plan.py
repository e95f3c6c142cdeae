"""From valid objects to the rows to write, compared with what is stored. Pure.

A row is a dict of column to value; what is the same as stored gives no row, so that a payload sent twice changes
nothing and tells nobody.
"""

from typing import Any

from msgspec import Struct, field

from janani.registry.tracker.known import StoredEvent
from janani.registry.tracker.payload import (
    AttributeValue,
    Bundle,
    Enrollment,
    Event,
    Note,
    TrackedEntity,
    TrackerType,
    text_of,
)
from janani.registry.tracker.report import Tally
from janani.registry.tracker.rules import enrollments as enrollment_rules
from janani.registry.tracker.rules import events as event_rules
from janani.registry.tracker.rules import shared
from janani.registry.tracker.rules.check import Check
from janani.registry.tracker.times import read_instant
from janani.registry.tracker.values import stored_form

Row = dict[str, Any]


class Writes(Struct):
    """What to write, table by table. `touched`: whose record changed (uids); `moved`: who is at another unit now."""

    entities: list[Row] = field(default_factory=list)
    changed_entities: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    values: list[Row] = field(default_factory=list)
    values_gone: list[Row] = field(default_factory=list)
    enrollments: list[Row] = field(default_factory=list)
    changed_enrollments: list[Row] = field(default_factory=list)
    owners: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    changed_events: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)


def plan(valid: Bundle, check: Check, new_uid: Any) -> tuple[Writes, dict[TrackerType, Tally]]:
    """The writes that make the database say what `valid` says, and what becomes of each object."""
    planner = _Planner(valid, check, new_uid)
    for entity in valid.tracked_entities:
        planner.take_entity(entity)
    for enrollment in valid.enrollments:
        planner.take_enrollment(enrollment)
    for event in valid.events:
        planner.take_event(event)
    for (person, attribute), row in planner.values.items():
        if row is None:
            planner.writes.values_gone.append({"tracked_entity": person, "attribute": attribute})
        else:
            planner.writes.values.append({"tracked_entity": person, "attribute": attribute, **row})
    return planner.writes, planner.tallies


class _Planner:
    def __init__(self, valid: Bundle, check: Check, new_uid: Any) -> None:
        self.valid, self.check, self.new_uid, self.writes = valid, check, new_uid, Writes()
        self.tallies: dict[TrackerType, Tally] = {
            "TRACKED_ENTITY": Tally(),
            "ENROLLMENT": Tally(),
            "EVENT": Tally(),
            "RELATIONSHIP": Tally(),
        }
        # By person and attribute: a value may be sent with the person and with her enrolment; None deletes.
        self.values: dict[tuple[str, str], Row | None] = {}
        self.notes = set(check.known.notes)

    def take_entity(self, entity: TrackedEntity) -> None:
        scalars = self._entity(entity)
        stored = self.check.known.entities.get(entity.uid)
        row = {"uid": entity.uid, **scalars}
        before = stored.scalars if stored else None
        self._file(
            "TRACKED_ENTITY", entity.uid, entity.uid, row, before, self.writes.entities, self.writes.changed_entities
        )
        if stored and stored.org_unit != entity.org_unit:
            self.writes.moved.append({"uid": entity.uid})
        self._take_values(entity.uid, entity.org_unit or "", entity.attributes)

    def take_enrollment(self, enrollment: Enrollment) -> None:
        person = enrollment.tracked_entity or ""
        scalars = self._enrollment(enrollment)
        stored = self.check.known.enrollments.get(enrollment.uid)
        row = {"uid": enrollment.uid, "tracked_entity": person, **scalars}
        before = stored.scalars if stored else None
        self._file(
            "ENROLLMENT", enrollment.uid, person, row, before, self.writes.enrollments, self.writes.changed_enrollments
        )
        if stored is None and (person, enrollment.program) not in self.check.known.owners:
            owner = {"tracked_entity": person, "program": enrollment.program, "org_unit": enrollment.org_unit}
            self.writes.owners.append(owner)
        self._take_values(
            person, enrollment_rules.unit_of(enrollment, self.valid, self.check.known), enrollment.attributes
        )
        self._take_notes(person, "enrollment", enrollment.uid, enrollment.notes)

    def take_event(self, event: Event) -> None:
        found = event_rules.enrolled(event, self.check)
        person = found[0] if found else None
        stored = self.check.known.events.get(event.uid)
        scalars = self._event(event, stored)
        scalars["data_values"] = self._data_values(event, stored)
        row = {"uid": event.uid, "enrollment": event.enrollment, **scalars}
        before = {**stored.scalars, "data_values": stored.data_values} if stored else None
        self._file("EVENT", event.uid, person, row, before, self.writes.events, self.writes.changed_events)
        self._take_notes(person, "event", event.uid, event.notes)

    def _file(
        self,
        type_: TrackerType,
        uid: str,
        person: str | None,
        row: Row,
        before: Row | None,
        new: list[Row],
        changed: list[Row],
    ) -> None:
        """Files `row` as new, or as changed when it differs from `before`."""
        if before is None:
            self.tallies[type_].created.append(uid)
            new.append(row)
            self._touch(person)
            return
        self.tallies[type_].updated.append(uid)
        if any(row[name] != value for name, value in before.items()):
            changed.append(row)
            self._touch(person)

    def _touch(self, person: str | None) -> None:
        if person:
            self.writes.touched.add(person)

    def _instant(self, text: str | None) -> Any:
        return read_instant(text, self.check.zone) if text else None

    def _entity(self, entity: TrackedEntity) -> Row:
        return {
            "type": entity.tracked_entity_type,
            "org_unit": entity.org_unit,
            "inactive": bool(entity.inactive),
            "potential_duplicate": bool(entity.potential_duplicate),
            "geometry": entity.geometry,
            "stored_by": entity.stored_by,
            "created_at_client": self._instant(entity.created_at_client),
            "updated_at_client": self._instant(entity.updated_at_client),
        }

    def _enrollment(self, enrollment: Enrollment) -> Row:
        stored = self.check.known.enrollments.get(enrollment.uid)
        completed = enrollment.status == "COMPLETED"
        return {
            "program": enrollment.program,
            "org_unit": enrollment.org_unit,
            "status": enrollment.status or "ACTIVE",
            "enrolled_at": self._instant(enrollment.enrolled_at),
            "occurred_at": self._instant(enrollment.occurred_at),
            "completed_at": self._completed_at(
                completed, enrollment.completed_at, stored.completed_at if stored else None
            ),
            "completed_by": self._completed_by(completed, stored.completed_by if stored else None),
            "follow_up": bool(enrollment.follow_up),
            "geometry": enrollment.geometry,
            "stored_by": enrollment.stored_by,
            "created_at_client": self._instant(enrollment.created_at_client),
            "updated_at_client": self._instant(enrollment.updated_at_client),
        }

    def _event(self, event: Event, stored: StoredEvent | None) -> Row:
        completed = event.status == "COMPLETED"
        program = event_rules.program_of(event, self.check)
        catalogue = self.check.catalogue
        return {
            "program": program.uid if program else event.program,
            "program_stage": event.program_stage,
            "org_unit": event.org_unit,
            "status": event_rules.status_of(event),
            "occurred_at": self._instant(event.occurred_at),
            "scheduled_at": self._instant(event.scheduled_at),
            "completed_at": self._completed_at(completed, event.completed_at, stored.completed_at if stored else None),
            "completed_by": self._completed_by(completed, stored.completed_by if stored else None),
            "attribute_option_combo": event.attribute_option_combo or catalogue.default_option_combo,
            "attribute_category_options": event.attribute_category_options or catalogue.default_category_option,
            "assigned_user": self._assigned(event),
            "geometry": event.geometry,
            "stored_by": event.stored_by,
            "created_at_client": self._instant(event.created_at_client),
            "updated_at_client": self._instant(event.updated_at_client),
        }

    def _assigned(self, event: Event) -> Row | None:
        stage = self.check.catalogue.stages.get(event.program_stage or "")
        name = event_rules.assignee(event)
        return self.check.known.users.get(name) if name and stage and stage.assignable else None

    def _completed_at(self, completed: bool, sent: str | None, stored: Any) -> Any:
        return (self._instant(sent) or stored or self.check.now) if completed else None

    def _completed_by(self, completed: bool, stored: str | None) -> str | None:
        return (stored or self.check.actor.username) if completed else None

    def _take_values(self, person: str, unit: str, sent: list[AttributeValue] | None) -> None:
        stored = self.check.known.entities.get(person)
        before = stored.values if stored else {}
        for item in sent or ():
            attribute = self.check.catalogue.attributes[item.attribute or ""]
            text = text_of(item.value)
            value = stored_form(text, attribute.value_type) if text is not None else None
            key = (person, attribute.uid)
            planned = self.values.get(key)
            if key not in self.values and before.get(attribute.uid) == value:
                continue
            if planned is not None and planned["value"] == value:
                continue
            self._touch(person)
            within = shared.unique_within(attribute, unit) if attribute.unique else None
            by = item.stored_by or self.check.actor.username
            self.values[key] = None if value is None else {"value": value, "unique_within": within, "stored_by": by}

    def _data_values(self, event: Event, stored: StoredEvent | None) -> dict[str, Row]:
        """The event's values after merging: absent ones stay, null ones go, equal ones keep their history."""
        merged = dict(stored.data_values) if stored else {}
        now, by = self.check.now.isoformat(timespec="milliseconds"), self.check.actor
        for item in event.data_values or ():
            uid, text = item.data_element or "", text_of(item.value)
            if text is None:
                merged.pop(uid, None)
                continue
            value = stored_form(text, self.check.catalogue.elements[uid].value_type)
            before = merged.get(uid)
            if before and (before["value"], before["providedElsewhere"]) == (value, item.provided_elsewhere):
                continue
            merged[uid] = {
                "value": value,
                "providedElsewhere": item.provided_elsewhere,
                "storedBy": item.stored_by or by.username,
                "createdAt": before["createdAt"] if before else now,
                "updatedAt": now,
                "createdBy": before["createdBy"] if before else by.snapshot,
                "updatedBy": by.snapshot,
            }
        return merged

    def _take_notes(self, person: str | None, owner: str, uid: str, sent: list[Note] | None) -> None:
        for note in sent or ():
            if not note.value or (note.note and note.note in self.notes):
                continue
            by = note.stored_by or self.check.actor.username
            name = note.note or self.new_uid()
            self.notes.add(name)
            row = {"uid": name, "enrollment": None, "event": None}
            self.writes.notes.append({**row, owner: uid, "value": note.value, "stored_by": by})
            self._touch(person)
