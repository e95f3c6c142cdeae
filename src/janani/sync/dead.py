"""Who was set aside: listed, shown, tried again or forgotten by an operator, by target or of all."""

from datetime import datetime
from typing import Any

import asyncpg
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, FromQuery

from janani.kernel import postgres
from janani.kernel.telemetry import log
from janani.sync.back import dead as of_back
from janani.sync.metrics import REGISTRY
from janani.sync.problems import NotSetAside

_queries = postgres.queries("janani.sync")
_MOST = 1000


async def listed(pool: asyncpg.Pool, target: str = "", most: int = _MOST) -> list[dict[str, Any]]:
    """Target, person, reason, attempts and since, latest first. Without personal data."""
    rows = _queries.dead(pool, target=target, most=most)
    return [dict(row) | {"since": _text(row["since"])} async for row in rows]


async def shown(pool: asyncpg.Pool, person: str, target: str = "") -> list[dict[str, Any]]:
    """All that is known, the server's words and the refused bundle too: personal data. Raises NotSetAside."""
    found = [
        dict(row) | {"since": _text(row["since"])}
        async for row in _queries.dead_one(pool, person=person, target=target)
    ]
    if not found:
        raise NotSetAside
    log("sync").info("dead_shown", person=person, target=target)
    return found


async def retried(pool: asyncpg.Pool, person: str, target: str, now: datetime) -> int:
    """Queues one person, or everyone ("") who was set aside, to be sent whole; how many. Raises NotSetAside."""
    found = [row["person"] async for row in _queries.retry_dead(pool, person=person, target=target, now=now)]
    if person and not found:
        raise NotSetAside
    log("sync").info("dead_retried", person=person, target=target, count=len(found))
    return len(found)


async def dropped(pool: asyncpg.Pool, person: str, target: str) -> int:
    """Forgets a person until she changes again. Raises NotSetAside."""
    found = [row["target"] async for row in _queries.drop_dead(pool, person=person, target=target)]
    if not found:
        raise NotSetAside
    log("sync").warning("dead_dropped", person=person, targets=found)
    return len(found)


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")


Http = Request[Any, Any, Any]


@get("/dead")
async def list_dead(request: Http, target: FromQuery[str] = "") -> list[dict[str, Any]]:
    """Who was set aside and why, latest first; of one target, or of all. On the way back: documents. Staff only."""
    request.app.state.staff(request)
    sync = request.app.state.sync
    back = await of_back.listed(sync.pool) if sync.back and target in ("", REGISTRY) else []
    return await listed(sync.pool, target) + back


@get("/dead/{person:str}")
async def show_dead(request: Http, person: FromPath[str], target: FromQuery[str] = "") -> Response[Any]:
    """All that is known of one who was set aside, the refused bundle too. Staff only; logged."""
    request.app.state.staff(request)
    found = await shown(request.app.state.sync.pool, person, target)
    return Response(found, headers={"cache-control": "no-store"})


@post("/dead/retry", status_code=202)
async def retry_all(request: Http, target: FromQuery[str] = "") -> dict[str, Any]:
    """Tries everyone who was set aside again, whole; the way back too. Staff only."""
    answer, sync = await _retry(request, "", target), request.app.state.sync
    if sync.back and target in ("", REGISTRY):
        answer["retried"] += await of_back.retried(sync.pool, "", sync.clock())
        sync.back.bell.ring()
    return answer


@post("/dead/{person:str}/retry", status_code=202)
async def retry_one(request: Http, person: FromPath[str], target: FromQuery[str] = "") -> dict[str, Any]:
    """Tries a person who was set aside again, whole. Staff only."""
    return await _retry(request, person, target)


@delete("/dead/{person:str}", status_code=200)
async def drop(request: Http, person: FromPath[str], target: FromQuery[str] = "") -> dict[str, Any]:
    """Forgets one who was set aside, until she changes again. Staff only; logged."""
    request.app.state.staff(request)
    return {"dropped": await dropped(request.app.state.sync.pool, person, target)}


async def _retry(request: Http, person: str, target: str) -> dict[str, Any]:
    request.app.state.staff(request)
    sync = request.app.state.sync
    count = await retried(sync.pool, person, target, sync.clock())
    sync.bell.ring()
    return {"status": "queued", "retried": count}


handlers = [list_dead, show_dead, retry_all, retry_one, drop]
