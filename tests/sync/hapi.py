"""A FHIR server that answers as HAPI FHIR's JPA server does out of the box, as far as a sync can see. In-memory.

Texts and numbers are those of HAPI's public sources. Numeric ids; content that did not change makes no new version;
references must resolve; what is referred to can't be deleted; pages are links at the base; a narrative is added to what
is read. `refuse` says for a bundle what to answer instead: (status, diagnostics, headers), or None.
"""

import itertools
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sync.servers import _body

Json = dict[str, Any]
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3}
_PAGE = 20


class Refused(Exception):
    """An answer that is an OperationOutcome."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


class FakeHapi:
    """`versions` has every version by "Type/id"; the last one counts, None is a deletion."""

    def __init__(self, base: str = "/fhir") -> None:
        self.base, self.url = base, ""
        self.versions: dict[str, list[Json | None]] = {}
        self.log: list[Json] = []  # entries of the history, oldest first
        self.pages: dict[str, list[Json]] = {}
        self.asked: list[str] = []
        self.refuse: Any = lambda bundle: None
        self._ids = itertools.count(1000)
        self._last = datetime.min.replace(tzinfo=UTC)

    # What tests look at

    def of(self, kind: str) -> list[Json]:
        """All resources of a type."""
        return [one for place, one in self._current() if place.startswith(f"{kind}/")]

    def write(self, resource: Json) -> Json:
        """As somebody else would: a new resource, or a new version of one that has an id."""
        place = f"{resource['resourceType']}/{resource.get('id') or next(self._ids)}"
        return self._store(place, resource)

    def remove(self, place: str) -> None:
        """As somebody else would."""
        self._gone(place)

    # The wire

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, query = await _body(receive), parse_qsl(scope["query_string"].decode())
        host = next(value.decode() for name, value in scope["headers"] if name == b"host")
        self.url = f"http://{host}{self.base}"
        path = scope["path"].removeprefix(self.base).strip("/")
        self.asked.append(f"{scope['method']} {path}")
        headers: dict[str, str] = {}
        try:
            status, answer = self._answer(scope["method"], path, query, body, dict(scope["headers"]))
        except Refused as refused:
            status, headers = refused.status, refused.headers
            issue = {"severity": "error", "code": "processing", "diagnostics": refused.text}
            answer = {"resourceType": "OperationOutcome", "issue": [issue]}
        sent = [(b"content-type", b"application/fhir+json;charset=UTF-8")]
        sent += [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _answer(self, method: str, path: str, query: Any, body: bytes, headers: Any) -> tuple[int, Json]:
        parts = path.split("/") if path else []
        if method == "GET" and dict(query).get("_getpages"):
            return 200, self._page(**{name: value for name, value in query if name.startswith("_getpages")})
        if method == "POST" and not parts:
            return 200, self._transaction(json.loads(body))
        if method == "GET" and parts == ["_history"]:
            return 200, self._paged(self._history(dict(query)["_since"]), "history", query)
        if method == "GET" and len(parts) == 1 and parts[0][0].isupper():
            found = [{"fullUrl": f"{self.url}/{place}", "resource": one} for place, one in self._search(path, query)]
            return 200, self._paged(found, "searchset", query)
        if method == "GET" and len(parts) == 2:
            return 200, _told(self._read(path))
        if method == "PUT" and len(parts) == 2:
            return 200, self._update(path, json.loads(body), headers.get(b"if-match", b"").decode())
        if method == "POST" and len(parts) == 1 and parts[0][0].isupper():
            self._resolved([json.loads(body)], {})
            return 201, _told(self.write(json.loads(body)))
        raise Refused(
            400,
            f"HAPI-0287: Invalid request: The FHIR endpoint on this server does not know how to handle {method} "
            f"operation[{path}] with parameters [[]]",
        )

    def _paged(self, entries: list[Json], kind: str, query: Any) -> Json:
        key = str(uuid.uuid4())
        self.pages[key] = entries
        count = min(int(dict(query).get("_count", _PAGE)), 50)
        return self._page(key, "0", str(count)) | {"type": kind}

    def _page(self, _getpages: str, _getpagesoffset: str, _getpagescount: str = "") -> Json:
        start, count = int(_getpagesoffset), int(_getpagescount or _PAGE)
        entries = self.pages[_getpages]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": []}
        if start + count < len(entries):
            more = f"_getpages={_getpages}&_getpagesoffset={start + count}&_getpagescount={count}"
            bundle["link"] = [{"relation": "next", "url": f"{self.url}?{more}"}]
        shown = [
            one | {"resource": _told(one["resource"])} if "resource" in one else one
            for one in entries[start : start + count]
        ]
        return bundle | {"entry": shown} if shown else bundle

    # Reading

    def _current(self) -> Iterator[tuple[str, Json]]:
        for place, versions in self.versions.items():
            if versions[-1] is not None:
                yield place, versions[-1]

    def _read(self, place: str) -> Json:
        if place not in self.versions:
            raise Refused(404, f"HAPI-2001: Resource {place} is not known")
        found = self.versions[place][-1]
        if found is None:
            raise Refused(410, f"Resource was deleted at {self._last.isoformat(timespec='milliseconds')}")
        return found

    def _search(self, kind: str, query: Any) -> list[tuple[str, Json]]:
        asked = [(name, value) for name, value in query if name not in ("_count",)]
        return [
            (place, one)
            for place, one in self._current()
            if place.startswith(f"{kind}/") and all(self._fits(one, name, value) for name, value in asked)
        ]

    def _fits(self, one: Json, name: str, value: str) -> bool:
        wanted = value.replace("\\,", "\0").split(",")
        if name == "identifier":
            held = one.get("identifier") or []
            tokens = [(each.get("system", ""), each.get("value", "")) for each in held if isinstance(each, dict)]
        elif name == "code":
            tokens = [(each.get("system", ""), each["code"]) for each in one.get("code", {}).get("coding", ())]
        elif name == "_tag":
            tokens = [(each["system"], each["code"]) for each in one.get("meta", {}).get("tag", ())]
        elif name in ("patient", "subject"):
            return any(reference in wanted for reference in _references(one))
        else:
            raise Refused(400, f'HAPI-0524: Unknown search parameter "{name}" for resource type')
        return any(_matches(one.replace("\0", ",").replace("\\$", "$"), tokens) for one in wanted)

    def _history(self, since: str) -> list[Json]:
        after = datetime.fromisoformat(since)
        return [one["entry"] for one in reversed(self.log) if one["at"] >= after]

    # Writing

    def _now(self) -> datetime:
        self._last = max(datetime.now(UTC), self._last + timedelta(milliseconds=1))
        return self._last

    def _store(self, place: str, resource: Json) -> Json:
        versions, at = self.versions.setdefault(place, []), self._now()
        kind, _, id_ = place.partition("/")
        was, number = (versions[-1] if versions else None), len(versions) + 1
        if was is not None and _content(was) == _content(resource):
            return was
        stamp = at.isoformat(timespec="milliseconds")
        meta = {key: held for key, held in resource.get("meta", {}).items() if key in ("profile", "tag", "security")}
        meta |= {"versionId": str(number), "lastUpdated": stamp, "source": "#" + uuid.uuid4().hex[:16]}
        stored: Json = {**resource, "resourceType": kind, "id": id_, "meta": meta}
        versions.append(stored)
        request = {"method": "POST" if number == 1 else "PUT", "url": f"{place}/_history/{number}"}
        response = {"status": "201 Created" if number == 1 else "200 OK", "etag": f'W/"{number}"'}
        entry = {"fullUrl": f"{self.url}/{place}", "resource": stored, "request": request, "response": response}
        self.log.append({"at": at, "entry": entry})
        return stored

    def _gone(self, place: str) -> None:
        for other, one in self._current():
            if other != place and place in _references(one):
                raise Refused(
                    409,
                    f"HAPI-0550: HAPI-0515: Unable to delete {place} because at least one resource has a reference to "
                    f"this resource. First reference found was resource {other} in path {other.partition('/')[0]}",
                )
        number, at = len(self.versions[place]) + 1, self._now()
        self.versions[place].append(None)
        entry = {
            "fullUrl": f"{self.url}/{place}",
            "request": {"method": "DELETE", "url": f"{place}/_history/{number}"},
            "response": {
                "status": "204 No Content",
                "etag": f'W/"{number}"',
                "lastModified": at.isoformat(timespec="milliseconds"),
            },
        }
        self.log.append({"at": at, "entry": entry})

    def _update(self, place: str, resource: Json, if_match: str) -> Json:
        held, asked = self.versions.get(place, []), if_match.strip('W/"')
        if asked and asked != str(len(held)):
            raise Refused(
                409, f"HAPI-0989: Trying to update {place}/_history/{asked} but this is not the current version"
            )
        self._resolved([resource], {})
        return self._store(place, resource)

    def _transaction(self, bundle: Json) -> Json:
        answer = self.refuse(bundle)
        if answer:
            raise Refused(*answer)
        before = ({place: list(some) for place, some in self.versions.items()}, list(self.log))
        try:
            return self._applied(bundle["entry"])
        except Refused:
            self.versions, self.log = before
            raise

    def _applied(self, entries: list[Json]) -> Json:
        """DELETE, POST, PUT; the answer in the order of the request. A reference is checked at the end."""
        names: dict[str, str] = {}
        places: dict[int, tuple[str, str]] = {}
        ordered = sorted(range(len(entries)), key=lambda number: _ORDER[entries[number]["request"]["method"]])
        gone, kept = [], []
        for number in ordered:
            entry = entries[number]
            method, found = entry["request"]["method"], self._target(entry["request"])
            if method == "DELETE":
                gone += [found] if found else []
                places[number] = (found, "204 No Content")
                continue
            made = "200 OK" if found else "201 Created"
            place = found or f"{entry['resource']['resourceType']}/{next(self._ids)}"
            places[number], names[entry.get("fullUrl", place)] = (place, made), place
            if method == "PUT" or not found:
                kept.append((place, entry["resource"]))
        for place, resource in self._with_references(kept, names):
            self._store(place, resource)
        for place in gone:  # those that refer to one another go together
            self.versions[place].append(None)
        for place in gone:
            self.versions[place].pop()
            self._gone_together(place, gone)
        return {
            "resourceType": "Bundle",
            "type": "transaction-response",
            "entry": [self._response(*places[number]) for number in range(len(entries))],
        }

    def _gone_together(self, place: str, gone: list[str]) -> None:
        hidden = {other: self.versions[other] for other in gone if other != place}
        for other in hidden:
            self.versions[other] = [*hidden[other], None]
        try:
            self._gone(place)
        finally:
            self.versions |= hidden

    def _response(self, place: str, status: str) -> Json:
        if not place or status.startswith("204"):
            return {"response": {"status": status}}
        number = len(self.versions[place])
        return {"response": {"status": status, "location": f"{place}/_history/{number}", "etag": str(number)}}

    def _target(self, request: Json) -> str:
        """The resource that an entry is about; "" when there is none yet."""
        if request["method"] == "POST" and "ifNoneExist" not in request:
            return ""
        exists = request["url"] if request["method"] != "POST" else f"{request['url']}?{request['ifNoneExist']}"
        parts = urlsplit(exists)
        if not parts.query:
            return parts.path
        found = self._search(parts.path, parse_qsl(parts.query))
        if len(found) > 1:
            number = {"POST": "HAPI-0958: ", "DELETE": "HAPI-0962: "}.get(request["method"], "")
            verb = {"POST": "CREATE", "DELETE": "DELETE"}.get(request["method"], "UPDATE")
            raise Refused(
                412,
                f'{number}Failed to {verb} resource with match URL "{unquote(exists)}" because this search '
                f"matched {len(found)} resources",
            )
        return found[0][0] if found else ""

    def _with_references(self, kept: list[tuple[str, Json]], names: dict[str, str]) -> list[tuple[str, Json]]:
        made = self._resolved([resource for _, resource in kept], names)
        return [(place, resource) for (place, _), resource in zip(kept, made, strict=True)]

    def _resolved(self, resources: list[Json], names: dict[str, str]) -> list[Json]:
        """`resources` with references to what is stored, or is about to be. Refuses what leads nowhere."""
        there = {place for place, _ in self._current()} | set(names.values())

        def place_of(reference: str) -> str:
            if reference in names:
                return names[reference]
            if "?" in reference:
                kind, _, query = reference.partition("?")
                found = self._search(kind, parse_qsl(query))
                if len(found) != 1:
                    number, many = ("2207", "Multiple") if found else ("1091", "No")
                    status = 412 if found else 404
                    raise Refused(
                        status, f'HAPI-{number}: Invalid match URL "{reference}" - {many} resources match this search'
                    )
                return found[0][0]
            bare = reference.removeprefix(f"{self.url}/").partition("/_history/")[0]
            if reference.startswith("#") or bare in there:
                return bare
            if bare in self.versions:
                raise Refused(400, f"HAPI-1096: Resource {bare} is deleted, specified in path: reference")
            raise Refused(400, f"HAPI-1094: Resource {bare} not found, specified in path: reference")

        def walk(node: Any) -> Any:
            if isinstance(node, dict):
                return {
                    key: place_of(held) if key == "reference" and isinstance(held, str) else walk(held)
                    for key, held in node.items()
                }
            return [walk(one) for one in node] if isinstance(node, list) else node

        return [walk(one) for one in resources]


def _told(resource: Json) -> Json:
    """As it is shown: with a narrative of the server's own."""
    return {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">…</div>'}} | resource


def _content(resource: Json) -> Json:
    return {key: held for key, held in resource.items() if key not in ("id", "meta", "text")} | {
        "meta": {key: held for key, held in resource.get("meta", {}).items() if key in ("profile", "tag")}
    }


def _matches(token: str, held: list[tuple[str, str]]) -> bool:
    system, bar, value = token.partition("|")
    if not bar:
        return any(token == one for _, one in held)
    return any(system == of and value in ("", one) for of, one in held)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, held in node.items():
            if key == "reference" and isinstance(held, str):
                yield held
            else:
                yield from _references(held)
    elif isinstance(node, list):
        for one in node:
            yield from _references(one)
