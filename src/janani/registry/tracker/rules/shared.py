"""Rules that read the same for every kind of object: existence, attribute and data values, geometry, notes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from janani.kernel.ids import is_uid
from janani.registry.tracker.catalogue import Attribute, Programme
from janani.registry.tracker.patterns import matches
from janani.registry.tracker.payload import AttributeValue, Note, TrackerType, text_of
from janani.registry.tracker.rules.check import Check, Fault
from janani.registry.tracker.values import MAX_ATTRIBUTE_LENGTH, fault_of, stored_form

# (already there, not there, deleted)
_EXISTENCE: dict[TrackerType, tuple[str, str, str]] = {
    "TRACKED_ENTITY": ("E1002", "E1063", "E1114"),
    "ENROLLMENT": ("E1080", "E1081", "E1113"),
    "EVENT": ("E1030", "E1032", "E1082"),
}


def existence(type_: TrackerType, uid: str, stored: Any, check: Check) -> Iterator[Fault]:
    """The uid is well formed, and there or not there as the strategy needs (§2.5)."""
    there, missing, deleted = _EXISTENCE[type_]
    if not is_uid(uid):
        yield Fault("E1048", type_, uid, (type_, uid))
    elif stored is not None and stored.deleted:
        yield Fault(deleted, type_, uid, (uid,))
    elif stored is not None and check.strategy == "CREATE":
        yield Fault(there, type_, uid, (uid,))
    elif stored is None and check.strategy in ("UPDATE", "DELETE"):
        yield Fault(missing, type_, uid, (uid,))


def owned(type_: TrackerType, uid: str, person: str, program: Programme, check: Check) -> Iterator[Fault]:
    """What `person` has in `program` is written by who reaches the unit that owns her there (§3.9)."""
    owner = check.known.owner(person, program.uid)
    if owner is not None and not check.actor.reaches(owner, closed=program.closed):
        yield Fault("E1102", type_, uid, (check.actor.uid, person, program.uid))


def geometry(type_: TrackerType, uid: str, sent: dict[str, Any] | None, feature: str | None) -> Iterator[Fault]:
    """A geometry has the kind that the metadata asks for."""
    if sent is None:
        return
    if feature is None:
        yield Fault("E1074", type_, uid)
    elif feature == "NONE" or str(sent.get("type", "")).upper().replace("MULTIPOLYGON", "MULTI_POLYGON") != feature:
        yield Fault("E1012", type_, uid, (feature,))


def notes(type_: TrackerType, uid: str, sent: Sequence[Note] | None, check: Check) -> Iterator[Fault]:
    """A note that is there already is left alone, with a warning."""
    for note in sent or ():
        if note.note and note.note in check.known.notes:
            yield Fault("E1119", type_, uid, (note.note,))


def attributes(
    type_: TrackerType, uid: str, owner: str, unit: str, sent: Sequence[AttributeValue] | None, check: Check
) -> Iterator[Fault]:
    """Every attribute exists and every value is one of its type, of its options, and hers alone if unique.

    `owner` is the tracked entity's uid; `unit` where its values are unique when they are so within a unit.
    """
    for item in sent or ():
        if not item.attribute:
            yield Fault("E1075", type_, uid, ("",))
            continue
        attribute = check.catalogue.attributes.get(item.attribute)
        if attribute is None:
            yield Fault("E1006", type_, uid, (item.attribute,))
            continue
        value = text_of(item.value)
        if value is not None:
            yield from _value(type_, uid, owner, unit, attribute, value, check)


def _value(
    type_: TrackerType, uid: str, owner: str, unit: str, attribute: Attribute, value: str, check: Check
) -> Iterator[Fault]:
    if len(value) > MAX_ATTRIBUTE_LENGTH:
        yield Fault("E1077", type_, uid, (attribute.uid, str(MAX_ATTRIBUTE_LENGTH)))
    elif reason := fault_of(value, attribute.value_type):
        yield Fault("E1007", type_, uid, (attribute.uid, reason))
    elif attribute.options is not None and not _is_option(value, attribute.value_type, attribute.options):
        yield Fault("E1125", type_, uid, (attribute.uid,))
    else:
        kept = stored_form(value, attribute.value_type)
        if (
            attribute.unique
            and check.known.taken.get((attribute.uid, unique_within(attribute, unit), kept), owner) != owner
        ):
            yield Fault("E1064", type_, uid, (attribute.uid,))
        yield from _pattern(type_, uid, owner, attribute, kept, check)


def _pattern(
    type_: TrackerType, uid: str, owner: str, attribute: Attribute, value: str, check: Check
) -> Iterator[Fault]:
    stored = check.known.entities.get(owner)
    unchanged = stored is not None and stored.values.get(attribute.uid) == value
    if attribute.pattern is None or check.skip_patterns or unchanged:
        return
    if not matches(attribute.pattern, value) and (attribute.uid, value) not in check.known.reserved:
        yield Fault("E1008", type_, uid, (attribute.uid, attribute.pattern))


def _is_option(value: str, value_type: str, options: frozenset[str]) -> bool:
    return options.issuperset(value.split(",")) if value_type == "MULTI_TEXT" else value in options


def element_fault(value: str, value_type: str, options: frozenset[str] | None) -> str | None:
    """The code of what is wrong with a data value, or None."""
    if fault_of(value, value_type):
        return "E1302"
    if options is not None and not _is_option(value, value_type, options):
        return "E1125"
    return None


def unique_within(attribute: Attribute, unit: str) -> str:
    """Where a unique value may stand only once: in the unit, or (empty) anywhere."""
    return unit if attribute.org_unit_scope else ""


def given(sent: Iterable[AttributeValue] | None) -> dict[str, str | None]:
    """The attribute values sent, None for those to delete."""
    return {item.attribute: text_of(item.value) for item in sent or () if item.attribute}
