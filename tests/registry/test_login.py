"""Signing in through an OpenID provider on real HTTP, as a browser sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from janani.kernel import http
from janani.kernel.jose import jwks, signing_key
from janani.kernel.keyfiles import new_pem
from janani.registry.app import create_app
from janani.settings import Esignet, Registry, Settings
from oidc_provider import TestProvider, free_listener, serving
from registry_wire import ADMIN

Client = httpx.AsyncClient


@pytest.fixture
async def provider(settings: Settings) -> AsyncIterator[TestProvider]:
    key = signing_key(settings.secrets / "registry.pem", create=True)
    provider = TestProvider(client_keys=jwks(key), client_id="janani-registry")
    provider.claims = {"email": "nirmala@moh.example", "name": "Nirmala Senanayake"}
    async with serving(provider.app()) as url:
        provider.url = url
        yield provider


@asynccontextmanager
async def registry(settings: Settings, esignet: str) -> AsyncIterator[Client]:
    """A browser at a registry whose provider is at `esignet`."""
    listener = free_listener()
    url = f"http://localhost:{listener.getsockname()[1]}"
    settings = msgspec.structs.replace(settings, esignet=Esignet(url=esignet), registry=Registry(url=url))
    async with serving(create_app(settings), listener), http.client(base_url=url) as client:
        yield client


@pytest.fixture
async def browser(provider: TestProvider, settings: Settings) -> AsyncIterator[Client]:
    async with registry(settings, provider.url) as client:
        await client.post("/api/users", json=midwife(), auth=ADMIN)
        client.cookies.clear()
        yield client


def midwife(**changes: Any) -> dict[str, Any]:
    user = {"username": "nirmala", "firstName": "Nirmala", "surname": "Senanayake", "userRoles": []}
    return user | {"openId": "nirmala@moh.example", "externalAuth": True} | changes


async def begin(browser: Client, provider: TestProvider, then: str = "/api/me") -> dict[str, str]:
    """Goes to the provider; the parameters it was asked with."""
    answer = await browser.get("/oauth2/authorization/esignet", params={"then": then})
    asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    provider.expect(asked)
    return asked


async def come_back(browser: Client, **parameters: str) -> Any:
    return await browser.get("/oauth2/code/esignet", params=parameters)


async def test_a_known_midwife_is_logged_in_and_sent_where_she_was_going(
    browser: Client, provider: TestProvider
) -> None:
    asked = await begin(browser, provider)
    assert asked["code_challenge_method"] == "S256"
    answer = await come_back(browser, code="the-code", state=asked["state"])
    assert answer.headers["location"] == "/api/me"
    assert (await browser.get("/api/me")).json()["username"] == "nirmala"


async def test_the_same_answer_is_worth_nothing_the_second_time(browser: Client, provider: TestProvider) -> None:
    asked = await begin(browser, provider)
    await come_back(browser, code="the-code", state=asked["state"])
    assert (await come_back(browser, code="the-code", state=asked["state"])).status_code == 400
    assert provider.token_calls == 1


async def test_an_answer_brought_by_another_browser_is_refused(browser: Client, provider: TestProvider) -> None:
    asked = await begin(browser, provider)
    browser.cookies.clear()
    assert (await come_back(browser, code="the-code", state=asked["state"])).status_code == 400
    assert provider.token_calls == 0


async def test_who_is_no_user_here_is_told_so(browser: Client, provider: TestProvider) -> None:
    provider.claims["email"] = "stranger@moh.example"
    asked = await begin(browser, provider)
    answer = await come_back(browser, code="the-code", state=asked["state"])
    assert answer.status_code == 403
    assert "Ask your supervisor" in answer.text
    assert "stranger" not in answer.text


async def test_who_shared_no_email_may_try_again(browser: Client, provider: TestProvider) -> None:
    provider.claims.pop("email")
    asked = await begin(browser, provider)
    answer = await come_back(browser, code="the-code", state=asked["state"])
    assert "/oauth2/authorization/esignet?then=%2Fapi%2Fme" in answer.text


async def test_who_refused_consent_may_try_again(browser: Client, provider: TestProvider) -> None:
    asked = await begin(browser, provider)
    answer = await come_back(browser, error="access_denied", state=asked["state"])
    assert answer.status_code == 400
    assert "You chose not to share" in answer.text


@pytest.mark.parametrize("change", [{"disabled": True}, {"externalAuth": False}, {"openId": None}])
async def test_a_user_who_may_not_sign_in_this_way_does_not(
    browser: Client, provider: TestProvider, change: dict[str, Any]
) -> None:
    users = (await browser.get("/api/users?filter=username:eq:nirmala", auth=ADMIN)).json()["users"]
    answer = await browser.put(f"/api/users/{users[0]['id']}", json=midwife(**change), auth=ADMIN)
    assert answer.status_code == 200, answer.text
    asked = await begin(browser, provider)
    assert (await come_back(browser, code="the-code", state=asked["state"])).status_code == 403


async def test_a_user_of_the_provider_has_no_password_here(browser: Client) -> None:
    users = (await browser.get("/api/users?filter=username:eq:nirmala", auth=ADMIN)).json()["users"]
    await browser.put(f"/api/users/{users[0]['id']}", json=midwife(password="Secret-1234"), auth=ADMIN)
    assert (await browser.get("/api/me", auth=("nirmala", "Secret-1234"))).status_code == 401


async def test_a_provider_that_is_away_is_named_as_such(settings: Settings) -> None:
    async with registry(settings, "http://127.0.0.1:9") as client:
        answer = await client.get("/oauth2/authorization/esignet?then=/api/me")
    assert answer.status_code == 503
    assert "then=%2Fapi%2Fme" in answer.text


async def test_dhis_conf_says_who_the_provider_is(settings: Settings) -> None:
    keys = {"client_id": "dhis2", "display_alias": "National ID", "mapping_claim": "sub"}
    keys |= {"issuer_uri": "https://id.example", "authorization_uri": "https://id.example/authorize"}
    keys |= {name: f"https://id.example/{name}" for name in ("token_uri", "user_info_uri", "jwk_uri")}
    settings.folder.mkdir(exist_ok=True)
    (settings.folder / "dhis2.pem").write_bytes(new_pem("dhis2"))
    keys |= {"client_authentication_method": "private_key_jwt", "keystore_path": "dhis2.pem", "key_alias": "dhis2-key"}
    lines = [f"oidc.provider.esignet.{name} = {value}" for name, value in keys.items()]
    (settings.folder / "dhis.conf").write_text("# as of DHIS2\n" + "\n".join(lines))
    async with registry(settings, "http://127.0.0.1:9") as client:
        answer = await client.get("/oauth2/authorization/esignet")
        config = (await client.get("/api/loginConfig")).json()
        [key] = (await client.get("/api/publicKeys/esignet/jwks.json")).json()["keys"]
    assert key["kid"] == "dhis2-key"  # DHIS2 publishes the alias
    target = urlsplit(answer.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "https://id.example/authorize"
    assert parse_qs(target.query)["client_id"] == ["dhis2"]
    assert config["oidcProviders"][0]["loginText"] == "National ID"
