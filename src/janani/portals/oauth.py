"""Logging in at the portals: authorization code with PKCE (RFC 6749, 7636) at the registry or at the record.

A portal is a `Door`: which server, which client, which scope. State is bound to the browser and used once.
"""

import contextlib
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc.jwk import RSAKey
from litestar import Request
from litestar.datastructures import Cookie
from litestar.response import Redirect
from msgspec import Struct

from janani.clients.oidc_checks import code_challenge
from janani.kernel import i18n
from janani.kernel.clock import Clock
from janani.kernel.i18n import _
from janani.kernel.ids import token
from janani.kernel.jose import sign
from janani.portals.problems import Away
from janani.portals.sessions import SQL, digest
from janani.portals.state import state_of

BROWSER_COOKIE = "janani_portals_login"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_Request = Request[Any, Any, Any]


class Door(Struct, frozen=True):
    """One portal's way in. `key` signs client assertions (private_key_jwt); None makes it a public client."""

    portal: str
    authorize_url: str
    token_url: str
    client_id: str
    redirect_uri: str
    scope: str
    revoke_url: str = ""
    logout_url: str = ""
    extra: dict[str, str] = {}
    key: RSAKey | None = None


class LoginFailed(Exception):
    """A login did not come to tokens. Its text is for people."""


def way_back(portal: str, wanted: str) -> str:
    """The page of `portal` to go on with after logging in: `wanted` if it is one, else the portal's first page."""
    known = wanted.startswith((f"/{portal}/", f"/{portal}?")) and not set(wanted) & set("\\\r\n")
    return wanted if known else f"/{portal}"


async def begin(request: _Request, door: Door, then: str) -> Redirect:
    """Sends the browser to the door's server."""
    state, verifier = token(), token()
    browser = request.cookies.get(BROWSER_COOKIE) or token()
    await SQL.add_attempt(
        state_of(request).pool,
        state_hash=digest(state),
        browser_hash=digest(browser),
        portal=door.portal,
        code_verifier=verifier,
        then_to=then,
    )
    query = {
        "response_type": "code",
        "client_id": door.client_id,
        "redirect_uri": door.redirect_uri,
        "scope": door.scope,
        "state": state,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
        "ui_locales": i18n.current(),
        **door.extra,
    }
    secure = door.redirect_uri.startswith("https://")
    cookie = Cookie(
        key=BROWSER_COOKIE, value=browser, path="/", max_age=900, httponly=True, samesite="lax", secure=secure
    )
    return Redirect(f"{door.authorize_url}?{urlencode(query)}", cookies=[cookie])


async def finish(request: _Request, door: Door) -> tuple[dict[str, Any], str]:
    """The token answer for the code that came back, and where the person was going. Raises LoginFailed, Away."""
    query = request.query_params
    attempt = await SQL.take_attempt(
        state_of(request).pool,
        state_hash=digest(query.get("state", "")),
        browser_hash=digest(request.cookies.get(BROWSER_COOKIE, "")),
        portal=door.portal,
    )
    if attempt is None or not attempt["alive"]:
        raise LoginFailed(_("This login was begun elsewhere or took too long. Please start again."))
    if "code" not in query:
        refused = query.get("error") == "access_denied"
        text = _("You chose not to log in.") if refused else query.get("error_description", "")
        raise LoginFailed(text or _("The login was ended before it was finished."))
    form = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": door.redirect_uri,
        "code_verifier": attempt["code_verifier"],
    }
    state = state_of(request)
    return await _token_call(state.http, door, form, state.clock), attempt["then_to"]


async def refresh(http: httpx.AsyncClient, door: Door, refresh_token: str, clock: Clock) -> dict[str, Any]:
    """Fresh tokens for a refresh token (RFC 6749 §6). Raises LoginFailed, Away."""
    return await _token_call(http, door, {"grant_type": "refresh_token", "refresh_token": refresh_token}, clock)


async def leave(http: httpx.AsyncClient, door: Door, refresh_token: str) -> None:
    """Ends a refresh token (RFC 7009), if the server can be reached; it ends by itself otherwise."""
    with contextlib.suppress(httpx.HTTPError):
        await http.post(door.revoke_url, data={"token": refresh_token, "client_id": door.client_id})


def end_session_url(door: Door, id_token: str, back: str) -> str:
    """Where the browser goes to end its session at the door's server, too (OpenID Connect RP-Initiated Logout)."""
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": back, "client_id": door.client_id}
    return f"{door.logout_url}?{urlencode(query)}"


async def _token_call(http: httpx.AsyncClient, door: Door, form: dict[str, str], clock: Clock) -> dict[str, Any]:
    form = form | {"client_id": door.client_id}
    if door.key is not None:
        now = int(clock().timestamp())
        claims = {"iss": door.client_id, "sub": door.client_id, "aud": door.token_url, "iat": now, "jti": token()}
        assertion = sign(claims | {"exp": now + _ASSERTION_SECONDS}, door.key)
        form |= {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
    try:
        answer = await http.post(door.token_url, data=form)
    except httpx.HTTPError as error:
        raise Away(_away()) from error
    if answer.status_code == 429 or answer.status_code >= 500:
        raise Away(_away())
    if answer.status_code != 200:
        raise LoginFailed(_("The login was not accepted. Please start again."))
    try:
        body: dict[str, Any] = answer.json()
    except ValueError as error:
        raise Away(_away()) from error
    return body


def _away() -> str:
    return _("The login can't be finished just now. Please try again in a few minutes.")
