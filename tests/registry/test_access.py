from typing import Any
from urllib.parse import parse_qs, urlsplit

from litestar import Litestar
from litestar.testing import AsyncTestClient

from janani.clients.oidc_checks import code_challenge
from registry_wire import ADMIN

Client = AsyncTestClient[Litestar]
VERIFIER = "v" * 50


async def test_without_credentials_the_api_answers_401_in_its_own_words(registry: Client) -> None:
    answer = await registry.get("/api/me")
    assert answer.status_code == 401
    assert answer.json() == {
        "httpStatus": "Unauthorized",
        "httpStatusCode": 401,
        "status": "ERROR",
        "message": "Unauthorized",
    }


async def test_ping_needs_no_login(registry: Client) -> None:
    assert (await registry.get("/api/ping")).text == "pong"


async def test_a_wrong_password_and_an_unknown_user_are_told_the_same(registry: Client) -> None:
    wrong = await registry.get("/api/me", auth=("admin", "wrong"))
    nobody = await registry.get("/api/me", auth=("nobody", "wrong"))
    assert (wrong.status_code, wrong.json()) == (nobody.status_code, nobody.json())


async def test_a_session_opened_by_login_is_closed_by_logout(registry: Client) -> None:
    answer = await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    assert answer.json()["loginStatus"] == "SUCCESS"
    assert (await registry.get("/api/me")).json()["username"] == "admin"
    await registry.get("/api/auth/logout")
    assert (await registry.get("/api/me")).status_code == 401


async def test_a_personal_access_token_works_until_it_is_revoked(registry: Client) -> None:
    made = (await registry.post("/api/apiToken", json={}, auth=ADMIN)).json()["response"]
    assert made["key"].startswith("d2pat_")
    headers = {"Authorization": f"ApiToken {made['key']}"}
    assert (await registry.get("/api/me", headers=headers)).status_code == 200
    await registry.delete(f"/api/apiToken/{made['uid']}", auth=ADMIN)
    assert (await registry.get("/api/me", headers=headers)).status_code == 401


async def test_me_shows_units_and_authorities(registry: Client) -> None:
    me = (await registry.get("/api/me", auth=ADMIN)).json()
    assert me["authorities"] == ["ALL"]
    assert {"organisationUnits", "programs", "userRoles"} <= set(me)


async def test_system_info_keeps_its_system_id(registry: Client) -> None:
    first = (await registry.get("/api/system/info", auth=ADMIN)).json()
    second = (await registry.get("/api/system/info", auth=ADMIN)).json()
    assert first["version"] == "2.42.1"
    assert first["systemId"] == second["systemId"]


async def _with_client(registry: Client) -> None:
    client = {
        "id": "OAuthClient",
        "name": "Portal",
        "clientId": "portal",
        "clientAuthenticationMethods": "none",
        "authorizationGrantTypes": "authorization_code,refresh_token",
        "redirectUris": "http://localhost:8000/midwife/callback",
        "scopes": "openid",
    }
    answer = await registry.post("/api/oAuth2Clients", json=client, auth=ADMIN)
    assert answer.status_code == 201, answer.text


def _request(**changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": "http://localhost:8000/midwife/callback",
        "scope": "openid",
        "state": "s",
        "code_challenge": code_challenge(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }


async def _code(registry: Client) -> str:
    await _with_client(registry)
    await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    answer = await registry.get("/oauth2/authorize", params=_request(), follow_redirects=False)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["s"]
    registry.cookies.clear()
    return back["code"][0]


def _exchange(code: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": "portal",
        "redirect_uri": "http://localhost:8000/midwife/callback",
        "code": code,
        "code_verifier": VERIFIER,
        **changes,
    }


async def test_a_code_gives_tokens_once(registry: Client) -> None:
    code = await _code(registry)
    tokens = (await registry.post("/oauth2/token", data=_exchange(code))).json()
    me = await registry.get("/api/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["username"] == "admin"
    again = await registry.post("/oauth2/token", data=_exchange(code))
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_code_without_its_verifier_is_spent_and_worth_nothing(registry: Client) -> None:
    code = await _code(registry)
    wrong = await registry.post("/oauth2/token", data=_exchange(code, code_verifier="w" * 50))
    assert wrong.json()["error"] == "invalid_grant"
    assert (await registry.post("/oauth2/token", data=_exchange(code))).json()["error"] == "invalid_grant"


async def test_a_refresh_token_works_once_and_gives_the_next(registry: Client) -> None:
    tokens = (await registry.post("/oauth2/token", data=_exchange(await _code(registry)))).json()
    form = {"grant_type": "refresh_token", "client_id": "portal", "refresh_token": tokens["refresh_token"]}
    assert "refresh_token" in (await registry.post("/oauth2/token", data=form)).json()
    assert (await registry.post("/oauth2/token", data=form)).json()["error"] == "invalid_grant"


async def test_an_unregistered_redirect_uri_is_never_redirected_to(registry: Client) -> None:
    await _with_client(registry)
    answer = await registry.get(
        "/oauth2/authorize", params=_request(redirect_uri="http://evil.example/"), follow_redirects=False
    )
    assert answer.status_code == 400


async def test_pkce_is_required(registry: Client) -> None:
    await _with_client(registry)
    asked = _request(code_challenge="", code_challenge_method="")
    answer = await registry.get("/oauth2/authorize", params=asked, follow_redirects=False)
    assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == ["invalid_request"]


async def test_nobody_logged_in_goes_to_the_login_page_or_straight_to_the_named_provider(registry: Client) -> None:
    await _with_client(registry)
    page = await registry.get("/oauth2/authorize", params=_request(), follow_redirects=False)
    assert page.headers["location"].startswith("/login?")
    hinted = await registry.get("/oauth2/authorize", params=_request(idp="esignet"), follow_redirects=False)
    assert hinted.headers["location"].startswith("/oauth2/authorization/esignet?")


async def test_the_login_page_never_sends_people_elsewhere(registry: Client) -> None:
    form = {"username": "admin", "password": "district", "then": "//evil.example/"}
    answer = await registry.post("/login", data=form, follow_redirects=False)
    assert answer.headers["location"] == "/"


async def test_a_midwife_has_her_role_and_no_other_right(registry: Client, programme: dict[str, Any]) -> None:
    await registry.put(
        f"/api/users/{programme['users'][0]['id']}",
        json=programme["users"][0] | {"password": "Secret-123", "externalAuth": False},
        auth=ADMIN,
    )
    auth = (programme["users"][0]["username"], "Secret-123")
    me = (await registry.get("/api/me", auth=auth)).json()
    assert "ALL" not in me["authorities"]
    assert me["programs"] == ["eozjj9UivfS"]
    assert (await registry.post("/api/metadata", json={}, auth=auth)).status_code == 403
    assert (await registry.get("/api/oAuth2Clients", auth=auth)).status_code == 403
