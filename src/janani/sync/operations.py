"""What operators see: the state of the sync and of each target, and the life of each change. Pages for staff."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import asyncpg
from jinja2 import Environment
from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from janani.kernel import pages, postgres
from janani.sync import life
from janani.sync.back import dead as of_back
from janani.sync.back import desk
from janani.sync.dead import dropped, listed, retried
from janani.sync.problems import NothingSetAside, NotSetAside
from janani.sync.staff import logged_in, staff

_LATEST = 12
_REFRESH_SECONDS = 10
_LONG_SECONDS = 0.2
_PAUSE = 20
_Request = Request[Any, Any, Any]
_queries = postgres.queries("janani.sync")


class Counts:
    """How many people were delivered. All are read to count them, so if that takes long it is not done at each look."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._found: dict[str, int] = {}
        self._until = 0.0

    async def people(self) -> dict[str, int]:
        """By target; all together under the empty name."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began >= self._until:
            self._found = {row["target"]: row["people"] async for row in _queries.people_delivered(self._pool)}
            took = loop.time() - began
            self._until = loop.time() + (took * _PAUSE if took > _LONG_SECONDS else 0)
        return self._found


async def status(pool: asyncpg.Pool, now: datetime, people: Mapping[str, int]) -> dict[str, Any]:
    """How far the sync is: position, queue, lag (s), latest deliveries, and who was set aside and why.

    People appear by their UID in the registry, never by name or number.
    """
    row = await _queries.summary(pool)
    dead = await listed(pool, most=100)
    return {
        "position": row["position"] or "",
        "read at": _text(row["read_at"]),
        "waiting": row["waiting"],
        "in flight": row["in_flight"],
        "to be tried again": row["troubled"],
        "lag (s)": round((now - row["oldest"]).total_seconds(), 1) if row["oldest"] else 0,
        "people delivered": people[""],
        "last delivery": _text(row["last_delivery"]),
        "median of latest deliveries (s)": round(row["median_seconds"] or 0, 3),
        "set aside": row["dead"],
        "dead": dead,
    }


async def targets(pool: asyncpg.Pool, now: datetime, people: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each target: who waits and for how long (s), who was delivered, and who was set aside."""
    return [
        {
            "target": row["name"],
            "waiting": row["waiting"],
            "lag (s)": round((now - row["oldest"]).total_seconds(), 1) if row["oldest"] else 0,
            "people delivered": people.get(row["name"], 0),
            "last delivery": _text(row["last_delivery"]),
            "set aside": row["dead"],
        }
        async for row in _queries.targets(pool)
    ]


@get("/")
async def overview(request: _Request, refresh: FromQuery[int] = _REFRESH_SECONDS) -> Response[str]:
    """Throughput, lag, queue, targets, who was set aside, and the latest changes. For staff."""
    staff(request)
    sync = request.app.state.sync
    now = sync.clock()
    latest = [
        dict(row) | {"took": max((row["delivered_at"] - row["began_at"]).total_seconds(), 0.0)}
        async for row in _queries.latest(sync.pool, most=_LATEST)
    ]
    values = {
        "all": await status(sync.pool, now, await sync.counts.people()),
        "targets": await states(sync),
        "away": away(sync),
        "feed": {"kind": sync.feed.kind, "trouble": sync.feed.interruption.words},
        "pace": life.bars({row["minute"]: row["people"] async for row in _queries.pace(sync.pool, now=now)}, now),
        "latest": latest,
        "refresh": max(0, refresh),
    }
    return await _page(request, "sync_overview.html", **values)


@get("/people/{person:str}")
async def one_person(request: _Request, person: FromPath[str]) -> Response[str]:
    """The life of one person's changes from the registry to each target. For staff."""
    staff(request)
    pool = request.app.state.sync.pool
    lives = []
    async for row in _queries.lives(pool, person=person, most=_LATEST):
        found = life.steps(row)
        trace = row["traceparent"].split("-")[1] if row["traceparent"] else ""
        lives.append(
            {"target": row["target"], "entries": row["entries"], "trace": trace, "at": row["delivered_at"]}
            | {"steps": found, "took": life.whole(found)}
        )
    waiting = [dict(row) async for row in _queries.waiting_for(pool, person=person)]
    aside = [dict(row) async for row in _queries.dead_one(pool, person=person, target="")]
    return await _page(request, "sync_person.html", person=person, lives=lives, waiting=waiting, dead=aside)


@post("/people/retry")
async def try_all(request: _Request) -> Redirect:
    """Tries everyone who was set aside again. For staff."""
    staff(request)
    sync = request.app.state.sync
    await retried(sync.pool, "", "", sync.clock())
    sync.bell.ring()
    return Redirect("/", status_code=303)


@post("/people/{person:str}/{target:str}")
async def settle(request: _Request, person: FromPath[str], target: FromPath[str]) -> Redirect:
    """Tries one who was set aside again (`do=retry`), or forgets her until she changes (`do=drop`). For staff."""
    staff(request)
    sync = request.app.state.sync
    wanted = (await request.form()).get("do")
    if wanted == "retry":
        await retried(sync.pool, person, target, sync.clock())
        sync.bell.ring()
    elif wanted == "drop":
        await dropped(sync.pool, person, target)
    else:
        raise NotSetAside
    return Redirect(f"/people/{person}", status_code=303)


@get("/people")
async def find(request: _Request, uid: FromQuery[str] = "") -> Redirect:
    """The page of the person with this UID. For staff."""
    staff(request)
    return Redirect(f"/people/{quote(uid.strip(), safe='')}" if uid.strip() else "/", status_code=303)


@post("/back/{kind:str}/{resource:str}")
async def settle_back(request: _Request, kind: FromPath[str], resource: FromPath[str]) -> Redirect:
    """As `settle`, of a document that was set aside on the way back. For staff."""
    staff(request)
    sync, source = request.app.state.sync, f"{kind}/{resource}"
    wanted = (await request.form()).get("do")
    if sync.back and wanted == "retry":
        await of_back.retried(sync.pool, source, sync.clock())
        sync.back.bell.ring()
    elif sync.back and wanted == "drop":
        await of_back.dropped(sync.pool, source)
    else:
        raise NothingSetAside
    return Redirect("/", status_code=303)


@get("/goodbye")
async def goodbye(request: _Request) -> Response[str]:
    """After logging out."""
    return await _page(request, "sync_goodbye.html", registry=request.app.state.sync.door.url)


async def states(sync: Any) -> list[dict[str, Any]]:
    """`targets` with the `state` of each one's circuit breaker."""
    carriers = {carrier.target.name: carrier for carrier in sync.agent.carriers}
    found = await targets(sync.pool, sync.clock(), await sync.counts.people())
    return [one | {"state": carriers[one["target"]].gate.state} for one in found if one["target"] in carriers]


def away(sync: Any) -> list[str]:
    """The names of the servers that do not answer."""
    gates = {"registry": sync.agent.registry} | {one.target.name: one.gate for one in sync.agent.carriers}
    return [name for name, gate in gates.items() if not gate.is_open]


async def _page(request: _Request, template: str, **values: Any) -> Response[str]:
    sync = request.app.state.sync
    back = await desk.status(sync.back, sync.clock()) if sync.back else None
    templates = _templates(sync.zone)
    return pages.page(templates, template, who=logged_in(request), write_back=back, now=sync.clock(), **values)


@cache
def _templates(zone_name: str) -> Environment:
    zone, templates = ZoneInfo(zone_name), pages.environment("janani.sync")
    templates.filters |= {
        "span": life.span,
        "clock": lambda value: _clock(value, zone),
        "instant": lambda value: value.astimezone(zone).strftime("%H:%M:%S.%f")[:-3],
    }
    return templates


def _clock(value: datetime | str, zone: ZoneInfo) -> str:
    """An instant in the readers' zone."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) and value else value
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if isinstance(instant, datetime) else ""


def _text(instant: datetime | None) -> str:
    return instant.isoformat(timespec="seconds") if instant else ""


handlers = [overview, find, one_person, try_all, settle, settle_back, goodbye]
