"""Versions of a resource, a type or the whole store, newest first (R4 §http history)."""

# ruff: noqa: S608 - the text is made of constants; what came from outside is a parameter

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

import asyncpg
from msgspec import Struct

from janani.record import bundles, definitions
from janani.record.bundles import Entry
from janani.record.changes import instant

AUDIT = "AuditEvent"
_STATUS = {"POST": "201 Created", "DELETE": "204 No Content"}


class HistoryRequest(Struct, frozen=True):
    """Which versions: of `type` and `id` when given, since an instant; `count` of those before change `before`."""

    type: str = ""
    id: str = ""
    since: datetime | None = None
    before: int | None = None
    count: int = 20


class Past(Struct):
    """One version."""

    change: int
    type: str
    id: str
    version: int
    method: str
    last_updated: datetime
    compartment: list[str]
    body: bytes | None


async def read(
    connection: asyncpg.Connection, wanted: HistoryRequest, patient: str | None
) -> tuple[int | None, Sequence[Past]]:
    """How many versions there are in all, and those of the page with one more when the page is not the last.

    They are counted for the first page only: whoever follows a long history would have it counted at every step.
    """
    values: list[object] = []

    def give(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    conditions = ["true"]
    if wanted.type:
        conditions.append(f"v.type = {give(wanted.type)}")
    else:  # who looked at the record is no part of it; and reading that leaves a trace too, without end
        conditions.append(f"v.type <> {give(AUDIT)}")
    if wanted.id:
        conditions.append(f"v.id = {give(wanted.id)}")
    if wanted.since is not None:
        conditions.append(f"v.last_updated >= {give(wanted.since)}")
    if patient is not None:
        shared = f"v.compartment = '{{}}' and v.type = any({give(sorted(definitions.SHARED_TYPES))}::text[])"
        conditions.append(f"(v.compartment @> array[{give(patient)}::text] or ({shared}))")
    where = " and ".join(conditions)
    if wanted.id:  # its few versions are found by key
        where += " and v.key = (select key from resource where type = $1 and id = $2)"
    total = None
    if wanted.before is None:
        total = await connection.fetchval(f"select count(*) from version v where {where}", *values)
    else:
        where += f" and v.change < {give(wanted.before)}"
    rows = await connection.fetch(
        "select v.change, v.type, v.id, v.version, v.method, v.last_updated, v.compartment, v.body"
        f" from version v where {where} order by v.change desc limit {give(wanted.count + 1)}",
        *values,
    )
    return total, [Past(**dict(row)) for row in rows]


def history_bundle(
    wanted: HistoryRequest, total: int | None, found: Sequence[Past], base_url: str, self_url: str, now: datetime
) -> bytes:
    """The history Bundle of a page."""
    page = found[: wanted.count]
    links = [("self", self_url)]
    if len(found) > wanted.count and page:
        path = "/".join(part for part in (base_url, wanted.type, wanted.id, "_history") if part)
        onward = {"_count": wanted.count, "_before": page[-1].change}
        if wanted.since is not None:
            onward["_since"] = instant(wanted.since)  # type: ignore[assignment]
        links.append(("next", f"{path}?{urlencode(onward)}"))
    return bundles.bundle("history", (_entry(one, base_url) for one in page), total=total, links=links, now=now)


def _entry(past: Past, base_url: str) -> Entry:
    url = past.type if past.method == "POST" else f"{past.type}/{past.id}"
    status = "201 Created" if past.version == 1 else _STATUS.get(past.method, "200 OK")
    response = {
        "status": status,
        "location": f"{past.type}/{past.id}/_history/{past.version}",
        "etag": f'W/"{past.version}"',
        "lastModified": instant(past.last_updated),
    }
    return Entry(
        resource=past.body,
        full_url=f"{base_url}/{past.type}/{past.id}",
        request={"method": past.method, "url": url},
        response=response,
    )
