"""Client management: who may ask people to sign in, and for what (reference §2)."""

import hmac
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from litestar import Response, patch, post, put
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import fields

from janani.esignet import vocabulary as words
from janani.esignet.authorization import is_url
from janani.esignet.envelope import Fault, success
from janani.esignet.incoming import Http, read
from janani.esignet.problems import Refused, Unauthorised
from janani.esignet.provider import SQL, Idp, Provider
from janani.kernel.http import Sent
from janani.kernel.postgres import json_of

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
WEBHOOK = "consent_webhook_uri"
"""Our addition to additionalConfig: where withdrawals of consent are told to the client. Never shown to the page."""
LONGEST_CONSENT_MINUTES = 100 * 366 * 24 * 60
"""A hundred years; what ends after the calendar does can't be stored."""
_PURPOSES = ("none", "verify", "link", "login")


class Registration(Struct, rename="camel", forbid_unknown_fields=True):
    """The members of create and update, all versions; which are required is said by the checks."""

    client_id: str | None = None
    client_name: str | None = None
    client_name_lang_map: dict[str, str | None] | None = None
    public_key: dict[str, Any] | None = None
    relying_party_id: str | None = None
    user_claims: list[str] | None = None
    auth_context_refs: list[str] | None = None
    logo_uri: str | None = None
    redirect_uris: list[str] | None = None
    grant_types: list[str] | None = None
    client_auth_methods: list[str] | None = None
    additional_config: dict[str, Any] | None = None
    status: str | None = None
    enc_public_key: dict[str, Any] | None = None


def create_faults(client: Registration, *, wildcards: bool) -> list[Fault]:
    """The faults of a create request, one a field. A new client is ACTIVE, so `status` is unknown here."""
    if client.status is not None or client.enc_public_key is not None:
        raise Refused("unknown_error")
    faults = _fault("clientId", "invalid_client_id", _is_id(client.client_id))
    faults += _fault("relyingPartyId", "invalid_rp_id", _is_id(client.relying_party_id))
    faults += _fault("publicKey", "invalid_public_key", public_jwk(client.public_key) is not None)
    return faults + _common_faults(client, wildcards=wildcards)


def update_faults(client: Registration, *, wildcards: bool) -> list[Fault]:
    """The faults of an update request. The key and the relying party can't be changed, so they're unknown here."""
    if client.client_id or client.public_key or client.relying_party_id or client.enc_public_key is not None:
        raise Refused("unknown_error")
    faults = _fault("status", "invalid_status", client.status in ("ACTIVE", "INACTIVE"))
    return faults + _common_faults(client, wildcards=wildcards)


def patch_faults(client: Registration, *, wildcards: bool) -> list[Fault]:
    """The faults of the members that were sent; those left out stay as they are."""
    if client.client_id or client.public_key or client.relying_party_id:
        raise Refused("unknown_error")
    absent = {f"request.{field.encode_name}" for field in fields(client) if getattr(client, field.name) is None}
    faults = [fault for fault in _common_faults(client, wildcards=wildcards) if fault.field not in absent]
    faults += _fault("status", "invalid_status", client.status in (None, "ACTIVE", "INACTIVE"))
    key = client.enc_public_key
    good = key is None or ((public_jwk(key) or {}).get("kty") == "RSA" and key.get("use", "enc") == "enc")
    return faults + _fault("encPublicKey", "invalid_public_key", good)


def public_jwk(jwk: dict[str, Any] | None) -> dict[str, Any] | None:
    """The public members of an RSA or EC JWK, white space in them removed; None when it is no such key."""
    if not jwk or jwk.get("kty") not in ("RSA", "EC"):
        return None
    if any(name in jwk and not str(jwk[name] or "").strip() for name in ("alg", "use")):
        return None
    public = {
        name: re.sub(r"\s", "", value) if isinstance(value, str) else value
        for name, value in jwk.items()
        if name not in _PRIVATE
    }
    try:
        (RSAKey if jwk["kty"] == "RSA" else ECKey).import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return public


def key_hash(jwk: dict[str, Any]) -> str:
    """What makes a key unique among clients: the RFC 7638 thumbprint of its public JWK."""
    kind = RSAKey if jwk["kty"] == "RSA" else ECKey
    return kind.import_key(jwk).thumbprint()


def _common_faults(client: Registration, *, wildcards: bool) -> list[Fault]:
    name, claims, acrs = client.client_name or "", client.user_claims, client.auth_context_refs or []
    uris = client.redirect_uris or []
    grants, methods = client.grant_types or [], client.client_auth_methods or []
    return [
        *_fault("clientName", "invalid_client_name", bool(name.strip()) and len(name) <= 256),
        *_language_faults(client.client_name_lang_map or {}),
        *_fault(
            "userClaims",
            "invalid_claim",
            claims is not None and len(claims) <= 30 and all(claim in words.CLAIMS for claim in claims),
        ),
        *_fault("authContextRefs", "invalid_acr", 1 <= len(acrs) <= 30 and all(acr in words.ACRS for acr in acrs)),
        *_fault("logoUri", "invalid_uri", is_url(client.logo_uri or "")),
        *_fault(
            "redirectUris",
            "invalid_redirect_uri",
            1 <= len(uris) <= 5 and all(is_url(uri) and (wildcards or "*" not in uri) for uri in uris),
        ),
        *_fault(
            "grantTypes", "unsupported_grant_type", 1 <= len(grants) <= 3 and set(grants) == {"authorization_code"}
        ),
        *_fault(
            "clientAuthMethods", "invalid_client_auth", 1 <= len(methods) <= 3 and set(methods) == {"private_key_jwt"}
        ),
        *_fault("additionalConfig", "invalid_additional_config", _good_config(client.additional_config)),
    ]


def _fault(field: str, code: str, good: bool) -> list[Fault]:
    return [] if good else [Fault(code, f"request.{field}")]


def _is_id(text: str | None) -> bool:
    return bool(text) and re.fullmatch(r"\S{1,100}", text or "") is not None


def _language_faults(names: dict[str, str | None]) -> list[Fault]:
    faults = []
    for language, value in names.items():
        if not re.fullmatch(r"[a-z]{3}", language):
            faults += _fault("clientNameLangMap", "invalid_language_code", False)
        if not (value or "").strip():
            faults += _fault("clientNameLangMap", "invalid_client_name_value", False)
        elif len(value or "") > 50:
            faults += _fault("clientNameLangMap", "invalid_client_name_length", False)
    return list(dict.fromkeys(faults))


def _good_config(config: dict[str, Any] | None) -> bool:
    """Whether additionalConfig follows the schema of reference §2.3, or adds where withdrawals are told."""
    if config is None:
        return True
    known = ("userinfo_response_type", "purpose", "consent_expire_in_mins", WEBHOOK)
    flags = (
        "signup_banner_required",
        "forgot_pwd_link_required",
        "require_pkce",
        "require_pushed_authorization_requests",
        "dpop_bound_access_tokens",
    )
    minutes = config.get("consent_expire_in_mins", 10)
    return (
        set(config) <= {*known, *flags}
        and config.get("userinfo_response_type", "JWS") in ("JWS", "JWE")
        and all(isinstance(config.get(flag, False), bool) for flag in flags)
        and isinstance(minutes, int | float)
        and not isinstance(minutes, bool)
        and 10 <= minutes <= LONGEST_CONSENT_MINUTES
        and _good_purpose(config.get("purpose"))
        and (config.get(WEBHOOK) is None or _good_webhook(config[WEBHOOK]))
    )


def _good_webhook(address: Any) -> bool:
    """Whether withdrawals may be told there: https, or this same machine."""
    if not isinstance(address, str) or not is_url(address) or len(address) > 2048:
        return False
    parts = urlsplit(address)
    try:
        _port, _host = parts.port, httpx.URL(address).host  # as it will be called
    except (ValueError, httpx.InvalidURL):
        return False
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and not parts.username and parts.scheme in (("https", "http") if here else ("https",))


def _good_purpose(purpose: Any) -> bool:
    if purpose is None:
        return True
    if not isinstance(purpose, dict) or not set(purpose) <= {"type", "title", "subTitle"}:
        return False
    texts = [purpose.get("title"), purpose.get("subTitle")]
    return purpose.get("type") in _PURPOSES and all(
        text is None or (isinstance(text, dict) and "@none" in text) for text in texts
    )


def stored(client: Registration) -> dict[str, Any]:
    """The columns that create and update share."""
    return {
        "name": json_of({"@none": client.client_name} | (client.client_name_lang_map or {})),
        "logo_uri": client.logo_uri,
        "user_claims": client.user_claims,
        "acrs": client.auth_context_refs,
        "redirect_uris": client.redirect_uris,
        "additional_config": json_of(client.additional_config) if client.additional_config else None,
    }


async def token_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises Unauthorised unless the call carries the bearer token of client management."""
    idp: Provider = connection.app.state.idp
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), idp.clients_token.encode()):
        raise Unauthorised


_PATHS = [f"/v1/esignet/client-mgmt/{name}" for name in ("client", "oauth-client", "oidc-client")]


@post(_PATHS, status_code=200, guards=[token_guard])
async def create_client(request: Http, idp: Idp) -> Response[bytes]:
    """Registers a client, ACTIVE at once. Refused: `duplicate_client_id`, `duplicate_public_key`."""
    wildcards = idp.options.wildcard_redirects
    client = await read(request, Registration, lambda it: create_faults(it, wildcards=wildcards), idp.now())
    _refuse_later_members(request, client)
    jwk = public_jwk(client.public_key) or {}
    columns = stored(client) | {
        "client_id": client.client_id,
        "relying_party_id": client.relying_party_id,
        "public_key": json_of(jwk),
        "public_key_hash": key_hash(jwk),
        "now": idp.now(),
    }
    if await SQL.key_holder(idp.pool, public_key_hash=key_hash(jwk), client_id=client.client_id):
        raise Refused("duplicate_public_key")
    if await SQL.add_client(idp.pool, **columns) is None:
        raise Refused("duplicate_client_id")
    await idp.note("client_created", "ok", client=client.client_id)
    return _answer(idp, client.client_id or "", "ACTIVE")


@patch("/v1/esignet/client-mgmt/client/{client_id:str}", guards=[token_guard])
async def patch_client(request: Http, idp: Idp, client_id: FromPath[str]) -> Response[bytes]:
    """Replaces what is sent of a client, and is the only way to give it an encryption key (reference §2.5)."""
    wildcards = idp.options.wildcard_redirects
    client = await read(request, Registration, lambda it: patch_faults(it, wildcards=wildcards), idp.now())
    names = ({"@none": client.client_name} if client.client_name else {}) | (client.client_name_lang_map or {})
    columns = stored(client) | {
        "name": json_of(names),
        "encryption_key": json_of(public_jwk(client.enc_public_key)) if client.enc_public_key else None,
    }
    status = await SQL.patch_client(
        idp.pool, client_id=_known_id(client_id), status=client.status, now=idp.now(), **columns
    )
    if status is None:
        raise Refused("invalid_client_id")
    await idp.note("client_updated", status, client=client_id)
    return _answer(idp, client_id, status)


def _known_id(client_id: str) -> str:
    if not _is_id(client_id) or "\x00" in client_id:
        raise Refused("invalid_client_id")
    return client_id


@put([f"{path}/{{client_id:str}}" for path in _PATHS], guards=[token_guard])
async def update_client(request: Http, idp: Idp, client_id: FromPath[str]) -> Response[bytes]:
    """Replaces all but key and relying party of a client. Refused: `invalid_client_id` when there is none."""
    wildcards = idp.options.wildcard_redirects
    client = await read(request, Registration, lambda it: update_faults(it, wildcards=wildcards), idp.now())
    _refuse_later_members(request, client)
    status = await SQL.update_client(
        idp.pool, client_id=_known_id(client_id), status=client.status, now=idp.now(), **stored(client)
    )
    if status is None:
        raise Refused("invalid_client_id")
    await idp.note("client_updated", status, client=client_id)
    return _answer(idp, client_id, status)


def _refuse_later_members(request: Http, client: Registration) -> None:
    """`oidc-client` (v1) knows no language map, it and `oauth-client` (v2) no additionalConfig."""
    path = request.scope["path"]
    v1, v2 = "/oidc-client" in path, "/oauth-client" in path
    if (client.additional_config is not None and (v1 or v2)) or (client.client_name_lang_map is not None and v1):
        raise Refused("unknown_error")


def _answer(idp: Provider, client_id: str, status: str) -> Response[bytes]:
    return Sent(success({"clientId": client_id, "status": status}, idp.now()))


def lifetime(additional_config: str | None) -> int | None:
    """Seconds a consent given to this client lasts; None: until it changes."""
    config = msgspec.json.decode(additional_config) if additional_config else {}
    minutes = config.get("consent_expire_in_mins")
    return int(min(minutes, LONGEST_CONSENT_MINUTES) * 60) if minutes else None  # older clients may have more
