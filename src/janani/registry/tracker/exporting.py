"""`GET /api/tracker/trackedEntities`, `/enrollments` and `/events`, lists and single objects (reference §3).

Search gives the ids of a page, `Trees` reads them whole, `fields` chooses what is shown: the number of statements
does not depend on the number of rows.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import asyncpg
from litestar import Request, get
from litestar.params import FromPath

from janani.registry.access import state_of
from janani.registry.metadata.fields import Selection, parse, select
from janani.registry.problems import Refusal
from janani.registry.tracker import parameters, search, search_events
from janani.registry.tracker.asking import Asking, asking
from janani.registry.tracker.conditions import Conditions
from janani.registry.tracker.parameters import (
    MAX_PAGE_SIZE,
    EnrollmentParameters,
    EntityParameters,
    EventParameters,
    Shared,
)
from janani.registry.tracker.scope import readable_program, readable_programs, readable_stages, readable_types, scope_of
from janani.registry.tracker.search import Context, Search
from janani.registry.tracker.shapes import shape_of
from janani.registry.tracker.store import SQL
from janani.registry.tracker.trees import Json, Reader, Trees

_Request = Request[Any, Any, Any]
_ENTITY_FIELDS = "*,!relationships,!enrollments,!events,!programOwners"
_ENROLLMENT_FIELDS = "*,!relationships,!events,!attributes"
_EVENT_FIELDS = "*,!relationships"
_MOST_UNPAGED = 100_000


@get("/api/tracker/trackedEntities", summary="Search tracked entities")
async def list_entities(request: _Request) -> Json:
    """The people that the parameters of §3.3 select. Refusal 400 or 403 as DHIS2 says them."""
    ask, sent = await asking(request), parameters.read(request.query_params.multi_items(), EntityParameters)
    selection = parse(sent.fields or _ENTITY_FIELDS)
    found = search.entities(sent, _context(ask))
    async with ask.pool.acquire() as connection:
        ids, pager = await _page(request, connection, found, sent)
        rows = await _trees(connection, ask, sent).entities(ids, selection)
    return pager | {"trackedEntities": _shown(rows, selection)}


@get("/api/tracker/enrollments", summary="Search enrollments")
async def list_enrollments(request: _Request) -> Json:
    """The enrolments that the parameters of §3.5 select. Refusal 400 or 403 as DHIS2 says them."""
    ask, sent = await asking(request), parameters.read(request.query_params.multi_items(), EnrollmentParameters)
    selection = parse(sent.fields or _ENROLLMENT_FIELDS)
    found = search_events.enrollments(sent, _context(ask))
    async with ask.pool.acquire() as connection:
        ids, pager = await _page(request, connection, found, sent)
        rows = await _trees(connection, ask, sent).enrollments(ids, selection)
    return pager | {"enrollments": _shown(rows, selection)}


@get("/api/tracker/events", summary="Search events")
async def list_events(request: _Request) -> Json:
    """The events that the parameters of §3.6 select. Refusal 400 or 403 as DHIS2 says them."""
    ask, sent = await asking(request), parameters.read(request.query_params.multi_items(), EventParameters)
    selection = parse(sent.fields or _EVENT_FIELDS)
    found = search_events.events(sent, _context(ask))
    async with ask.pool.acquire() as connection:
        ids, pager = await _page(request, connection, found, sent)
        rows = await _trees(connection, ask, sent).events(ids, selection)
    return pager | {"events": _shown(rows, selection)}


@get("/api/tracker/trackedEntities/{entity_uid:str}", summary="Read a tracked entity")
async def read_entity(request: _Request, entity_uid: FromPath[str]) -> Json:
    """One person with her programmes (§3.4): 404 when she is not there, 403 when she is out of the user's reach."""
    ask, sent = await asking(request), _single(request, with_program=True)
    parameters.uid("uid", entity_uid)
    selection = parse(sent.fields or _ENTITY_FIELDS)
    if sent.program:
        readable_program(sent.program, ask.actor, ask.catalogue)
    async with ask.pool.acquire() as connection:
        place = await _visible_entity(connection, ask, entity_uid, sent)
        rows = await _trees(connection, ask, sent).entities([place], selection)
    return _shown(rows, selection)[0]


@get("/api/tracker/enrollments/{enrollment_uid:str}", summary="Read an enrollment")
async def read_enrollment(request: _Request, enrollment_uid: FromPath[str]) -> Json:
    """One enrolment; 404 when it is not there or not the user's to see."""
    ask, sent = await asking(request), _single(request)
    parameters.uid("uid", enrollment_uid)
    selection = parse(sent.fields or _ENROLLMENT_FIELDS)
    every = search_events.enrollments(EnrollmentParameters(enrollments=enrollment_uid), _context(ask, single=True))
    async with ask.pool.acquire() as connection:
        ids = [row["id"] for row in await connection.fetch(every.ids, *every.parameters, 1, 0)]
        rows = await _trees(connection, ask, sent).enrollments(ids, selection)
    if not rows:
        raise Refusal(404, f"Enrollment with id {enrollment_uid} could not be found.")
    return _shown(rows, selection)[0]


@get("/api/tracker/events/{event_uid:str}", summary="Read an event")
async def read_event(request: _Request, event_uid: FromPath[str]) -> Json:
    """One event; 404 when it is not there or not the user's to see."""
    ask, sent = await asking(request), _single(request)
    parameters.uid("uid", event_uid)
    selection = parse(sent.fields or _EVENT_FIELDS)
    every = search_events.events(EventParameters(events=event_uid), _context(ask, single=True))
    async with ask.pool.acquire() as connection:
        ids = [row["id"] for row in await connection.fetch(every.ids, *every.parameters, 1, 0)]
        rows = await _trees(connection, ask, sent).events(ids, selection)
    if not rows:
        raise Refusal(404, f"Event with id {event_uid} could not be found.")
    return _shown(rows, selection)[0]


def _single(request: _Request, *, with_program: bool = False) -> Shared:
    sent = dict(request.query_params.items())
    unknown = sent.keys() - {"fields", "idScheme", "orgUnitIdScheme"} - ({"program"} if with_program else set())
    if unknown:
        raise Refusal(400, f"Parameter {min(unknown)} is not supported here.")
    found = parameters.read(sent.items(), Shared)
    parameters.uid("program", found.program)
    return found


def _context(ask: Asking, *, single: bool = False) -> Context:
    return Context(ask.actor, ask.catalogue, ask.now, ask.zone, single)


async def _visible_entity(connection: asyncpg.Connection, ask: Asking, uid: str, sent: Shared) -> int:
    """The row id of a person the user may see. Raises Refusal (404, 403)."""
    missing = Refusal(404, f"TrackedEntity with id {uid} could not be found.")
    row = await SQL.entity_place(connection, uid=uid)
    if row is None or row["deleted"] or row["type"] not in readable_types(ask.actor, ask.catalogue):
        raise missing
    where = Conditions()
    where.equals("te.uid", uid)
    search.visible(where, scope_of("", (), ask.actor, ask.catalogue), _context(ask))
    seen = await connection.fetchval(
        f"select te.id from tracked_entity te where {where.text}",  # noqa: S608
        *where.parameters,
    )
    if seen is None:
        raise Refusal(403, f"User has no access to TrackedEntity:{uid}")
    if sent.program:
        owner = await SQL.owner_in(connection, id=seen, program=sent.program)
        if not _reader(ask)(sent.program, owner):
            raise Refusal(
                403, f"User has no access to TrackedEntity:{uid} in program {sent.program}: ownership is required."
            )
    return int(seen)


def _trees(connection: asyncpg.Connection, ask: Asking, sent: Shared) -> Trees:
    return Trees(
        connection,
        ask.catalogue,
        ask.zone,
        sees=_reader(ask),
        stages=readable_stages(ask.actor, ask.catalogue),
        deleted=bool(parameters.flag("includeDeleted", sent.include_deleted)),
        program=sent.program,
    )


def _reader(ask: Asking) -> Reader:
    programs, everywhere = readable_programs(ask.actor, ask.catalogue), ask.actor.searches_everywhere

    def sees(program: str, unit: str) -> bool:
        found = programs.get(program)
        if found is None:
            return False
        return ask.actor.reaches(unit, closed=found.closed) or (everywhere and not found.closed)

    return sees


async def _page(
    request: _Request, connection: asyncpg.Connection, found: Search, sent: Shared
) -> tuple[list[int], Json]:
    """The ids of the page asked for, and the pager (§1.6): totals only when asked, else links.

    Raises Refusal (409) for more without paging than one answer has: a part would look like the whole.
    """
    if parameters.flag("paging", sent.paging) is False:
        rows = await connection.fetch(found.ids, *found.parameters, _MOST_UNPAGED + 1, 0)
        if len(rows) > _MOST_UNPAGED:
            raise Refusal(409, f"More than {_MOST_UNPAGED} objects are found, the most that one answer has. Use pages.")
        return [row["id"] for row in rows], {}
    page = parameters.number("page", sent.page, 10**9)
    size = parameters.number("pageSize", sent.page_size, MAX_PAGE_SIZE)
    rows = await connection.fetch(found.ids, *found.parameters, size + 1, (page - 1) * size)
    pager: Json = {"page": page, "pageSize": size}
    if parameters.flag("totalPages", sent.total_pages):
        total = await connection.fetchval(found.count, *found.parameters[: found.filters])
        pager |= {"total": total, "pageCount": -(-total // size)}
    else:
        pager |= {"prevPage": _link(request, page - 1)} if page > 1 else {}
        pager |= {"nextPage": _link(request, page + 1)} if len(rows) > size else {}
    return [row["id"] for row in rows[:size]], {"pager": pager}


def _link(request: _Request, page: int) -> str:
    rest = [(name, text) for name, text in request.query_params.multi_items() if name != "page"]
    base = state_of(request).settings.registry.url
    return f"{base}{request.scope['path']}?{urlencode([*rest, ('page', page)])}"


def _shown(rows: Sequence[Json], selection: Selection) -> list[Json]:
    if shape_of(selection) is not None:
        return list(rows)  # nothing else was made
    return [select(row, selection, lambda _type, _uid: None) for row in rows]


handlers = [list_entities, read_entity, list_enrollments, read_enrollment, list_events, read_event]
