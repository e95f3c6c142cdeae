"""`/auth/token` and what belongs to it: codes, refresh tokens and client assertions become access tokens."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response, post

from janani.clients.oidc_checks import code_challenge
from janani.kernel import ids
from janani.record.authorization import scopes
from janani.record.authorization.authorize import confirmed, digest
from janani.record.authorization.clients import RegisteredClient, queries
from janani.record.authorization.problems import InvalidGrant, OAuthProblem
from janani.record.authorization.service import Authorization
from janani.record.authorization.tokens import Login

REFRESH_SECONDS = 12 * 3600
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}

Http = Request[Any, Any, Any]
Form = Mapping[str, str]
Answer = dict[str, Any]


class _Ended(InvalidGrant):
    """A refusal that ends every token of the `family` of one sign-in."""

    def __init__(self, text: str, family: str) -> None:
        super().__init__(text)
        self.family = family


@post("/auth/token", status_code=200)
async def token(request: Http) -> Response[Answer]:
    """The token endpoint (RFC 6749 §3.2): the client proves who it is, then the grant decides."""
    authorization, form = _server(request), await _form(request)
    client = await authorization.authenticator.client(form, authorization.now())
    kind = form.get("grant_type", "")
    if kind not in _GRANTS:
        raise OAuthProblem("unsupported_grant_type", "This grant type is not supported.")
    if kind not in client.grants:
        raise OAuthProblem("unauthorized_client", "The client may not use this grant type.")
    return Response(await _GRANTS[kind](authorization, client, form), headers=_NO_STORE)


@post("/auth/introspect", status_code=200)
async def introspect(request: Http) -> Response[Answer]:
    """Token introspection (RFC 7662) for registered clients; each sees only its own tokens."""
    authorization, form = _server(request), await _form(request)
    client = await authorization.authenticator.client(form, authorization.now())
    claims = authorization.tokens.verified(form.get("token", ""), authorization.now())
    if claims is None or claims["client_id"] != client.client_id:
        return Response({"active": False}, headers=_NO_STORE)
    return Response({"active": True, "token_type": "bearer", **claims}, headers=_NO_STORE)


@post("/auth/revoke", status_code=200)
async def revoke(request: Http) -> Response[Answer]:
    """Revocation of refresh tokens (RFC 7009). Access tokens run out by themselves, so those are not supported."""
    authorization, form = _server(request), await _form(request)
    client = await authorization.authenticator.client(form, authorization.now())
    if form.get("token_type_hint") == "access_token" or form.get("token", "").count(".") == 2:
        raise OAuthProblem("unsupported_token_type", "Access tokens are short-lived and can't be revoked.")
    async with authorization.pool.acquire() as connection:
        given = digest(form.get("token", ""))
        family = await queries.family_of_refresh(connection, digest=given, client_id=client.client_id)
    if family is not None:
        await _end(authorization, family)
    return Response({}, headers=_NO_STORE)


async def _authorization_code(authorization: Authorization, client: RegisteredClient, form: Form) -> Answer:
    now = authorization.now()
    async with authorization.pool.acquire() as connection, connection.transaction():
        row = await queries.use_code(connection, digest=digest(form.get("code", "")), now=now)
        fault = _code_fault(row, client, form, now)
        if fault is None:
            login, nonce = msgspec.json.decode(row["login"], type=tuple[Login, str])
            return await _granted(authorization, connection, client, login, row["family"], nonce)
    if row is not None and row["replayed"]:
        await _end(authorization, row["family"])
    raise InvalidGrant(fault)


def _code_fault(row: asyncpg.Record | None, client: RegisteredClient, form: Form, now: datetime) -> str | None:
    """What is wrong with a code that is redeemed, or None."""
    if row is None or row["replayed"] or row["client_id"] != client.client_id or row["expires_at"] < now:
        return "The code is unknown, used or expired."
    if row["redirect_uri"] != form.get("redirect_uri"):
        return "redirect_uri is not the one of the authorization request."
    verifier = form.get("code_verifier", "")
    if not 43 <= len(verifier) <= 128 or not hmac.compare_digest(code_challenge(verifier), row["code_challenge"]):
        return "The code_verifier does not fit."
    return None


async def _refresh_token(authorization: Authorization, client: RegisteredClient, form: Form) -> Answer:
    try:
        async with authorization.pool.acquire() as connection, connection.transaction():
            return await _refreshed(authorization, connection, client, form)  # a refusal spends nothing
    except _Ended as end:
        await _end(authorization, end.family)
        raise


async def _refreshed(
    authorization: Authorization, connection: asyncpg.Connection, client: RegisteredClient, form: Form
) -> Answer:
    now = authorization.now()
    row = await queries.use_refresh(connection, digest=digest(form.get("refresh_token", "")), now=now)
    if row is not None and row["replayed"]:
        raise _Ended("The refresh token was used before.", row["family"])
    if row is None or row["client_id"] != client.client_id or row["expires_at"] < now:
        raise InvalidGrant("The refresh token is unknown or expired.")
    login = await confirmed(authorization, connection, msgspec.json.decode(row["login"], type=Login))
    if login is None:
        raise _Ended("The person may no longer sign in as that.", row["family"])
    if form.get("scope"):
        narrower = tuple(scopes.granted(form["scope"].split(), login.scopes))
        if not scopes.contexts(narrower):
            raise OAuthProblem("invalid_scope", "The scope goes beyond what was granted.")
        login = msgspec.structs.replace(login, scopes=narrower)
    return await _granted(authorization, connection, client, login, row["family"])


async def _client_credentials(authorization: Authorization, client: RegisteredClient, form: Form) -> Answer:
    granted = scopes.granted(form.get("scope", "").split(), client.scopes)
    if scopes.contexts(granted) != {"system"}:
        raise OAuthProblem("invalid_scope", "Ask for system/… scopes that the client may have.")
    login = Login("system", client.client_id, tuple(granted), None, client.client_id)
    return _answer(authorization, client, login)


async def _end(authorization: Authorization, family: str) -> None:
    """Ends all of a family: until none is left, as one that is just being exchanged brings forth another."""
    async with authorization.pool.acquire() as connection:
        while await queries.revoke_family(connection, family=family) != "DELETE 0":
            pass


async def _granted(
    authorization: Authorization,
    connection: asyncpg.Connection,
    client: RegisteredClient,
    login: Login,
    family: str,
    nonce: str = "",
) -> Answer:
    """The answer to a grant of a person, with a new refresh token when one was granted."""
    answer = _answer(authorization, client, login)
    if login.patient is not None:
        answer |= {"patient": login.patient, "need_patient_banner": False}
    if "openid" in login.scopes:
        answer["id_token"] = authorization.tokens.id_token(login, client.client_id, nonce, authorization.now())
    if {"online_access", "offline_access"} & set(login.scopes):
        answer["refresh_token"] = refresh = ids.token()
        await queries.save_refresh(
            connection,
            digest=digest(refresh),
            family=family,
            client_id=client.client_id,
            login=msgspec.json.encode(login).decode(),
            expires_at=authorization.now() + timedelta(seconds=REFRESH_SECONDS),
        )
    return answer


def _answer(authorization: Authorization, client: RegisteredClient, login: Login) -> Answer:
    return {
        "access_token": authorization.tokens.access_token(login, client.client_id, authorization.now()),
        "token_type": "bearer",
        "expires_in": authorization.tokens.seconds,
        "scope": " ".join(login.scopes),
    }


_GRANTS: dict[str, Callable[[Authorization, RegisteredClient, Form], Awaitable[Answer]]] = {
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
}


def _server(request: Http) -> Authorization:
    server: Authorization = request.app.state.authorization
    return server


async def _form(request: Http) -> dict[str, str]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise OAuthProblem("invalid_request", "A form (application/x-www-form-urlencoded) is needed.")
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
