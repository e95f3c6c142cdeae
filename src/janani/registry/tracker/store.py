"""The tracker's tables: what is known before an import, and the writes after it. A handful of statements a batch."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from janani.kernel import trace
from janani.kernel.postgres import json_of, queries
from janani.registry.tracker.actor import Actor
from janani.registry.tracker.catalogue import Catalogue
from janani.registry.tracker.known import Known, StoredEnrollment, StoredEntity, StoredEvent
from janani.registry.tracker.payload import Bundle, text_of
from janani.registry.tracker.plan import Row, Writes
from janani.registry.tracker.values import stored_form

SQL = queries("janani.registry.tracker")
_ENTITY = (
    "type",
    "org_unit",
    "inactive",
    "potential_duplicate",
    "geometry",
    "stored_by",
    "created_at_client",
    "updated_at_client",
)
_ENROLLMENT = (
    "program",
    "org_unit",
    "status",
    "enrolled_at",
    "occurred_at",
    "completed_at",
    "completed_by",
    "follow_up",
    "geometry",
    "stored_by",
    "created_at_client",
    "updated_at_client",
)
_EVENT = (
    "program",
    "program_stage",
    "org_unit",
    "status",
    "occurred_at",
    "scheduled_at",
    "completed_at",
    "completed_by",
    "attribute_option_combo",
    "attribute_category_options",
    "assigned_user",
    "geometry",
    "stored_by",
    "created_at_client",
    "updated_at_client",
)
_KNOWN_OF_ENROLLMENT = (
    "uid",
    "tracked_entity",
    "program",
    "org_unit",
    "status",
    "deleted",
    "completed_at",
    "completed_by",
)
_KNOWN_OF_EVENT = (*_KNOWN_OF_ENROLLMENT, "enrollment", "program_stage")
_JSON = frozenset(("geometry", "assigned_user"))


async def preheat(
    connection: asyncpg.Connection,
    bundle: Bundle,
    catalogue: Catalogue,
    users: dict[str, dict[str, str]],
    now: datetime,
) -> Known:
    """What the rules need to know, one query a table. Locks people and lone events until the transaction ends."""
    known = Known(users=users)
    people = {one.uid for one in bundle.tracked_entities} | {one.tracked_entity or "" for one in bundle.enrollments}
    enrolled = {one.uid for one in bundle.enrollments} | {one.enrollment or "" for one in bundle.events}
    events = [one.uid for one in bundle.events]
    locked = SQL.lock_people(connection, people=list(people), enrollments=list(enrolled), events=events)
    ids = [row["id"] async for row in locked]
    if alone := [one.uid for one in bundle.events if not one.enrollment]:
        await SQL.lock_events_alone(connection, events=alone)
    if ids:
        await _read_people(connection, known, ids)
    if ids or events:
        await _read_events(connection, known, ids, events)
    await _read_unique(connection, known, bundle, catalogue, now)
    sent = [*(one.notes for one in bundle.enrollments), *(one.notes for one in bundle.events)]
    notes = [note.note for some in sent for note in some or () if note.note]
    if notes:
        known.notes = frozenset([row["uid"] async for row in SQL.known_notes(connection, uids=notes)])
    return known


async def _read_people(connection: asyncpg.Connection, known: Known, ids: list[int]) -> None:
    async for row in SQL.known_entities(connection, ids=ids):
        values = msgspec.json.decode(row["attribute_values"]) if row["attribute_values"] else {}
        scalars = _scalars(row, _ENTITY)
        entity = StoredEntity(row["uid"], row["type"], row["org_unit"], row["deleted"], scalars, values)
        known.entities[entity.uid] = entity
    async for row in SQL.known_enrollments(connection, ids=ids):
        known.add_enrollment(
            StoredEnrollment(**{name: row[name] for name in _KNOWN_OF_ENROLLMENT}, scalars=_scalars(row, _ENROLLMENT))
        )
    async for row in SQL.known_owners(connection, ids=ids):
        known.owners[row["tracked_entity"], row["program"]] = row["org_unit"]


async def _read_events(connection: asyncpg.Connection, known: Known, ids: list[int], events: list[str]) -> None:
    async for row in SQL.known_events(connection, ids=ids, events=events):
        known.add_event(
            StoredEvent(
                **{name: row[name] for name in _KNOWN_OF_EVENT},
                scalars=_scalars(row, _EVENT),
                data_values=msgspec.json.decode(row["data_values"]),
            )
        )


def _scalars(row: asyncpg.Record, names: tuple[str, ...]) -> Row:
    return {name: msgspec.json.decode(row[name]) if name in _JSON and row[name] else row[name] for name in names}


async def _read_unique(
    connection: asyncpg.Connection, known: Known, bundle: Bundle, catalogue: Catalogue, now: datetime
) -> None:
    """Who has the unique values the bundle brings, and which generated values are reserved."""
    pairs = _pairs(bundle, catalogue) | _pairs_that_move(known, bundle, catalogue)
    unique = [pair for pair in pairs if catalogue.attributes[pair[0]].unique]
    generated = [pair for pair in pairs if catalogue.attributes[pair[0]].pattern is not None]
    if unique:
        async for row in SQL.known_unique_values(connection, pairs=_json_pairs(unique)):
            known.taken[row["attribute"], row["unique_within"], row["value"]] = row["tracked_entity"]
    if generated:
        rows = SQL.known_reservations(connection, pairs=_json_pairs(generated), now=now)
        known.reserved = frozenset([(row["attribute"], row["value"]) async for row in rows])


def _pairs(bundle: Bundle, catalogue: Catalogue) -> set[tuple[str, str]]:
    """Attribute and value, in the form in which values are stored."""
    sent = [*(one.attributes for one in bundle.tracked_entities), *(one.attributes for one in bundle.enrollments)]
    found = set()
    for item in (item for some in sent for item in some or ()):
        attribute, value = catalogue.attributes.get(item.attribute or ""), text_of(item.value)
        if attribute is not None and value is not None:
            found.add((attribute.uid, stored_form(value, attribute.value_type)))
    return found


def _pairs_that_move(known: Known, bundle: Bundle, catalogue: Catalogue) -> set[tuple[str, str]]:
    """Attribute and value of what is unique within the unit that a person of the bundle leaves."""
    people = ((known.entities.get(one.uid), one.org_unit) for one in bundle.tracked_entities)
    moved = (stored for stored, unit in people if stored and stored.org_unit != unit)
    return {pair for stored in moved for pair in stored.values.items() if catalogue.unique_in_unit(pair[0])}


def _json_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return json_of([{"attribute": attribute, "value": value} for attribute, value in pairs])


async def save(connection: asyncpg.Connection, writes: Writes, actor: Actor, now: datetime) -> None:
    """Writes everything and announces whose record changed; one statement a table.

    Raises asyncpg.UniqueViolationError when another import stored the same uid or unique value meanwhile.
    """
    by = json_of(actor.snapshot)
    stamp: dict[str, Any] = {"now": now, "by": by}
    steps: tuple[tuple[Any, list[Row], dict[str, Any]], ...] = (
        (SQL.add_entities, writes.entities, stamp),
        (SQL.change_entities, writes.changed_entities, {}),
        (SQL.drop_values, writes.values_gone, {}),
        (SQL.save_values, writes.values, {"now": now}),
        (SQL.move_unique_values, writes.moved, {}),
        (SQL.add_enrollments, writes.enrollments, stamp),
        (SQL.change_enrollments, writes.changed_enrollments, stamp),
        (SQL.add_owners, writes.owners, {}),
        (SQL.add_events, writes.events, stamp),
        (SQL.change_events, writes.changed_events, stamp),
        (SQL.add_notes, writes.notes, stamp),
    )
    for statement, rows, parameters in steps:
        if rows:
            await statement(connection, rows=json_of(rows), **parameters)
    new = {row["uid"] for row in writes.entities}
    await _touch(connection, writes.touched - new, by, now)
    await announce(connection, writes.touched, now)


async def delete(connection: asyncpg.Connection, bundle: Bundle, people: set[str], actor: Actor, now: datetime) -> None:
    """Marks the objects of `bundle`, and what hangs on them, as deleted; `people` are those concerned."""
    by = json_of(actor.snapshot)
    for statement, objects in (
        (SQL.delete_events, bundle.events),
        (SQL.delete_enrollments, bundle.enrollments),
        (SQL.delete_entities, bundle.tracked_entities),
    ):
        if objects:
            await statement(connection, uids=[one.uid for one in objects], now=now, by=by)
    await _touch(connection, people, by, now)
    await announce(connection, people, now)


async def _touch(connection: asyncpg.Connection, people: set[str], by: str, now: datetime) -> None:
    if people:
        await SQL.touch_entities(connection, uids=list(people), now=now, by=by)


async def announce(connection: asyncpg.Connection, people: set[str], now: datetime) -> None:
    """Puts the people into the change feed's outbox, within the transaction of the change."""
    if people:
        await SQL.announce(connection, uids=sorted(people), now=now, traceparent=trace.traceparent())
