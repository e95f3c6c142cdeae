"""An OpenID provider: its metadata and keys, found when needed and kept for an hour.

`ProviderSource` finds it and keeps it; `Provider.verified` is the only way a token of it becomes claims.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from msgspec import Struct

from janani.clients import oidc_checks as checks
from janani.clients.oidc_checks import OidcError
from janani.kernel import jose

_WELL_KNOWN = "/.well-known/openid-configuration"
_ESIGNET_WELL_KNOWN = "/v1/esignet/oidc/.well-known/openid-configuration"
_KEYS_KEPT = timedelta(hours=1)
_METADATA_KEPT = timedelta(hours=1)
_KEYS_FLOOR = timedelta(seconds=20)
"""Tokens with unknown `kid`s can't make us fetch keys more often than this."""
LARGEST_TOKEN = 2 * 1024 * 1024  # userinfo holds a photo, and base64 of base64 is nearly twice its size
_OF_A_KEY = ("kty", "kid", "n", "e", "crv", "x", "y")


class Metadata(Struct, frozen=True):
    """What a client needs of the provider's metadata (OpenID Connect Discovery 1.0 §3, RFC 9126 §5, RFC 9207 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    pushed_authorization_request_endpoint: str = ""
    require_pushed_authorization_requests: bool = False
    authorization_response_iss_parameter_supported: bool = False
    id_token_signing_alg_values_supported: tuple[str, ...] = ()


class Provider:
    """An OpenID provider: its metadata and its keys, which are fetched when needed and kept for an hour."""

    def __init__(self, metadata: Metadata, token_issuers: Sequence[str] = ()) -> None:
        self.metadata = metadata
        self.issuer = metadata.issuer
        self.authorization_endpoint = metadata.authorization_endpoint
        self.token_endpoint = metadata.token_endpoint
        self.userinfo_endpoint = metadata.userinfo_endpoint
        self.jwks_uri = metadata.jwks_uri
        self.issuers = frozenset((metadata.issuer, *token_issuers))
        self._keys = KeySet([])
        self._fetched_at: datetime | None = None

    def algorithms(self, wanted: Sequence[str]) -> list[str]:
        """Of the `wanted` signatures those the provider says it makes; all, when it says nothing we know."""
        said = self.metadata.id_token_signing_alg_values_supported
        return [one for one in wanted if one in said] or list(wanted)

    async def verified(
        self, http: httpx.AsyncClient, token: str, now: datetime, algorithms: Sequence[str] = jose.ASYMMETRIC
    ) -> dict[str, Any]:
        """The claims of the compact JWS `token`, signed by one of the provider's keys. Raises OidcError.

        Keys are fetched again, once, when the token names one that is not known yet, and not within 20 s of the last.
        """
        kid = _kid(token)
        age = None if self._fetched_at is None else now - self._fetched_at
        unknown = kid is not None and all(key.kid != kid for key in self._keys)
        if age is None or age > _KEYS_KEPT or (unknown and age >= _KEYS_FLOOR):
            await self._fetch_keys(http, now)
        candidates = [key for key in self._keys if kid is None or key.kid == kid]
        if len(candidates) != 1:  # without a `kid` only a lone key can be meant
            raise OidcError("unknown_key" if kid is not None else "bad_signature")
        taken = self.algorithms(algorithms)
        try:
            claims = jose.verify(token, KeySet(candidates), algorithms=taken, largest=LARGEST_TOKEN)
            msgspec.json.encode(claims)  # half a surrogate pair, or endless nesting, could never be passed on
        except (RecursionError, UnicodeEncodeError) as error:
            raise OidcError("provider_invalid") from error
        except (JoseError, ValueError) as error:
            raise OidcError("bad_signature") from error
        return claims

    async def _fetch_keys(self, http: httpx.AsyncClient, now: datetime) -> None:
        document = await fetched_json(http, self.jwks_uri)
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


async def discover(http: httpx.AsyncClient, issuer_url: str, *, token_issuers: Sequence[str] = ()) -> Provider:
    """The provider at `issuer_url` (OpenID Connect Discovery 1.0 §4).

    Args:
        issuer_url: the issuer, whose metadata is looked for at the standard place and then at eSignet's; or the
            full address of the metadata.
        token_issuers: further values of `iss` to take in tokens (eSignet 1.6.1 signs as `{issuer}/v1/esignet`).

    Raises OidcError.
    """
    if issuer_url.endswith(_WELL_KNOWN):
        return Provider(_metadata(await fetched_json(http, issuer_url), issuer=None), token_issuers)
    issuer = issuer_url.rstrip("/")
    try:
        document = await fetched_json(http, issuer + _WELL_KNOWN)
    except OidcError as error:
        if error.code != "request_refused":
            raise
        document = await fetched_json(http, issuer + _ESIGNET_WELL_KNOWN)
    return Provider(_metadata(document, issuer=issuer), token_issuers)


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
    optional = (metadata.userinfo_endpoint, metadata.pushed_authorization_request_endpoint)
    addresses += [address for address in optional if address]
    if any(urlsplit(address).scheme not in allowed or not urlsplit(address).netloc for address in addresses):
        raise OidcError("provider_invalid")
    return metadata


def _usable(member: Any) -> list[Key]:
    """The signing key in a member of a JWK Set; none for kinds of keys we don't use, which a set may hold."""
    if not isinstance(member, dict) or member.get("use", "sig") != "sig" or member.get("kty") not in ("RSA", "EC"):
        return []
    # Only what verifies: providers add members that are not of the type the registry of keys expects, and eSignet
    # signs PS256 by a key it lists as RS256. Which signatures are taken is the client's to say.
    kept = {name: member[name] for name in _OF_A_KEY if name in member}
    try:
        return [import_key(kept)]
    except (JoseError, ValueError, TypeError):
        return []


def _kid(token: str) -> str | None:
    """The `kid` in the header of a compact JWS; None when it has none. Raises OidcError when it is no JWS."""
    parts = token.split(".", 4)
    try:
        if len(parts) != 3 or len(token) > LARGEST_TOKEN:
            raise ValueError("not a compact JWS")
        padded = parts[0] + "=" * (-len(parts[0]) % 4)
        header = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError) as error:
        raise OidcError("bad_signature") from error
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None


async def fetched_json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """The JSON object at `url`, asked for twice when the first answer did not come. Raises OidcError."""
    answer = await fetched(http, url, {"accept": "application/json"})
    if not answer.is_success:
        raise checks.refusal(answer.status_code, "")
    return json_object(answer.content)


async def fetched(http: httpx.AsyncClient, url: str, headers: dict[str, str]) -> httpx.Response:
    """The answer to a GET, which may be sent again without harm: once more when none came. Raises OidcError."""
    try:
        answer = await send(http, "GET", url, headers=headers)
    except OidcError:
        return await send(http, "GET", url, headers=headers)
    return answer if answer.status_code not in (502, 503, 504) else await send(http, "GET", url, headers=headers)


def json_object(content: bytes) -> dict[str, Any]:
    """The JSON object `content`. Raises OidcError."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise OidcError("provider_invalid") from error


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """An endpoint of a provider, read once: they are few, and httpx reads a text at each call."""
    return httpx.URL(url)


async def send(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response:
    """The provider's answer. Raises OidcError, which says whether anything may have reached the provider."""
    try:
        return await http.request(method, _parsed(url), **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL) as error:
        raise OidcError("provider_unreachable", retryable=True) from error
    except httpx.HTTPError as error:
        raise OidcError("provider_silent", retryable=True) from error
