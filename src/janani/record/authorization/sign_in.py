"""`/auth/authorize` and `/auth/callback`: a browser comes from a client, goes to eSignet, and returns with a code."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response, get
from litestar.datastructures import Cookie
from litestar.response import Redirect

from janani.clients import oidc
from janani.kernel import ids, pages
from janani.kernel.i18n import accepted, choose, use
from janani.kernel.telemetry import log
from janani.record.authorization.authorize import Asked, NotLetIn, asked, digest, known_return, login, told
from janani.record.authorization.clients import queries
from janani.record.authorization.problems import OAuthProblem
from janani.record.authorization.service import Authorization
from janani.record.authorization.tokens import Login
from janani.record.problems import FhirProblem

SIGN_IN_SECONDS = 900
CODE_SECONDS = 60
COOKIE = "record_browser"
_REFUSED = {"access_denied", "consent_rejected", "consent_details_rejected"}

Http = Request[Any, Any, Any]
_jinja = pages.environment("janani.record.authorization")


@get("/auth/authorize")
async def authorize(request: Http) -> Response[Any]:
    """The authorization endpoint (RFC 6749 §3.1, SMART App Launch 2.2): sends the browser on to eSignet."""
    _speak(request)
    authorization, query = _server(request), _query(request)
    try:
        client = known_return(query, authorization.clients)
    except OAuthProblem:
        return _page("stranger", 400)
    try:
        wanted = asked(query, client, authorization.fhir)
    except OAuthProblem as problem:
        wanted = Asked(client.client_id, query["redirect_uri"], (), "", query.get("state", ""), "")
        return Redirect(wanted.back(authorization.url, **told(problem)))
    try:
        provider = await authorization.provider()
    except oidc.OidcError as error:
        log("record").warning("identity_service_away", code=error.code)
        return _stopped(authorization, wanted, "away", "temporarily_unavailable", 503)
    upstream = oidc.authorization_request(provider, authorization.relying_party, authorization.now(), **_locales(query))
    browser = request.cookies.get(COOKIE) or ids.token()
    async with authorization.pool.acquire() as connection:
        await queries.begin_sign_in(
            connection,
            state=upstream.state,
            browser=digest(browser),
            request=msgspec.json.encode(wanted).decode(),
            nonce=upstream.nonce,
            code_verifier=upstream.code_verifier,
            expires_at=authorization.now() + timedelta(seconds=SIGN_IN_SECONDS),
        )
    secure = authorization.url.startswith("https://")
    cookie = Cookie(COOKIE, path="/auth", value=browser, httponly=True, samesite="lax", secure=secure)
    return Redirect(upstream.url, cookies=[cookie])


@get("/auth/callback")
async def callback(request: Http) -> Response[Any]:
    """Where eSignet sends the browser back to: with a code, or with the reason why not."""
    _speak(request)
    authorization, query = _server(request), _query(request)
    async with authorization.pool.acquire() as connection:
        row = await queries.end_sign_in(connection, state=query.get("state", ""))
    if row is None:
        return _page("expired", 400)
    wanted = msgspec.json.decode(row["request"], type=Asked)
    _speak(request, wanted.ui_locales)
    if row["expires_at"] < authorization.now():
        return _stopped(authorization, wanted, "expired", "access_denied", 400)
    if digest(request.cookies.get(COOKIE, "")) != row["browser"]:
        log("record").warning("sign_in_in_another_browser")
        return _page("expired", 400)
    if "code" not in query:
        reason = "refused" if query.get("error") in _REFUSED else "failed"
        return _stopped(authorization, wanted, reason, "access_denied", 200)
    try:
        person = await _identity(authorization, query, row)
        who = await login(authorization, wanted, person)
    except oidc.OidcError as error:
        log("record").warning("sign_in_failed", code=error.code)
        away = error.code == "provider_unreachable"
        code = "temporarily_unavailable" if away else "access_denied"
        return _stopped(authorization, wanted, "away" if away else "failed", code, 503 if away else 400)
    except NotLetIn as refusal:
        return _stopped(authorization, wanted, refusal.reason, "access_denied", 403)
    except FhirProblem as problem:
        log("record").error("practitioner_not_made", code=problem.code)
        return _stopped(authorization, wanted, "failed", "server_error", 500)
    return Redirect(wanted.back(authorization.url, code=await _code(authorization, wanted, who)))


async def _identity(authorization: Authorization, query: Mapping[str, str], row: asyncpg.Record) -> oidc.Identity:
    return await oidc.redeem(
        authorization.http,
        await authorization.provider(),
        authorization.relying_party,
        code=query["code"],
        now=authorization.now(),
        nonce=row["nonce"],
        code_verifier=row["code_verifier"],
        issuer=query.get("iss"),
    )


async def _code(authorization: Authorization, wanted: Asked, who: Login) -> str:
    """A code for the client, good once and for a minute."""
    code = ids.token()
    async with authorization.pool.acquire() as connection:
        await queries.save_code(
            connection,
            digest=digest(code),
            family=ids.token(128),
            client_id=wanted.client_id,
            redirect_uri=wanted.redirect_uri,
            code_challenge=wanted.code_challenge,
            login=msgspec.json.encode((who, wanted.nonce)).decode(),
            expires_at=authorization.now() + timedelta(seconds=CODE_SECONDS),
        )
    return code


def _stopped(authorization: Authorization, wanted: Asked, reason: str, error: str, status: int) -> Response[str]:
    """A page that says why it stopped, with the way back to the client (an OAuth error response)."""
    back = wanted.back(authorization.url, error=error, error_description=reason)
    return _page(reason, status, back)


def _page(reason: str, status: int, back: str = "") -> Response[str]:
    return pages.page(_jinja, "stopped.html", status=status, reason=reason, back=back)


def _server(request: Http) -> Authorization:
    server: Authorization = request.app.state.authorization
    return server


def _query(request: Http) -> dict[str, str]:
    return {name: str(value) for name, value in request.query_params.items()}


def _locales(query: Mapping[str, str]) -> dict[str, str]:
    return {"ui_locales": query["ui_locales"]} if query.get("ui_locales") else {}


def _speak(request: Http, ui_locales: str = "") -> None:
    spoken = accepted(request.headers.get("accept-language", ""))
    use(choose([*str(request.query_params.get("ui_locales", ui_locales)).split(), *spoken], "record/", "kernel/pages/"))
