"""A registry and a record that do just enough, on real HTTP, and can be told to misbehave. In-memory."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.asynccontextmanager
async def served(app: Any, port: int) -> AsyncIterator[str]:
    """`app` on `port`, in this event loop."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Any, status: int, value: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


class FakeRegistry:
    """People by UID and a change feed; `feed = False` makes it a DHIS2 without one."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.changes: list[str] = []
        self.fetched: list[str] = []
        self.feed = True
        self.down = False
        self.lost = False  # a proxy that misses its server: 404 for whoever asks for people
        self.forbidden: set[str] = set()
        self.broken: set[str] = set()  # whoever asks for one of them is answered 500
        self.slow = 0.0
        self._news = asyncio.Event()

    def put(self, person: dict[str, Any]) -> None:
        """A person was written."""
        self.people[person["trackedEntity"]] = json.loads(json.dumps(person))
        self._changed(person["trackedEntity"])

    def remove(self, uid: str) -> None:
        """A person was deleted."""
        self.deleted.add(uid)
        self.hide(uid)

    def hide(self, uid: str) -> None:
        """A person went where the sync's user may not look."""
        del self.people[uid]
        self._changed(uid)

    def _changed(self, uid: str) -> None:
        self.changes.append(uid)
        self._news.set()
        self._news = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, query = scope["path"], dict(parse_qsl(scope["query_string"].decode()))
        if self.down:
            await _answer(send, 503, {"httpStatusCode": 503, "message": "down"})
        elif self.broken & {*query.get("trackedEntities", "").split(","), path.rpartition("/")[2]}:
            await _answer(send, 500, {"httpStatusCode": 500, "message": "broken"})
        elif self.lost and "/trackedEntities" in path:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<!doctype html><title>Not Found</title>"})
        elif path == "/api/system/info":
            info = {"systemId": "5b21b377", "version": "2.42.1", "serverTimeZoneId": "Etc/UTC"}
            await _answer(send, 200, info | {"serverDate": "2026-01-01T00:00:00.000"})
        elif path in ("/api/organisationUnits", "/api/users"):
            await _answer(send, 200, {path.rpartition("/")[2]: []})
        elif path == "/api/tracker/changes" and self.feed:
            await self._changes(send, query)
        elif path == "/api/tracker/trackedEntities" and "trackedEntities" in query:
            wanted = [uid for uid in query["trackedEntities"].split(",") if uid in self.people.keys() - self.forbidden]
            self.fetched += wanted
            await asyncio.sleep(self.slow)
            listed = [self.people[uid] for uid in wanted]
            if query.get("includeDeleted") == "true":
                gone = self.deleted & set(query["trackedEntities"].split(",")) - set(wanted)
                listed += [{"trackedEntity": uid, "deleted": True} for uid in gone]
            await _answer(send, 200, {"trackedEntities": listed})
        elif path == "/api/tracker/trackedEntities":
            whole = query.get("fields", "").startswith("*") or "program" in query
            people = [
                one if whole else {"trackedEntity": uid, "updatedAt": one["updatedAt"]}
                for uid, one in self.people.items()
            ]
            await _answer(send, 200, {"trackedEntities": people})
        elif path.startswith("/api/tracker/trackedEntities/"):
            await self._person(send, path.rpartition("/")[2])
        else:
            await _answer(send, 404, {"httpStatusCode": 404, "errorCode": "E1005", "message": "not there"})

    async def _changes(self, send: Any, query: dict[str, str]) -> None:
        after, news = int(query.get("after") or 0), self._news
        if len(self.changes) <= after:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), min(float(query["wait"]), 0.3))
        found = self.changes[after:]
        entries = [{"cursor": str(after + n + 1), "trackedEntity": uid} for n, uid in enumerate(found)]
        await _answer(send, 200, {"changes": entries, "next": str(after + len(found))})

    async def _person(self, send: Any, uid: str) -> None:
        self.fetched.append(uid)
        if uid in self.forbidden:
            message = "User has no access to TrackedEntity"
            await _answer(send, 403, {"httpStatusCode": 403, "errorCode": "E1001", "message": message})
            return
        found = json.loads(json.dumps(self.people.get(uid)))
        await asyncio.sleep(self.slow)
        await _answer(send, 200 if found else 404, found or {"httpStatusCode": 404, "message": "gone"})


class FakeRecord:
    """Resources by conditional URL, written by transactions alone. `refuse` says the status for a bundle, or 0 (-1: it
    is never answered)."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []
        self.bundles: list[dict[str, Any]] = []
        self.status = 0
        self.refuse: Any = lambda bundle: 0
        self.after_commit: Any = lambda: None
        self.lock = threading.Lock()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a kind."""
        return [one for one in self.resources if one["resourceType"] == kind]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _body(receive)
        if self.status:
            await _answer(send, self.status, {"resourceType": "OperationOutcome", "issue": []})
        elif scope["method"] == "GET":
            kind, query = scope["path"].rpartition("/")[2], scope["query_string"].decode()
            entries = [{"resource": one} for one in self._matches(f"{kind}?{query}")]
            await _answer(send, 200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})
        elif scope["method"] == "PUT":
            resource = json.loads(body)
            self.resources = [resource if one["id"] == resource["id"] else one for one in self.resources]
            await _answer(send, 200, resource)
        else:
            await self._transaction(send, json.loads(body))

    async def _transaction(self, send: Any, bundle: dict[str, Any]) -> None:
        status = self.refuse(bundle)
        if status < 0:
            await asyncio.sleep(3600)
        if status:
            issue = {"severity": "error", "code": "invalid", "diagnostics": "secret", "expression": ["Patient.name"]}
            await _answer(send, status, {"resourceType": "OperationOutcome", "issue": [issue]})
            return
        self.bundles.append(bundle)
        for entry in bundle["entry"]:
            self._write(entry)
        self.after_commit()
        await _answer(send, 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": []})

    def _write(self, entry: dict[str, Any]) -> None:
        request = entry["request"]
        exists = f"{request['url']}?{request['ifNoneExist']}" if "ifNoneExist" in request else request["url"]
        found = self._matches(exists)
        assert len(found) <= 1, f"{exists} matches {len(found)}"
        if request["method"] == "DELETE":
            self.resources = [one for one in self.resources if one not in found]
        elif request["method"] == "PUT" and found:
            place = self.resources.index(found[0])
            self.resources[place] = entry["resource"] | {"id": found[0]["id"]}
        elif not found:
            self.resources.append(entry["resource"] | {"id": f"r{len(self.resources)}-{len(self.bundles)}"})

    def _matches(self, url: str) -> list[dict[str, Any]]:
        parts = urlsplit(url)
        if "/" in parts.path:
            return [one for one in self.resources if f"{one['resourceType']}/{one['id']}" == parts.path]
        ((parameter, token),) = parse_qsl(parts.query)
        asked = {tuple(one.split("|", 1)) for one in token.split(",")}
        return [one for one in self.of(parts.path) if asked & set(self._tokens(one, parameter))]

    def _tokens(self, resource: dict[str, Any], parameter: str) -> list[tuple[str, str]]:
        if parameter == "_tag":
            return [(one["system"], one["code"]) for one in resource.get("meta", {}).get("tag", ())]
        assert parameter == "identifier"
        return [(one["system"], one["value"]) for one in resource.get("identifier", ())]
