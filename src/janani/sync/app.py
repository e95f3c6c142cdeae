"""The sync's application: its operations pages, its keys, and the agent that runs as long as it does."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery
from msgspec import Struct

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.clients.fhir import FhirClient
from janani.kernel import http, jose, pages, postgres
from janani.kernel import secrets as keys
from janani.kernel.clock import Clock, system_clock
from janani.kernel.telemetry import log, metrics
from janani.settings import Settings
from janani.sync import dead, mapping, operations, reconcile, staff, targets
from janani.sync.agent import Agent
from janani.sync.back import dead as back_dead
from janani.sync.back import definition, desk
from janani.sync.back.clinic import Clinic, Wires
from janani.sync.back.definition import Definition
from janani.sync.back.edits import Edits
from janani.sync.back.feed import RecordFeed
from janani.sync.back.ours import Ours
from janani.sync.back.sorting import Sorter
from janani.sync.back.worker import WriteBack
from janani.sync.carrier import Carrier, Load, Shared
from janani.sync.feeds import Feed
from janani.sync.feeds.keeping import Desk
from janani.sync.gate import Bell, Gate
from janani.sync.mapping import AnyMapper, Mapper
from janani.sync.mapping.back import Back
from janani.sync.metrics import REGISTRY, Metrics
from janani.sync.problems import SyncProblem, render, render_unforeseen
from janani.sync.queue import Queue, settle
from janani.sync.source import Source
from janani.sync.target import Target

REGISTRY_SECONDS = 15
BACK_SECONDS = 2.0
"""Pause between looks at what is new in the record."""


class Sync(Struct):
    """What the handlers work with."""

    agent: Agent
    feed: Feed
    bell: Bell
    pool: Any
    clock: Clock
    jwks: dict[str, Any]
    door: staff.Door
    zone: str
    reconciliation: reconcile.Desk
    counts: operations.Counts
    back: WriteBack | None = None


The = NamedDependency[Sync]


@get("/jwks.json", sync_to_thread=False)
def jwks(sync: The) -> Response[dict[str, Any]]:
    """The public key with which the sync signs in at the record (SMART Backend Services)."""
    return Response(sync.jwks, headers={"cache-control": "public, max-age=300"})


@get("/metrics", media_type=MediaType.TEXT)
async def prometheus(sync: The) -> bytes:
    """Metrics in Prometheus' text format."""
    kept, targets_now = sync.agent.metrics, await operations.states(sync)
    back = await desk.status(sync.back, sync.clock()) if sync.back else None
    kept.states(targets_now, back)
    kept.breakers({REGISTRY: sync.agent.registry.state} | {one["target"]: one["state"] for one in targets_now})
    kept.trouble.labels(REGISTRY, "out").set(sync.feed.interruption.needs_somebody)
    if sync.back:
        kept.trouble.labels(targets.RECORD, "back").set(sync.back.feed.interruption.needs_somebody)
    kept.slot_lag.set(sync.feed.lag_megabytes)
    return metrics(kept.registry)


@get("/status")
async def status(sync: The) -> dict[str, Any]:
    """How far the sync is: surrogate ids, counts and times only."""
    away = [f"{name} is away" for name in operations.away(sync)]
    more = {"feed": sync.feed.kind, "feed trouble": sync.feed.interruption.words, "servers": ", ".join(away) or "up"}
    if sync.feed.kind == "cdc":
        more["feed lag (MB)"] = str(sync.feed.lag_megabytes)
    back = {"write-back": await desk.status(sync.back, sync.clock())} if sync.back else {}
    return {
        **await operations.status(sync.pool, sync.clock(), await sync.counts.people()),
        **more,
        "targets": await operations.states(sync),
        **back,
    }


@post("/backfill", status_code=202)
async def begin_backfill(request: Request[Any, Any, Any], sync: The, program: FromQuery[str] = "") -> dict[str, Any]:
    """Reads everybody of a programme once, beside live changes. Needs the operator's token."""
    staff.staff(request)
    return {"number": await sync.feed.begin_backfill(program)}


@get("/backfill")
async def backfill_progress(sync: The) -> dict[str, Any]:
    """How far the latest backfill is."""
    return await sync.feed.backfill_progress()


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The ASGI application. Its agent starts when it does, and waits for servers that are not there yet.

    Raises ProgrammeFault (with file and line) for a mapping that is wrong, MissingSecret.
    """
    mapper = mapping.mapper_of(programmes.load(settings.programme))
    written_back = definition.read(mapper.programme, mapper.catalogue) if isinstance(mapper, Mapper) else None

    @contextlib.asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        async with _opened(settings, clock, mapper, written_back) as sync, sync.agent.running():
            app.state.sync, app.state.staff = sync, staff.staff
            async with sync.back.running() if sync.back else contextlib.nullcontext():
                yield

    async def provide_sync(state: State) -> Sync:
        sync: Sync = state.sync
        return sync

    return http.application(
        "sync",
        [
            jwks,
            prometheus,
            status,
            begin_backfill,
            backfill_progress,
            *operations.handlers,
            *staff.handlers,
            *dead.handlers,
            *reconcile.handlers,
            *desk.handlers,
            *back_dead.handlers,
            pages.assets(),
        ],
        render_error=render_unforeseen,
        exception_handlers={SyncProblem: render},
        lifespan=[running],
        dependencies={"sync": Provide(provide_sync)},
        before_request=staff.recognise,
    )


@contextlib.asynccontextmanager
async def _opened(
    settings: Settings, clock: Clock, mapper: AnyMapper, written_back: Definition | None
) -> AsyncIterator[Sync]:
    """The agent with all it needs, not yet at work. One connection is kept: its process id holds the leases."""
    wanted = targets.of(settings)
    pool = await postgres.open_pool(settings.database.dsn, "sync", max_size=settings.sync.workers * len(wanted) + 4)
    try:
        async with contextlib.AsyncExitStack() as stack:
            to_registry = await stack.enter_async_context(http.client(timeout=REGISTRY_SECONDS))
            kept = await stack.enter_async_context(pool.acquire())
            holder = await kept.fetchval("select pg_backend_pid()")
            registry, bell = _registry(settings, to_registry), Bell()
            program = mapper.programme.registry.program
            cdc = keys.secret(settings.secrets, "sync-cdc-dsn", create=False) if settings.sync.feed == "cdc" else ""
            feed = Feed(Desk(registry, pool, bell, clock, program), settings.sync, cdc)
            for gone in await settle(pool, [one.name for one in wanted], clock()):
                log("sync").warning("target_removed", target=gone)
            ours = Ours(pool) if written_back else None
            stage = written_back.stage if written_back else ""
            source = Source(registry, clock, settings.sync.registry_username, stage, settings.sync.org_units)
            ways = {one.name: await targets.client(stack, settings, one, clock) for one in wanted}
            load = Load(settings.sync.workers, settings.sync.together, settings.sync.attempts)
            shared = Shared(source, mapper, Gate(), bell, Metrics(), load)
            queues = {name: Queue(pool, clock, holder, name) for name in ways}
            agent = Agent(_carriers(shared, ways, queues, pool, ours), feed, shared)
            key = jose.signing_key(settings.secrets / "sync.pem", create=settings.sandbox)
            token = keys.secret(settings.secrets, "sync-token", create=settings.sandbox)
            back = None
            record = ways.get(targets.RECORD)
            if written_back and ours and record and isinstance(mapper, Mapper):
                wiring = Wiring(registry, record, pool, mapper, written_back, clock, settings.sync.attempts)
                back = _write_back(wiring, ours, source, shared.metrics)
            reconciliation = reconcile.Desk(_sides(shared, ways, pool, clock), key)
            stack.push_async_callback(reconciliation.close)
            ways_in = (settings.registry.url, settings.sync.staff_client_id, f"{settings.sync.url}/callback")
            door = staff.Door(to_registry, pool, clock, *ways_in, token)
            zone = settings.portals.time_zone
            counts, jwks_now = operations.Counts(pool), jose.jwks(key)
            yield Sync(agent, feed, bell, pool, clock, jwks_now, door, zone, reconciliation, counts, back)
    finally:
        await pool.close()


def _carriers(
    shared: Shared, ways: Mapping[str, FhirClient], queues: Mapping[str, Queue], pool: asyncpg.Pool, ours: Ours | None
) -> list[Carrier]:
    """One for each target; from the record there is a way back."""
    bundles = shared.mapper.bundles
    return [
        Carrier(shared, Target(name, way, pool, bundles), queues[name], ours if name == targets.RECORD else None)
        for name, way in ways.items()
    ]


def _sides(
    shared: Shared, ways: Mapping[str, FhirClient], pool: asyncpg.Pool, clock: Clock
) -> dict[str, reconcile.Sides]:
    """What can be compared: without a table nobody knows which resources are ours."""
    mapper = shared.mapper
    if not isinstance(mapper, Mapper):
        return {}
    return {name: reconcile.Sides(shared.source, way, name, mapper, pool, clock) for name, way in ways.items()}


class Wiring(Struct):
    """What the way back is made of."""

    registry: Dhis2Client
    record: FhirClient
    pool: Any
    mapper: Mapper
    definition: Definition
    clock: Clock
    attempts: int


def _write_back(given: Wiring, ours: Ours, source: Source, counted: Metrics) -> WriteBack:
    mapper, bell = given.mapper, Bell()
    back = Back(mapper.programme, mapper.table, mapper.catalogue)
    wires = Wires(
        given.registry,
        given.record,
        given.pool,
        back,
        given.definition,
        Sorter(back, mapper.table.identifiers),
        mapper.table.identifiers,
        {uid: role for role, uid in mapper.programme.registry.stages.items()},
        ZoneInfo(mapper.table.zone),
        given.clock,
    )
    feed = RecordFeed(given.record, given.pool, wires.sorter, ours, bell, given.clock, BACK_SECONDS)
    clinic = Clinic(wires)
    edits, names = Edits(wires, clinic, ours, source), given.definition.names
    return WriteBack(feed, clinic, edits, given.pool, bell, given.clock, names, counted, given.attempts)


def _registry(settings: Settings, client: Any) -> Dhis2Client:
    password = keys.secret(settings.secrets, "sync-password", create=settings.sandbox)
    return Dhis2Client(client, settings.registry.url, basic=(settings.sync.registry_username, password), attempts=1)
