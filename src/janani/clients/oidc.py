"""A client of any OpenID Connect provider, eSignet in particular: code flow, PKCE, `private_key_jwt`, signed userinfo.

    source = ProviderSource(http, "https://esignet.example")
    provider = await source.provider(now)
    request = authorization_request(provider, client, now)        # keep state, nonce and verifier on the server
    ...                                                           # the browser goes to request.url and comes back
    identity = await redeem(http, provider, client, code=…, nonce=…, code_verifier=…, now=now)

Nothing of an identity is given before everything about it was verified. A code is never sent twice.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, RSAKey, import_key
from msgspec import Struct

from janani.clients import oidc_checks as checks
from janani.clients.oidc_checks import OidcError
from janani.kernel import ids, jose

__all__ = ["AuthorizationRequest", "Client", "Identity", "OidcError", "Provider", "ProviderSource"]
__all__ += ["authorization_request", "discover", "redeem", "requested"]

_WELL_KNOWN = "/.well-known/openid-configuration"
_ESIGNET_WELL_KNOWN = "/v1/esignet/oidc/.well-known/openid-configuration"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 60
_ABOUT_THE_TOKEN = frozenset(
    ("iss", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "acr", "amr", "auth_time", "sid")
)
_KEYS_KEPT = timedelta(hours=1)
_METADATA_KEPT = timedelta(hours=1)


class Client(Struct, frozen=True):
    """This side, as it is registered at the provider.

    Args:
        key: private signing key, from `kernel.jose.signing_key`.
        scope: space-separated, with `openid`.
        claims: the OpenID `claims` parameter (Core §5.5), for example from `requested`.
        acr_values: ways of proving identity, separated by spaces, one of which must have been used; empty: any.
        algorithms: signatures that are taken; never `none`, never a symmetric one.
        signed_userinfo: the provider is registered to sign userinfo; False also takes plain JSON.
        extra: further parameters of every authorization request (prompt, max_age, claims_locales, …).
    """

    client_id: str
    key: RSAKey
    redirect_uri: str
    scope: str = "openid"
    claims: Mapping[str, Any] = {}
    acr_values: str = ""
    algorithms: tuple[str, ...] = tuple(jose.ASYMMETRIC)
    signed_userinfo: bool = True
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


class Metadata(Struct, frozen=True):
    """What a client needs of the provider's metadata (OpenID Connect Discovery 1.0 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""


class Provider:
    """An OpenID provider: its metadata and its keys, which are fetched when needed and kept for an hour."""

    def __init__(self, metadata: Metadata, token_issuers: Sequence[str] = ()) -> None:
        self.issuer = metadata.issuer
        self.authorization_endpoint = metadata.authorization_endpoint
        self.token_endpoint = metadata.token_endpoint
        self.userinfo_endpoint = metadata.userinfo_endpoint
        self.jwks_uri = metadata.jwks_uri
        self.issuers = frozenset((metadata.issuer, *token_issuers))
        self._keys = KeySet([])
        self._fetched_at: datetime | None = None

    async def verified(
        self, http: httpx.AsyncClient, token: str, now: datetime, algorithms: Sequence[str] = jose.ASYMMETRIC
    ) -> dict[str, Any]:
        """The claims of the compact JWS `token`, signed by one of the provider's keys. Raises OidcError.

        Keys are fetched again, once, when the token names one that is not known yet.
        """
        kid = _kid(token)
        stale = self._fetched_at is None or now - self._fetched_at > _KEYS_KEPT
        if stale or (kid is not None and all(key.kid != kid for key in self._keys)):
            await self._fetch_keys(http, now)
        candidates = [key for key in self._keys if kid is None or key.kid == kid]
        if len(candidates) != 1:  # without a `kid` only a lone key can be meant
            raise OidcError("bad_signature")
        try:
            return jose.verify(token, KeySet(candidates), algorithms=list(algorithms))
        except (JoseError, ValueError) as error:
            raise OidcError("bad_signature") from error

    async def _fetch_keys(self, http: httpx.AsyncClient, now: datetime) -> None:
        document = await _json(http, self.jwks_uri)
        found = document.get("keys")
        if not isinstance(found, list):
            raise OidcError("provider_invalid")
        self._keys = KeySet([key for one in found for key in _usable(one)])
        self._fetched_at = now


class ProviderSource:
    """Finds the provider when it is first needed, since it may start after us, and again every hour.

    `url` and `token_issuers` are those of `discover`.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, token_issuers: Sequence[str] = ()) -> None:
        self._http, self._url, self._token_issuers = http, url, token_issuers
        self._provider: Provider | None = None
        self._found_at = datetime.min.replace(tzinfo=UTC)

    async def provider(self, now: datetime) -> Provider:
        """The provider; the one last found when it is away just now. Raises OidcError."""
        if self._provider is not None and now - self._found_at < _METADATA_KEPT:
            return self._provider
        try:
            self._provider = await discover(self._http, self._url, token_issuers=self._token_issuers)
        except OidcError as error:
            if self._provider is None or not error.retryable:
                raise
        self._found_at = now
        return self._provider


def requested(essential: Sequence[str], voluntary: Sequence[str] = ()) -> dict[str, Any]:
    """The `claims` parameter that asks for these claims of userinfo (Core §5.5)."""
    asked = {name: {"essential": False} for name in voluntary} | {name: {"essential": True} for name in essential}
    return {"userinfo": asked}


async def discover(http: httpx.AsyncClient, issuer_url: str, *, token_issuers: Sequence[str] = ()) -> Provider:
    """The provider at `issuer_url` (OpenID Connect Discovery 1.0 §4).

    Args:
        issuer_url: the issuer, whose metadata is looked for at the standard place and then at eSignet's; or the
            full address of the metadata.
        token_issuers: further values of `iss` to take in tokens (eSignet 1.6.1 signs as `{issuer}/v1/esignet`).

    Raises OidcError.
    """
    if issuer_url.endswith(_WELL_KNOWN):
        return Provider(_metadata(await _json(http, issuer_url), issuer=None), token_issuers)
    issuer = issuer_url.rstrip("/")
    try:
        document = await _json(http, issuer + _WELL_KNOWN)
    except OidcError as error:
        if error.code != "request_refused":
            raise
        document = await _json(http, issuer + _ESIGNET_WELL_KNOWN)
    return Provider(_metadata(document, issuer=issuer), token_issuers)


def authorization_request(
    provider: Provider, client: Client, now: datetime | None = None, **extra: str
) -> AuthorizationRequest:
    """A fresh authorization request (Core §3.1.2.1, RFC 7636): state, nonce and verifier of 256 random bits each.

    `now` is kept as `made_at`; `extra` are parameters of this request alone, over those of the client.
    """
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
    endpoint = provider.authorization_endpoint
    query = urlencode(parameters | dict(client.extra) | extra)
    return msgspec.structs.replace(request, url=f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")


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
        issuer: the redirect's `iss` parameter when it had one (RFC 9207).

    Raises OidcError. The code is spent then, unless it says `provider_unreachable`; it is never sent twice here.
    """
    checks.check_redirect_issuer(issuer, provider.issuers)
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


class _Tokens(Struct, frozen=True):
    access_token: str
    id_token: str


class _Refusal(Struct, frozen=True):
    error: str = ""


async def _tokens(
    http: httpx.AsyncClient, provider: Provider, client: Client, code: str, code_verifier: str | None, now: datetime
) -> _Tokens:
    endpoint = provider.token_endpoint
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "client_id": client.client_id,
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": client_assertion(client, endpoint, now),
    }
    if code_verifier is not None:
        form["code_verifier"] = code_verifier
    answer = await _send(http, "POST", endpoint, data=form, headers={"accept": "application/json"})
    if answer.is_success:
        try:
            return msgspec.json.decode(answer.content, type=_Tokens)
        except msgspec.DecodeError as error:
            raise OidcError("provider_invalid") from error
    raise checks.refusal(answer.status_code, _error_of(answer.content))


def client_assertion(client: Client, token_endpoint: str, now: datetime) -> str:
    """The signed statement that this is `client` (RFC 7523 §3; eSignet reference §5.2). Good for 60 s, once."""
    seconds = int(now.timestamp())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": token_endpoint,
        "jti": ids.token(),
        "iat": seconds,
        "exp": seconds + _ASSERTION_SECONDS,
    }
    thumbprint = client.key.as_dict(private=False).get("x5t#S256")
    header: dict[str, Any] = {"x5t#S256": thumbprint} if thumbprint else {}
    return jose.sign(claims, client.key, **header)


async def _userinfo(
    http: httpx.AsyncClient, provider: Provider, client: Client, access_token: str, now: datetime
) -> dict[str, Any]:
    accept = "application/jwt" if client.signed_userinfo else "application/jwt, application/json"
    headers = {"authorization": f"Bearer {access_token}", "accept": accept}
    answer = await _send(http, "GET", provider.userinfo_endpoint, headers=headers)
    if not answer.is_success:
        raise checks.refusal(answer.status_code, "")
    if answer.headers.get("content-type", "").partition(";")[0].strip() == "application/jwt":
        return await provider.verified(http, answer.text.strip(), now, client.algorithms)
    if client.signed_userinfo:
        raise OidcError("unsigned_userinfo")
    return _object(answer.content)


def _error_of(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Refusal).error
    except msgspec.DecodeError:  # a proxy's own page
        return ""


def _metadata(document: dict[str, Any], *, issuer: str | None) -> Metadata:
    """The metadata in `document`. With `issuer` it must be that one (Discovery §4.3)."""
    try:
        metadata = msgspec.convert(document, Metadata)
    except msgspec.ValidationError as error:
        raise OidcError("provider_invalid") from error
    if issuer is not None and metadata.issuer.rstrip("/") != issuer:
        raise OidcError("bad_issuer")
    allowed = ("https",) if metadata.issuer.startswith("https:") else ("https", "http")
    addresses = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri]
    if metadata.userinfo_endpoint:
        addresses.append(metadata.userinfo_endpoint)
    if any(urlsplit(address).scheme not in allowed or not urlsplit(address).netloc for address in addresses):
        raise OidcError("provider_invalid")
    return metadata


def _usable(member: Any) -> list[Key]:
    """The signing key in a member of a JWK Set; none for kinds of keys we don't use, which a set may hold."""
    if not isinstance(member, dict) or member.get("use", "sig") != "sig" or member.get("kty") not in ("RSA", "EC"):
        return []
    # Only what verifies: providers add members that are not of the type the registry expects.
    kept = {name: member[name] for name in ("kty", "kid", "alg", "n", "e", "crv", "x", "y") if name in member}
    try:
        return [import_key(kept)]
    except (JoseError, ValueError, TypeError):
        return []


def _kid(token: str) -> str | None:
    """The `kid` in the header of a compact JWS; None when it has none. Raises OidcError when it is no JWS."""
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError("not a compact JWS")
        padded = parts[0] + "=" * (-len(parts[0]) % 4)
        header = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError) as error:
        raise OidcError("bad_signature") from error
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await _send(http, "GET", url, headers={"accept": "application/json"})
    if not answer.is_success:
        raise checks.refusal(answer.status_code, "")
    return _object(answer.content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise OidcError("provider_invalid") from error


async def _send(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    try:
        return await http.request(method, url, **options)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OidcError("provider_unreachable", retryable=True) from error
