"""Searches for people, compiled to SQL with parameters (reference §3.2, §3.3), and what all searches share. Pure."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from janani.registry.problems import Refusal
from janani.registry.tracker import parameters as read
from janani.registry.tracker.actor import Actor
from janani.registry.tracker.catalogue import Catalogue, Programme
from janani.registry.tracker.conditions import Conditions, Filter, comparison, read_filters
from janani.registry.tracker.parameters import EntityParameters, Shared
from janani.registry.tracker.scope import (
    Scope,
    readable_program,
    readable_programs,
    readable_stages,
    readable_types,
    scope_of,
)
from janani.registry.tracker.values import NUMERIC

ENROLLMENT_STATUSES = ("ACTIVE", "COMPLETED", "CANCELLED")
EVENT_STATUSES = ("ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED")
_ENTITY_ORDER = {
    "createdAt": "te.created_at",
    "createdAtClient": "te.created_at_client",
    "inactive": "te.inactive",
    "trackedEntity": "te.uid",
    "updatedAt": "te.updated_at",
    "updatedAtClient": "te.updated_at_client",
}


class Context(Struct, frozen=True):
    """Who searches, in which metadata, when. `single`: one known object, wherever the user may see it."""

    actor: Actor
    catalogue: Catalogue
    now: datetime
    zone: ZoneInfo
    single: bool = False


class Search(Struct, frozen=True):
    """A compiled search: `source` (from … where …) and `order` give the ids of alias `key` in order.

    The first `filters` of `parameters` are those of `source`.
    """

    source: str
    key: str
    order: str
    parameters: list[Any]
    filters: int

    @property
    def ids(self) -> str:
        """The statement for one page; its last two parameters are limit and offset."""
        last = len(self.parameters)
        paging = f"limit ${last + 1}::bigint offset ${last + 2}::bigint"
        return f"select {self.key} as id {self.source} order by {self.order} {paging}"

    @property
    def count(self) -> str:
        """The statement for how many there are in all."""
        return f"select count(*) {self.source}"


def entities(sent: EntityParameters, context: Context) -> Search:
    """The people that the parameters ask for and the user may see. Raises Refusal (400, 403)."""
    listed = read.uids("trackedEntities", sent.tracked_entities)
    _one_bound(sent, listed)
    scope = scope_asked(sent.org_unit_mode, read.uids("orgUnits", sent.org_units), context)
    where = Conditions()
    where.within("te.uid", listed)
    not_deleted(where, "te", sent)
    updated(where, "te", sent, context)
    where.equals("te.potential_duplicate", read.flag("potentialDuplicate", sent.potential_duplicate), "boolean")
    where.within("te.type", readable_types(context.actor, context.catalogue))
    if sent.program:
        _in_program(where, sent, readable_program(sent.program, context.actor, context.catalogue), scope, context)
    else:
        _without_program(where, sent, scope, context)
    for word in _words(sent.query or ""):
        test = comparison(where, "v.value", "like", word, numeric=False)
        where.add(f"exists (select from attribute_value v where v.tracked_entity = te.id and {test})")
    for one in read_filters(sent.filter):
        attribute_filter(where, one, context)
    columns = _ENTITY_ORDER | {"enrolledAt": _LATEST_ENROLMENT}
    order = partial(ordered, where, sent, columns, "te.id", context, attributes=True)
    return compiled("tracked_entity te", "te.id", where, order)


def _words(query: str) -> list[str]:
    """The words to look for, each once. Raises Refusal (400) for more than the database plans joins for in time."""
    words = list(dict.fromkeys(query.lower().split()))
    if len(words) > _MOST_WORDS:
        raise Refusal(400, f"Parameter query has more than {_MOST_WORDS} words.")
    return words


_MOST_WORDS = 20
_LATEST_ENROLMENT = "(select max(n.enrolled_at) from enrollment n where n.tracked_entity = te.id and not n.deleted)"


def _one_bound(sent: EntityParameters, listed: list[str] | None) -> None:
    """One of program, type and list must bound the search, and not both of the first two."""
    read.uid("program", sent.program)
    read.uid("trackedEntityType", sent.tracked_entity_type)
    if sent.program and sent.tracked_entity_type:
        raise Refusal(400, "`program` and `trackedEntityType` cannot be specified simultaneously")
    if not (sent.program or sent.tracked_entity_type or listed):
        raise Refusal(400, "Either `program`, `trackedEntityType` or `trackedEntities` should be specified")
    only_with_program = {
        "enrollmentStatus": sent.enrollment_status or sent.program_status,
        "followUp": sent.follow_up,
        "enrollmentEnrolledAfter": sent.enrollment_enrolled_after,
        "enrollmentEnrolledBefore": sent.enrollment_enrolled_before,
        "enrollmentOccurredAfter": sent.enrollment_occurred_after,
        "enrollmentOccurredBefore": sent.enrollment_occurred_before,
        "programStage": sent.program_stage,
    }
    for name, value in only_with_program.items():
        if value is not None and not sent.program:
            raise Refusal(400, f"`program` must be defined when `{name}` is specified")


def scope_asked(mode: str, units: list[str] | None, context: Context) -> Scope:
    """The scope asked for; of one known object wherever the user may see it. Raises Refusal (400, 403)."""
    scope = scope_of(mode, units or (), context.actor, context.catalogue)
    return Scope(None, scope.reach, scope.closed_reach) if context.single else scope


def not_deleted(where: Conditions, alias: str, sent: Shared) -> None:
    """Leaves out what is deleted, unless includeDeleted asks for it."""
    if not read.flag("includeDeleted", sent.include_deleted):
        where.add(f"not {alias}.deleted")


def updated(where: Conditions, alias: str, sent: Shared, context: Context) -> None:
    """Within the span of updatedAfter, updatedBefore or updatedWithin."""
    after, before = read.updated_since(sent, context.now, context.zone)
    where.at_least(f"{alias}.updated_at", after)
    where.at_most(f"{alias}.updated_at", before)


def _in_program(where: Conditions, sent: EntityParameters, program: Programme, scope: Scope, context: Context) -> None:
    """Enrolled there as asked, and owned there by a unit the user searches and may see."""
    owner = [f"o.tracked_entity = te.id and o.program = {where.parameter(program.uid, 'text')}"]
    owner += [
        f"o.org_unit = any({where.parameter(list(units), 'text[]')})"
        for units in (scope.units, scope.reach_of(program))
        if units is not None
    ]
    where.add(f"exists (select from program_owner o where {' and '.join(owner)})")
    inner = _Part(where)
    inner.equals("n.program", program.uid)
    not_deleted(inner, "n", sent)
    status = read.choice("enrollmentStatus", sent.enrollment_status or sent.program_status, ENROLLMENT_STATUSES)
    inner.equals("n.status", status)
    inner.equals("n.follow_up", read.flag("followUp", sent.follow_up), "boolean")
    inner.at_least("n.enrolled_at", read.start("enrollmentEnrolledAfter", sent.enrollment_enrolled_after, context.zone))
    inner.at_most("n.enrolled_at", read.end("enrollmentEnrolledBefore", sent.enrollment_enrolled_before, context.zone))
    inner.at_least("n.occurred_at", read.start("enrollmentOccurredAfter", sent.enrollment_occurred_after, context.zone))
    inner.at_most("n.occurred_at", read.end("enrollmentOccurredBefore", sent.enrollment_occurred_before, context.zone))
    _with_events(inner, sent, context)
    where.add(f"exists (select from enrollment n where n.tracked_entity = te.id and {inner.text})")


class _Part(Conditions):
    """Conditions of a subquery, numbering their parameters with those of the whole."""

    def __init__(self, whole: Conditions) -> None:
        super().__init__()
        self.parameters = whole.parameters


def _with_events(where: Conditions, sent: EntityParameters, context: Context) -> None:
    status = read.choice("eventStatus", sent.event_status, EVENT_STATUSES)
    if status and not (sent.event_occurred_after and sent.event_occurred_before):
        raise Refusal(400, "eventOccurredAfter and eventOccurredBefore must be defined when eventStatus is specified")
    if not any((sent.program_stage, sent.event_occurred_after, sent.event_occurred_before)):
        return
    inner = _Part(where)
    inner.within("e.program_stage", readable_stages(context.actor, context.catalogue))
    inner.equals("e.program_stage", read.uid("programStage", sent.program_stage))
    inner.equals("e.status", status)
    not_deleted(inner, "e", sent)
    # A planned event has not occurred: it stands at the day it is planned for.
    when = "coalesce(e.occurred_at, e.scheduled_at)"
    inner.at_least(when, read.start("eventOccurredAfter", sent.event_occurred_after, context.zone))
    inner.at_most(when, read.end("eventOccurredBefore", sent.event_occurred_before, context.zone))
    where.add(f"exists (select from event e where e.enrollment = n.id and {inner.text})")


def _without_program(where: Conditions, sent: EntityParameters, scope: Scope, context: Context) -> None:
    """Seen through any programme whose owner the user reaches; not enrolled in one, through her own unit (§3.9)."""
    where.equals("te.type", sent.tracked_entity_type)
    if sent.org_units or sent.org_unit_mode:
        where.within("te.org_unit", scope.units)
    visible(where, scope, context)


def visible(where: Conditions, scope: Scope, context: Context) -> None:
    """Adds that the user may see the person `te`."""
    if scope.reach is None and scope.closed_reach is None:
        return
    programs = readable_programs(context.actor, context.catalogue)
    ways = []
    for closed, reach in ((False, scope.reach), (True, scope.closed_reach)):
        names = [uid for uid, program in programs.items() if program.closed is closed]
        if names:
            way = f"o.program = any({where.parameter(names, 'text[]')})"
            way += "" if reach is None else f" and o.org_unit = any({where.parameter(list(reach), 'text[]')})"
            ways.append(f"exists (select from program_owner o where o.tracked_entity = te.id and {way})")
    readable = where.parameter(list(programs), "text[]")
    own = f"not exists (select from program_owner o where o.tracked_entity = te.id and o.program = any({readable}))"
    if scope.reach is not None:
        own += f" and te.org_unit = any({where.parameter(list(scope.reach), 'text[]')})"
    where.add(f"({' or '.join([*ways, f'({own})'])})")


def attribute_filter(where: Conditions, one: Filter, context: Context, person: str = "te.id") -> None:
    """Adds that an attribute of the person (column `person`) passes the filter. Raises Refusal (400)."""
    attribute = context.catalogue.attributes.get(one.uid)
    if attribute is None:
        raise Refusal(400, f"Attribute does not exist: {one.uid}")
    uid = where.parameter(one.uid, "text")
    of = f"select from attribute_value v where v.tracked_entity = {person} and v.attribute = {uid}"
    numeric = attribute.value_type in NUMERIC
    tests = [
        comparison(where, "v.value", operator, value, numeric=numeric, guard=f"v.attribute = {uid}")
        for operator, value in one.tests
        if operator not in ("null", "!null")
    ]
    if any(operator == "null" for operator, _ in one.tests):
        where.add(f"not exists ({of})")
    if tests or any(operator == "!null" for operator, _ in one.tests):
        where.add(f"exists ({' and '.join([of, *tests])})")


def compiled(source: str, key: str, where: Conditions, order: Callable[[], str]) -> Search:
    """The search with its conditions; `order` comes last, so that its parameters follow those of the conditions."""
    text, filters = where.text, len(where.parameters)
    return Search(f"from {source} where {text}", key, order(), where.parameters, filters)


def ordered(
    where: Conditions,
    sent: Shared,
    columns: dict[str, str],
    key: str,
    context: Context,
    *,
    attributes: bool = False,
    elements: bool = False,
) -> str:
    """The `order by` for the parameter `order`; by default the newest first."""
    terms = []
    for name, direction in read.orders(sent.order):
        if name in columns:
            term = columns[name]
        elif attributes and name in context.catalogue.attributes:
            uid = where.parameter(name, "text")
            of = f"v.tracked_entity = te.id and v.attribute = {uid}"
            term = f"(select v.value from attribute_value v where {of})"  # noqa: S608
        elif elements and name in context.catalogue.elements:
            term = f"(e.data_values -> {where.parameter(name, 'text')} ->> 'value')"
        else:
            raise Refusal(400, f"order by property '{name}' is not supported. Supported are {sorted(columns)}")
        terms.append(f"{term} {direction} nulls last")
    return ", ".join([*terms, f"{key} desc"])
