"""A client of any DHIS2 Web API, version 40 or newer: ours or the real product.

Reads are tried again when the server is away. Imports are not: the caller knows whether that is safe (it is, when
every object carries its UID and the strategy is CREATE_AND_UPDATE).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import stamina
from msgspec import Struct

Parameters = Mapping[str, str]
_AWAY = {408, 425, 429, 500, 502, 503, 504}
Kind = TypeVar("Kind")


class Dhis2Error(Exception):
    """The server refused or could not be reached.

    `status` is the HTTP status (0: no answer), `code` its error code (`E1005`; may be empty), `text` its own words,
    `retryable` whether the same request may succeed later, `retry_after` how long it asks to wait (s), `told` whether
    DHIS2 said so itself, by a web message (§1.2): a 404 of a proxy, or of a server that is starting, says nothing.
    """

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        told: bool = False,
    ) -> None:
        super().__init__(" ".join(part for part in (str(status or ""), code, text) if part))
        self.status, self.code, self.text, self.retryable = status, code, text, retryable
        self.retry_after, self.told = retry_after, told

    @property
    def gone(self) -> bool:
        """Whether DHIS2 itself says that what was asked for is not there."""
        return self.told and self.status in (404, 410)


class SystemInfo(Struct, frozen=True, rename="camel"):
    """What `GET /api/system/info` says about the installation (§1.5)."""

    system_id: str
    version: str
    system_name: str = ""
    server_time_zone_id: str = "Etc/UTC"
    server_date: str = ""
    context_path: str = ""


class Change(Struct, frozen=True, rename="camel"):
    """One entry of the change feed: tracked entity `tracked_entity` changed at `changed_at`, as part of a W3C trace."""

    cursor: str
    tracked_entity: str
    changed_at: datetime | None = None
    traceparent: str = ""


class Changes(Struct, frozen=True):
    """A page of the change feed; read on after `next`."""

    changes: list[Change]
    next: str


class Dhis2Client:
    """The Web API below `{url}/api` (`url` without a slash at the end).

    Args:
        http: pooled client, from `kernel.http.client`.
        basic, api_token, bearer: at most one of these ways to log in (user name and password; personal access
            token; OAuth2 access token).
        attempts: how often a read is tried when the server is away.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        *,
        basic: tuple[str, str] | None = None,
        api_token: str = "",
        bearer: str = "",
        attempts: int = 3,
    ) -> None:
        self.api = url.rstrip("/") + "/api"
        self._http, self._attempts = http, attempts
        self._auth = httpx.BasicAuth(*basic) if basic else None
        self._headers = {"accept": "application/json", "x-requested-with": "XMLHttpRequest"}
        if api_token:
            self._headers["authorization"] = f"ApiToken {api_token}"
        elif bearer:
            self._headers["authorization"] = f"Bearer {bearer}"

    async def me(self, fields: str = "*") -> dict[str, Any]:
        """The user this client is logged in as (§1.5)."""
        return await self.get("/me", {"fields": fields})

    async def system_info(self) -> SystemInfo:
        """What the installation says about itself (§1.5)."""
        return _typed((await self._read("/system/info", {})).content, SystemInfo)

    async def tracked_entity(self, uid: str, *, fields: str = "*", program: str = "") -> dict[str, Any]:
        """The tracked entity `uid` (§3.4); with `fields="*"` all that hangs on it. Raises Dhis2Error 404."""
        return await self.get(f"/tracker/trackedEntities/{quote(uid)}", _given(fields=fields, program=program))

    async def tracked_entities(self, parameters: Parameters) -> AsyncIterator[dict[str, Any]]:
        """The tracked entities that `parameters` of §3.3 select, page by page (`pageSize` as given)."""
        async for one in self._pages("/tracker/trackedEntities", "trackedEntities", parameters):
            yield one

    async def tracked_entity_page(self, parameters: Parameters, kind: type[Kind]) -> list[Kind]:
        """One page of them, each person read as `kind`: what it has no place for is not kept."""
        found = _typed((await self._read("/tracker/trackedEntities", parameters)).content, _People[kind])  # type: ignore[valid-type]
        return found.trackedEntities or found.instances or []

    async def enrollments(self, parameters: Parameters) -> AsyncIterator[dict[str, Any]]:
        """The enrolments that `parameters` of §3.5 select, page by page."""
        async for one in self._pages("/tracker/enrollments", "enrollments", parameters):
            yield one

    async def events(self, parameters: Parameters) -> AsyncIterator[dict[str, Any]]:
        """The events that `parameters` of §3.6 select, page by page."""
        async for one in self._pages("/tracker/events", "events", parameters):
            yield one

    async def changes(self, after: str = "", *, limit: int = 500, wait: int = 20) -> Changes:
        """Changes after the cursor `after`, at once or as soon as there are some within `wait` seconds.

        An extension: a server without the feed raises Dhis2Error 404. Tried once.
        """
        parameters = _given(after=after, limit=str(limit), wait=str(wait))
        answer = await self._send("GET", "/tracker/changes", parameters=parameters, timeout=wait + 10)
        return _typed(answer.content, Changes)

    async def import_tracker(self, payload: Mapping[str, Any] | bytes, **parameters: str) -> dict[str, Any]:
        """The import report of `POST /api/tracker?async=false` (§2.4), whether or not objects were refused.

        `parameters` are those of §2.1; importStrategy is CREATE_AND_UPDATE unless given. Raises Dhis2Error for
        anything that is no import report.
        """
        query = {"async": "false", "importStrategy": "CREATE_AND_UPDATE", **parameters}
        answer = await self._send("POST", "/tracker", parameters=query, body=payload, accepted=(409,), timeout=120)
        report = _json(answer)
        if "validationReport" not in report and not answer.is_success:
            raise _error(answer)
        return report

    async def metadata(self, kind: str, *, fields: str = ":owner", filters: Sequence[str] = ()) -> list[dict[str, Any]]:
        """All objects of the collection `kind` ("organisationUnits", …) that meet `filters` (§4.1)."""
        query = [("fields", fields), ("paging", "false"), *(("filter", one) for one in filters)]
        return list(_json(await self._read(f"/{quote(kind)}", query)).get(kind, []))

    async def import_metadata(self, package: Mapping[str, Any] | bytes, **parameters: str) -> dict[str, Any]:
        """The import report of `POST /api/metadata` (§4.3), all or nothing. Raises Dhis2Error when it was refused."""
        query = {"importStrategy": "CREATE_AND_UPDATE", "atomicMode": "ALL", **parameters}
        answer = await self._send("POST", "/metadata", parameters=query, body=package, timeout=120)
        report = _json(answer)
        outcome = report.get("response", report)
        if outcome.get("status") == "ERROR":
            raise Dhis2Error(409, *_first_error(outcome))
        return report

    async def run_route(
        self,
        code: str,
        body: Any = None,
        *,
        path: str = "",
        method: str = "",
        headers: Mapping[str, str] | None = None,
        parameters: Parameters | None = None,
    ) -> httpx.Response:
        """What the target of the Route `code` answered, whatever its status (§5).

        `body` (JSON) makes it a POST unless `method` says otherwise. Only a few headers travel on. Raises Dhis2Error
        when the registry itself is away; its own 404 (no such Route) and 403 come back as they are.
        """
        place = f"/routes/{quote(code)}/run{path}"
        verb = method or ("GET" if body is None else "POST")
        return await self._request(verb, place, parameters=parameters, body=body, headers=headers, timeout=65)

    async def get(self, path: str, parameters: Parameters | None = None) -> dict[str, Any]:
        """Any GET below `/api` that answers with a JSON object."""
        return _json(await self._read(path, parameters or {}))

    async def post(self, path: str, body: Any, parameters: Parameters | None = None) -> dict[str, Any]:
        """Any POST of JSON below `/api` that answers with a JSON object."""
        return _json(await self._send("POST", path, parameters=parameters, body=body))

    async def _pages(self, path: str, key: str, parameters: Parameters) -> AsyncIterator[dict[str, Any]]:
        size = int(parameters.get("pageSize", 50))
        for number in count(1):
            found = await self.get(path, {**parameters, "page": str(number), "pageSize": str(size)})
            page = found.get(key) or found.get("instances") or []
            for one in page:
                yield one
            if len(page) < size:
                return

    async def _read(self, path: str, parameters: Parameters | Sequence[tuple[str, str]]) -> httpx.Response:
        async for attempt in stamina.retry_context(
            on=_may_retry, attempts=self._attempts, wait_initial=0.2, timeout=20
        ):
            with attempt:
                return await self._send("GET", path, parameters=parameters)
        raise AssertionError("stamina re-raises the last error")

    async def _send(self, method: str, path: str, *, accepted: Sequence[int] = (), **options: Any) -> httpx.Response:
        answer = await self._request(method, path, **options)
        if answer.is_success or answer.status_code in accepted:
            return answer
        raise _error(answer)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | Sequence[tuple[str, str]] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        sent = self._headers | dict(headers or {})
        query = parameters.items() if isinstance(parameters, Mapping) else parameters
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        if content is not None:
            sent.setdefault("content-type", "application/json")
        try:
            return await self._http.request(
                method,
                self.api + path,
                params=httpx.QueryParams(list(query)) if query else None,
                content=content,
                headers=sent,
                auth=self._auth or httpx.USE_CLIENT_DEFAULT,
                timeout=httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=3.0),
            )
        except httpx.HTTPError as error:
            raise Dhis2Error(0, "", f"no answer ({type(error).__name__})", retryable=True) from error


def minor(version: str) -> int:
    """The minor version: 41 of "2.41.3", or of "41.3"; 0 when it is none."""
    parts = version.split("-")[0].split(".")
    number = parts[1] if parts[0] == "2" and len(parts) > 1 else parts[0]
    return int(number) if number.isascii() and number.isdecimal() else 0


class _People(Struct, Generic[Kind]):
    """A page of tracked entities; before version 41 they were called instances."""

    trackedEntities: list[Kind] | None = None
    instances: list[Kind] | None = None


class _Envelope(Struct):
    """A web message (§1.2), as far as an error needs it."""

    httpStatusCode: int = 0
    errorCode: str | None = None
    message: str | None = None
    response: dict[str, Any] | None = None


def _error(answer: httpx.Response) -> Dhis2Error:
    try:
        envelope = msgspec.json.decode(answer.content, type=_Envelope)
    except msgspec.DecodeError:
        envelope = _Envelope()
    code, text = envelope.errorCode or "", envelope.message or answer.reason_phrase
    if envelope.response and envelope.response.get("typeReports"):
        code, text = _first_error(envelope.response)
    after = answer.headers.get("retry-after", "")
    return Dhis2Error(
        answer.status_code,
        code,
        text,
        retryable=answer.status_code in _AWAY,
        retry_after=float(after) if after.isdigit() else None,
        told=envelope.httpStatusCode == answer.status_code,
    )


def _first_error(report: dict[str, Any]) -> tuple[str, str]:
    for kind in report.get("typeReports", []):
        for one in kind.get("objectReports", []):
            for error in one.get("errorReports", []):
                return error.get("errorCode", ""), error.get("message", "")
    return "", "the import was refused without a reason"


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(answer.content)) if answer.content else {}
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise Dhis2Error(answer.status_code, "", "the answer is not a JSON object") from error


def _typed(content: bytes, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise Dhis2Error(200, "", f"the answer has another shape: {error}") from error


def _given(**parameters: str) -> dict[str, str]:
    return {key: value for key, value in parameters.items() if value}


def _may_retry(error: Exception) -> bool:
    return isinstance(error, Dhis2Error) and error.retryable
