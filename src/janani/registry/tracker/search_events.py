"""Searches for enrolments and events, compiled to SQL with parameters (reference §3.5, §3.6). Pure."""

from functools import partial
from zoneinfo import ZoneInfo

from janani.registry.problems import Refusal
from janani.registry.tracker import parameters as read
from janani.registry.tracker.conditions import Conditions, Filter, comparison, read_filters
from janani.registry.tracker.parameters import EnrollmentParameters, EventParameters
from janani.registry.tracker.scope import Scope, readable_program, readable_programs, readable_stages
from janani.registry.tracker.search import (
    ENROLLMENT_STATUSES,
    EVENT_STATUSES,
    Context,
    Search,
    attribute_filter,
    compiled,
    not_deleted,
    ordered,
    scope_asked,
    updated,
)
from janani.registry.tracker.values import NUMERIC

_ENROLLMENT_ORDER = {
    "completedAt": "n.completed_at",
    "createdAt": "n.created_at",
    "createdAtClient": "n.created_at_client",
    "enrolledAt": "n.enrolled_at",
    "updatedAt": "n.updated_at",
    "updatedAtClient": "n.updated_at_client",
}

_EVENT_ORDER = {
    "completedAt": "e.completed_at",
    "completedBy": "e.completed_by",
    "createdAt": "e.created_at",
    "createdAtClient": "e.created_at_client",
    "createdBy": "e.created_by ->> 'username'",
    "deleted": "e.deleted",
    "enrolledAt": "n.enrolled_at",
    "enrollment": "n.uid",
    "enrollmentStatus": "n.status",
    "event": "e.uid",
    "followUp": "n.follow_up",
    "occurredAt": "e.occurred_at",
    "orgUnit": "e.org_unit",
    "program": "e.program",
    "programStage": "e.program_stage",
    "scheduledAt": "e.scheduled_at",
    "status": "e.status",
    "storedBy": "e.stored_by",
    "trackedEntity": "te.uid",
    "updatedAt": "e.updated_at",
    "updatedAtClient": "e.updated_at_client",
    "updatedBy": "e.updated_by ->> 'username'",
}


def enrollments(sent: EnrollmentParameters, context: Context) -> Search:
    """The enrolments that the parameters ask for and the user may see. Raises Refusal (400, 403)."""
    listed = read.uids("enrollments", sent.enrollments)
    person = read.uid("trackedEntity", sent.tracked_entity)
    read.uid("program", sent.program)
    if not (sent.program or person or listed):
        raise Refusal(400, "Program, tracked entity or enrollments must be specified")
    scope = scope_asked(sent.org_unit_mode, read.uids("orgUnits", sent.org_units), context)
    where = Conditions()
    where.within("n.uid", listed)
    where.equals("te.uid", person)
    where.equals("te.type", read.uid("trackedEntityType", sent.tracked_entity_type))
    where.within("n.org_unit", scope.units)
    not_deleted(where, "n", sent)
    updated(where, "n", sent, context)
    where.equals("n.status", read.choice("status", sent.status or sent.program_status, ENROLLMENT_STATUSES))
    where.equals("n.follow_up", read.flag("followUp", sent.follow_up), "boolean")
    where.at_least("n.enrolled_at", read.start("enrolledAfter", sent.enrolled_after, context.zone))
    where.at_most("n.enrolled_at", read.end("enrolledBefore", sent.enrolled_before, context.zone))
    _owned(where, "n", sent.program, scope, context)
    source = "enrollment n join tracked_entity te on te.id = n.tracked_entity"
    return compiled(source, "n.id", where, partial(ordered, where, sent, _ENROLLMENT_ORDER, "n.id", context))


def _owned(where: Conditions, alias: str, program: str | None, scope: Scope, context: Context) -> None:
    """Of a readable programme, and owned there by a unit the user reaches (without a person: at such a unit)."""
    programs = readable_programs(context.actor, context.catalogue)
    if program:
        programs = {program: readable_program(program, context.actor, context.catalogue)}
    ways = []
    for closed, reach in ((False, scope.reach), (True, scope.closed_reach)):
        names = [uid for uid, one in programs.items() if one.closed is closed]
        if names:
            way = f"{alias}.program = any({where.parameter(names, 'text[]')})"
            if reach is not None:
                units = where.parameter(list(reach), "text[]")
                way += (
                    f" and ((te.id is null and {alias}.org_unit = any({units}))"
                    " or exists (select from program_owner o where o.tracked_entity = te.id"
                    f" and o.program = {alias}.program and o.org_unit = any({units})))"
                )
            ways.append(f"({way})")
    where.add(f"({' or '.join(ways) or 'false'})")


def events(sent: EventParameters, context: Context) -> Search:
    """The events that the parameters ask for and the user may see. Raises Refusal (400, 403)."""
    for name, text in (("program", sent.program), ("programStage", sent.program_stage)):
        read.uid(name, text)
    scope = scope_asked(sent.org_unit_mode, read.uids("orgUnit", sent.org_unit), context)
    where = Conditions()
    where.within("e.uid", read.uids("events", sent.events))
    where.within("n.uid", read.uids("enrollments", sent.enrollments))
    where.equals("te.uid", read.uid("trackedEntity", sent.tracked_entity))
    where.equals("e.program_stage", sent.program_stage)
    where.within("e.program_stage", readable_stages(context.actor, context.catalogue))
    where.within("e.org_unit", scope.units)
    not_deleted(where, "e", sent)
    updated(where, "e", sent, context)
    where.equals("e.status", read.choice("status", sent.status, EVENT_STATUSES))
    enrolled = read.choice("enrollmentStatus", sent.enrollment_status or sent.program_status, ENROLLMENT_STATUSES)
    where.equals("n.status", enrolled)
    where.equals("n.follow_up", read.flag("followUp", sent.follow_up), "boolean")
    _event_dates(where, sent, context.zone)
    _assigned(where, sent, context)
    for one in read_filters(sent.filter):
        _element_filter(where, one, context)
    for one in read_filters(sent.filter_attributes):
        attribute_filter(where, one, context)
    _owned(where, "e", sent.program, scope, context)
    order = partial(ordered, where, sent, _EVENT_ORDER, "e.id", context, attributes=True, elements=True)
    source = (
        "event e left join enrollment n on n.id = e.enrollment left join tracked_entity te on te.id = n.tracked_entity"
    )
    return compiled(source, "e.id", where, order)


def _event_dates(where: Conditions, sent: EventParameters, zone: ZoneInfo) -> None:
    spans = (
        ("e.occurred_at", "occurred", sent.occurred_after, sent.occurred_before),
        ("e.scheduled_at", "scheduled", sent.scheduled_after, sent.scheduled_before),
        ("n.enrolled_at", "enrollmentEnrolled", sent.enrollment_enrolled_after, sent.enrollment_enrolled_before),
        ("n.occurred_at", "enrollmentOccurred", sent.enrollment_occurred_after, sent.enrollment_occurred_before),
    )
    for column, name, after, before in spans:
        where.at_least(column, read.start(f"{name}After", after, zone))
        where.at_most(column, read.end(f"{name}Before", before, zone))


def _assigned(where: Conditions, sent: EventParameters, context: Context) -> None:
    mode = read.choice("assignedUserMode", sent.assigned_user_mode, ("CURRENT", "PROVIDED", "NONE", "ANY", "ALL"))
    users = read.uids("assignedUsers", sent.assigned_users)
    if users and mode not in (None, "PROVIDED"):
        raise Refusal(400, "assignedUsers can only be used with assignedUserMode PROVIDED.")
    column = "e.assigned_user ->> 'uid'"
    if mode == "NONE":
        where.add("e.assigned_user is null")
    elif mode == "ANY":
        where.add("e.assigned_user is not null")
    elif mode == "CURRENT":
        where.add(f"{column} = {where.parameter(context.actor.uid, 'text')}")
    elif users:
        where.within(f"({column})", users)


def _element_filter(where: Conditions, one: Filter, context: Context) -> None:
    element = context.catalogue.elements.get(one.uid)
    if element is None:
        raise Refusal(400, f"Data element does not exist: {one.uid}")
    uid = where.parameter(one.uid, "text")
    column = f"(e.data_values -> {uid} ->> 'value')"
    if not one.tests:
        where.add(f"e.data_values ? {uid}")
    for operator, value in one.tests:
        if operator in ("null", "!null"):
            where.add(f"{'not ' if operator == 'null' else ''}(e.data_values ? {uid})")
        else:
            where.add(comparison(where, column, operator, value, numeric=element.value_type in NUMERIC))
