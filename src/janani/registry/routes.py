"""`/api/routes/{id|code}/run`: calls a configured upstream as a user of the registry (Web API, "Routes")."""

import base64
import fnmatch
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from litestar import HttpMethod, Request, Response, route
from litestar.params import FromPath

from janani.registry.access import state_of, user_of
from janani.registry.problems import Refusal
from janani.registry.users import User
from janani.settings import Settings

_Request = Request[Any, Any, Any]
Json = dict[str, Any]
DEFAULT_TIMEOUT_SECONDS = 5
MAX_ANSWER_BYTES = 20 * 1024 * 1024
_AUTHENTICATION = {
    "http-basic": ("username", "password"),
    "api-token": ("token",),
    "api-headers": ("headers",),
    "api-query-params": ("queryParams",),
}
_FORWARDED = frozenset(
    """accept accept-language x-requested-with user-agent cache-control if-match if-none-match if-modified-since
    if-range if-unmodified-since forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto
    x-forwarded-prefix""".split()  # noqa: SIM905
)
_RETURNED = frozenset(("content-language", "content-type", "expires", "cache-control", "last-modified", "etag"))
_METHODS = [HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE]


@route(
    ["/api/routes/{route_id:str}/run", "/api/routes/{route_id:str}/run/{sub_path:path}"],
    http_method=_METHODS,
    status_code=200,
    summary="Run a Route",
)
async def run(request: _Request, route_id: FromPath[str], sub_path: FromPath[str] = "") -> Response[bytes]:
    """Forwards method, query and body; gives back the upstream's status and body.

    404 unknown or disabled, 403 without authority, 502 no connection or a sub-path the Route does not allow,
    503 the host is not allowed, 504 the upstream took too long.
    """
    user = await user_of(request)
    state = state_of(request)
    found = (await state.metadata.current()).find("routes", route_id)
    if found is None or found.get("disabled"):
        raise Refusal(404, f"Route with id {route_id} could not be found.")
    if not may_run(user, found):
        raise Refusal(403, "You don't have the required authority to run this Route.")
    if not host_allowed(found["url"], allowed_hosts(state.settings)):
        raise Refusal(503, "The Route's host is not among the allowed ones (route_hosts).")
    url = target(found["url"], sub_path.lstrip("/"))
    headers, extra = upstream_headers(request, found, state.routes.opened(found), user)
    query = urlencode(
        [*((name, value) for name, value in request.query_params.multi_items() if name not in extra), *extra.items()]
    )
    upstream = state.http.build_request(
        request.method,
        f"{url}{'&' if '?' in url else '?'}{query}" if query else url,
        headers=headers,
        content=await request.body(),
        timeout=float(found.get("responseTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS)),
    )
    answer, content = await _answer(state.http, upstream)
    returned = {name: value for name, value in answer.headers.items() if name in _RETURNED}
    return Response(content, status_code=answer.status_code, headers=returned, media_type=returned.get("content-type"))


async def _answer(http: httpx.AsyncClient, request: httpx.Request) -> tuple[httpx.Response, bytes]:
    """The upstream's answer and its body. Raises Refusal (502, 504)."""
    try:
        answer = await http.send(request, stream=True)
        try:
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise Refusal(502, "The answer of the service behind this Route is too large.")
        finally:
            await answer.aclose()
    except httpx.TimeoutException as error:
        raise Refusal(504, "The service behind this Route did not answer in time.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refusal(502, "The service behind this Route can't be reached.") from error
    return answer, content


def check(found: Json, hosts: list[str]) -> None:
    """Raises Refusal (409) for a Route that could not be run (Web API §5)."""
    url, auth = str(found.get("url", "")), found.get("auth") or {}
    seconds = found.get("responseTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    if url and not host_allowed(url, hosts):
        raise Refusal(409, f"Route {found['id']}: its URL must be http(s) and its host among the allowed ones.")
    if not isinstance(seconds, int) or not 1 <= seconds <= 60:
        raise Refusal(409, f"Route {found['id']}: responseTimeoutSeconds must be from 1 to 60.")
    if auth and auth.get("type") not in _AUTHENTICATION:
        kinds = ", ".join(_AUTHENTICATION)
        raise Refusal(409, f"Route {found['id']}: authentication is not supported; use one of {kinds}.")
    given = set(auth) - {"type", "sealed"}
    if given and not given >= set(_AUTHENTICATION[auth["type"]]):
        raise Refusal(409, f"Route {found['id']}: {auth['type']} needs {', '.join(_AUTHENTICATION[auth['type']])}.")


def may_run(user: User, found: Json) -> bool:
    """Whether `user` has any of the Route's authorities, or it names none and is shared with them (as from 2.42.5)."""
    needed = found.get("authorities") or []
    return any(user.has(each) for each in needed) if needed else user.granted(found, 2, "r")


def allowed_hosts(settings: Settings) -> list[str]:
    """Hosts that Routes may call: those set, and those of the parts that the bootstrap makes Routes to."""
    own = (urlsplit(url) for url in (settings.relying.url, settings.phn.url))
    return [*settings.registry.route_hosts, *(f"{one.scheme}://{one.netloc}" for one in own)]


def host_allowed(url: str, patterns: list[str]) -> bool:
    """Whether scheme, host and port of `url` match one of `patterns` (`https://*`, `http://localhost:8090`)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if parts.username is not None or parts.password is not None:
        return False
    return any(fnmatch.fnmatchcase(f"{parts.scheme}://{parts.netloc}", pattern.rstrip("/")) for pattern in patterns)


def target(url: str, sub_path: str) -> str:
    """The upstream URL. A sub-path needs a Route that ends in `/**`; it can't leave that folder."""
    if not url.endswith("/**"):
        if sub_path:
            raise Refusal(502, "This Route does not allow a path after run; its URL must end in /** for that.")
        return url
    if any(step in ("..", ".") for step in sub_path.split("/")):
        raise Refusal(400, "The path after run may not go up.")
    return url.removesuffix("**") + quote(sub_path, safe="/$:@!*'(),;=&+~")


def upstream_headers(request: _Request, found: Json, auth: Json, user: User) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and additional query parameters of the upstream call."""
    headers = {name: value for name, value in request.headers.items() if name in _FORWARDED}
    headers |= {name.lower(): value for name, value in (found.get("headers") or {}).items()}
    headers["x-forwarded-user"] = user.username
    match auth.get("type"):
        case None:
            return headers, {}
        case "http-basic":
            credentials = f"{auth['username']}:{auth['password']}".encode()
            return headers | {"authorization": f"Basic {base64.b64encode(credentials).decode()}"}, {}
        case "api-token":
            return headers | {"authorization": f"ApiToken {auth['token']}"}, {}
        case "api-headers":
            return headers | {name.lower(): value for name, value in auth["headers"].items()}, {}
        case "api-query-params":
            return headers, dict(auth["queryParams"])
        case other:
            raise Refusal(502, f"Routes with authentication {other!r} are not supported by this server.")


handlers = [run]
