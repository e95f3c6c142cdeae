"""What must hold of an OpenID provider's tokens, as plain functions on claims: no network, no clock, no keys.

Each raises OidcError with a stable code when it does not hold (OpenID Connect Core 1.0 §3.1.3.7, §3.1.3.8, §5.3.2).
"""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from janani.kernel.i18n import _

SKEW_SECONDS = 60
"""How far the provider's clock may be from ours (s)."""

Claims = Mapping[str, Any]


class OidcError(Exception):
    """Signing in with an OpenID provider did not succeed.

    `code` is stable, `text` a sentence for people without personal data. `retryable`: the provider was away or
    overloaded, the same may work later; otherwise the person begins again or an administrator is needed.

    provider_unreachable, provider_silent,      (retryable) not reached; reached, but no answer; broken
    provider_failed
    provider_invalid                            its metadata, keys or answers are not what OpenID Connect says
    code_refused                                code unknown, used, expired, or not of this browser (PKCE)
    client_refused, request_refused             our client is not known as we describe it; anything else it refuses
    access_refused                              the person or the provider said no (error on the redirect)
    bad_signature, unknown_key, bad_issuer,     a token does not prove what it should
    bad_audience, expired, not_yet_valid,
    bad_nonce, bad_at_hash, bad_acr,
    bad_subject, unsigned_userinfo,
    undecryptable_userinfo

    `code_kept`: the authorization code has certainly not reached the provider, so it may be sent once more.
    """

    def __init__(self, code: str, text: str = "", *, retryable: bool = False) -> None:
        super().__init__(f"OpenID provider: {code}")
        self.code, self.text, self.retryable = code, text or words(code), retryable
        self.code_kept = False


def words(code: str) -> str:
    """What people are told about `code`, in the language of this request."""
    if code in ("provider_unreachable", "provider_silent", "provider_failed"):
        return _("The identity service can't be reached just now. Please try again in a few minutes.")
    if code == "code_refused":
        return _("This verification has ended or was used already. Please start it again.")
    if code in ("client_refused", "request_refused", "provider_invalid"):
        return _("The identity service and this system don't understand each other. Please tell your administrator.")
    if code == "access_refused":
        return _("The verification was stopped before it was finished.")
    if code in ("expired", "not_yet_valid"):
        return _("The clocks of the identity service and this system differ. Please tell your administrator.")
    return _("The answer of the identity service could not be trusted, so nothing was taken from it.")


def at_hash(access_token: str) -> str:
    """The left half of SHA-256 of the access token, base64url (Core §3.1.3.6; RS256, PS256 and ES256 all use it)."""
    return _base64url(hashlib.sha256(access_token.encode()).digest()[:16])


def code_challenge(code_verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 §4.2)."""
    return _base64url(hashlib.sha256(code_verifier.encode()).digest())


def check_id_token(
    claims: Claims,
    *,
    issuers: Collection[str],
    client_id: str,
    nonce: str | None,
    access_token: str,
    acr_values: Collection[str],
    now: datetime,
) -> None:
    """Checks an id_token's claims. `nonce` None: none was sent by us. Raises OidcError."""
    check_issuer(claims, issuers)
    check_audience(claims, client_id)
    check_times(claims, now)
    check_nonce(claims, nonce)
    check_at_hash(claims, access_token)
    check_acr(claims, acr_values)
    if not _text(claims, "sub"):
        raise OidcError("bad_subject")


def check_userinfo(claims: Claims, *, issuers: Collection[str], client_id: str, subject: str, now: datetime) -> None:
    """Checks userinfo's claims: same person as the id_token; issuer, audience and times where it has them.

    OpenID Connect lets a provider leave out `iss` and `aud` (Core §5.3.2 says SHOULD); those present must be right.
    """
    if not hmac.compare_digest(_text(claims, "sub").encode(), subject.encode()):
        raise OidcError("bad_subject")
    if "iss" in claims:
        check_issuer(claims, issuers)
    if "aud" in claims:
        check_audience(claims, client_id)
    if "exp" in claims or "iat" in claims:
        check_times({"exp": now.timestamp(), "iat": now.timestamp(), **claims}, now)


def check_issuer(claims: Claims, issuers: Collection[str]) -> None:
    """`iss` is exactly one of `issuers`."""
    if _text(claims, "iss") not in issuers:
        raise OidcError("bad_issuer")


def check_audience(claims: Claims, client_id: str) -> None:
    """`aud` is this client alone; `azp`, when there, is this client."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not audiences or any(one != client_id for one in audiences):
        raise OidcError("bad_audience")
    if "azp" in claims and claims["azp"] != client_id:
        raise OidcError("bad_audience")


def check_times(claims: Claims, now: datetime) -> None:
    """`exp` is not past, `iat` and `nbf` not in the future, with SKEW_SECONDS of grace."""
    seconds = now.timestamp()
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if expires is None or expires <= seconds - SKEW_SECONDS:
        raise OidcError("expired")
    if issued is None or max(issued, _number(claims, "nbf") or 0) > seconds + SKEW_SECONDS:
        raise OidcError("not_yet_valid")


def check_nonce(claims: Claims, nonce: str | None) -> None:
    """`nonce` is the one sent."""
    if nonce is not None and not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise OidcError("bad_nonce")


def check_at_hash(claims: Claims, access_token: str) -> None:
    """`at_hash`, when there, belongs to the access token (optional in the code flow, Core §3.1.3.8)."""
    if "at_hash" in claims and _text(claims, "at_hash") != at_hash(access_token):
        raise OidcError("bad_at_hash")


def check_acr(claims: Claims, acr_values: Collection[str]) -> None:
    """`acr` names at least one of those asked for (eSignet gives several, separated by spaces)."""
    if acr_values and not set(_text(claims, "acr").split()) & set(acr_values):
        raise OidcError("bad_acr")


def check_redirect_issuer(iss: str | None, issuers: Collection[str], *, promised: bool = False) -> None:
    """`iss` on the redirect is the provider's; it may be absent only where that is not `promised` (RFC 9207 §2.4)."""
    if (promised and not iss) or (iss is not None and iss not in issuers):
        raise OidcError("bad_issuer")


def refusal(status: int, error: str) -> OidcError:
    """What the token endpoint's answer means (RFC 6749 §5.2, and eSignet 1.6.1's own words, which differ)."""
    if error in ("invalid_grant", "invalid_transaction", "pkce_failed", "invalid_pkce_code_verifier"):
        return OidcError("code_refused")
    if error in ("invalid_client", "unauthorized_client", "invalid_client_id", "invalid_assertion"):
        return OidcError("client_refused")
    if status >= 500 or status in (408, 425, 429):
        return OidcError("provider_failed", retryable=True)
    return OidcError("request_refused")


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _number(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
