"""What operators see of the way back, and the desk where a person decides which of two values stands."""

from datetime import datetime
from typing import Any, Literal

import asyncpg
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel import pages, postgres
from janani.sync.back import dead
from janani.sync.back.sorting import seen
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
        "trouble": back.feed.interruption.words,
    }


async def decide(pool: asyncpg.Pool, number: int, keep: Side, saw: str, who: str, now: datetime) -> bool:
    """Lets one side's word stand in conflict `number`, and notes who decided. Raises NotOpen.

    Not, and False, when `saw` is not the digest of its texts: one has changed since the page was shown.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await _queries.open_conflict(connection, number=number)
        if row is None:
            raise NotOpen
        if saw != seen(row["registry_text"], row["record_text"]):
            return False
        await _queries.close_conflict(connection, number=number, decided=keep, who=who, now=now)
        await _queries.decide(
            connection,
            source=row["source"],
            name=row["name"],
            version=row["version"],
            first=row["first"],
            verdict=f"{row['element']}={keep}:{saw}",
            now=now,
        )
    return True


@get("/conflicts")
async def conflicts(request: _Request) -> Response[str]:
    """Values that both sides changed, for a person to decide; and what was decided lately. For staff."""
    back = _back(request)
    request.app.state.staff(request)
    return await _page(back)


async def _page(back: WriteBack, *, changed: bool = False) -> Response[str]:
    return pages.page(
        _jinja,
        "conflicts.html",
        status=409 if changed else 200,
        changed=changed,
        open=[
            {**one, "seen": seen(one["registry_text"], one["record_text"])}
            async for one in _queries.open_conflicts(back.pool)
        ],
        decided=[dict(one) async for one in _queries.decided_conflicts(back.pool)],
        names=back.names,
    )


@post("/conflicts/{number:int}")
async def settle(request: _Request, number: FromPath[int]) -> Response[Any]:
    """One decision: `keep` is `registry` or `record`, `seen` as the page gave it. For staff."""
    back, who = _back(request), str(request.app.state.staff(request))
    form = await request.form()
    keep, saw = str(form.get("keep", "")), str(form.get("seen", ""))
    if keep != "registry" and keep != "record":
        raise NotOpen
    if not await decide(back.pool, number, keep, saw, who, back.clock()):  # type: ignore[arg-type]
        return await _page(back, changed=True)
    back.bell.ring()
    return Redirect("/conflicts", status_code=303)


def _back(request: _Request) -> WriteBack:
    back: WriteBack | None = request.app.state.sync.back
    if back is None:
        raise NotOpen
    return back


handlers = [conflicts, settle]
