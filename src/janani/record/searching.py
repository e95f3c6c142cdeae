"""Searches and their pages: matches, what to include with them, and the links onward (R4 §search, §http paging).

The matches of a search longer than a page are kept (`search_result`) as HAPI does, so that paging neither repeats nor
misses anything; a page link holds the key of that result and no search value.
"""

# ruff: noqa: S608 - `Statement` writes the text; what came from outside is a parameter

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import asyncpg
import msgspec
from msgspec import Struct

from janani.kernel import ids
from janani.record import bundles, definitions
from janani.record.actor import Actor
from janani.record.bundles import Entry, Link
from janani.record.matching import Statement
from janani.record.problems import FhirProblem
from janani.record.query import Include, Query
from janani.record.store import queries

_KEPT = timedelta(hours=1)
_MAX_ROUNDS = 4
_MAX_INCLUDED = 1000
_MAX_COUNTED = 20_000
_STATISTIC = 500


class Found(NamedTuple):
    """A resource of a page."""

    type: str
    id: str
    version: int
    compartment: list[str]
    body: bytes
    key: int


class Page(Struct):
    """One page of a search: its resources and the way to its neighbours.

    Args:
        total: of all pages.
        counted: the Patients whose resources were counted, not shown.
        result: key of the kept result, empty when one page holds all.
    """

    total: int
    matches: list[Found]
    included: list[Found]
    elements: frozenset[str] = frozenset()
    result: str = ""
    offset: int = 0
    count: int = 0
    counted: list[str] = []

    @property
    def all(self) -> list[Found]:
        """Matches, then what came with them."""
        return self.matches + self.included


class Onward(Struct, frozen=True):
    """What a kept result needs besides its matches."""

    includes: tuple[Include, ...] = ()
    elements: frozenset[str] = frozenset()


class Searcher(Struct):
    """Searches on behalf of one actor, who sees matches and includes of her compartment only."""

    connection: asyncpg.Connection
    base_url: str
    actor: Actor
    now: datetime

    async def search(self, query: Query) -> Page:
        """The first page of `query`."""
        statement = Statement(self.actor.patient, self.base_url)
        where = statement.matches(query)
        if query.count == 0:
            return await self._counted(where, statement)
        order = statement.order(query)
        matched = f"select r.key, row_number() over (order by {order}) as place from resource r where {where}"
        return await self._first(matched, statement, query.count, Onward(query.includes, query.elements))

    async def _counted(self, where: str, statement: Statement) -> Page:
        """The number of matches alone, and whom it tells of: a count of more than 500 people is a statistic."""
        total = await self.connection.fetchval(f"select count(*) from resource r where {where}", *statement.values)
        sql = (
            f"select distinct patient from (select unnest(r.compartment) as patient from resource r where {where}"
            f" limit {_MAX_COUNTED}) found limit {_STATISTIC + 1}"
        )
        patients = [row["patient"] for row in await self.connection.fetch(sql, *statement.values)] if total else []
        return Page(total, [], [], counted=patients if len(patients) <= _STATISTIC else [])

    async def everything(self, patient: str, types: Sequence[str], since: datetime | None, count: int) -> Page:
        """What is of `types` in the compartment of `patient`, and the shared resources that it refers to."""
        statement = Statement(self.actor.patient, self.base_url)
        extra = f" and r.type = any({statement.give(list(types))}::text[])"
        if since is not None:
            extra += f" and r.last_updated >= {statement.give(since)}"
        hers = f"r.compartment @> array[{statement.give(patient)}::text] and {statement.visible('r')}"
        shared = (
            f"r.type = any({statement.give(sorted(definitions.SHARED_TYPES))}::text[]) and {statement.visible('r')}"
        )
        matched = (
            f"with hers as (select r.key from resource r where {hers}), wanted as ("
            f"select r.key, r.type, r.last_updated from resource r where r.key in (select key from hers){extra}"
            " union select r.key, r.type, r.last_updated from reference f join resource r"
            " on r.type = f.target_type and r.id = f.target_id"
            f" where f.key in (select key from hers) and {shared}{extra})"
            " select key, row_number() over (order by type <> 'Patient', key) as place from wanted"
        )
        return await self._first(matched, statement, count, Onward())

    async def page(self, result: str, offset: int, count: int) -> Page:
        """A further page of a kept result. Raises FhirProblem 410 when it is too old, or someone else's."""
        kept = await queries.saved_result(self.connection, id=result, owner=self._owner, since=self.now - _KEPT)
        if kept is None:
            raise FhirProblem(410, "not-found", "HAPI-0417: Search ID does not exist and may have expired")
        keys: list[int] = kept["keys"]
        onward = msgspec.json.decode(kept["query"], type=Onward)
        page = Page(
            len(keys), await self._bodies(keys[offset : offset + count]), [], onward.elements, result, offset, count
        )
        page.included = await self._included(page.matches, onward.includes)
        return page

    async def _first(self, matched: str, statement: Statement, count: int, onward: Onward) -> Page:
        result, limit = ids.token(192), statement.give(count)
        owner, made_at = statement.give(self._owner), statement.give(self.now)
        sql = (
            f"with matched as materialized ({matched}), counted as (select count(*) as total from matched), kept as ("
            " insert into search_result (id, owner, made_at, keys, query)"
            f" select {statement.give(result)}::text, {owner}::text, {made_at}::timestamptz,"
            f" array_agg(key order by place), {statement.give(msgspec.json.encode(onward).decode())}::text"
            f" from matched having count(*) > {limit}::bigint)"
            " select r.type, r.id, r.version, r.compartment, v.body, r.key, total from counted, matched m"
            " join resource r on r.key = m.key join version v on v.key = r.key and v.version = r.version"
            f" where m.place <= {limit} order by m.place"
        )
        rows = await self.connection.fetch(sql, *statement.values)
        total = rows[0]["total"] if rows else 0
        page = Page(total, [Found(*tuple(row)[:6]) for row in rows], [], onward.elements)
        if total > count:
            page.result, page.count = result, count
            await queries.forget_results(self.connection, before=self.now - _KEPT)
        page.included = await self._included(page.matches, onward.includes)
        return page

    async def _included(self, matches: Sequence[Found], includes: Sequence[Include]) -> list[Found]:
        """What comes with a page; `:iterate` follows on from what came, up to a few rounds."""
        seen, found = {match.key for match in matches}, list[Found]()
        around = list(matches)
        for round_number in range(_MAX_ROUNDS):
            wanted = [include for include in includes if round_number == 0 or include.iterate]
            keys = await self._neighbours([one.key for one in around], wanted) - seen
            if not keys or len(found) > _MAX_INCLUDED:
                break
            around = [one for one in await self._bodies(sorted(keys)) if self.actor.may("read", one.type)]
            seen |= keys
            found += around
        return found

    async def _neighbours(self, keys: list[int], includes: Sequence[Include]) -> set[int]:
        found: set[int] = set()
        for reverse, statement in ((False, queries.included), (True, queries.pointing_at)):
            links = [link for one in includes if one.reverse is reverse for link in one.links]
            if links and keys:
                names, targets = [link[0] for link in links], [link[1] for link in links]
                rows = statement(self.connection, keys=keys, names=names, targets=targets)
                found |= {row["key"] async for row in rows}
        return found

    async def _bodies(self, keys: Sequence[int]) -> list[Found]:
        shared = sorted(definitions.SHARED_TYPES)
        rows = queries.bodies(self.connection, keys=list(keys), patient=self.actor.patient, shared=shared)
        return [Found(*row) async for row in rows]

    @property
    def _owner(self) -> str:
        return f"{self.actor.kind} {self.actor.client} {self.actor.id}"


def searchset(page: Page, base_url: str, self_url: str, now: datetime) -> bytes:
    """The searchset Bundle of `page`."""
    entries = [_entry(one, base_url, "match", page.elements) for one in page.matches]
    entries += [_entry(one, base_url, "include", frozenset()) for one in page.included]
    links = [("self", self_url), *_onward(page, base_url)]
    return bundles.bundle("searchset", entries, total=page.total, links=links, now=now, identity=ids.token(128))


def _onward(page: Page, base_url: str) -> list[Link]:
    links = []
    if page.result and page.offset + page.count < page.total:
        links.append(("next", _page_url(page, base_url, page.offset + page.count)))
    if page.result and page.offset > 0:
        links.append(("previous", _page_url(page, base_url, max(page.offset - page.count, 0))))
    return links


def _page_url(page: Page, base_url: str, offset: int) -> str:
    return (
        f"{base_url}?_getpages={quote(page.result)}&_getpagesoffset={offset}&_count={page.count}&_bundletype=searchset"
    )


def _entry(one: Found, base_url: str, mode: str, elements: frozenset[str]) -> Entry:
    body: Any = bundles.subset(one.body, elements) if elements else one.body
    return Entry(resource=body, full_url=f"{base_url}/{one.type}/{one.id}", search={"mode": mode})
