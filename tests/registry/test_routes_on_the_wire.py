"""Routes as a portal runs them, with a service behind them on real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import HttpMethod, Litestar, Request, Response, route

from janani.kernel import http
from janani.registry.app import create_app
from janani.settings import Registry, Settings
from oidc_provider import serving
from registry_wire import ADMIN

SECRET = "a-very-secret-token"


class Upstream:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.seconds = 0.0

    def app(self) -> Litestar:
        @route("/{path:path}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
        async def anything(request: Request[Any, Any, Any]) -> Response[Any]:
            await asyncio.sleep(self.seconds)
            self.seen = {
                "path": request.scope["raw_path"].decode(),
                "query": request.scope["query_string"].decode(),
                "headers": dict(request.headers),
                "body": (await request.body()).decode(),
            }
            headers = {"set-cookie": "a=b", "etag": '"1"', "x-secret": "s"}
            return Response({"ok": True}, status_code=418, headers=headers)

        return Litestar([anything], openapi_config=None)


class Wire:
    """A registry with one Route to `upstream`."""

    def __init__(self, client: httpx.AsyncClient, url: str, upstream: Upstream) -> None:
        self.client, self.url, self.upstream = client, url, upstream

    async def save(self, **changes: Any) -> httpx.Response:
        one = {"id": "RouteRoute1", "name": "Service", "code": "service", "url": f"{self.url}/fhir/**"}
        one |= {"auth": {"type": "api-token", "token": SECRET}, "headers": {"Content-Type": "application/json"}}
        one |= {"authorities": ["F_VERIFY_IDENTITY"]}
        return await self.client.post("/api/metadata", json={"routes": [one | changes]}, auth=ADMIN)

    async def run(self, path: str = "", method: str = "POST", **options: Any) -> httpx.Response:
        return await self.client.request(method, f"/api/routes/service/run{path}", **{"auth": ADMIN} | options)


@pytest.fixture
async def wire(settings: Settings) -> AsyncIterator[Wire]:
    upstream = Upstream()
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(upstream.app()))
        settings = msgspec.structs.replace(settings, registry=Registry(route_hosts=[url]))
        base = await stack.enter_async_context(serving(create_app(settings)))
        client = await stack.enter_async_context(http.client(base_url=base))
        wire = Wire(client, url, upstream)
        answer = await wire.save()
        assert answer.status_code == 200, answer.text
        yield wire


async def test_method_path_query_and_body_travel_on_and_status_and_body_come_back(wire: Wire) -> None:
    answer = await wire.run("/Patient/$match?count=3", content=b'{"a":1}', headers={"cookie": "c=d"})
    assert (answer.status_code, answer.json()) == (418, {"ok": True})
    seen = wire.upstream.seen
    assert (seen["path"], seen["query"], seen["body"]) == ("/fhir/Patient/$match", "count=3", '{"a":1}')
    assert seen["headers"]["authorization"] == f"ApiToken {SECRET}"
    assert seen["headers"]["content-type"] == "application/json"
    assert seen["headers"]["x-forwarded-user"] == "admin"
    assert "cookie" not in seen["headers"]


async def test_of_the_upstreams_headers_only_harmless_ones_come_back(wire: Wire) -> None:
    answer = await wire.run("/x")
    assert answer.headers["etag"] == '"1"'
    assert not {"set-cookie", "x-secret"} & set(answer.headers)


async def test_the_secret_is_never_shown_and_stays_when_the_route_is_saved_as_read(wire: Wire) -> None:
    read = (await wire.client.get("/api/routes/RouteRoute1", auth=ADMIN)).json()
    assert read["auth"] == {"type": "api-token"}
    listed = await wire.client.get("/api/routes?fields=*&paging=false", auth=ADMIN)
    exported = await wire.client.get("/api/metadata?routes=true", auth=ADMIN)
    assert "sealed" not in listed.text + exported.text
    saved = await wire.client.put("/api/routes/RouteRoute1", json=read | {"name": "Other"}, auth=ADMIN)
    assert saved.status_code == 200, saved.text
    await wire.run("/x")
    assert wire.upstream.seen["headers"]["authorization"] == f"ApiToken {SECRET}"


async def test_an_encoded_question_mark_does_not_become_a_query(wire: Wire) -> None:
    await wire.run("/Patient%3F_count=1", method="GET")
    assert wire.upstream.seen["path"] == "/fhir/Patient%3F_count=1"
    assert wire.upstream.seen["query"] == ""


@pytest.mark.parametrize("path", ["/%2e%2e/admin", "/a/%2e%2e/%2e%2e/admin"])
async def test_a_path_may_not_leave_its_folder(wire: Wire, path: str) -> None:
    assert (await wire.run(path)).status_code in (400, 404)
    assert wire.upstream.seen == {}


async def test_a_slow_service_is_504_and_one_that_is_away_502(wire: Wire) -> None:
    await wire.save(responseTimeoutSeconds=1)
    wire.upstream.seconds = 1.4
    assert (await wire.run("/x")).status_code == 504
    await wire.save(url=f"{wire.url}/only")
    wire.upstream.seconds = 0
    assert (await wire.run("/deeper")).status_code == 502
    assert (await wire.run()).status_code == 418


async def test_a_disabled_route_is_not_there(wire: Wire) -> None:
    await wire.save(disabled=True)
    assert (await wire.run("/x")).status_code == 404


async def test_only_holders_of_its_authority_run_it_or_see_it(wire: Wire) -> None:
    user = {"username": "clerk", "firstName": "A", "surname": "Clerk", "password": "Clerk-1234", "userRoles": []}
    assert (await wire.client.post("/api/users", json=user, auth=ADMIN)).status_code == 201
    auth = ("clerk", "Clerk-1234")
    assert (await wire.run("/x", auth=auth)).status_code == 403
    assert (await wire.client.get("/api/routes/RouteRoute1", auth=auth)).status_code == 404
    assert (await wire.run("/x", auth=None)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://elsewhere.example/"},
        {"url": "ftp://127.0.0.1/"},
        {"responseTimeoutSeconds": 61},
        {"auth": {"type": "oauth2-client-credentials"}},
        {"auth": {"type": "http-basic", "username": "u"}},
    ],
)
async def test_a_route_that_could_not_run_is_refused_when_saved(wire: Wire, change: dict[str, Any]) -> None:
    answer = await wire.save(**change)
    assert (answer.status_code, answer.json()["errorCode"]) == (409, "E1004")


async def test_each_kind_of_authentication_reaches_the_service(wire: Wire) -> None:
    await wire.save(auth={"type": "http-basic", "username": "u", "password": "p"})
    await wire.run("/x")
    assert wire.upstream.seen["headers"]["authorization"] == "Basic dTpw"
    await wire.save(auth={"type": "api-headers", "headers": {"X-Key": "k"}})
    await wire.run("/x")
    assert wire.upstream.seen["headers"]["x-key"] == "k"
    await wire.save(auth={"type": "api-query-params", "queryParams": {"key": "k"}})
    await wire.run("/x?a=1&key=mine")
    assert wire.upstream.seen["query"] == "a=1&key=k"
