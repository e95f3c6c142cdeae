"""Staff of the operations page: they log in at the registry's OAuth2 server, where an authority lets them in.

Authorization code with PKCE as a public client, as DHIS2 2.42 has it. The access token is used once, to ask the
registry who it is, and not kept. Programs send the operator's token instead (`secrets/sync-token`).
"""

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.clients.oidc_checks import code_challenge
from janani.kernel import i18n, pages, postgres
from janani.kernel.clock import Clock
from janani.kernel.http import from_another_site
from janani.kernel.i18n import _
from janani.kernel.ids import token
from janani.kernel.telemetry import log
from janani.sync.problems import ForeignForm, LoginNeeded, NotAllowed, NotLoggedIn

AUTHORITIES = {"F_SYNC_OPERATIONS", "ALL"}
PLACES = ("sync/", "kernel/pages/")
"""Where the words of the operations page stand: what has to be translated before a language is offered."""
_SESSION, _LOGIN, _LANGUAGE = "janani_sync_staff", "janani_sync_login", "janani_sync_language"
_SESSION_TIME = timedelta(hours=4)
"""From logging in: the page renews itself, so its use says nothing of whether somebody sits there."""
_LOGIN_SECONDS = 600
_queries = postgres.queries("janani.sync")
_Request = Request[Any, Any, Any]


class Door(Struct, frozen=True):
    """The way in. `url` is the registry, `redirect_uri` our callback there, `operator` the token of programs."""

    http: httpx.AsyncClient
    pool: asyncpg.Pool
    clock: Clock
    url: str
    client_id: str
    redirect_uri: str
    operator: str

    def cookie(self, key: str, value: str, **more: Any) -> Cookie:
        """A cookie for our pages alone."""
        secure = self.redirect_uri.startswith("https://")
        return Cookie(key=key, value=value, path="/", httponly=True, samesite="lax", secure=secure, **more)


class Who(Struct, frozen=True):
    """Who is logged in."""

    username: str
    name: str


async def recognise(request: _Request) -> Redirect | None:
    """Before every request: its language, and who has this cookie. A choice of language goes on to the page.

    Raises ForeignForm for a change that another site asks for.
    """
    if from_another_site(request):
        raise ForeignForm
    door = _door(request)
    secure = door.redirect_uri.startswith("https://")
    chosen = pages.speak(request, *PLACES, cookie=_LANGUAGE, secure=secure, page="" if request.method == "GET" else "/")
    cookie = request.cookies.get(_SESSION)
    if cookie:
        row = await _queries.staff_session(door.pool, id_hash=_digest(cookie), now=door.clock())
        request.state.who = Who(**row) if row else None
    return chosen


def logged_in(request: _Request) -> Who | None:
    """Who is logged in with the browser."""
    who: Who | None = request.state.get("who")
    return who


def staff(request: _Request) -> str:
    """Who asks, for the trail of decisions: a person by username, or "operator" for whoever has the operator's token.

    Raises LoginNeeded (a browser) or NotAllowed (a program).
    """
    who = logged_in(request)
    if who is not None:
        return who.username
    scheme, _space, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secrets.compare_digest(sent.encode(), _door(request).operator.encode()):
        return "operator"
    if "text/html" in request.headers.get("accept", ""):
        raise LoginNeeded(str(request.scope["path"]) if request.method == "GET" else "")
    raise NotAllowed


@get("/login")
async def login(request: _Request, then: FromQuery[str] = "") -> Redirect:
    """Sends the browser to the registry to log in."""
    door, state, verifier = _door(request), token(), token()
    query = {
        "response_type": "code",
        "client_id": door.client_id,
        "redirect_uri": door.redirect_uri,
        "scope": "openid",
        "state": state,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
        "ui_locales": i18n.current(),
    }
    kept = door.cookie(_LOGIN, f"{state}.{verifier}.{_page(then)}", max_age=_LOGIN_SECONDS)
    return Redirect(f"{door.url}/oauth2/authorize?{urlencode(query)}", cookies=[kept])


@get("/callback")
async def callback(request: _Request) -> Redirect:
    """The browser comes back with a code. Raises NotLoggedIn."""
    door, query = _door(request), request.query_params
    state, code = query.get("state", ""), query.get("code", "")
    wanted, _dot, rest = request.cookies.get(_LOGIN, "").partition(".")
    verifier, _dot, then = rest.partition(".")
    if not wanted or not secrets.compare_digest(wanted.encode(), state.encode()):
        raise NotLoggedIn(_("This login was begun elsewhere or took too long. Please start again."))
    if not code:
        raise NotLoggedIn(_("The login was ended before it was finished."))
    who = await _asked(door, code, verifier)
    session = token()
    until = door.clock() + _SESSION_TIME
    await _queries.open_staff_session(
        door.pool, id_hash=_digest(session), username=who.username, name=who.name, until=until, now=door.clock()
    )
    log("sync").info("staff_logged_in", user=who.username)
    return Redirect(_page(then), status_code=303, cookies=[door.cookie(_SESSION, session), _gone(door, _LOGIN)])


@post("/logout")
async def logout(request: _Request) -> Redirect:
    """Ends the session here; the one at the registry is the registry's."""
    door = _door(request)
    await _queries.close_staff_session(door.pool, id_hash=_digest(request.cookies.get(_SESSION, "")))
    return Redirect("/goodbye", status_code=303, cookies=[_gone(door, _SESSION)])


async def _asked(door: Door, code: str, verifier: str) -> Who:
    """Who the registry says it is. Raises NotLoggedIn: refused, without the authority, or the registry is away."""
    form = {
        "grant_type": "authorization_code",
        "client_id": door.client_id,
        "code": code,
        "redirect_uri": door.redirect_uri,
        "code_verifier": verifier,
    }
    away = _("The registry does not answer just now. Please try again in a minute.")
    try:
        answer = await door.http.post(f"{door.url}/oauth2/token", data=form)
        if answer.status_code >= 500:
            raise NotLoggedIn(away)
        if answer.status_code != 200:
            raise NotLoggedIn(_("The login was not accepted. Please start again."))
        registry = Dhis2Client(door.http, door.url, bearer=str(answer.json().get("access_token", "")), attempts=1)
        me = await registry.me("username,name,authorities")
    except (httpx.HTTPError, Dhis2Error, ValueError) as error:
        raise NotLoggedIn(away) from error
    if not AUTHORITIES & set(me.get("authorities", ())):
        log("sync").warning("staff_refused", user=me.get("username", ""))
        raise NotLoggedIn(_("You need the authority F_SYNC_OPERATIONS in the registry to see this page."))
    return Who(str(me["username"]), str(me.get("name") or me["username"]))


def _page(wanted: str) -> str:
    """A page of ours to go on with, else the first."""
    ours = wanted.startswith("/") and not wanted.startswith("//") and not set(wanted) & set("\\\r\n;")
    return wanted if ours else "/"


def _gone(door: Door, key: str) -> Cookie:
    return door.cookie(key, "", max_age=0)


def _digest(cookie: str) -> bytes:
    return sha256(cookie.encode()).digest()


def _door(request: _Request) -> Door:
    door: Door = request.app.state.sync.door
    return door


handlers = [login, callback, logout]
