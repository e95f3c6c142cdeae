"""After a sign-in: who it was, revocation, logout (OpenID Connect Core §5.3, RFC 7009, RP-Initiated Logout)."""

from typing import Any
from urllib.parse import urlencode

from joserfc.errors import JoseError
from litestar import Request, Response, get, post
from litestar.response import Redirect

from janani.kernel import pages
from janani.kernel.jose import verify
from janani.registry.access import SESSION_COOKIE, digest, session_account, state_of, user_of
from janani.registry.metadata.snapshot import SQL
from janani.registry.oauth import end_family, refused
from janani.registry.oauth_clients import Client, OAuthProblem, authenticated, client

_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.registry")


@get("/userinfo", summary="Who an access token is of")
async def userinfo(request: _Request) -> dict[str, Any]:
    """Name and e-mail address of the caller."""
    user = await user_of(request)
    one = (await state_of(request).metadata.current()).get("users", user.uid) or {}
    said = {"sub": user.username, "name": f"{user.first_name} {user.surname}".strip(), "email": one.get("email")}
    return {name: value for name, value in said.items() if value}


@post("/oauth2/revoke", status_code=200, summary="Revoke a refresh token")
async def revoke(request: _Request) -> Response[Any]:
    """Ends a refresh token and all of its family; an unknown token is answered the same way (RFC 7009 §2.2).

    An access token can't be ended: it lives ten minutes.
    """
    form = {key: str(value) for key, value in (await request.form()).items()}
    try:
        known = await authenticated(request, form)
    except OAuthProblem as problem:
        return refused(problem)
    token_hash = digest(form.get("token", ""))
    state = state_of(request)
    family = await SQL.family_of_refresh_token(state.pool, token_hash=token_hash, client_id=known.client_id)
    await end_family(state, family)
    return Response(None, status_code=200)


@get("/connect/logout", summary="Log out on behalf of a client")
async def end_session(request: _Request) -> Redirect | Response[str]:
    """Closes this browser's session when `id_token_hint` is of its user, and goes back to the client.

    Anybody else's link shows a page that asks first, so that no other site can log people out.
    """
    query = request.query_params
    known, username = await _hinted(request, query.get("id_token_hint", ""))
    if known is None:
        return pages.page(_jinja, "logout.html", portal=state_of(request).settings.portals.url)
    target = query.get("post_logout_redirect_uri", "")
    if not known.may_return_to(target):
        target = ""
    elif query.get("state"):
        target += ("&" if "?" in target else "?") + urlencode({"state": query["state"]})
    return await close_session(request, target or "/login", only=username)


@post("/logout", summary="Log out")
async def log_out(request: _Request) -> Redirect:
    """Closes this browser's session, from our own page."""
    return await close_session(request, "/login")


async def close_session(request: _Request, target: str, *, only: str = "") -> Redirect:
    """Closes this browser's session (that of user `only`, when given) and goes on to `target`."""
    state = state_of(request)
    account = await session_account(request)
    one = (await state.metadata.current()).get("users", account or "") or {}
    answer = Redirect(target, status_code=303)
    if account and only in ("", one.get("username")):
        await SQL.close_session(state.pool, id_hash=digest(request.cookies[SESSION_COOKIE]))
        answer.delete_cookie(SESSION_COOKIE)
    return answer


async def _hinted(request: _Request, id_token: str) -> tuple[Client | None, str]:
    """Client and user name of an id token of ours; one that expired will do (RP-Initiated Logout §2)."""
    state = state_of(request)
    try:
        claims = verify(id_token, state.key, algorithms=["RS256"])
    except (JoseError, ValueError):
        return None, ""
    if claims.get("iss") != state.settings.registry.url:
        return None, ""
    return client(await state.metadata.current(), str(claims.get("aud"))), str(claims.get("sub", ""))


handlers = [userinfo, revoke, end_session, log_out]
