"""Proof of possession of a key with every token call (RFC 9449): the proof's checks and the server's nonces.

The checks are pure; that a proof's `jti` serves once is kept in the database.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from janani.esignet.envelope import base64url, sha3
from janani.esignet.incoming import Http
from janani.esignet.provider import SQL, Provider
from janani.esignet.vocabulary import DPOP_ALGORITHMS

SKEW_SECONDS = 10
NONCE_SECONDS = 15
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class _Registry(jws.JWSRegistry):
    max_header_length = 4096  # a proof's header carries a whole key


_REGISTRY = _Registry(algorithms=DPOP_ALGORITHMS)


class BadProof(Exception):
    """The proof does not hold. The text names the claim, for the audit trail only."""


@dataclass(frozen=True)
class Proof:
    """A proof that holds: the thumbprint of its key, its id, and the server nonce it carries, if it does."""

    jkt: str
    jti: str
    nonce: str | None


def checked(proof: str, *, method: str, url: str, access_token: str | None, now: datetime) -> Proof:
    """The proof's key and id, its signature and claims checked (RFC 9449 §4.3). Raises BadProof.

    Args:
        url: the public URL of the endpoint, without query.
        access_token: the token it goes with at userinfo, whose hash must be `ath`; None at the token endpoint.
    """
    try:
        header = jws.extract_compact(proof.encode(), registry=_REGISTRY).headers()
        jwk = _public_key(header)
        key = (RSAKey if jwk["kty"] == "RSA" else ECKey).import_key(jwk)
        claims = jwt.decode(proof, key, registry=_REGISTRY).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadProof("unreadable or badly signed") from error
    jti, issued, nonce = claims.get("jti"), claims.get("iat"), claims.get("nonce")
    if not _is_text(jti) or not jti.strip():
        raise BadProof("jti")
    if claims.get("htm") != method or str(claims.get("htu")).partition("?")[0].partition("#")[0] != url:
        raise BadProof("htm or htu")
    earliest, latest = now.timestamp() - SKEW_SECONDS, now.timestamp() + SKEW_SECONDS
    if not isinstance(issued, int | float) or isinstance(issued, bool) or not earliest <= issued <= latest:
        raise BadProof("iat")
    if nonce is not None and not _is_text(nonce):
        raise BadProof("nonce")
    if access_token is not None and claims.get("ath") != base64url(hashlib.sha256(access_token.encode()).digest()):
        raise BadProof("ath")
    return Proof(key.thumbprint(), jti, nonce)


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is a string that can be encoded: JSON may hold half a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _public_key(header: dict[str, Any]) -> dict[str, Any]:
    jwk = header.get("jwk")
    if header.get("typ") != "dpop+jwt" or header.get("alg") not in DPOP_ALGORITHMS or not isinstance(jwk, dict):
        raise BadProof("header")
    if jwk.get("kty") not in ("RSA", "EC") or _PRIVATE & set(jwk):
        raise BadProof("jwk")
    return {name: value for name, value in jwk.items() if name in ("kty", "n", "e", "crv", "x", "y")}


def server_nonce(key: bytes, now: datetime) -> str:
    """The nonce a proof must carry now: the same for all in one window of NONCE_SECONDS, by any process."""
    window = int(now.timestamp()) // NONCE_SECONDS
    return base64url(hmac.digest(key, f"dpop nonce {window}".encode(), hashlib.sha256))


def nonce_holds(key: bytes, nonce: str, now: datetime) -> bool:
    """Whether `nonce` was given in this window or the one before."""
    recent = (server_nonce(key, now), server_nonce(key, now - timedelta(seconds=NONCE_SECONDS)))
    return any(hmac.compare_digest(nonce.encode(), known.encode()) for known in recent)


class NonceWanted(Exception):
    """The proof lacks the server's nonce, or has an old one. `nonce` is the one to use."""

    def __init__(self, nonce: str) -> None:
        super().__init__("use_dpop_nonce")
        self.nonce = nonce


async def proof_of(request: Http, idp: Provider, *, access_token: str | None = None) -> Proof | None:
    """The request's proof, checked, its `jti` spent; None when there is none. Raises BadProof or NonceWanted."""
    values = request.headers.getall("dpop", [])
    if not values:
        return None
    if len(values) > 1:
        raise BadProof("two proofs")
    now = idp.now()
    url = idp.issuer + request.scope["path"]
    proof = checked(values[0], method=request.method, url=url, access_token=access_token, now=now)
    wanted = idp.options.dpop_nonce if proof.nonce is None else not nonce_holds(idp.otp_key, proof.nonce, now)
    if wanted:
        raise NonceWanted(server_nonce(idp.otp_key, now))
    lapses = now + timedelta(seconds=2 * SKEW_SECONDS)
    if not await SQL.use_once(
        idp.pool, kind="dpop", client_id=proof.jkt, value=sha3(proof.jti), expires_at=lapses, now=now
    ):
        raise BadProof("jti used before")
    return proof
