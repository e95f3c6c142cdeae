"""A client of any FHIR R4 server in JSON: ours, HAPI FHIR or another.

Reads are tried again when the server is away; writes are not (the caller knows whether that is safe).
`BackendToken` signs a service in by SMART Backend Services.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import stamina
from joserfc.jwk import RSAKey
from msgspec import Struct

from janani.kernel import ids, jose
from janani.kernel.clock import Clock, system_clock

FHIR_JSON = "application/fhir+json"
Resource = dict[str, Any]
Parameters = Mapping[str, str] | Sequence[tuple[str, str]]
Token = Callable[[], Awaitable[str]]
_Kind = TypeVar("_Kind")
_AWAY = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_TOKEN = 86_400.0


class Issue(Struct, frozen=True):
    """One issue of an OperationOutcome."""

    severity: str = "error"
    code: str = "processing"
    diagnostics: str = ""
    expression: list[str] = []


class FhirError(Exception):
    """The server refused or could not be reached.

    `status` is the HTTP status (0: no answer), `issues` what its OperationOutcome says, `retryable` whether
    the same request may succeed later, `retry_after` in how many seconds the server wants it (0: it did not say).
    """

    def __init__(
        self, status: int, issues: Sequence[Issue] = (), *, retryable: bool = False, retry_after: float = 0
    ) -> None:
        codes = ", ".join(sorted({issue.code for issue in issues})) or "no OperationOutcome"
        super().__init__(f"FHIR server answered {status} ({codes})" if status else "FHIR server not reached")
        self.status, self.issues, self.retryable = status, list(issues), retryable
        self.retry_after = retry_after

    @property
    def told(self) -> bool:
        """Whether the server said so itself, by an OperationOutcome: a proxy that misses its server does not, nor who
        gives no access token."""
        return any(issue.code != "login" for issue in self.issues)

    @property
    def gone(self) -> bool:
        """Whether the server itself says that what was asked for is not there."""
        return self.told and self.status in (404, 410)


class FhirClient:
    """FHIR interactions on the server at `base_url` (no slash at the end).

    Args:
        http: pooled client, from `kernel.http.client`.
        token: gives a bearer token, or None for a server that needs none.
        attempts: how often a read is tried when the server is away.
    """

    def __init__(
        self, http: httpx.AsyncClient, base_url: str, token: Token | None = None, *, attempts: int = 3
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http, self._token, self._attempts = http, token, attempts

    async def read(self, resource_type: str, resource_id: str) -> Resource:
        """The current version (§http 3.1.0.2). Raises FhirError 404, 410."""
        return await self._get(f"/{resource_type}/{quote(resource_id)}")

    async def search(self, resource_type: str, parameters: Parameters = ()) -> list[Resource]:
        """Every match and included resource, of all pages (§search). Outcomes are left out."""
        return [resource async for resource in self.each(f"/{resource_type}", parameters)]

    async def everything(self, patient_id: str, parameters: Parameters = ()) -> list[Resource]:
        """All resources of the patient's compartment, of all pages (`Patient/$everything`)."""
        return [resource async for resource in self.each(f"/Patient/{quote(patient_id)}/$everything", parameters)]

    async def each(self, path: str, parameters: Parameters = ()) -> AsyncIterator[Resource]:
        """The resources of the searchset at `path` (below the base), page by page."""
        async for bundle in self._pages(path, parameters):
            for entry in bundle.get("entry", ()):
                resource = entry.get("resource", {})
                if resource.get("resourceType") != "OperationOutcome":
                    yield resource

    async def history(self, parameters: Parameters = ()) -> AsyncIterator[Resource]:
        """The entries of the whole server's history, newest first, of all pages (§http 3.1.0.13).

        An entry has `request`, `response` and, unless it is a deletion, `resource`.
        """
        async for bundle in self._pages("/_history", parameters):
            for entry in bundle.get("entry", ()):
                yield entry

    async def _pages(self, path: str, parameters: Parameters) -> AsyncIterator[Resource]:
        bundle = await self._get(path, parameters)
        while True:
            yield bundle
            following = next((link["url"] for link in bundle.get("link", ()) if link["relation"] == "next"), None)
            if following is None:
                return
            bundle = await self._get(self._below_base(following))

    async def vread(self, resource_type: str, resource_id: str, version: int) -> Resource:
        """One version (§http 3.1.0.3). Raises FhirError 404, 410."""
        return await self._get(f"/{resource_type}/{quote(resource_id)}/_history/{version}")

    async def get(self, path: str, parameters: Parameters = ()) -> Resource:
        """Any GET below the base, for example "/metadata"."""
        return await self._get(path, parameters)

    async def transaction(self, bundle: Resource | bytes, *, prefer: str = "return=minimal") -> Resource:
        """The response bundle of a transaction or batch (§http 3.1.0.11). Never tried twice here.

        With `prefer="return=representation"` its entries carry the resources as stored.
        """
        return await self._send("POST", "", bundle, {"prefer": prefer})

    async def sent_digests(self, parameters: list[Resource]) -> list[str]:
        """The digests of `$sent-digests`, which only our record knows (docs/reference/wires.md). Raises FhirError."""
        body = {"resourceType": "Parameters", "parameter": parameters}
        answer = await self._send("POST", "/$sent-digests", body)
        return [one["valueString"] for one in answer.get("parameter", ())]

    async def create(self, resource: Resource, *, if_none_exist: str = "") -> Resource:
        """The created resource, or the one that `if_none_exist` (a search query) found."""
        headers = {"if-none-exist": if_none_exist} if if_none_exist else {}
        return await self._send("POST", f"/{resource['resourceType']}", resource, headers)

    async def update(self, resource: Resource, *, if_match: str = "") -> Resource:
        """The updated resource. With `if_match` (a versionId) a stale version raises FhirError 412 (or 409)."""
        headers = {"if-match": f'W/"{if_match}"'} if if_match else {}
        return await self._send("PUT", f"/{resource['resourceType']}/{quote(resource['id'])}", resource, headers)

    def _below_base(self, link: str) -> str:
        """`link` of a page, as path below the base: a token goes nowhere but to the server it is for."""
        found, base = urlsplit(link), urlsplit(self.base_url)
        path = found.path.removeprefix(base.path)
        return f"{path}?{found.query}" if found.query else path

    async def _get(self, path: str, parameters: Parameters = ()) -> Resource:
        query = list(parameters.items()) if isinstance(parameters, Mapping) else list(parameters)
        async for attempt in stamina.retry_context(
            on=_may_retry, attempts=self._attempts, wait_initial=0.2, timeout=20
        ):
            with attempt:
                return await self._send("GET", path, parameters=query)
        raise AssertionError("stamina re-raises the last error")

    async def _send(
        self,
        method: str,
        path: str,
        body: Resource | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Sequence[tuple[str, str]] = (),
    ) -> Resource:
        sent = {"accept": FHIR_JSON, "prefer": "return=representation", **(headers or {})}
        if self._token is not None:
            sent["authorization"] = f"Bearer {await self._token()}"
        content = None if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        if content is not None:
            sent["content-type"] = FHIR_JSON
        if method == "GET":
            sent["cache-control"] = "no-cache"  # HAPI answers a search of the last minute from memory
        url = self.base_url + path
        try:
            answer = await self._http.request(
                method,
                url,
                content=content,
                headers=sent,
                params=httpx.QueryParams(list(parameters)) if parameters else None,
            )
        except httpx.HTTPError as error:
            raise FhirError(0, retryable=True) from error
        if answer.is_success:
            return _resource(answer)
        renewed = answer.status_code == 401 and isinstance(self._token, BackendToken) and self._token.forget()
        retryable = renewed or answer.status_code in _AWAY | {409}
        after = answer.headers.get("retry-after", "")
        seconds = _seconds(after, system_clock())
        raise FhirError(answer.status_code, _issues(answer.content), retryable=retryable, retry_after=seconds)


def _seconds(after: str, now: datetime) -> float:
    """What Retry-After asks for (RFC 9110 §10.2.3): seconds, or an HTTP date. 0 for none, for nonsense and the past."""
    if after.isdecimal():
        return float(after)
    try:
        date = parsedate_to_datetime(after)
    except ValueError:
        return 0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


class BackendToken:
    """Access tokens by SMART Backend Services: `client_credentials` with a signed assertion (private_key_jwt).

    Call it for a token: one is kept until 30 s before it ends. The token endpoint and the signing algorithm come
    from `{base_url}/.well-known/smart-configuration`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        client_id: str,
        key: RSAKey,
        scope: str = "system/*.cruds",
        clock: Clock = system_clock,
    ) -> None:
        self._http, self._base, self._client_id, self._key = http, base_url.rstrip("/"), client_id, key
        self._scope, self._clock = scope, clock
        self._uses, self._token, self._until = 0, "", datetime.min.replace(tzinfo=UTC)

    async def __call__(self) -> str:
        """A bearer token. Raises FhirError when the server gives none."""
        now = self._clock()
        if not self._token or now >= self._until:
            answer = await self._ask(now)
            self._token = answer.access_token
            self._until = now + timedelta(seconds=min(max(answer.expires_in - 30, 1), _LONGEST_TOKEN))
            self._uses = 0
        self._uses += 1
        return self._token

    def forget(self) -> bool:
        """Asks for a new token next time (after a 401). Says whether the refused one had been used before."""
        used, self._token = self._uses > 1, ""
        return used

    async def _ask(self, now: datetime) -> "_Granted":
        try:
            found = await self._http.get(f"{self._base}/.well-known/smart-configuration")
            endpoint = _document(found, _Configuration).token_endpoint
            form = {
                "grant_type": "client_credentials",
                "scope": self._scope,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self._assertion(endpoint, now),
            }
            return _document(await self._http.post(endpoint, data=form), _Granted)
        except httpx.HTTPError as error:
            raise FhirError(0, retryable=True) from error
        except httpx.InvalidURL as error:
            raise FhirError(502, [Issue(code="login", diagnostics="the token endpoint is no address")]) from error

    def _assertion(self, endpoint: str, now: datetime) -> str:
        seconds = int(now.timestamp())
        claims = {"iss": self._client_id, "sub": self._client_id, "aud": endpoint, "jti": ids.token()}
        return jose.sign(claims | {"iat": seconds, "exp": seconds + 60}, self._key)


def _document(answer: httpx.Response, kind: type[_Kind]) -> _Kind:
    """What the authorization server said. Raises FhirError with its status, 502 when that is not what was asked for."""
    if not answer.is_success:
        retryable = answer.status_code in _AWAY
        raise FhirError(answer.status_code, [Issue(code="login", diagnostics="no access token")], retryable=retryable)
    try:
        return msgspec.json.decode(answer.content, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        wrong = "the authorization server's answer is not as SMART has it"
        raise FhirError(502, [Issue(code="login", diagnostics=wrong)]) from error


def _resource(answer: httpx.Response) -> Resource:
    if not answer.content:
        return {}
    try:
        return dict(msgspec.json.decode(answer.content))
    except (msgspec.DecodeError, TypeError) as error:
        raise FhirError(answer.status_code, [Issue(code="structure", diagnostics="answer is not JSON")]) from error


def _issues(content: bytes) -> list[Issue]:
    try:
        issues = msgspec.json.decode(content, type=_Outcome).issue
    except msgspec.DecodeError:
        return []
    return issues


def _may_retry(error: Exception) -> bool:
    return isinstance(error, FhirError) and error.retryable


class _Outcome(Struct):
    issue: list[Issue] = []


class _Configuration(Struct):
    token_endpoint: str


class _Granted(Struct):
    access_token: str
    expires_in: float = 300
