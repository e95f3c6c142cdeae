"""The rules over a whole bundle: who is valid, and what fails because its parent does. Pure."""

from collections.abc import Iterator

from janani.registry.tracker.payload import Bundle, Note, TrackerType, text_of
from janani.registry.tracker.rules import enrollments, events, shared, tracked_entities
from janani.registry.tracker.rules.check import Check, Fault
from janani.registry.tracker.values import stored_form


def validate(check: Check, *, fail_fast: bool = False) -> list[Fault]:
    """Every fault of every object, parents first; with `fail_fast` up to the first error, the rest unchecked."""
    _claim_unique_values(check)
    found: list[Fault] = []
    for fault in _all(check):
        found.append(fault)
        if fail_fast and not fault.warning:
            break
    return found


def _all(check: Check) -> Iterator[Fault]:
    """Own faults of each object, and E5004 for one that came before; a sound one whose new parent failed gets E5000."""
    failed: dict[TrackerType, set[str]] = {"TRACKED_ENTITY": set(), "ENROLLMENT": set(), "EVENT": set()}
    seen: set[tuple[TrackerType, str]] = set()

    def noted(type_: TrackerType, uid: str, own: list[Fault], parent_failed: bool) -> Iterator[Fault]:
        if (type_, uid) in seen and check.strategy != "DELETE":
            own = [*own, Fault("E5004", type_, uid, (uid, type_))]
        seen.add((type_, uid))
        if parent_failed and not any(not one.warning for one in own):
            own = [*own, Fault("E5000", type_, uid, (type_, uid))]
        if any(not one.warning for one in own):
            failed[type_].add(uid)
        yield from own

    for entity in check.bundle.tracked_entities:
        yield from noted("TRACKED_ENTITY", entity.uid, tracked_entities.faults(entity, check), False)
    for enrollment in check.bundle.enrollments:
        person = enrollment.tracked_entity or ""
        orphan = person in failed["TRACKED_ENTITY"] and not check.exists("TRACKED_ENTITY", person)
        yield from noted("ENROLLMENT", enrollment.uid, enrollments.faults(enrollment, check), orphan)
    for event in check.bundle.events:
        owner = event.enrollment or ""
        orphan = owner in failed["ENROLLMENT"] and not check.exists("ENROLLMENT", owner)
        yield from noted("EVENT", event.uid, events.faults(event, check), orphan)
    for link in check.bundle.relationships:
        yield Fault("E4006", "RELATIONSHIP", link.relationship or "", (link.relationship_type or "",))
    if check.strategy != "DELETE":
        yield from _notes_again(check)


def _notes_again(check: Check) -> Iterator[Fault]:
    """A note that came earlier in the bundle is left alone too; what is stored already the objects' rules say."""
    seen: set[str] = set()
    sent: list[tuple[TrackerType, str, list[Note] | None]]
    sent = [("ENROLLMENT", one.uid, one.notes) for one in check.bundle.enrollments]
    sent += [("EVENT", one.uid, one.notes) for one in check.bundle.events]
    for type_, uid, notes in sent:
        for note in notes or ():
            if note.note and note.value and note.note not in check.known.notes:
                if note.note in seen:
                    yield Fault("E1119", type_, uid, (note.note,))
                seen.add(note.note)


def _claim_unique_values(check: Check) -> None:
    """The first object of the bundle that brings a unique value has it, unless it is stored as another's."""
    for owner, unit, attribute_uid, value in _brought(check):
        attribute = check.catalogue.attributes.get(attribute_uid)
        if attribute is not None and attribute.unique:
            key = (attribute_uid, shared.unique_within(attribute, unit), stored_form(value, attribute.value_type))
            check.known.taken.setdefault(key, owner)


def _brought(check: Check) -> Iterator[tuple[str, str, str, str]]:
    for entity in check.bundle.tracked_entities:
        for item in entity.attributes or ():
            if item.attribute and (value := text_of(item.value)):
                yield entity.uid, entity.org_unit or "", item.attribute, value
    for enrollment in check.bundle.enrollments:
        unit = enrollments.unit_of(enrollment, check.bundle, check.known)
        for item in enrollment.attributes or ():
            if item.attribute and (value := text_of(item.value)):
                yield enrollment.tracked_entity or "", unit, item.attribute, value


def without(bundle: Bundle, faults: list[Fault]) -> Bundle:
    """The objects of `bundle` that have no error; `faults` must be those of a check that went to its end."""
    bad = {(fault.type, fault.uid) for fault in faults if not fault.warning}
    return Bundle(
        tracked_entities=[one for one in bundle.tracked_entities if ("TRACKED_ENTITY", one.uid) not in bad],
        enrollments=[one for one in bundle.enrollments if ("ENROLLMENT", one.uid) not in bad],
        events=[one for one in bundle.events if ("EVENT", one.uid) not in bad],
    ).index()
