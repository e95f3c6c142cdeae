"""How any DHIS2 v42 server keeps and runs Routes. Running needs a service this machine offers, so it is ours only."""

from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, post

from janani.kernel.ids import uid
from janani.settings import Settings
from oidc_provider import serving

pytestmark = pytest.mark.contract


def route(url: str, **more: Any) -> dict[str, Any]:
    code = f"contract-{uid()}"
    one = {"id": uid(), "name": code, "code": code, "url": url, "headers": {"Content-Type": "application/json"}}
    return one | {"auth": {"type": "api-token", "token": "the-secret"}} | more


async def test_a_route_is_kept_without_showing_its_secret(administrator: httpx.AsyncClient) -> None:
    one = route("https://service.example/one")
    assert (await administrator.post("/api/routes", json=one)).status_code == 201
    read = await administrator.get(f"/api/routes/{one['id']}?fields=*")
    assert read.json()["url"] == one["url"]
    assert "the-secret" not in read.text
    await administrator.delete(f"/api/routes/{one['id']}")
    assert (await administrator.get(f"/api/routes/{one['id']}")).status_code == 404


async def test_a_wrong_route_is_refused(administrator: httpx.AsyncClient) -> None:
    for wrong in (route("ftp://service.example/"), route("https://service.example/", responseTimeoutSeconds=61)):
        assert (await administrator.post("/api/routes", json=wrong)).status_code == 409


async def test_an_unknown_or_disabled_route_is_404(administrator: httpx.AsyncClient) -> None:
    assert (await administrator.get("/api/routes/no-such-route/run")).status_code == 404
    one = route("https://service.example/one", disabled=True)
    await administrator.post("/api/routes", json=one)
    assert (await administrator.get(f"/api/routes/{one['code']}/run")).status_code == 404
    await administrator.delete(f"/api/routes/{one['id']}")


async def test_a_route_runs_with_its_own_credentials(ours: Settings | None, administrator: httpx.AsyncClient) -> None:
    if ours is None:
        pytest.skip("another server can't reach a service of this machine")

    @post("/echo", status_code=202)
    async def echo(request: Request[Any, Any, Any]) -> dict[str, Any]:
        body, headers = await request.json(), request.headers
        return {"body": body, "authorization": headers["authorization"], "user": headers["x-forwarded-user"]}

    async with serving(Litestar([echo], openapi_config=None)) as url:
        one = route(f"{url}/echo")
        await administrator.post("/api/routes", json=one)
        answer = await administrator.post(f"/api/routes/{one['code']}/run", json={"a": 1})
    assert answer.status_code == 202
    assert answer.json() == {"body": {"a": 1}, "authorization": "ApiToken the-secret", "user": "admin"}
