"""`/consents`: a person sees who may see what of hers and since when, and takes it back.

The page is a client of this provider itself, so its sign-in has the rules and limits of every other:

    GET  /consents             signed in: the list; else what this is, and the way to sign in
    GET  /consents/sign-in     → /authorize, with state and PKCE bound to this browser
    GET  /consents/callback    the code is spent here; a session of ten minutes begins
    GET  /consents/withdraw    what will happen, and the button
    POST /consents/withdraw    tokens end at once, and the client is told (notices.py)
    POST /consents/sign-out
"""

import hmac
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect

from janani.esignet import notices
from janani.esignet.envelope import base64url, sha3
from janani.esignet.form import read_form
from janani.esignet.incoming import Http
from janani.esignet.page import OWN_CLIENT, PLACES, TEMPLATES, claim_names, languages, scope_names, speak
from janani.esignet.people import claims_of
from janani.esignet.problems import CsrfFailed
from janani.esignet.provider import SQL, Idp, Provider, Row
from janani.esignet.tokens import pkce_holds
from janani.esignet.vocabulary import GENERATED_CODE, three_letters
from janani.kernel import i18n, ids
from janani.kernel.http import from_another_site
from janani.kernel.pages import page
from janani.kernel.postgres import json_of

SESSION_SECONDS = 600
_SESSION, _BEGUN = "esignet_consents", "esignet_consents_begun"


async def register_own_client(idp: Provider) -> None:
    """Makes the page a client of this provider. Its key is the provider's, so nobody else can redeem its codes."""
    names = {
        three_letters(language): i18n.catalogue(language).gettext("Who may see my data")
        for language in i18n.spoken(*PLACES)
    }
    await SQL.put_own_client(
        idp.pool,
        client_id=OWN_CLIENT,
        name=json_of({"@none": names["eng"]} | names),
        logo_uri=f"{idp.issuer}/assets/janani.svg",
        public_key=json_of(idp.key.as_dict(private=False)),
        acrs=[GENERATED_CODE],
        redirect_uris=[f"{idp.issuer}/consents/callback"],
        additional_config=json_of({"require_pkce": True}),
        now=idp.now(),
    )


def same_site_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises CsrfFailed for a form sent from another site; the session's cookie is not sent from there either."""
    if from_another_site(Http(connection.scope)):
        raise CsrfFailed


@get("/consents", include_in_schema=False)
async def consents(request: Http, idp: Idp) -> Response[Any]:
    """The list, or the way to sign in."""
    language = speak(request)
    person = await _signed_in(request, idp)
    shown: dict[str, Any] = {"languages": languages(request), "query": _query(request)}
    if person is None:
        return page(TEMPLATES, "consents_sign_in.html", **shown)
    rows = [row async for row in SQL.consents_of(idp.pool, person_id=person["person_id"], now=idp.now())]
    entries = [_entry(row, language) for row in rows]
    active = [entry for entry in entries if entry["withdrawn_at"] is None]
    withdrawn = [entry for entry in entries if entry["withdrawn_at"]]
    done = next((entry for entry in withdrawn if str(entry["id"]) == request.query_params.get("done")), None)
    return page(
        TEMPLATES,
        "consents.html",
        **shown,
        name=_name(person, language),
        active=active,
        withdrawn=withdrawn,
        done=done,
        minutes=SESSION_SECONDS // 60,
    )


@get("/consents/sign-in", include_in_schema=False)
async def sign_in(request: Http, idp: Idp) -> Redirect:
    """Goes to the sign-in page as any client does."""
    language = speak(request)
    state, verifier = ids.token(), ids.token() + ids.token()
    query = {
        "client_id": OWN_CLIENT,
        "redirect_uri": f"{idp.issuer}/consents/callback",
        "response_type": "code",
        "scope": "openid",
        "acr_values": GENERATED_CODE,
        "state": state,
        "nonce": ids.token(),
        "code_challenge": base64url(sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
        "ui_locales": language,
    }
    address = idp.options.authorize_url or f"{idp.issuer}/authorize"
    begun = _cookie(idp, _BEGUN, f"{state}.{verifier}.{language}", idp.options.transaction_seconds, samesite="lax")
    return Redirect(f"{address}?{urlencode(query)}", status_code=303, cookies=[begun])


@get("/consents/callback", include_in_schema=False)
async def callback(request: Http, idp: Idp) -> Redirect:
    """Spends the code this browser asked for, and begins a session. Whatever is not right leads to the sign-in."""
    state, _, rest = request.cookies.get(_BEGUN, "").partition(".")
    verifier, _, language = rest.partition(".")
    to = f"/consents?{urlencode({'ui_locales': language})}" if language in i18n.LANGUAGES else "/consents"
    cookies = [_cookie(idp, _BEGUN, "", 0, samesite="lax")]
    query = request.query_params
    if state and hmac.compare_digest(state.encode(), query.get("state", "").encode()):
        person = await _person_of(idp, query.get("code", ""), verifier)
        if person is not None:
            token, until = ids.token(), idp.now() + timedelta(seconds=SESSION_SECONDS)
            await SQL.start_consent_session(idp.pool, token_hash=sha3(token), person_id=person, expires_at=until)
            await idp.note("consents_opened", "ok", client=OWN_CLIENT, person=person)
            cookies.append(_cookie(idp, _SESSION, token, SESSION_SECONDS))
    return Redirect(to, status_code=303, cookies=cookies)


async def _person_of(idp: Provider, code: str, verifier: str) -> int | None:
    """Whose code it is, spent; None when it is not one of this page's, or of another browser."""
    row = await SQL.code_waiting(idp.pool, code_hash=sha3(code), now=idp.now())
    if row is None or row["client_id"] != OWN_CLIENT:
        return None
    challenge = msgspec.json.decode(row["request"]).get("codeChallenge")
    if not challenge or not pkce_holds(challenge, verifier):
        return None
    spent = await SQL.redeem_code(idp.pool, code_hash=row["code_hash"])
    return None if spent is None else int(row["person_id"])


@get("/consents/withdraw", include_in_schema=False)
async def ask_withdrawal(request: Http, idp: Idp) -> Response[Any]:
    """What a withdrawal does, before it is done."""
    language = speak(request)
    person = await _signed_in(request, idp)
    wanted, found = request.query_params.get("consent", ""), []
    if person is not None:
        rows = SQL.consents_of(idp.pool, person_id=person["person_id"], now=idp.now())
        found = [row async for row in rows if str(row["id"]) == wanted and row["withdrawn_at"] is None]
    if not found:
        return Redirect(f"/consents{_query(request)}", status_code=303)
    return page(TEMPLATES, "consents_withdraw.html", entry=_entry(found[0], language), query=_query(request))


@post("/consents/withdraw", include_in_schema=False, guards=[same_site_guard])
async def withdraw(request: Http, idp: Idp) -> Redirect:
    """Ends a consent: its codes and tokens at once; the client is told from here on."""
    speak(request)
    form, person = await read_form(request), await _signed_in(request, idp)
    wanted = form.get("consent", "")
    if person is None or not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
        return Redirect(f"/consents{_query(request)}", status_code=303)
    client = await _withdrawn(idp, int(wanted), person["person_id"])
    if client is not None:
        await idp.note("consent_withdrawn", "ok", client=client, person=person["person_id"])
    to = _query(request, done=wanted)
    return Redirect(f"/consents{to}", status_code=303, background=BackgroundTask(notices.tell, idp))


async def _withdrawn(idp: Provider, consent: int, person: int) -> str | None:
    """Ends the consent in one transaction; the client's id, None when there was no such consent of hers."""
    now = idp.now()
    async with idp.pool.acquire() as connection, connection.transaction():
        ended = await SQL.withdraw_consent(connection, id=consent, person_id=person, now=now)
        if ended is None:
            return None
        of = {"client_id": ended["client_id"], "person_id": person}
        await SQL.end_codes(connection, **of)
        await SQL.end_tokens(connection, **of)
        await SQL.add_notice(
            connection,
            **of,
            jti=ids.token(),
            claims=ended["accepted_claims"],
            scopes=ended["permitted_scopes"],
            now=now,
        )
    return str(ended["client_id"])


@post("/consents/sign-out", include_in_schema=False, guards=[same_site_guard])
async def sign_out(request: Http, idp: Idp) -> Redirect:
    """Ends the session."""
    speak(request)
    await SQL.end_consent_session(idp.pool, token_hash=sha3(request.cookies.get(_SESSION, "")))
    return Redirect(f"/consents{_query(request)}", status_code=303, cookies=[_cookie(idp, _SESSION, "", 0)])


async def _signed_in(request: Http, idp: Provider) -> Row:
    token = request.cookies.get(_SESSION, "")
    return await SQL.consent_session(idp.pool, token_hash=sha3(token), now=idp.now()) if token else None


def _cookie(idp: Provider, name: str, value: str, seconds: int, *, samesite: Any = "strict") -> Cookie:
    secure = idp.issuer.startswith("https:")
    return Cookie(
        key=name, value=value, max_age=seconds, path="/consents", httponly=True, secure=secure, samesite=samesite
    )


def _query(request: Http, **more: str) -> str:
    """The language she chose, kept from page to page, and `more`; empty or beginning with `?`."""
    chosen = {"ui_locales": i18n.current()} if "ui_locales" in request.query_params else {}
    return f"?{urlencode(chosen | more)}" if chosen | more else ""


def _name(person: Row, language: str) -> str:
    identity = msgspec.json.decode(person["identity"])
    for locale in (language, "en"):
        if name := claims_of(identity, "", ["name"], {}, [locale]).get("name"):
            return str(name)
    return ""


def _entry(row: Row, language: str) -> dict[str, Any]:
    """A consent in the words of the page."""
    names = msgspec.json.decode(row["name"])
    claims, scopes = claim_names(), scope_names()
    return {
        "id": row["id"],
        "client": names.get(three_letters(language)) or names["@none"],
        "sees": [claims.get(claim, claim) for claim in row["accepted_claims"]],
        "does": [scopes.get(scope, scope) for scope in row["permitted_scopes"]],
        **{name: row[name] for name in ("given_at", "expires_at", "withdrawn_at", "last_read_at")},
    }
