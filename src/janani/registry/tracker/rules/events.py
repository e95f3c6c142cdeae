"""Rules for events (reference §2.5, §2.7)."""

from collections.abc import Iterator
from datetime import timedelta

from janani.registry.tracker.catalogue import Programme, Stage
from janani.registry.tracker.known import StoredEvent
from janani.registry.tracker.payload import AssignedUser, Event, TrackerType, text_of
from janani.registry.tracker.rules import shared
from janani.registry.tracker.rules.check import Check, Fault, every, first

_TYPE: TrackerType = "EVENT"
_HAPPENED = frozenset(("ACTIVE", "COMPLETED", "VISITED"))


def status_of(event: Event) -> str:
    """Its status; ACTIVE unless said otherwise."""
    return event.status or "ACTIVE"


def _stored(event: Event, check: Check) -> StoredEvent | None:
    return check.known.events.get(event.uid)


def _stage(event: Event, check: Check) -> Stage:
    return check.catalogue.stages[event.program_stage or ""]


def program_of(event: Event, check: Check) -> Programme | None:
    """The programme it names, else that of its stage."""
    stage = check.catalogue.stages.get(event.program_stage or "")
    return check.catalogue.programs.get(event.program or (stage.program if stage else ""))


def _program(event: Event, check: Check) -> Programme:
    program = program_of(event, check)
    assert program is not None  # `_refers` ran before
    return program


def _exists(event: Event, check: Check) -> Iterator[Fault]:
    return shared.existence(_TYPE, event.uid, _stored(event, check), check)


def _complete(event: Event, check: Check) -> Iterator[Fault]:
    if not event.org_unit:
        yield Fault("E1123", _TYPE, event.uid, ("orgUnit",))
    if not event.program_stage:
        yield Fault("E1035", _TYPE, event.uid, (event.uid,))


def _refers(event: Event, check: Check) -> Iterator[Fault]:
    stage = check.catalogue.stages.get(event.program_stage or "")
    program = program_of(event, check)
    if stage is None:
        yield Fault("E1013", _TYPE, event.uid, (event.program_stage or "",))
    if program is None:
        if stage is not None or event.program:
            yield Fault("E1010", _TYPE, event.uid, (event.program or "",))
    elif stage is not None and stage.program != program.uid:
        yield Fault("E1089", _TYPE, event.uid, (event.uid, stage.uid, program.uid))
    if event.org_unit not in check.catalogue.org_units:
        yield Fault("E1011", _TYPE, event.uid, (event.org_unit or "",))


def enrolled(event: Event, check: Check) -> tuple[str, str] | None:
    """Tracked entity and programme of the event's enrolment, stored or in the same bundle."""
    stored = check.known.enrollments.get(event.enrollment or "")
    if stored is not None:
        return stored.tracked_entity, stored.program
    sent = check.bundle.enrollment(event.enrollment)
    return (sent.tracked_entity or "", sent.program or "") if sent else None


def _belongs(event: Event, check: Check) -> Iterator[Fault]:
    program, stored = _program(event, check), _stored(event, check)
    if program.with_registration:
        yield from _belongs_to_enrollment(event, program, check)
    if event.org_unit not in program.org_units:
        yield Fault("E1029", _TYPE, event.uid, (event.org_unit or "", program.uid))
    if stored is not None:
        sent = (
            ("programStage", event.program_stage, stored.program_stage),
            ("program", program.uid, stored.program),
            ("enrollment", event.enrollment, stored.enrollment),
        )
        for name, now, before in sent:
            if now != before:
                yield Fault("E1128", _TYPE, event.uid, (name,))


def _belongs_to_enrollment(event: Event, program: Programme, check: Check) -> Iterator[Fault]:
    if not event.enrollment:
        yield Fault("E1033", _TYPE, event.uid, (event.uid,))
        return
    found = enrolled(event, check)
    stored = check.known.enrollments.get(event.enrollment)
    if found is None:
        yield Fault("E1081", _TYPE, event.uid, (event.enrollment,))
    elif stored is not None and stored.deleted:
        yield Fault("E1113", _TYPE, event.uid, (event.enrollment,))
    elif found[1] != program.uid:
        yield Fault("E1079", _TYPE, event.uid, (event.uid, program.uid, event.enrollment))


def _allowed(event: Event, check: Check) -> Iterator[Fault]:
    actor, stored, program = check.actor, _stored(event, check), _program(event, check)
    places = [] if stored is not None and program.with_registration else [event.org_unit or ""]
    if stored is not None and not program.with_registration:
        places.append(stored.org_unit)  # nobody owns it: where it stands says who may change it
    for place in dict.fromkeys(places):
        if not actor.captures_at(place):
            yield Fault("E1000", _TYPE, event.uid, (actor.uid, place))
    yield from _may_write(event.uid, _stage(event, check), program, enrolled(event, check), check)


def _may_write(
    uid: str, stage: Stage, program: Programme, person: tuple[str, str] | None, check: Check
) -> Iterator[Fault]:
    actor = check.actor
    if not program.with_registration:
        if not actor.may("data-write", program.sharing):
            yield Fault("E1091", _TYPE, uid, (actor.uid, program.uid))
        return
    kind = check.catalogue.types.get(program.entity_type or "")
    if not actor.may("data-write", stage.sharing):
        yield Fault("E1095", _TYPE, uid, (actor.uid, stage.uid))
    if not actor.may("data-read", program.sharing):
        yield Fault("E1096", _TYPE, uid, (actor.uid, program.uid))
    if kind is None or not actor.may("data-read", kind.sharing):
        yield Fault("E1104", _TYPE, uid, (actor.uid, program.uid, program.entity_type or ""))
    if person:
        yield from shared.owned(_TYPE, uid, person[0], program, check)


def _dates(event: Event, check: Check) -> Iterator[Fault]:
    status = status_of(event)
    needs_date = status in ("ACTIVE", "COMPLETED") or not _program(event, check).with_registration
    if needs_date and event.occurred_at is None:
        yield Fault("E1031", _TYPE, event.uid, (event.uid,))
    if status == "SCHEDULE" and event.scheduled_at is None:
        yield Fault("E1050", _TYPE, event.uid)
    if event.completed_at is not None and status != "COMPLETED":
        yield Fault("E1051", _TYPE, event.uid, (event.uid, status))


def _status(event: Event, check: Check) -> Iterator[Fault]:
    stored, status = _stored(event, check), status_of(event)
    if stored is None:
        return
    if stored.status == "COMPLETED" and status != "COMPLETED" and not check.actor.has("F_UNCOMPLETE_EVENT"):
        yield Fault("E1083", _TYPE, event.uid, (check.actor.uid,))
    registered = _program(event, check).with_registration
    if registered and stored.status in _HAPPENED and status not in _HAPPENED:
        yield Fault("E1316", _TYPE, event.uid, (event.uid, stored.status, status))
    days = _program(event, check).complete_events_expiry_days
    late = days > 0 and stored.completed_at is not None and check.now > stored.completed_at + timedelta(days=days)
    if late and stored.status == "COMPLETED" and not check.actor.has("F_EDIT_EXPIRED"):
        yield Fault("E1043", _TYPE, event.uid, (event.uid,))


def _repeats(event: Event, check: Check) -> Iterator[Fault]:
    stage = _stage(event, check)
    if stage.repeatable or not event.enrollment:
        return
    others = {row.uid for row in check.known.events_of(event.enrollment) if row.program_stage == stage.uid}
    others |= {row.uid for row in check.bundle.events_of(event.enrollment) if row.program_stage == stage.uid}
    if others - {event.uid}:
        yield Fault("E1039", _TYPE, event.uid, (stage.uid,))


def _data_values(event: Event, check: Check) -> Iterator[Fault]:
    elements = _stage(event, check).elements
    sent = [(item.data_element or "", text_of(item.value)) for item in event.data_values or ()]
    if any(value is not None for _, value in sent) and status_of(event) not in _HAPPENED:
        yield Fault("E1315", _TYPE, event.uid, (event.uid, status_of(event)))
    for uid, value in sent:
        element = check.catalogue.elements.get(uid)
        if element is None:
            yield Fault("E1304", _TYPE, event.uid, (uid,))
        elif uid not in elements:
            yield Fault("E1305", _TYPE, event.uid, (uid, event.program_stage or ""))
        elif value is not None and (code := shared.element_fault(value, element.value_type, element.options)):
            yield Fault(code, _TYPE, event.uid, (uid, element.value_type))


def _filled(event: Event, check: Check) -> Iterator[Fault]:
    """Compulsory data elements have a value: when completed, or whenever it happened (validationStrategy)."""
    stage, status, stored = _stage(event, check), status_of(event), _stored(event, check)
    due = status == "COMPLETED" if stage.fill_on_complete_only else status not in ("SCHEDULE", "SKIPPED")
    if not due:
        return
    given = {item.data_element: text_of(item.value) for item in event.data_values or ()}
    for uid in (uid for uid, compulsory in stage.elements.items() if compulsory):
        if uid in given:
            if given[uid] is None:
                yield Fault("E1076", _TYPE, event.uid, ("DataElement", uid))
        elif stored is None or uid not in stored.data_values:
            yield Fault("E1303", _TYPE, event.uid, (uid,))


def _combination(event: Event, check: Check) -> Iterator[Fault]:
    catalogue, program = check.catalogue, _program(event, check)
    combo = event.attribute_option_combo
    default = catalogue.default_option_combo
    own_default = catalogue.option_combos.get(default or "") == (program.category_combo or "")
    if combo is None:
        if not own_default and program.category_combo and default:
            yield Fault("E1055", _TYPE, event.uid)
    elif combo not in catalogue.option_combos:
        yield Fault("E1115", _TYPE, event.uid, (combo,))
    elif program.category_combo and catalogue.option_combos[combo] != program.category_combo:
        yield Fault("E1054", _TYPE, event.uid, (combo, program.category_combo))


def assignee(event: Event) -> str | None:
    """The user name or uid of who shall see to it; the user name wins."""
    user = event.assigned_user
    return (user.username or user.uid) if isinstance(user, AssignedUser) else user


def _assigned(event: Event, check: Check) -> Iterator[Fault]:
    name = assignee(event)
    if name is None:
        return
    if not _stage(event, check).assignable:
        yield Fault("E1120", _TYPE, event.uid, (event.program_stage or "",))
    elif name not in check.known.users:
        yield Fault("E1118", _TYPE, event.uid, (name,))


def _geometry(event: Event, check: Check) -> Iterator[Fault]:
    return shared.geometry(_TYPE, event.uid, event.geometry, _stage(event, check).feature_type)


def _notes(event: Event, check: Check) -> Iterator[Fault]:
    return shared.notes(_TYPE, event.uid, event.notes, check)


_save = first(
    _exists,
    _complete,
    _refers,
    _belongs,
    _allowed,
    every(_dates, _status, _repeats, _data_values, _filled, _combination, _assigned, _geometry, _notes),
)


def _deletable(event: Event, check: Check) -> Iterator[Fault]:
    stored = _stored(event, check)
    if stored is None:
        return
    stage = check.catalogue.stages.get(stored.program_stage)
    program = check.catalogue.programs.get(stored.program)
    if not check.actor.captures_at(stored.org_unit):
        yield Fault("E1000", _TYPE, event.uid, (check.actor.uid, stored.org_unit))
    if stage is None or program is None:
        yield Fault("E1095", _TYPE, event.uid, (check.actor.uid, stored.program_stage))
    else:
        person = (stored.tracked_entity, program.uid) if stored.tracked_entity else None
        yield from _may_write(event.uid, stage, program, person, check)


_delete = first(_exists, _deletable)


def faults(event: Event, check: Check) -> list[Fault]:
    """Everything wrong with this event."""
    return list((_delete if check.strategy == "DELETE" else _save)(event, check))
