"""What was set aside on the way back: documents of the record that the registry will never take as they are."""

from datetime import datetime
from typing import Any

import asyncpg
from litestar import Request, delete, get, post
from litestar.params import FromPath

from janani.kernel import postgres
from janani.kernel.telemetry import log
from janani.sync.back.worker import WriteBack
from janani.sync.metrics import REGISTRY
from janani.sync.problems import NothingSetAside

_queries = postgres.queries("janani.sync.back")
_Request = Request[Any, Any, Any]


async def listed(pool: asyncpg.Pool, source: str = "") -> list[dict[str, Any]]:
    """Document ("Encounter/12"), reason, attempts and since, latest first. Without personal data."""
    rows = _queries.dead_list(pool, source=source)
    return [
        {"target": REGISTRY, "person": row["source"], "reason": row["reason"], "attempts": row["attempts"]}
        | {"since": row["since"].isoformat(timespec="seconds")}
        async for row in rows
    ]


async def retried(pool: asyncpg.Pool, source: str, now: datetime) -> int:
    """Queues one document, or all ("") again; how many. Raises NothingSetAside."""
    found = [row["source"] async for row in _queries.again(pool, source=source, now=now)]
    if source and not found:
        raise NothingSetAside
    log("sync").info("dead_retried", source=source, target=REGISTRY, count=len(found))
    return len(found)


async def dropped(pool: asyncpg.Pool, source: str) -> int:
    """Forgets a document until it changes again. Raises NothingSetAside."""
    if not [row async for row in _queries.drop_dead(pool, source=source)]:
        raise NothingSetAside
    log("sync").warning("dead_dropped", source=source, target=REGISTRY)
    return 1


@get("/back/{kind:str}/{resource:str}")
async def show(request: _Request, kind: FromPath[str], resource: FromPath[str]) -> list[dict[str, Any]]:
    """Why a document of the record was set aside. Staff only."""
    request.app.state.staff(request)
    found = await listed(_back(request).pool, f"{kind}/{resource}")
    if not found:
        raise NothingSetAside
    return found


@post("/back/{kind:str}/{resource:str}/retry", status_code=202)
async def again(request: _Request, kind: FromPath[str], resource: FromPath[str]) -> dict[str, Any]:
    """Tries to bring back again what was set aside, `Type/id` of the record. Staff only."""
    request.app.state.staff(request)
    back = _back(request)
    count = await retried(back.pool, f"{kind}/{resource}", back.clock())
    back.bell.ring()
    return {"status": "queued", "retried": count}


@delete("/back/{kind:str}/{resource:str}", status_code=200)
async def drop(request: _Request, kind: FromPath[str], resource: FromPath[str]) -> dict[str, Any]:
    """Forgets what was set aside, until it changes again. Staff only; logged."""
    request.app.state.staff(request)
    return {"dropped": await dropped(_back(request).pool, f"{kind}/{resource}")}


def _back(request: _Request) -> WriteBack:
    back: WriteBack | None = request.app.state.sync.back
    if back is None:
        raise NothingSetAside
    return back


handlers = [show, again, drop]
