"""Rules for tracked entities (reference §2.5, §2.7)."""

from collections.abc import Iterator

from janani.registry.tracker.known import StoredEntity
from janani.registry.tracker.payload import TrackedEntity, TrackerType
from janani.registry.tracker.rules import shared
from janani.registry.tracker.rules.check import Check, Fault, every, first

_TYPE: TrackerType = "TRACKED_ENTITY"


def _stored(entity: TrackedEntity, check: Check) -> StoredEntity | None:
    return check.known.entities.get(entity.uid)


def _exists(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    return shared.existence(_TYPE, entity.uid, _stored(entity, check), check)


def _complete(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    for name, value in (("trackedEntityType", entity.tracked_entity_type), ("orgUnit", entity.org_unit)):
        if not value:
            yield Fault("E1121", _TYPE, entity.uid, (name,))


def _refers(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    if entity.tracked_entity_type not in check.catalogue.types:
        yield Fault("E1005", _TYPE, entity.uid, (entity.tracked_entity_type or "",))
    if entity.org_unit not in check.catalogue.org_units:
        yield Fault("E1049", _TYPE, entity.uid, (entity.org_unit or "",))
    stored = _stored(entity, check)
    if stored is not None and stored.type != entity.tracked_entity_type:
        yield Fault("E1126", _TYPE, entity.uid, ("trackedEntityType",))


def writable(stored: StoredEntity, check: Check) -> bool:
    """Whether the user may change this person: through a programme's owner, else her registration unit (§3.9)."""
    readable = [
        (row.program, check.catalogue.programs[row.program])
        for row in check.known.enrollments_of(stored.uid)
        if row.program in check.catalogue.programs
        and check.actor.may("data-read", check.catalogue.programs[row.program].sharing)
    ]
    if not readable:
        return check.actor.captures_at(stored.org_unit)
    return any(
        check.actor.reaches(check.known.owner(stored.uid, uid), closed=program.closed) for uid, program in readable
    )


def _allowed(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    kind = check.catalogue.types[entity.tracked_entity_type or ""]
    stored = _stored(entity, check)
    if not check.actor.may("data-write", kind.sharing):
        yield Fault("E1001", _TYPE, entity.uid, (check.actor.uid, kind.uid))
    if stored is not None and not writable(stored, check):
        yield Fault("E1003", _TYPE, entity.uid, (check.actor.uid, entity.uid))
    moved = stored is None or stored.org_unit != entity.org_unit
    if moved and not check.actor.captures_at(entity.org_unit):
        yield Fault("E1000", _TYPE, entity.uid, (check.actor.uid, entity.org_unit or ""))


def _attributes(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    yield from shared.attributes(_TYPE, entity.uid, entity.uid, entity.org_unit or "", entity.attributes, check)
    yield from _moved_values(entity, check)


def _moved_values(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    """What was hers alone in the unit she leaves is so in the one she comes to."""
    stored, unit = _stored(entity, check), entity.org_unit or ""
    if stored is None or stored.org_unit == unit:
        return
    for uid in stored.values.keys() - shared.given(entity.attributes).keys():
        key = (uid, unit, stored.values[uid])
        if check.catalogue.unique_in_unit(uid) and check.known.taken.get(key, entity.uid) != entity.uid:
            yield Fault("E1064", _TYPE, entity.uid, (uid,))


def _mandatory(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    kind = check.catalogue.types[entity.tracked_entity_type or ""]
    given, stored = shared.given(entity.attributes), _stored(entity, check)
    for attribute in (uid for uid, mandatory in kind.attributes.items() if mandatory):
        if attribute in given:
            if given[attribute] is None:
                yield Fault("E1076", _TYPE, entity.uid, ("TrackedEntityAttribute", attribute))
        elif stored is None or attribute not in stored.values:
            yield Fault("E1090", _TYPE, entity.uid, (attribute, kind.uid, entity.uid))


def _geometry(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    kind = check.catalogue.types[entity.tracked_entity_type or ""]
    return shared.geometry(_TYPE, entity.uid, entity.geometry, kind.feature_type)


_save = first(_exists, _complete, _refers, _allowed, every(_mandatory, _attributes, _geometry))


def _deletable(entity: TrackedEntity, check: Check) -> Iterator[Fault]:
    stored = _stored(entity, check)
    if stored is None:
        return
    kind = check.catalogue.types.get(stored.type)
    if kind is None or not check.actor.may("data-write", kind.sharing):
        yield Fault("E1001", _TYPE, entity.uid, (check.actor.uid, stored.type))
    if not writable(stored, check) or not check.actor.captures_at(stored.org_unit):
        yield Fault("E1000", _TYPE, entity.uid, (check.actor.uid, stored.org_unit))
    if check.known.enrollments_of(entity.uid) and not check.actor.has("F_TEI_CASCADE_DELETE"):
        yield Fault("E1100", _TYPE, entity.uid, (check.actor.uid, entity.uid))


_delete = first(_exists, _deletable)


def faults(entity: TrackedEntity, check: Check) -> list[Fault]:
    """Everything wrong with this tracked entity."""
    return list((_delete if check.strategy == "DELETE" else _save)(entity, check))
