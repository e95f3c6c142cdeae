"""A client of any OpenID Connect provider, eSignet in particular: code flow, PKCE, `private_key_jwt`, signed userinfo.

    source = ProviderSource(http, "https://esignet.example")
    provider = await source.provider(now)
    request = await begin(http, provider, client, now)            # keep state, nonce and verifier on the server
    ...                                                           # the browser goes to request.url and comes back
    identity = await redeem(http, provider, client, code=…, nonce=…, code_verifier=…, now=now)

Nothing of an identity is given before everything about it was verified. A code is never sent twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from msgspec import Struct

from janani.clients import oidc_checks as checks
from janani.clients.oidc_checks import OidcError
from janani.clients.oidc_provider import (
    LARGEST_TOKEN,
    Metadata,
    Provider,
    ProviderSource,
    discover,
    fetched,
    json_object,
    send,
)
from janani.kernel import ids, jose

__all__ = ["AuthorizationRequest", "Client", "Identity", "Metadata", "OidcError", "Provider", "ProviderSource"]
__all__ += ["authorization_request", "begin", "discover", "redeem", "requested"]

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_ENCRYPTIONS = ("RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "A128GCM", "A256GCM")
_ABOUT_THE_TOKEN = frozenset(
    ("iss", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "acr", "amr", "auth_time", "sid")
)


class _Sealed(jwe.JWERegistry):
    max_ciphertext_length = LARGEST_TOKEN


_SEALED = _Sealed(algorithms=_ENCRYPTIONS)


class Client(Struct, frozen=True):
    """This side, as it is registered at the provider.

    Args:
        key: private signing key, from `kernel.jose.signing_key` or `kernel.keyring`; its `alg` signs assertions.
        scope: space-separated, with `openid`.
        claims: the OpenID `claims` parameter (Core §5.5), for example from `requested`.
        acr_values: ways of proving identity, separated by spaces, one of which must have been used; empty: any.
        algorithms: signatures that are taken; never `none`, never a symmetric one.
        signed_userinfo: the provider is registered to sign userinfo; False also takes plain JSON.
        decryption_keys: private keys by which encrypted userinfo is opened (JWE, RFC 7516).
        pushed: authorization requests are pushed (RFC 9126) where the provider offers it, never, or always.
        assertion_headers: further header members of client assertions (`jku`).
        extra: further parameters of every authorization request (prompt, max_age, claims_locales, …).
    """

    client_id: str
    key: RSAKey | ECKey
    redirect_uri: str
    scope: str = "openid"
    claims: Mapping[str, Any] = {}
    acr_values: str = ""
    algorithms: tuple[str, ...] = tuple(jose.ASYMMETRIC)
    signed_userinfo: bool = True
    decryption_keys: tuple[RSAKey | ECKey, ...] = ()
    pushed: Literal["offered", "never", "always"] = "offered"
    assertion_headers: Mapping[str, str] = {}
    extra: Mapping[str, str] = {}


class AuthorizationRequest(Struct, frozen=True):
    """Where the browser is sent, and what its return is checked against. All but `url` stays on the server."""

    url: str
    state: str
    nonce: str
    code_verifier: str
    made_at: datetime | None = None


class Identity(Struct, frozen=True):
    """Who signed in, as the provider says and its signatures prove.

    `claims` is what userinfo says of the person, with `sub`. `auth_time` is in seconds since 1970. `acr` is empty and
    `auth_time` None where the provider left them out.
    """

    sub: str
    claims: dict[str, Any]
    acr: str
    auth_time: int | None
    issuer: str


class _Tokens(Struct, frozen=True):
    access_token: str
    id_token: str
    token_type: str = ""


class _Refusal(Struct, frozen=True):
    error: str = ""


class _Pushed(Struct, frozen=True):
    request_uri: str


def requested(essential: Sequence[str], voluntary: Sequence[str] = ()) -> dict[str, Any]:
    """The `claims` parameter that asks for these claims of userinfo (Core §5.5)."""
    asked = {name: {"essential": False} for name in voluntary} | {name: {"essential": True} for name in essential}
    return {"userinfo": asked}


def authorization_request(
    provider: Provider, client: Client, now: datetime | None = None, **extra: str
) -> AuthorizationRequest:
    """A fresh authorization request (Core §3.1.2.1, RFC 7636): state, nonce and verifier of 256 random bits each.

    `now` is kept as `made_at`; `extra` are parameters of this request alone, over those of the client.
    """
    request, parameters = _request(client, now, extra)
    return msgspec.structs.replace(request, url=_with(provider.authorization_endpoint, parameters))


async def begin(
    http: httpx.AsyncClient, provider: Provider, client: Client, now: datetime, **extra: str
) -> AuthorizationRequest:
    """As `authorization_request`, pushed to the provider beforehand (RFC 9126) where client and provider want it so.

    Nobody who sees the address of a pushed request learns what is asked, or can change it. Raises OidcError.
    """
    endpoint = provider.metadata.pushed_authorization_request_endpoint
    if client.pushed == "always" and not endpoint:
        raise OidcError("provider_invalid")
    wanted = client.pushed != "never" or provider.metadata.require_pushed_authorization_requests
    if not endpoint or not wanted:
        return authorization_request(provider, client, now, **extra)
    request, parameters = _request(client, now, extra)
    form = parameters | _proof_of_client(client, provider.token_endpoint, now)
    answer = await send(http, "POST", endpoint, data=form, headers={"accept": "application/json"})
    if not answer.is_success:
        raise checks.refusal(answer.status_code, _error_of(answer.content))
    try:
        pushed = msgspec.json.decode(answer.content, type=_Pushed)
    except msgspec.DecodeError as error:
        raise OidcError("provider_invalid") from error
    short = {"client_id": client.client_id, "request_uri": pushed.request_uri}
    return msgspec.structs.replace(request, url=_with(provider.authorization_endpoint, short))


async def redeem(
    http: httpx.AsyncClient,
    provider: Provider,
    client: Client,
    *,
    code: str,
    nonce: str | None,
    code_verifier: str | None,
    now: datetime,
    issuer: str | None = None,
) -> Identity:
    """The verified identity behind `code` (Core §3.1.3, §5.3).

    Args:
        nonce, code_verifier: those of the AuthorizationRequest; None only for a request made elsewhere without them.
        issuer: the redirect's `iss` parameter when it had one (RFC 9207); needed where the provider promises it, save
            for requests made elsewhere without PKCE, whose callers don't hand it on.

    Raises OidcError. The code is spent then, unless the error says `code_kept`; it is never sent twice here.
    """
    promised = provider.metadata.authorization_response_iss_parameter_supported and code_verifier is not None
    checks.check_redirect_issuer(issuer, provider.issuers, promised=promised)
    tokens = await _tokens(http, provider, client, code, code_verifier, now)
    proof = await provider.verified(http, tokens.id_token, now, client.algorithms)
    checks.check_id_token(
        proof,
        issuers=provider.issuers,
        client_id=client.client_id,
        nonce=nonce,
        access_token=tokens.access_token,
        acr_values=client.acr_values.split(),
        now=now,
    )
    claims = proof
    if provider.userinfo_endpoint:
        claims = await _userinfo(http, provider, client, tokens.access_token, now)
        checks.check_userinfo(
            claims, issuers=provider.issuers, client_id=client.client_id, subject=proof["sub"], now=now
        )
    acr, seconds = proof.get("acr"), proof.get("auth_time")
    return Identity(
        sub=proof["sub"],
        claims={name: value for name, value in claims.items() if name not in _ABOUT_THE_TOKEN},
        acr=acr if isinstance(acr, str) else "",
        auth_time=seconds if isinstance(seconds, int) else None,
        issuer=provider.issuer,
    )


def client_assertion(client: Client, audience: str, now: datetime) -> str:
    """The signed statement that this is `client` (RFC 7523 §3; eSignet reference §5.2). Good for 60 s, once."""
    seconds = int(now.timestamp())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "jti": ids.token(),
        "iat": seconds,
        "exp": seconds + _ASSERTION_SECONDS,
    }
    thumbprint = client.key.as_dict(private=False).get("x5t#S256")
    header: dict[str, Any] = {"x5t#S256": thumbprint} if thumbprint else {}
    return jose.sign(claims, client.key, alg=jose.algorithm_of(client.key), **header, **client.assertion_headers)


def _request(
    client: Client, now: datetime | None, extra: Mapping[str, str]
) -> tuple[AuthorizationRequest, dict[str, str]]:
    request = AuthorizationRequest("", ids.token(), ids.token(), ids.token(), now)
    parameters = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": client.scope,
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": checks.code_challenge(request.code_verifier),
        "code_challenge_method": "S256",
    }
    if client.acr_values:
        parameters["acr_values"] = client.acr_values
    if client.claims:
        parameters["claims"] = msgspec.json.encode(client.claims).decode()
    return request, parameters | dict(client.extra) | dict(extra)


def _with(endpoint: str, parameters: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


def _proof_of_client(client: Client, audience: str, now: datetime) -> dict[str, str]:
    return {
        "client_id": client.client_id,
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": client_assertion(client, audience, now),
    }


async def _tokens(
    http: httpx.AsyncClient, provider: Provider, client: Client, code: str, code_verifier: str | None, now: datetime
) -> _Tokens:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
    form |= _proof_of_client(client, provider.token_endpoint, now)
    if code_verifier is not None:
        form["code_verifier"] = code_verifier
    try:
        answer = await send(http, "POST", provider.token_endpoint, data=form, headers={"accept": "application/json"})
    except OidcError as error:
        error.code_kept = error.code == "provider_unreachable"
        raise
    if not answer.is_success:
        raise checks.refusal(answer.status_code, _error_of(answer.content))
    try:
        tokens = msgspec.json.decode(answer.content, type=_Tokens)
    except msgspec.DecodeError as error:
        raise OidcError("provider_invalid") from error
    if tokens.token_type.lower() not in ("", "bearer"):  # DPoP-bound ones need proofs, which we don't make
        raise OidcError("provider_invalid")
    return tokens


async def _userinfo(
    http: httpx.AsyncClient, provider: Provider, client: Client, access_token: str, now: datetime
) -> dict[str, Any]:
    accept = "application/jwt" if client.signed_userinfo else "application/jwt, application/json"
    answer = await fetched(
        http, provider.userinfo_endpoint, {"authorization": f"Bearer {access_token}"} | {"accept": accept}
    )
    if not answer.is_success:
        raise checks.refusal(answer.status_code, "")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/jwt":
        token = answer.text.strip()
        if token.count(".") == 4:
            token = _opened(token, client)
        return await provider.verified(http, token, now, client.algorithms)
    if client.signed_userinfo:
        raise OidcError("unsigned_userinfo")
    return json_object(answer.content)


def _opened(token: str, client: Client) -> str:
    """The signed token inside the compact JWE `token` (nested, RFC 7519 §5.2). Raises OidcError."""
    for key in client.decryption_keys:
        try:
            plain = jwe.decrypt_compact(token, key, registry=_SEALED).plaintext
        except (JoseError, ValueError):
            continue
        try:
            return (plain or b"").decode("ascii")
        except UnicodeDecodeError as error:
            raise OidcError("unsigned_userinfo") from error
    raise OidcError("undecryptable_userinfo")


def _error_of(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Refusal).error
    except msgspec.DecodeError:  # a proxy's own page
        return ""
