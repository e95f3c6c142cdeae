"""Who is calling: basic, session cookie, personal access token or OAuth2 bearer token (Web API, "Authentication").

`user_of(request)` is the one door: it gives the user or raises 401.
"""

import base64
import binascii
import hashlib
from typing import Any

from joserfc.errors import JoseError
from litestar import HttpMethod, Request, Response, delete, get, post, route
from litestar.datastructures import Cookie
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from janani.kernel.http import from_another_site
from janani.kernel.ids import token, uid
from janani.kernel.jose import verify
from janani.kernel.telemetry import log
from janani.registry import api_tokens, users
from janani.registry.metadata.snapshot import SQL
from janani.registry.problems import Refusal, web_message
from janani.registry.state import State
from janani.registry.users import User

SESSION_COOKIE = "JSESSIONID"
_Request = Request[Any, Any, Any]
_CLOCK_SKEW_SECONDS = 60
_WRONG_PASSWORDS, _LOCK_SECONDS = 5, 900


class Login(Struct, rename="camel"):
    """Body of `POST /api/auth/login`."""

    username: str
    password: str
    two_factor_code: str | None = None


def state_of(request: _Request) -> State:
    """The registry's resources."""
    state: State = request.app.state.registry
    return state


async def user_of(request: _Request) -> User:
    """The user who calls. Raises Refusal (401); asked twice in one request it answers from memory."""
    known: User | None = request.scope.setdefault("state", {}).get("user")
    if known is None:
        known = await _authenticated(request)
        request.scope["state"]["user"] = known
    return known


async def _authenticated(request: _Request) -> User:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            account = await _by_password(request, *_basic(credentials))
        case "apitoken":
            account = await SQL.account_of_api_token(state_of(request).pool, key_hash=digest(credentials.strip()))
        case "bearer":
            account = _by_access_token(request, credentials.strip())
        case _:
            account = await session_account(request)
            _refuse_other_sites(request)
    found = await user_named(request, account) if account else None
    if found is None:
        raise Refusal(401, "Unauthorized", "")
    return found


async def user_named(request: _Request, uid: str) -> User | None:
    """The user of account `uid`, unless disabled."""
    snapshot = await state_of(request).metadata.current()
    one = snapshot.get("users", uid)
    return None if one is None or one.get("disabled") else users.user(snapshot, uid)


def _refuse_other_sites(request: _Request) -> None:
    """A session cookie speaks only for pages of this server, and only they open one; tokens speak anywhere."""
    if from_another_site(request):
        raise Refusal(403, "This request was sent from another site.")


async def session_account(request: _Request) -> str | None:
    """The account of the session cookie, its life prolonged; None without a live session."""
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    state = state_of(request)
    seconds = state.settings.registry.session_seconds
    row = await SQL.account_of_session(state.pool, id_hash=digest(cookie), seconds=seconds)
    return row["account"] if row else None


async def open_session(request: _Request, account: str) -> Cookie:
    """A new session for `account`; the cookie that carries it. An old one of this browser is closed (no fixation)."""
    state = state_of(request)
    if old := request.cookies.get(SESSION_COOKIE):
        await SQL.close_session(state.pool, id_hash=digest(old))
    session = token()
    seconds = state.settings.registry.session_seconds
    await SQL.open_session(state.pool, id_hash=digest(session), account=account, seconds=seconds)
    await SQL.note_login(state.pool, uid=account)
    secure = state.settings.registry.url.startswith("https://")
    return Cookie(key=SESSION_COOKIE, value=session, path="/", httponly=True, samesite="lax", secure=secure)


async def by_login(request: _Request, username: str, password: str) -> str | None:
    """The account that `username` and `password` prove, or None."""
    return await _by_password(request, username, password)


@post("/api/auth/login", status_code=200, summary="Log in")
async def log_in(request: _Request, data: JSONBody[Login]) -> Response[dict[str, Any]]:
    """Opens a session (Web API §1.4). 401 for a wrong name or password, whichever it was.

    Asked by this server's pages only, and in JSON, which no form of another site can send (login CSRF).
    """
    _refuse_other_sites(request)
    if request.content_type[0] != "application/json":
        raise Refusal(415, f"Content type '{request.content_type[0]}' not supported")
    account = await _by_password(request, data.username, data.password)
    if account is None:
        raise Refusal(401, "Incorrect username or password", "")
    cookie = await open_session(request, account)
    return Response({"loginStatus": "SUCCESS", "redirectUrl": "/dhis-web-dashboard/"}, cookies=[cookie])


@route("/api/auth/logout", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200, summary="Log out")
async def log_out(request: _Request) -> Response[dict[str, Any]]:
    """Closes the session of the cookie."""
    if cookie := request.cookies.get(SESSION_COOKIE):
        await SQL.close_session(state_of(request).pool, id_hash=digest(cookie))
    answer: Response[dict[str, Any]] = Response(web_message(200))
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@post("/api/apiToken", status_code=201, summary="Make a personal access token")
async def make_api_token(request: _Request) -> Response[dict[str, Any]]:
    """A new token of the caller, thirty days by default; its key is shown once (Web API §1.4)."""
    user = await user_of(request)
    key, identifier = api_tokens.key(), uid()
    expires = api_tokens.expiry(await request.body(), state_of(request).clock())
    await SQL.add_api_token(
        state_of(request).pool, uid=identifier, account=user.uid, key_hash=digest(key), expires_at=expires
    )
    body = {
        "responseType": "ApiTokenCreationResponse",
        "key": key,
        "uid": identifier,
        "klass": "org.hisp.dhis.security.apikey.ApiToken",
        "errorReports": [],
    }
    return Response(web_message(201, response=body), status_code=201)


@get("/api/apiToken", summary="The caller's personal access tokens")
async def list_api_tokens(request: _Request) -> dict[str, Any]:
    """The caller's tokens, without their keys."""
    user = await user_of(request)
    rows = [row async for row in SQL.api_tokens(state_of(request).pool, account=user.uid)]
    return {
        "apiToken": [
            {"id": row["uid"], "type": "PERSONAL_ACCESS_TOKEN_V2", "expire": int(row["expires_at"].timestamp() * 1000)}
            for row in rows
        ]
    }


@delete("/api/apiToken/{token_uid:str}", status_code=200, summary="Revoke a personal access token")
async def revoke_api_token(request: _Request, token_uid: FromPath[str]) -> dict[str, Any]:
    """Revokes one of the caller's tokens."""
    user = await user_of(request)
    if await SQL.drop_api_token(state_of(request).pool, uid=token_uid, account=user.uid) is None:
        raise Refusal(404, f"ApiToken with id {token_uid} could not be found.")
    return web_message(200)


def digest(secret: str) -> bytes:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode()).digest()


def _basic(credentials: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


async def _by_password(request: _Request, username: str, password: str) -> str | None:
    """The account. Who signs in elsewhere (externalAuth) has no password here; after five wrong ones none counts."""
    state = state_of(request)
    row = None
    if "\0" not in username:  # no database holds such a name
        row = await SQL.account_by_username(
            state.pool, username=username, attempts=_WRONG_PASSWORDS, lock_seconds=_LOCK_SECONDS
        )
    if row is None:
        await state.passwords.right("", password, None)
        return None
    known = None if row["disabled"] or row["external"] else row["password_hash"]
    if not await state.passwords.right(row["uid"], password, known, only_remembered=row["locked"]):
        await SQL.note_failure(state.pool, uid=row["uid"], lock_seconds=_LOCK_SECONDS)
        log("registry").warning("wrong_password", account=row["uid"], locked=row["locked"])
        return None
    if row["failures"] and not row["locked"]:
        await SQL.forget_failures(state.pool, uid=row["uid"])
    return str(row["uid"])


def _by_access_token(request: _Request, access_token: str) -> str | None:
    """The account in an access token of our own OAuth2 server (RFC 9068)."""
    state = state_of(request)
    try:
        claims = verify(access_token, state.key, algorithms=["RS256"])
    except (JoseError, ValueError):
        return None
    now = state.clock().timestamp()
    ours = claims.get("iss") == state.settings.registry.url and claims.get("token_use") == "access"
    alive = isinstance(claims.get("exp"), int | float) and claims["exp"] > now - _CLOCK_SKEW_SECONDS
    return str(claims["uid"]) if ours and alive and "uid" in claims else None


handlers = [log_in, log_out, make_api_token, list_api_tokens, revoke_api_token]
