"""What an authorization request asks for: the pure core of oauth-details (reference §3 and §8)."""

import re
from typing import Any
from urllib.parse import urlsplit

from msgspec import UNSET, Struct, UnsetType

from janani.esignet import vocabulary as words
from janani.esignet.envelope import Fault
from janani.esignet.problems import Refused

LONGEST = 2048  # of state and nonce, in characters


class AuthorizationRequest(Struct, rename="camel", forbid_unknown_fields=True):
    """The members of oauth-details v3; all optional here, so that each missing one gets its own code."""

    client_id: str | None = None
    scope: str | None = None
    response_type: str | None = None
    redirect_uri: str | None = None
    display: str | None = None
    prompt: str | None = None
    acr_values: str | None = None
    claims: dict[str, Any] | None = None
    nonce: str | None = None
    state: str | None = None
    max_age: int | None = None
    claims_locales: str | None = None
    ui_locales: str | None = None
    code_challenge: str | UnsetType | None = UNSET
    code_challenge_method: str | UnsetType | None = UNSET
    id_token_hint: str | UnsetType | None = UNSET
    dpop_jkt: str | UnsetType | None = UNSET


class Requested(Struct):
    """What a request asks the person for, resolved against its client's registration."""

    essential: list[str]
    voluntary: list[str]
    authorize_scopes: list[str]
    acrs: list[str]


def field_faults(request: AuthorizationRequest, version: int) -> list[Fault]:
    """The faults of single fields. `version` is that of the endpoint: 1 knows no PKCE, only 3 an id_token_hint."""
    late = {"code_challenge": 2, "code_challenge_method": 2, "id_token_hint": 3, "dpop_jkt": 3}
    if any(getattr(request, name) is not UNSET and version < since for name, since in late.items()):
        raise Refused("unknown_error")
    checks = (
        ("clientId", "invalid_client_id", bool((request.client_id or "").strip())),
        ("scope", "invalid_scope", known_scopes(request.scope or "")),
        ("responseType", "invalid_response_type", request.response_type == "code"),
        ("redirectUri", "invalid_redirect_uri", is_url(request.redirect_uri or "")),
        ("display", "invalid_display", request.display in (None, "", *words.DISPLAYS)),
        ("prompt", "invalid_prompt", request.prompt in (None, "", *words.PROMPTS)),
        ("maxAge", "invalid_request", 0 <= (request.max_age or 0) < 1 << 63),
        ("dpopJkt", "invalid_request", not request.dpop_jkt or is_digest(request.dpop_jkt)),
        ("state", "invalid_request", all(len(text or "") <= LONGEST for text in (request.state, request.nonce))),
    )
    return [Fault(code, f"request.{field}") for field, code, good in checks if not good] + _pkce_faults(request)


def _pkce_faults(request: AuthorizationRequest) -> list[Fault]:
    challenge, method = request.code_challenge or None, request.code_challenge_method or None
    if (challenge is None) != (method is None):
        return [Fault("invalid_pkce_challenge", "request.codeChallenge")]
    if method not in (None, "S256"):
        return [Fault("unsupported_pkce_challenge_method", "request.codeChallengeMethod")]
    if challenge is not None and not is_digest(challenge):
        return [Fault("invalid_pkce_challenge", "request.codeChallenge")]
    return []


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in base64url."""
    return re.fullmatch(r"[A-Za-z0-9_-]{43}", text) is not None


def known_scopes(scope: str) -> list[str]:
    """The scopes of a request this provider knows; unknown ones are ignored."""
    return [word for word in scope.split() if word in words.SCOPE_CLAIMS or word in words.AUTHORIZE_SCOPES]


def is_url(text: str) -> bool:
    """Whether `text` is a URL of any scheme, custom ones of phones included."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    executable = parts.scheme.lower() in ("javascript", "data", "vbscript", "blob")
    return bool(parts.scheme and (parts.netloc or parts.path)) and not executable and not re.search(r"\s", text)


def redirect_allowed(candidate: str, registered: list[str], *, wildcards: bool) -> bool:
    """Whether a redirect URI is one of the registered: exactly, or with `wildcards` by Ant pattern.

    `?` is one character, `*` one segment, `/**` any number of segments; a pattern also matches itself.
    """
    if candidate in registered:
        return True
    return wildcards and any("*" in pattern and _ant(pattern).fullmatch(candidate) for pattern in registered)


def _ant(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern)
    text = text.replace(r"/\*\*/", "/(?:.*/)?").replace(r"/\*\*", "(?:/.*)?").replace(r"\*\*", ".*")
    return re.compile(text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))


def resolve(request: AuthorizationRequest, user_claims: list[str], client_acrs: list[str]) -> Requested:
    """What is asked of the person.

    A registered claim is taken when `claims.userinfo` names it (voluntary unless essential) or a scope covers it.
    Raises Refused `invalid_scope`, `invalid_claim` or `no_acr_registered`.
    """
    scopes = known_scopes(request.scope or "")
    claims = request.claims or {}
    userinfo = _userinfo_claims(claims)
    standard = [scope for scope in scopes if scope in words.SCOPE_CLAIMS]
    if "openid" not in scopes and (standard or userinfo):
        raise Refused("invalid_scope")
    covered = {claim for scope in standard for claim in words.SCOPE_CLAIMS[scope]}
    taken = [claim for claim in user_claims if claim in userinfo or claim in covered]
    essential = [claim for claim in taken if (userinfo.get(claim) or {}).get("essential") is True]
    return Requested(
        essential=essential,
        voluntary=[claim for claim in taken if claim not in essential],
        authorize_scopes=[scope for scope in scopes if scope in words.AUTHORIZE_SCOPES],
        acrs=_acrs(request, claims, client_acrs),
    )


def _userinfo_claims(claims: dict[str, Any]) -> dict[str, Any]:
    """The checked `claims.userinfo`. Verified claims are not offered, and refused."""
    userinfo = claims.get("userinfo")
    if userinfo is None:
        return {}
    if not isinstance(userinfo, dict) or "verified_claims" in userinfo:
        raise Refused("invalid_claim")
    for wish in userinfo.values():
        if wish is None:
            continue
        if not isinstance(wish, dict) or not isinstance(wish.get("essential", False), bool):
            raise Refused("invalid_claim")
        purpose = wish.get("purpose")
        if purpose is not None and not (isinstance(purpose, str) and 3 <= len(purpose) <= 300):
            raise Refused("invalid_claim")
        if not isinstance(wish.get("values", []), list):
            raise Refused("invalid_claim")
    return userinfo


def _acrs(request: AuthorizationRequest, claims: dict[str, Any], registered: list[str]) -> list[str]:
    """The contexts to offer, first non-empty wins: claims.id_token.acr.values, acr_values, all registered."""
    wished = (claims.get("id_token") or {}) if isinstance(claims.get("id_token"), dict | None) else None
    acr = wished.get("acr") if wished is not None else None
    if wished is None or not isinstance(acr, dict | None):
        raise Refused("invalid_claim")
    values_wished = (acr or {}).get("values")
    if not isinstance(values_wished, list | None):
        raise Refused("invalid_claim")
    by_claim = values_wished or [(acr or {}).get("value")]
    by_parameter = (request.acr_values or "").split()
    for values in (by_claim, by_parameter, registered):
        if found := [value for value in values if value in registered]:
            offered = [value for value in found if value in words.FACTOR_OF_ACR]
            if offered:
                return offered
            break
    raise Refused("no_acr_registered")
