"""An OpenID Connect relying party, as plain functions over an HTTP client: for eSignet and any other provider.

Authorization code with PKCE (RFC 7636), `private_key_jwt` (RFC 7523), and everything that comes back verified:
id_token (OpenID Connect Core §3.1.3.7), userinfo as signed JWT (§5.3.2). A code is sent once and never again.
"""

import base64
import hashlib
import secrets
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from msgspec import Struct

from janani.kernel.ids import token
from janani.kernel.jose import ASYMMETRIC, sign, verify

SKEW_SECONDS = 60
ASSERTION_SECONDS = 60
_KEY_REFRESH_FLOOR_SECONDS = 10
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DISCOVERY = "/.well-known/openid-configuration"


class OidcError(Exception):
    """A sign-in did not come to a verified identity.

    `code` is stable (provider_unreachable, code_refused, bad_signature, bad_claims, bad_answer); `text` is a sentence
    for people without personal data; `retryable` says whether signing in again may help.
    """

    def __init__(self, code: str, text: str, *, retryable: bool = False) -> None:
        super().__init__(text)
        self.code, self.text, self.retryable = code, text, retryable


class Provider(Struct):
    """What a provider's discovery document says, and its signing keys once fetched."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    keys: KeySet | None = None
    keys_at: float = float("-inf")


class Client(Struct, frozen=True):
    """This relying party at a provider. `claims` is the OIDC `claims` parameter (§5.5)."""

    client_id: str
    key: RSAKey
    redirect_uri: str
    scope: str = "openid profile"
    claims: dict[str, Any] | None = None
    acr_values: str = "mosip:idp:acr:generated-code"
    algorithms: tuple[str, ...] = tuple(ASYMMETRIC)
    signed_userinfo: bool = True


class AuthorizationRequest(Struct, frozen=True):
    """Where to send the browser, and what must be kept (bound to it) until it comes back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class Identity(Struct, frozen=True):
    """Who signed in, verified."""

    sub: str
    claims: dict[str, Any]
    acr: str
    auth_time: int | None
    issuer: str


def requested(essential: list[str], voluntary: list[str]) -> dict[str, Any]:
    """The `claims` parameter that asks for these userinfo claims."""
    wanted = {name: {"essential": True} for name in essential} | {name: {"essential": False} for name in voluntary}
    return {"userinfo": wanted, "id_token": {}}


async def discover(http: httpx.AsyncClient, url: str) -> Provider:
    """The provider whose issuer or discovery document is at `url`. Raises OidcError."""
    document = url if "/.well-known/" in url else url.rstrip("/") + DISCOVERY
    known = await _json(http, document)
    try:
        return Provider(
            issuer=known["issuer"],
            authorization_endpoint=known["authorization_endpoint"],
            token_endpoint=known["token_endpoint"],
            userinfo_endpoint=known["userinfo_endpoint"],
            jwks_uri=known["jwks_uri"],
        )
    except KeyError as error:
        raise OidcError("bad_answer", f"The identity service's description lacks {error}.") from error


def authorization_request(provider: Provider, client: Client, **extra: str) -> AuthorizationRequest:
    """A fresh authorization request: random state, nonce and code verifier of 256 bits each."""
    state, nonce, verifier = token(), token(), token()
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": client.scope,
        "state": state,
        "nonce": nonce,
        "acr_values": client.acr_values,
        "display": "page",
        "prompt": "consent",
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        **extra,
    }
    if client.claims:
        query["claims"] = msgspec.json.encode(client.claims).decode()
    return AuthorizationRequest(f"{provider.authorization_endpoint}?{urlencode(query)}", state, nonce, verifier)


def challenge(verifier: str) -> str:
    """The S256 code challenge of `verifier` (RFC 7636 §4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


async def redeem(
    http: httpx.AsyncClient,
    provider: Provider,
    client: Client,
    *,
    code: str,
    now: datetime,
    nonce: str | None = None,
    code_verifier: str | None = None,
    issuer: str | None = None,
) -> Identity:
    """The verified identity behind `code`. Raises OidcError; the code is spent either way.

    Args:
        nonce, code_verifier: those of the authorization request; None only where the request had none.
        issuer: the `iss` parameter that came with the code (RFC 9207), checked when given.
    """
    if issuer is not None and issuer != provider.issuer:
        raise OidcError("bad_claims", "The answer came from another identity service than the one asked.")
    tokens = await _tokens(http, provider, client, code, code_verifier, now)
    id_token = await _verified(http, provider, client, tokens.get("id_token"))
    access_token = tokens.get("access_token")
    if not isinstance(access_token, str):
        raise OidcError("bad_answer", "The identity service gave no access token.")
    if fault := id_token_fault(id_token, provider, client, nonce=nonce, access_token=access_token, now=now):
        raise OidcError("bad_claims", f"The identity service's statement can't be trusted: {fault}.")
    claims = await _userinfo(http, provider, client, access_token)
    if fault := userinfo_fault(claims, id_token, provider, client):
        raise OidcError("bad_claims", f"The identity service's statement can't be trusted: {fault}.")
    shared = {name: value for name, value in claims.items() if name not in ("iss", "aud", "exp", "iat", "nbf")}
    return Identity(id_token["sub"], shared, str(id_token.get("acr", "")), id_token.get("auth_time"), provider.issuer)


def id_token_fault(
    claims: dict[str, Any], provider: Provider, client: Client, *, nonce: str | None, access_token: str, now: datetime
) -> str | None:
    """What is wrong with an id_token's claims (OpenID Connect Core §3.1.3.7), or None."""
    instant = now.timestamp()
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    checks = {
        "its issuer is another": claims.get("iss") != provider.issuer,
        "it is for another client": client.client_id not in audiences,
        "it names another authorized party": claims.get("azp", client.client_id) != client.client_id
        or (len(audiences) > 1 and "azp" not in claims),
        "it has expired": not _number(claims.get("exp")) or claims["exp"] < instant - SKEW_SECONDS,
        "it is from the future": not _number(claims.get("iat")) or claims["iat"] > instant + SKEW_SECONDS,
        "its nonce is another": nonce is not None and claims.get("nonce") != nonce,
        "it belongs to another access token": claims.get("at_hash", at_hash(access_token)) != at_hash(access_token),
        "it names nobody": not isinstance(claims.get("sub"), str) or not claims["sub"],
        "the way of signing in is another than asked": bool(client.acr_values)
        and "acr" in claims
        and claims["acr"] not in client.acr_values.split(),
    }
    return next((fault for fault, found in checks.items() if found), None)


def userinfo_fault(claims: dict[str, Any], id_token: dict[str, Any], provider: Provider, client: Client) -> str | None:
    """What is wrong with userinfo claims (OpenID Connect Core §5.3.2), or None."""
    audience = claims.get("aud", client.client_id)
    if claims.get("sub") != id_token["sub"]:
        return "it is about another person"
    if claims.get("iss", provider.issuer) != provider.issuer:
        return "its issuer is another"
    if client.client_id not in (audience if isinstance(audience, list) else [audience]):
        return "it is for another client"
    return None


def at_hash(access_token: str) -> str:
    """The left half of the SHA-256 of `access_token` (OpenID Connect Core §3.1.3.6)."""
    return _base64url(hashlib.sha256(access_token.encode()).digest()[:16])


def assertion(client: Client, audience: str, now: datetime) -> str:
    """A `private_key_jwt` client assertion: lives a minute, its `jti` is used once (RFC 7523 §3)."""
    issued = int(now.timestamp())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "iat": issued,
        "exp": issued + ASSERTION_SECONDS,
        "jti": secrets.token_urlsafe(24),
    }
    thumbprint: Any = client.key.as_dict(private=False).get("x5t#S256")
    header: dict[str, Any] = {"x5t#S256": thumbprint} if thumbprint else {}
    return sign(claims, client.key, **header)


async def _tokens(
    http: httpx.AsyncClient, provider: Provider, client: Client, code: str, verifier: str | None, now: datetime
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "client_id": client.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(client, provider.token_endpoint, now),
    }
    try:
        answer = await http.post(provider.token_endpoint, data=form | ({"code_verifier": verifier} if verifier else {}))
    except httpx.HTTPError as error:
        raise _away(error) from error
    if answer.status_code >= 500:
        raise OidcError("provider_unreachable", "The identity service is not working just now.", retryable=True)
    if answer.status_code != 200:
        raise OidcError("code_refused", "The identity service did not accept this sign-in. Please start again.")
    return _decoded(answer)


async def _userinfo(http: httpx.AsyncClient, provider: Provider, client: Client, access_token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/jwt, application/json"}
    try:
        answer = await http.get(provider.userinfo_endpoint, headers=headers)
    except httpx.HTTPError as error:
        raise _away(error) from error
    if answer.status_code != 200:
        raise OidcError("bad_answer", "The identity service did not say who signed in.", retryable=True)
    if client.signed_userinfo:
        return await _verified(http, provider, client, answer.text.strip())
    return _decoded(answer)


async def _verified(http: httpx.AsyncClient, provider: Provider, client: Client, jws: Any) -> dict[str, Any]:
    """The claims of `jws`, its signature verified; an unknown key refreshes the provider's keys once."""
    if not isinstance(jws, str) or jws.count(".") != 2:
        raise OidcError("bad_signature", "The identity service's statement is not signed.")
    fresh = await _keys(http, provider)
    try:
        return verify(jws, fresh, algorithms=list(client.algorithms))
    except (JoseError, ValueError) as error:
        if time.monotonic() - provider.keys_at < _KEY_REFRESH_FLOOR_SECONDS:
            raise OidcError("bad_signature", "The identity service's signature is wrong.") from error
    provider.keys = None
    try:
        return verify(jws, await _keys(http, provider), algorithms=list(client.algorithms))
    except (JoseError, ValueError) as error:
        raise OidcError("bad_signature", "The identity service's signature is wrong.") from error


async def _keys(http: httpx.AsyncClient, provider: Provider) -> KeySet:
    if provider.keys is None:
        document = await _json(http, provider.jwks_uri)
        try:
            provider.keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError) as error:
            raise OidcError("bad_answer", "The identity service's keys can't be read.") from error
        provider.keys_at = time.monotonic()
    return provider.keys


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    try:
        answer = await http.get(url)
    except httpx.HTTPError as error:
        raise _away(error) from error
    if answer.status_code != 200:
        raise OidcError("provider_unreachable", "The identity service is not working just now.", retryable=True)
    return _decoded(answer)


def _decoded(answer: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise OidcError("bad_answer", "The identity service's answer can't be read.") from error


def _away(_: Exception) -> OidcError:
    return OidcError("provider_unreachable", "The identity service can't be reached just now.", retryable=True)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
