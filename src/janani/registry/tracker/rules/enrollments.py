"""Rules for enrolments (reference §2.5, §2.7)."""

from collections.abc import Iterator

from janani.registry.tracker.catalogue import Programme
from janani.registry.tracker.known import Known, StoredEnrollment
from janani.registry.tracker.payload import Bundle, Enrollment, TrackerType
from janani.registry.tracker.rules import shared
from janani.registry.tracker.rules.check import Check, Fault, every, first

_TYPE: TrackerType = "ENROLLMENT"


def _stored(enrollment: Enrollment, check: Check) -> StoredEnrollment | None:
    return check.known.enrollments.get(enrollment.uid)


def _program(enrollment: Enrollment, check: Check) -> Programme:
    return check.catalogue.programs[enrollment.program or ""]


def _exists(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    return shared.existence(_TYPE, enrollment.uid, _stored(enrollment, check), check)


def _complete(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    needed = (
        ("orgUnit", enrollment.org_unit),
        ("program", enrollment.program),
        ("trackedEntity", enrollment.tracked_entity),
    )
    for name, value in needed:
        if not value:
            yield Fault("E1122", _TYPE, enrollment.uid, (name,))


def _refers(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    person = enrollment.tracked_entity or ""
    if enrollment.program not in check.catalogue.programs:
        yield Fault("E1069", _TYPE, enrollment.uid, (enrollment.program or "",))
    if enrollment.org_unit not in check.catalogue.org_units:
        yield Fault("E1070", _TYPE, enrollment.uid, (enrollment.org_unit or "",))
    if _type_of(enrollment, check) is None:
        yield Fault("E1068", _TYPE, enrollment.uid, (person,))
    elif person in check.known.entities and check.known.entities[person].deleted:
        yield Fault("E1114", _TYPE, enrollment.uid, (person,))
    stored = _stored(enrollment, check)
    if stored is not None and stored.program != enrollment.program:
        yield Fault("E1127", _TYPE, enrollment.uid, ("program",))
    if stored is not None and stored.tracked_entity != person:
        yield Fault("E1127", _TYPE, enrollment.uid, ("trackedEntity",))


def _type_of(enrollment: Enrollment, check: Check) -> str | None:
    """The tracked entity type of the person enrolled, stored or in the same bundle."""
    stored = check.known.entities.get(enrollment.tracked_entity or "")
    if stored is not None:
        return stored.type
    sent = check.bundle.person(enrollment.tracked_entity)
    return sent.tracked_entity_type or "" if sent else None


def _fits(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    program = _program(enrollment, check)
    if not program.with_registration:
        yield Fault("E1014", _TYPE, enrollment.uid, (program.uid,))
    elif _type_of(enrollment, check) != program.entity_type:
        yield Fault("E1022", _TYPE, enrollment.uid, (enrollment.tracked_entity or "", program.uid))
    if enrollment.org_unit not in program.org_units:
        yield Fault("E1041", _TYPE, enrollment.uid, (enrollment.org_unit or "", program.uid))


def _allowed(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    program, actor = _program(enrollment, check), check.actor
    kind = check.catalogue.types.get(program.entity_type or "")
    if _stored(enrollment, check) is None and not actor.captures_at(enrollment.org_unit):
        yield Fault("E1000", _TYPE, enrollment.uid, (actor.uid, enrollment.org_unit or ""))
    if not actor.may("data-write", program.sharing):
        yield Fault("E1091", _TYPE, enrollment.uid, (actor.uid, program.uid))
    if kind is None or not actor.may("data-read", kind.sharing):
        yield Fault("E1104", _TYPE, enrollment.uid, (actor.uid, program.uid, program.entity_type or ""))
    yield from shared.owned(_TYPE, enrollment.uid, enrollment.tracked_entity or "", program, check)


def _readable_dates(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    if enrollment.enrolled_at is None:
        yield Fault("E1025", _TYPE, enrollment.uid, ("null",))
    if _program(enrollment, check).incident_date and enrollment.occurred_at is None:
        yield Fault("E1023", _TYPE, enrollment.uid, ("null",))
    if enrollment.completed_at is not None and enrollment.status != "COMPLETED":
        yield Fault("E1052", _TYPE, enrollment.uid, (enrollment.uid, enrollment.status or "ACTIVE"))


def _dates(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    program = _program(enrollment, check)
    if not program.future_enrolment and enrollment.enrolled_at and check.day(enrollment.enrolled_at) > check.today:
        yield Fault("E1020", _TYPE, enrollment.uid, (enrollment.enrolled_at,))
    if not program.future_incident and enrollment.occurred_at and check.day(enrollment.occurred_at) > check.today:
        yield Fault("E1021", _TYPE, enrollment.uid, (enrollment.occurred_at,))


def _once(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    """At most one ACTIVE enrolment; only one ever where the programme says so."""
    if enrollment.status == "CANCELLED":
        return
    person, program = enrollment.tracked_entity or "", _program(enrollment, check)
    others = {row.uid: row.status for row in check.known.enrollments_of(person) if row.program == program.uid}
    sent = [row for row in check.bundle.enrollments_of(person) if row.program == program.uid]
    others |= {row.uid: row.status or "ACTIVE" for row in sent}
    others.pop(enrollment.uid, None)
    if (enrollment.status or "ACTIVE") == "ACTIVE" and "ACTIVE" in others.values():
        yield Fault("E1015", _TYPE, enrollment.uid, (person, program.uid))
    if program.once and any(status != "CANCELLED" for status in others.values()):
        yield Fault("E1016", _TYPE, enrollment.uid, (person, program.uid))


def _attributes(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    allowed = _program(enrollment, check).attributes
    for item in enrollment.attributes or ():
        if item.attribute in check.catalogue.attributes and item.attribute not in allowed:
            yield Fault("E1019", _TYPE, enrollment.uid, (item.attribute or "",))
    owner = enrollment.tracked_entity or ""
    unit = unit_of(enrollment, check.bundle, check.known)
    yield from shared.attributes(_TYPE, enrollment.uid, owner, unit, enrollment.attributes, check)


def unit_of(enrollment: Enrollment, bundle: Bundle, known: Known) -> str:
    """The unit within which the person's values are unique, where they are so within a unit; `bundle` may move her."""
    sent, stored = bundle.person(enrollment.tracked_entity), known.entities.get(enrollment.tracked_entity or "")
    return (sent.org_unit if sent else None) or (stored.org_unit if stored else None) or enrollment.org_unit or ""


def _mandatory(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    stored = check.known.entities.get(enrollment.tracked_entity or "")
    given = shared.given(enrollment.attributes)
    for attribute in (uid for uid, mandatory in _program(enrollment, check).attributes.items() if mandatory):
        if attribute in given:
            if given[attribute] is None:
                yield Fault("E1076", _TYPE, enrollment.uid, ("TrackedEntityAttribute", attribute))
        elif stored is None or attribute not in stored.values:
            yield Fault("E1018", _TYPE, enrollment.uid, (attribute, enrollment.program or "", enrollment.uid))


def _geometry(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    feature = _program(enrollment, check).feature_type
    return shared.geometry(_TYPE, enrollment.uid, enrollment.geometry, feature)


def _notes(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    return shared.notes(_TYPE, enrollment.uid, enrollment.notes, check)


_save = first(
    _exists,
    _complete,
    _refers,
    _fits,
    _allowed,
    every(first(_readable_dates, _dates), _once, _attributes, _mandatory, _geometry, _notes),
)


def _deletable(enrollment: Enrollment, check: Check) -> Iterator[Fault]:
    stored, actor = _stored(enrollment, check), check.actor
    if stored is None:
        return
    program = check.catalogue.programs.get(stored.program)
    if program is None or not actor.may("data-write", program.sharing):
        yield Fault("E1091", _TYPE, enrollment.uid, (actor.uid, stored.program))
    if not actor.captures_at(stored.org_unit):
        yield Fault("E1000", _TYPE, enrollment.uid, (actor.uid, stored.org_unit))
    if program is not None:
        yield from shared.owned(_TYPE, enrollment.uid, stored.tracked_entity, program, check)
    if check.known.events_of(enrollment.uid) and not actor.has("F_ENROLLMENT_CASCADE_DELETE"):
        yield Fault("E1103", _TYPE, enrollment.uid, (actor.uid, enrollment.uid))


_delete = first(_exists, _deletable)


def faults(enrollment: Enrollment, check: Check) -> list[Fault]:
    """Everything wrong with this enrolment."""
    return list((_delete if check.strategy == "DELETE" else _save)(enrollment, check))
