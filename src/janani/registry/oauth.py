"""The registry's OAuth2 authorization server: code with PKCE and refresh tokens (RFC 6749, 7636, 8414, 9068).

Paths are those of DHIS2 2.42 (Spring Authorization Server). Extension: `idp=<provider>` on `/oauth2/authorize`
skips the login page; another server ignores it.
"""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from litestar import Request, Response, get, post
from litestar.response import Redirect
from msgspec import Struct

from janani.kernel.ids import token
from janani.kernel.jose import jwks, sign
from janani.registry import oauth_clients as clients
from janani.registry.access import digest, session_account, state_of, user_named
from janani.registry.metadata.snapshot import SQL
from janani.registry.oauth_clients import Client, OAuthProblem
from janani.registry.problems import Refusal
from janani.registry.state import State

CODE_SECONDS = 60
ACCESS_SECONDS = 600
REFRESH_SECONDS = 12 * 3600
_NOT_STORED = {"cache-control": "no-store", "pragma": "no-cache"}
_Request = Request[Any, Any, Any]


class Grant(Struct, frozen=True):
    """What a code or refresh token is worth; its refresh tokens belong to one `family`."""

    account: str
    scope: str
    family: UUID
    nonce: str | None = None


@get("/oauth2/authorize", summary="Authorize a client")
async def authorize(request: _Request) -> Redirect:
    """Authorization request. Refused on this page while the client or redirect URI is unknown, else by redirect."""
    query = request.query_params
    client = clients.client(await state_of(request).metadata.current(), query.get("client_id", ""))
    redirect_uri = query.get("redirect_uri", "")
    if client is None or redirect_uri not in client.redirect_uris:
        raise Refusal(400, "This sign-in link is not valid: the client or its redirect URI is not registered.")
    if (fault := _request_fault(request, client)) is not None:
        return _back(redirect_uri, query.get("state"), error=fault[0], error_description=fault[1])
    account, prompt = await session_account(request), query.get("prompt", "")
    if account is None or prompt == "login" or await user_named(request, account) is None:
        if prompt == "none":
            return _back(redirect_uri, query.get("state"), error="login_required")
        return _to_login(request)
    code = token()
    state = state_of(request)
    await SQL.add_code(
        state.pool,
        code_hash=digest(code),
        client_id=client.client_id,
        account=account,
        redirect_uri=redirect_uri,
        scope=query.get("scope") or "openid",
        code_challenge=query["code_challenge"],
        nonce=query.get("nonce"),
        expires_at=state.clock() + timedelta(seconds=CODE_SECONDS),
    )
    return _back(redirect_uri, query.get("state"), code=code, iss=state.settings.registry.url)


@post("/oauth2/token", status_code=200, summary="Exchange a code or refresh token")
async def exchange(request: _Request) -> Response[dict[str, Any]]:
    """Token endpoint (RFC 6749 §4.1.3, §6)."""
    form = {key: str(value) for key, value in (await request.form()).items()}
    try:
        client = await clients.authenticated(request, form)
        match form.get("grant_type"):
            case "authorization_code":
                grant, refresh = await _redeem_code(request, client, form)
            case "refresh_token":
                grant, refresh = await _redeem_refresh(request, client, form)
            case _:
                raise OAuthProblem("unsupported_grant_type", "Use authorization_code or refresh_token.")
        body = await _tokens(request, client, grant, refresh)
    except OAuthProblem as problem:
        return refused(problem)
    return Response(body, headers=_NOT_STORED)


@get("/oauth2/jwks", summary="Signing keys")
async def keys(request: _Request) -> dict[str, Any]:
    """The public keys that verify access and id tokens."""
    return jwks(state_of(request).key)


@get(["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"], summary="Server metadata")
async def metadata(request: _Request) -> dict[str, Any]:
    """What this authorization server offers (RFC 8414)."""
    base = state_of(request).settings.registry.url
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "jwks_uri": f"{base}/oauth2/jwks",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "userinfo_endpoint": f"{base}/userinfo",
        "end_session_endpoint": f"{base}/connect/logout",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email"],
        "authorization_response_iss_parameter_supported": True,
    }


def refused(problem: OAuthProblem) -> Response[dict[str, Any]]:
    """The HTTP answer of `problem`."""
    headers = _NOT_STORED | ({"www-authenticate": "Basic"} if problem.status == 401 else {})
    body = {"error": problem.error, "error_description": problem.description}
    return Response(body, status_code=problem.status, headers=headers)


def _request_fault(request: _Request, client: Client) -> tuple[str, str] | None:
    query = request.query_params
    if query.get("response_type") != "code":
        return "unsupported_response_type", "Only response_type=code is supported."
    if "authorization_code" not in client.grants:
        return "unauthorized_client", "The client may not use this flow."
    if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
        return "invalid_request", "PKCE with S256 is required."
    if not set((query.get("scope") or "openid").split()) <= client.scopes | {"openid"}:
        return "invalid_scope", "A scope was asked that the client does not have."
    return None


def _back(redirect_uri: str, state: str | None, **values: str) -> Redirect:
    query = urlencode(values | ({"state": state} if state else {}))
    return Redirect(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}")


def _to_login(request: _Request) -> Redirect:
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "prompt"]
    here = f"{request.scope['path']}?{urlencode(asked)}"
    onward = urlencode([("then", here), *((name, value) for name, value in asked if name == "ui_locales")])
    provider = request.query_params.get("idp")
    return Redirect(f"/oauth2/authorization/{provider}?{onward}" if provider == "esignet" else f"/login?{onward}")


async def _redeem_code(request: _Request, client: Client, form: dict[str, str]) -> tuple[Grant, str]:
    state = state_of(request)
    code_hash = digest(form.get("code", ""))
    proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
    async with state.pool.acquire() as connection, connection.transaction():
        row = await SQL.take_code(connection, code_hash=code_hash)
        right = (
            row is not None
            and row["client_id"] == client.client_id
            and row["redirect_uri"] == form.get("redirect_uri")
            and row["expires_at"] > state.clock()
            and hmac.compare_digest(row["code_challenge"].encode(), proof)
        )
        if right:
            grant = Grant(row["account"], row["scope"], row["family"], row["nonce"])
            return grant, await _refresh_token(connection, state, client, grant)
    if row is None:
        await end_family(state, await SQL.family_of_spent_code(state.pool, code_hash=code_hash))
    raise OAuthProblem("invalid_grant", "The code is wrong, used, expired, or of another client.")


async def _redeem_refresh(request: _Request, client: Client, form: dict[str, str]) -> tuple[Grant, str]:
    state = state_of(request)
    token_hash = digest(form.get("refresh_token", ""))
    async with state.pool.acquire() as connection, connection.transaction():
        row = await SQL.take_refresh_token(connection, token_hash=token_hash)
        if row is not None and row["client_id"] == client.client_id and row["expires_at"] > state.clock():
            grant = Grant(row["account"], row["scope"], row["family"])
            return grant, await _refresh_token(connection, state, client, grant)
    if row is None:
        await end_family(state, await SQL.family_of_spent_refresh_token(state.pool, token_hash=token_hash))
    raise OAuthProblem("invalid_grant", "The refresh token is wrong, used or expired.")


async def end_family(state: State, family: UUID | None) -> None:
    """Ends all of a family: until none is left, as one that is just being exchanged brings forth another."""
    while family is not None and await SQL.end_family(state.pool, family=family) != "DELETE 0":
        pass


async def _tokens(request: _Request, client: Client, grant: Grant, refresh: str) -> dict[str, Any]:
    state = state_of(request)
    user = await user_named(request, grant.account)
    if user is None:
        raise OAuthProblem("invalid_grant", "The user may no longer log in.")
    base, now = state.settings.registry.url, int(state.clock().timestamp())
    common = {"iss": base, "sub": user.username, "iat": now, "exp": now + ACCESS_SECONDS}
    access = common | {
        "aud": base,
        "client_id": client.client_id,
        "scope": grant.scope,
        "uid": grant.account,
        "jti": token(128),
    }
    body = {
        "access_token": sign(access | {"token_use": "access"}, state.key, typ="at+jwt"),
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "scope": grant.scope,
    }
    if "openid" in grant.scope.split():
        identity = common | {"aud": client.client_id} | ({"nonce": grant.nonce} if grant.nonce else {})
        body["id_token"] = sign(identity, state.key)
    if refresh:
        body["refresh_token"] = refresh
    return body


async def _refresh_token(connection: asyncpg.Connection, state: State, client: Client, grant: Grant) -> str:
    """A stored refresh token of the grant; empty for a client that has none."""
    if "refresh_token" not in client.grants:
        return ""
    fresh = token()
    await SQL.add_refresh_token(
        connection,
        token_hash=digest(fresh),
        client_id=client.client_id,
        account=grant.account,
        scope=grant.scope,
        expires_at=state.clock() + timedelta(seconds=REFRESH_SECONDS),
        family=grant.family,
    )
    return fresh


handlers = [authorize, exchange, keys, metadata]
