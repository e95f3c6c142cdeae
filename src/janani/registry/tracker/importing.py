"""`POST /api/tracker`: import of people, enrolments and events (reference §2).

    read → flatten → (lock, preheat → validate → plan → write) → report

What stands in brackets is one transaction. When another import stores the same uid or unique value at the same moment
it is run again, and then sees that value as taken.
"""

import contextlib
import time
from typing import Any, Literal

import asyncpg
import msgspec
from litestar import Request, Response, post
from msgspec import Struct

from janani.kernel.ids import uid as new_uid
from janani.registry.problems import Refusal
from janani.registry.tracker import report, store
from janani.registry.tracker.asking import Asking, asking
from janani.registry.tracker.payload import Bundle, TrackerType, Unreadable, check_dates, flatten, read
from janani.registry.tracker.plan import plan
from janani.registry.tracker.report import ReportMode, Tally
from janani.registry.tracker.rules import bundle as bundle_rules
from janani.registry.tracker.rules.check import Check, Fault, Strategy

_ATTEMPTS = 5
_COLLISIONS = (
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_IGNORED = frozenset(("flushMode", "skipSideEffects", "skipRuleEngine"))  # nothing here they could change
_SCHEMES = frozenset(
    (
        "idScheme",
        "dataElementIdScheme",
        "orgUnitIdScheme",
        "programIdScheme",
        "programStageIdScheme",
        "categoryOptionComboIdScheme",
        "categoryOptionIdScheme",
    )
)


class Parameters(Struct, rename="camel", forbid_unknown_fields=True):
    """The query parameters of §2.1 that change something here."""

    async_: Literal["true", "false"] = msgspec.field(default="true", name="async")
    report_mode: ReportMode = "ERRORS"
    import_mode: Literal["COMMIT", "VALIDATE"] = "COMMIT"
    import_strategy: Strategy = "CREATE_AND_UPDATE"
    atomic_mode: Literal["ALL", "OBJECT"] = "ALL"
    validation_mode: Literal["FULL", "FAIL_FAST", "SKIP"] = "FULL"
    skip_pattern_validation: Literal["true", "false"] = "false"


def parameters_of(sent: dict[str, str]) -> Parameters:
    """The parameters, typed. Raises Refusal (400) for unknown ones and values DHIS2 doesn't know."""
    for name in _SCHEMES & sent.keys():
        if sent[name] != "UID":
            raise Refusal(400, f"Parameter {name}={sent[name]} is not supported; only UID is.")
    rest = {name: text for name, text in sent.items() if name not in _IGNORED | _SCHEMES}
    try:
        return msgspec.convert(rest, Parameters)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"A query parameter is not valid: {error}") from error


@post("/api/tracker", status_code=200, summary="Import tracked entities, enrollments and events")
async def import_tracker(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Imports the body and answers with the bare report: 200 when all is well, 409 with any error (§2.2)."""
    ask = await asking(request)
    parameters = parameters_of(dict(request.query_params.items()))
    if parameters.async_ == "true":
        raise Refusal(409, "Asynchronous import is not available on this server. Send async=false.")
    if parameters.validation_mode == "SKIP" and not ask.actor.everything:
        raise Refusal(403, "validationMode=SKIP needs the authority ALL.")
    try:
        bundle = flatten(read(await request.body()), new_uid)
        check_dates(bundle, ask.zone)
    except Unreadable as error:
        raise Refusal(400, str(error)) from error
    found = await run(ask, bundle, parameters)
    return Response(found, status_code=409 if found["status"] == "ERROR" else 200)


async def run(ask: Asking, bundle: Bundle, parameters: Parameters) -> dict[str, Any]:
    """Imports `bundle` in one transaction and gives the report; again from the start after a collision.

    Raises Refusal (409) after the fifth.
    """
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(*_COLLISIONS):
            return await _attempt(ask, bundle, parameters)
    raise Refusal(409, "Others are changing the same objects at the same time. Please try again.")


async def _attempt(ask: Asking, bundle: Bundle, parameters: Parameters) -> dict[str, Any]:
    timings, started = {}, time.perf_counter()
    async with ask.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            known = await store.preheat(connection, bundle, ask.catalogue, ask.users, ask.now)
            check = Check(
                *(bundle, known, ask.catalogue, ask.actor, parameters.import_strategy, ask.now, ask.zone),
                skip_patterns=parameters.skip_pattern_validation == "true",
            )
            timings["preheat"], started = _lap(started)
            faults = _faults(check, parameters)
            timings["validation"], started = _lap(started)
            errors = any(not fault.warning for fault in faults)
            objects = list(bundle.objects())
            # What comes after the first error was not checked with FAIL_FAST, so none of it may be stored.
            if errors and (parameters.atomic_mode == "ALL" or parameters.validation_mode == "FAIL_FAST"):
                await transaction.rollback()
                return report.refused(objects, faults, parameters.report_mode)
            tallies = await _write(connection, check, faults, ask)
            if parameters.import_mode == "VALIDATE":
                await transaction.rollback()
            else:
                await transaction.commit()
        except BaseException:
            if connection.is_in_transaction():
                await transaction.rollback()
            raise
    timings["commit"], _ = _lap(started)
    return report.done(tallies, faults, parameters.report_mode, timings)


def _lap(started: float) -> tuple[str, float]:
    now = time.perf_counter()
    return f"{now - started:.6f} sec.", now


def _faults(check: Check, parameters: Parameters) -> list[Fault]:
    if parameters.validation_mode == "SKIP":
        return []
    return bundle_rules.validate(check, fail_fast=parameters.validation_mode == "FAIL_FAST")


async def _write(
    connection: asyncpg.Connection, check: Check, faults: list[Fault], ask: Asking
) -> dict[TrackerType, Tally]:
    """Writes what has no error; what becomes of each object."""
    valid = bundle_rules.without(check.bundle, faults)
    if check.strategy == "DELETE":
        tallies = _deleted(valid)
        await store.delete(connection, valid, _people(valid, check), ask.actor, ask.now)
    else:
        writes, tallies = plan(valid, check, new_uid)
        await store.save(connection, writes, ask.actor, ask.now)
    kept = set(valid.objects())
    for type_, uid in check.bundle.objects():
        if (type_, uid) not in kept:
            tallies[type_].ignored.append(uid)
    return tallies


def _deleted(valid: Bundle) -> dict[TrackerType, Tally]:
    return {
        "TRACKED_ENTITY": Tally(deleted=[one.uid for one in valid.tracked_entities]),
        "ENROLLMENT": Tally(deleted=[one.uid for one in valid.enrollments]),
        "EVENT": Tally(deleted=[one.uid for one in valid.events]),
        "RELATIONSHIP": Tally(),
    }


def _people(valid: Bundle, check: Check) -> set[str]:
    """Whose record the deletions change."""
    known = check.known
    people = {one.uid for one in valid.tracked_entities}
    people |= {known.enrollments[one.uid].tracked_entity for one in valid.enrollments if one.uid in known.enrollments}
    stored = (known.events[one.uid].tracked_entity for one in valid.events if one.uid in known.events)
    return people | {person for person in stored if person}


handlers = [import_tracker]
