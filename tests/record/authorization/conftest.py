"""The record with `smart` authorization, next to a stand-in for eSignet."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from litestar.testing import AsyncTestClient

from janani.kernel import http as kernel_http
from janani.kernel import jose
from janani.record.app import create_app
from janani.settings import Settings
from record_smart import PORTALS, Esignet, Server, Time


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RSAKey]:
    folder = tmp_path_factory.mktemp("keys")
    names = ("portals", "janani-sync", "esignet", "record", "stranger")
    return {name: jose.signing_key(folder / f"{name}.pem", create=True) for name in names} | {"folder": folder}  # type: ignore[dict-item]


@pytest.fixture
async def server(settings: Settings, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    esignet, clock, asked = Esignet(keys["esignet"]), Time(), []
    settings.secrets.mkdir(parents=True, exist_ok=True)
    (settings.secrets / "record.pem").write_bytes((Path(keys["folder"]) / "record.pem").read_bytes())

    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url.endswith("/jwks.json") and url.startswith((PORTALS, "http://localhost:8092")):
            asked.append(url)
            return httpx.Response(200, json=jose.jwks(keys["portals" if url.startswith(PORTALS) else "janani-sync"]))
        return esignet(request)

    original: Callable[..., httpx.AsyncClient] = kernel_http.client
    monkeypatch.setattr(kernel_http, "client", lambda **o: original(**o, transport=httpx.MockTransport(answer)))
    app = create_app(settings, clock)
    async with AsyncTestClient(app, base_url="http://localhost:8081") as http:
        http.follow_redirects = False
        yield Server(http, app, clock, esignet, keys, asked)
