"""What operators see of the way back, and the desk where a person decides which of two values stands."""

from datetime import datetime
from typing import Any, Literal

import asyncpg
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel import pages, postgres
from janani.sync.back import dead
from janani.sync.back.worker import WriteBack
from janani.sync.problems import NotOpen

_queries = postgres.queries("janani.sync.back")
_jinja = pages.environment("janani.sync.back")
Side = Literal["registry", "record"]
_Request = Request[Any, Any, Any]


async def status(back: WriteBack, now: datetime) -> dict[str, Any]:
    """How far the way back is: counts, times, codes and surrogate ids; never a value."""
    row = await _queries.summary(back.pool)
    oldest = row["oldest"]
    return {
        "read up to": row["position"].isoformat(timespec="seconds") if row["position"] else "",
        "waiting": row["waiting"],
        "lag (s)": round((now - oldest).total_seconds(), 1) if oldest else 0,
        "brought back": row["brought"],
        "conflicts open": row["conflicts"],
        "set aside": row["dead"],
        "dead": (await dead.listed(back.pool))[:100],
        "has no row": {one["what"]: one["times"] async for one in _queries.unread_list(back.pool)},
        "trouble": back.feed.trouble,
    }


async def decide(pool: asyncpg.Pool, number: int, keep: Side, who: str, now: datetime) -> None:
    """Lets one side's word stand in conflict `number`, and notes who decided. Raises NotOpen."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _queries.close_conflict(connection, number=number, decided=keep, who=who, now=now)
        if row is None:
            raise NotOpen
        await _queries.decide(
            connection,
            source=row["source"],
            name=row["name"],
            version=row["version"],
            first=row["first"],
            verdict=f"{row['element']}={keep}",
            now=now,
        )


@get("/conflicts")
async def conflicts(request: _Request) -> Response[str]:
    """Values that both sides changed, for a person to decide; and what was decided lately. For staff."""
    back = _back(request)
    request.app.state.staff(request)
    names = back.names
    return pages.page(
        _jinja,
        "conflicts.html",
        open=[dict(one) async for one in _queries.open_conflicts(back.pool)],
        decided=[dict(one) async for one in _queries.decided_conflicts(back.pool)],
        names=names,
    )


@post("/conflicts/{number:int}")
async def settle(request: _Request, number: FromPath[int]) -> Redirect:
    """One decision: `keep` is `registry` or `record`. For staff."""
    back, who = _back(request), str(request.app.state.staff(request))
    keep = str((await request.form()).get("keep", ""))
    if keep != "registry" and keep != "record":
        raise NotOpen
    await decide(back.pool, number, keep, who, back.clock())  # type: ignore[arg-type]
    back.bell.ring()
    return Redirect("/conflicts", status_code=303)


def _back(request: _Request) -> WriteBack:
    back: WriteBack | None = request.app.state.sync.back
    if back is None:
        raise NotOpen
    return back


handlers = [conflicts, settle]
