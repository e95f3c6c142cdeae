"""What any relying party must do on its wire, ours or the one at JANANI_CONTRACT_RELYING_URL.

With the variable, JANANI_CONTRACT_RELYING_TOKEN is the Route's token there. Nobody signs in here: the provider behind
it need not know us. Without, our own part is started over a small provider.
"""

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from janani.kernel import http
from janani.kernel.secrets import secret
from janani.relying.app import create_app
from janani.settings import Esignet, Settings
from oidc_provider import TestProvider, serving

pytestmark = pytest.mark.contract
ELSEWHERE = os.environ.get("JANANI_CONTRACT_RELYING_URL", "")


@pytest.fixture
async def route(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    if ELSEWHERE:
        async with http.client(base_url=ELSEWHERE) as client:
            client.headers["authorization"] = f"ApiToken {os.environ['JANANI_CONTRACT_RELYING_TOKEN']}"
            yield client
        return
    provider = TestProvider(client_keys={"keys": []}, token_error=(400, {"error": "invalid_grant"}))
    async with serving(provider.app()) as issuer:
        provider.url = issuer
        settings = msgspec.structs.replace(settings, esignet=Esignet(url=issuer))
        async with serving(create_app(settings)) as url, http.client(base_url=url) as client:
            client.headers["authorization"] = f"ApiToken {secret(settings.secrets, 'relying-token', create=False)}"
            yield client


async def test_its_public_key_is_published_with_its_certificate(route: httpx.AsyncClient) -> None:
    for path in ("/.well-known/jwks.json", "/jwks.json"):
        answer = await route.get(path, headers={"authorization": ""})
        [key] = answer.json()["keys"]
        assert key["kty"] == "RSA"
        assert key["kid"]
        assert not {"d", "p", "q"} & set(key)
        certificate = base64.b64decode(key["x5c"][0])
        for name, algorithm in (("x5t", hashlib.sha1), ("x5t#S256", hashlib.sha256)):
            digest = base64.urlsafe_b64encode(algorithm(certificate).digest()).rstrip(b"=").decode()
            assert key[name] == digest


async def test_it_answers_the_registry_only(route: httpx.AsyncClient) -> None:
    answer = await route.post("/fetchUserInfo", json={"code": "x"}, headers={"authorization": "ApiToken wrong"})
    assert answer.status_code == 401


async def test_a_verification_begins_with_a_request_bound_to_it(route: httpx.AsyncClient) -> None:
    begun = (await route.post("/authorizations", json={})).json()
    asked = parse_qs(urlsplit(begun["authorization_url"]).query)
    assert asked["state"] == [begun["state"]]
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["nonce"][0]) >= 22
    again = (await route.post("/authorizations", json={})).json()
    assert again["state"] != begun["state"]


async def test_refusals_are_one_family(route: httpx.AsyncClient) -> None:
    for body in (
        {},
        {"code": "x", "client_id": "not-the-configured-one"},
        {"code": "x", "redirect_uri": "https://evil.example/"},
        {"code": "x", "state": "never given"},
    ):
        answer = await route.post("/fetchUserInfo", json=body)
        assert answer.status_code == 400
        assert {"error", "message", "hint"} == set(answer.json())
