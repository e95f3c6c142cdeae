"""Client authentication by signed assertion, private_key_jwt (reference §5.2, RFC 7523 §3).

Every fault is `invalid_client`.
"""

import binascii
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from janani.esignet.problems import TokenRefused
from janani.esignet.vocabulary import ASSERTION_ALGORITHMS
from janani.kernel.jose import verified

LEEWAY_SECONDS = 5


def checked(
    assertion: str,
    jwk: dict[str, Any],
    *,
    client_id: str,
    audiences: tuple[str, ...],
    algorithms: tuple[str, ...] = ASSERTION_ALGORITHMS,
    now: datetime,
) -> dict[str, Any]:
    """The claims of a client's assertion, verified by its registered JWK.

    That its `jti` has not been used is the caller's to check. Raises TokenRefused `invalid_client`.
    """
    try:
        found = jws.extract_compact(assertion.encode())
        header = found.headers()
        if not _fits(header, jwk, algorithms):
            raise TokenRefused("invalid_client", reason="header", old="invalid_assertion")
        key = _imported(tuple((name, jwk[name]) for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk))
        claims = verified(found, key, header["alg"])
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error, msgspec.DecodeError, RecursionError) as error:
        raise TokenRefused("invalid_client", reason="unreadable or badly signed", old="invalid_assertion") from error
    if not _holds(claims, client_id, audiences, now.timestamp()):
        raise TokenRefused("invalid_client", reason="claims", old="invalid_assertion")
    return claims


@lru_cache(maxsize=128)
def _imported(numbers: tuple[tuple[str, str], ...]) -> RSAKey | ECKey:
    """A registered public key, read once: reading takes longer than verifying by it."""
    jwk: dict[str, Any] = dict(numbers)
    return (RSAKey if jwk["kty"] == "RSA" else ECKey).import_key(jwk)


def _fits(header: dict[str, Any], jwk: dict[str, Any], algorithms: tuple[str, ...]) -> bool:
    """Whether the header names the registered key and an algorithm that this key may use."""
    alg = header.get("alg")
    family = {"RSA": ("RS256", "PS256"), "EC": ("ES256",)}.get(jwk.get("kty", ""), ())
    return (
        alg in algorithms
        and alg in family
        and header.get("typ", "JWT") == "JWT"
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", alg) == alg
        and all(jwk.get(name) == header[name] for name in ("kid", "x5t#S256") if name in header)
    )


def _holds(claims: dict[str, Any], client_id: str, audiences: tuple[str, ...], now: float) -> bool:
    """Whether issuer, subject, audience, times and jti are as they must be."""
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    expires: Any = claims.get("exp")
    issued, begins = claims.get("iat"), claims.get("nbf", now)
    jti = claims.get("jti")
    return (
        claims.get("iss") == client_id
        and claims.get("sub") == client_id
        and any(audience in named for audience in audiences)
        and _is_number(expires)
        and expires > now - LEEWAY_SECONDS
        and _is_number(issued)
        and _is_number(begins)
        and begins <= now + LEEWAY_SECONDS
        and isinstance(jti, str)
        and bool(jti.strip())
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
