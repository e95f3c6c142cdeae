import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from janani.clients.oidc_checks import code_challenge
from janani.registry import oauth
from janani.settings import Settings
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


def _refresh(tokens: dict[str, str]) -> dict[str, str]:
    return {"grant_type": "refresh_token", "client_id": "portal", "refresh_token": tokens["refresh_token"]}


async def _tokens(registry: Client) -> dict[str, str]:
    tokens: dict[str, str] = (await registry.post("/oauth2/token", data=_exchange(await _code(registry)))).json()
    return tokens


async def test_a_refresh_token_gives_the_next_also_to_a_client_that_asks_twice_at_once(registry: Client) -> None:
    tokens = await _tokens(registry)
    for _ in range(2):
        fresh = (await registry.post("/oauth2/token", data=_refresh(tokens))).json()
        assert fresh["refresh_token"] != tokens["refresh_token"]


async def test_a_refresh_token_that_comes_again_later_ends_all_of_its_family(
    registry: Client, settings: Settings
) -> None:
    tokens = await _tokens(registry)
    fresh = (await registry.post("/oauth2/token", data=_refresh(tokens))).json()
    database = await asyncpg.connect(settings.database.dsn)
    await database.execute(
        "update registry.refresh_token set spent_at = now() - interval '1 minute' where spent_at > '-infinity'"
    )
    await database.close()
    assert (await registry.post("/oauth2/token", data=_refresh(tokens))).json()["error"] == "invalid_grant"
    assert (await registry.post("/oauth2/token", data=_refresh(fresh))).json()["error"] == "invalid_grant"


async def test_a_code_that_comes_twice_ends_what_it_gave(registry: Client) -> None:
    code = await _code(registry)
    tokens = (await registry.post("/oauth2/token", data=_exchange(code))).json()
    await registry.post("/oauth2/token", data=_exchange(code))
    assert (await registry.post("/oauth2/token", data=_refresh(tokens))).json()["error"] == "invalid_grant"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between using what was sent and storing what is given for it, time passes."""
    original = oauth._refresh_token

    async def refresh_token(*a: Any) -> Any:
        await asyncio.sleep(0.4)
        return await original(*a)

    monkeypatch.setattr(oauth, "_refresh_token", refresh_token)


def _beside(registry: Client, url: str, form: dict[str, str]) -> asyncio.Future[httpx.Response]:
    """A request while others are under way: the test client lets its loop wait for each answer."""
    return asyncio.ensure_future(asyncio.to_thread(asyncio.run, registry.post(url, data=form)))


@pytest.mark.usefixtures("slow")
async def test_of_two_with_one_code_nobody_keeps_a_login(registry: Client) -> None:
    code = await _code(registry)
    answers = await asyncio.gather(*(_beside(registry, "/oauth2/token", _exchange(code)) for _ in range(2)))
    [tokens] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await registry.post("/oauth2/token", data=_refresh(tokens))).json()["error"] == "invalid_grant"


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("end", ["replayed", "revoked"])
async def test_a_refresh_token_that_is_just_being_renewed_ends_too(
    registry: Client, settings: Settings, end: str
) -> None:
    first = await _tokens(registry)
    second = (await registry.post("/oauth2/token", data=_refresh(first))).json()
    database = await asyncpg.connect(settings.database.dsn)
    await database.execute("update registry.refresh_token set spent_at = spent_at - interval '1 minute'")
    await database.close()
    renewing = _beside(registry, "/oauth2/token", _refresh(second))
    await asyncio.sleep(0.2)
    if end == "replayed":
        assert (await registry.post("/oauth2/token", data=_refresh(first))).json()["error"] == "invalid_grant"
    else:
        form = {"token": second["refresh_token"], "client_id": "portal"}
        assert (await registry.post("/oauth2/revoke", data=form)).status_code == 200
    third = (await renewing).json()
    assert (await registry.post("/oauth2/token", data=_refresh(third))).json()["error"] == "invalid_grant"


async def test_a_revoked_refresh_token_is_worth_nothing(registry: Client) -> None:
    tokens = await _tokens(registry)
    form = {"token": tokens["refresh_token"], "client_id": "portal"}
    assert (await registry.post("/oauth2/revoke", data=form)).status_code == 200
    assert (await registry.post("/oauth2/token", data=_refresh(tokens))).json()["error"] == "invalid_grant"
    assert (await registry.post("/oauth2/revoke", data=form)).status_code == 200


async def test_logging_out_at_a_client_ends_the_session_here_too(registry: Client) -> None:
    tokens = await _tokens(registry)
    await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    asked = {"id_token_hint": tokens["id_token"], "state": "s"}
    asked["post_logout_redirect_uri"] = "http://localhost:8000/midwife"
    answer = await registry.get("/connect/logout", params=asked, follow_redirects=False)
    assert answer.headers["location"] == "http://localhost:8000/midwife?state=s"
    assert (await registry.get("/api/me")).status_code == 401


async def test_a_link_without_our_id_token_logs_nobody_out_unasked(registry: Client) -> None:
    await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    asked = {"post_logout_redirect_uri": "http://evil.example/"}
    page = await registry.get("/connect/logout", params=asked, follow_redirects=False)
    assert page.status_code == 200
    assert "evil" not in page.text
    assert (await registry.get("/api/me")).status_code == 200


async def test_a_logout_never_ends_at_an_unregistered_place(registry: Client) -> None:
    tokens = await _tokens(registry)
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://evil.example/"}
    answer = await registry.get("/connect/logout", params=asked, follow_redirects=False)
    assert answer.headers["location"] == "/login"


async def test_userinfo_says_who_a_token_is_of(registry: Client) -> None:
    tokens = await _tokens(registry)
    answer = await registry.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.json() == {"sub": "admin", "name": "admin admin"}


async def test_an_id_token_opens_no_door(registry: Client) -> None:
    tokens = await _tokens(registry)
    headers = {"Authorization": f"Bearer {tokens['id_token']}"}
    assert (await registry.get("/api/me", headers=headers)).status_code == 401


async def test_after_five_wrong_passwords_none_is_right_for_a_while(registry: Client) -> None:
    user = {"username": "clerk", "firstName": "A", "surname": "Clerk", "password": "Clerk-1234", "userRoles": []}
    assert (await registry.post("/api/users", json=user, auth=ADMIN)).status_code == 201
    for _ in range(5):
        await registry.get("/api/me", auth=("clerk", "wrong"))
    assert (await registry.get("/api/me", auth=("clerk", "Clerk-1234"))).status_code == 401


async def test_a_strangers_wrong_passwords_do_not_stop_who_works(registry: Client) -> None:
    assert (await registry.get("/api/me", auth=ADMIN)).status_code == 200
    for _ in range(6):
        await registry.get("/api/me", auth=("admin", "wrong"))
    assert (await registry.get("/api/me", auth=ADMIN)).status_code == 200


async def test_a_changed_password_ends_other_logins(registry: Client) -> None:
    user = {"username": "clerk", "firstName": "A", "surname": "Clerk", "password": "Clerk-1234", "userRoles": []}
    await registry.post("/api/users", json=user, auth=ADMIN)
    await registry.post("/api/auth/login", json={"username": "clerk", "password": "Clerk-1234"})
    session = dict(registry.cookies)
    registry.cookies.clear()
    change = {"oldPassword": "Clerk-1234", "newPassword": "Better-5678"}
    changed = await registry.put("/api/me/changePassword", json=change, auth=("clerk", "Clerk-1234"))
    assert changed.status_code == 200, changed.text
    assert (await registry.get("/api/me", auth=("clerk", "Clerk-1234"))).status_code == 401
    assert (await registry.get("/api/me", auth=("clerk", "Better-5678"))).status_code == 200
    registry.cookies.update(session)
    assert (await registry.get("/api/me")).status_code == 401


async def test_a_session_writes_nothing_for_a_page_of_another_site(registry: Client) -> None:
    await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    headers = {"sec-fetch-site": "same-site"}
    assert (await registry.post("/api/constants", json={"name": "Pi"}, headers=headers)).status_code == 403
    assert (await registry.post("/api/constants", json={"name": "Pi"})).status_code == 201


async def test_a_person_in_a_browser_is_shown_the_login_page(registry: Client) -> None:
    headers = {"accept": "text/html,*/*"}
    answer = await registry.get("/api/me?fields=id", headers=headers, follow_redirects=False)
    assert answer.headers["location"] == "/login?then=%2Fapi%2Fme%3Ffields%3Did"
    for path in ("/", "/login", "/dhis-web-login/"):
        page = await registry.get(path, headers=headers, follow_redirects=True)
        assert "Log in with eSignet" in page.text


async def test_the_data_store_keeps_any_json_for_applications(registry: Client) -> None:
    place = "/api/dataStore/capture/dataEntryForms"
    assert (await registry.get(place, auth=ADMIN)).status_code == 404
    assert (await registry.post(place, json={"a": [1]}, auth=ADMIN)).status_code == 201
    assert (await registry.post(place, json={}, auth=ADMIN)).status_code == 409
    assert (await registry.put(place, json="text", auth=ADMIN)).status_code == 200
    assert (await registry.get(place, auth=ADMIN)).json() == "text"
    assert (await registry.get("/api/dataStore/capture", auth=ADMIN)).json() == ["dataEntryForms"]
    assert (await registry.get("/api/userDataStore", auth=ADMIN)).json() == []
    assert (await registry.delete(place, auth=ADMIN)).status_code == 200
    assert (await registry.get("/api/dataStore", auth=ADMIN)).json() == []


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


async def test_prompt_says_whether_a_login_may_or_must_be_asked_for(registry: Client) -> None:
    await _with_client(registry)
    silent = await registry.get("/oauth2/authorize", params=_request(prompt="none"), follow_redirects=False)
    assert parse_qs(urlsplit(silent.headers["location"]).query)["error"] == ["login_required"]
    await registry.post("/api/auth/login", json={"username": "admin", "password": "district"})
    known = await registry.get("/oauth2/authorize", params=_request(prompt="none"), follow_redirects=False)
    assert "code" in parse_qs(urlsplit(known.headers["location"]).query)
    again = await registry.get("/oauth2/authorize", params=_request(prompt="login"), follow_redirects=False)
    assert again.headers["location"].startswith("/login?")
    assert "prompt" not in again.headers["location"]


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


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ],
)
async def test_no_other_site_logs_a_browser_in(registry: Client, headers: dict[str, str]) -> None:
    body = {"username": "admin", "password": "district"}
    answer = await registry.post("/api/auth/login", json=body, headers=headers)
    assert (answer.status_code, answer.cookies) == (403, {})


async def test_a_login_is_json_which_no_form_of_another_site_can_send(registry: Client) -> None:
    body = b'{"username": "admin", "password": "district"}'
    answer = await registry.post("/api/auth/login", content=body, headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.cookies) == (415, {})
