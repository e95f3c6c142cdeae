"""Signing keys and signed tokens, by joserfc. No cryptography of our own."""

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, KeySet, RSAKey

from janani.kernel.keyfiles import ASYMMETRIC, BadKeyFile, new_pem, read_key
from janani.kernel.secrets import MissingSecret, write_private

__all__ = ["ASYMMETRIC", "algorithm_of", "jwks", "sign", "signing_key", "verified", "verify"]


def signing_key(path: Path, *, create: bool) -> RSAKey:
    """The RSA signing key kept as PEM (private key, then its certificate) at `path`.

    Its JWK carries `kid` (RFC 7638 thumbprint), `use`, `alg` RS256, `x5c`, `x5t` and `x5t#S256`.
    With `create` a 2048-bit key and a self-signed certificate are made when absent; without,
    MissingSecret is raised.
    """
    if not path.exists():
        if not create:
            raise MissingSecret(f"{path} is missing. Put an RSA private key and its certificate there, as PEM.")
        write_private(path, new_pem(path.stem))
    key = read_key(path)
    if not isinstance(key, RSAKey):
        raise BadKeyFile(f"{path} must hold an RSA key.")
    return key


def jwks(*keys: RSAKey | ECKey) -> dict[str, Any]:
    """The JWK Set document of the public halves of `keys` (RFC 7517 §5)."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def algorithm_of(key: RSAKey | ECKey) -> str:
    """How `key` signs: its own `alg`, else RS256 for RSA and ES256 for elliptic curves."""
    said = key.as_dict(private=False).get("alg")
    return said if isinstance(said, str) else "ES256" if isinstance(key, ECKey) else "RS256"


def sign(claims: dict[str, Any], key: RSAKey | ECKey, *, typ: str = "JWT", alg: str = "RS256", **header: Any) -> str:
    """`claims` as a compact JWS by `key`, with `kid` (and any further `header`) in its header. Times are seconds."""
    registry = _of(alg)
    algorithm = registry.get_alg(alg)
    algorithm.check_key(key)
    head = _protected(registry, msgspec.json.encode({"alg": alg, "typ": typ, "kid": key.kid, **header}))
    signed = head + b"." + _base64url(msgspec.json.encode(claims))
    return (signed + b"." + _base64url(algorithm.sign(signed, key))).decode("ascii")


@lru_cache(maxsize=16)
def _of(alg: str) -> jws.JWSRegistry:
    return jws.JWSRegistry(algorithms=[alg])


@lru_cache(maxsize=128)
def _protected(registry: jws.JWSRegistry, header: bytes) -> bytes:
    """A header as a JWS has it, checked once: a key signs with the same one over and over."""
    registry.check_header(msgspec.json.decode(header))
    return _base64url(header)


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class _Roomy(jws.JWSRegistry):
    max_header_length = 8 * 1024  # certificates may stand in it

    def __init__(self, algorithms: list[str], largest: int) -> None:
        super().__init__(algorithms=algorithms)
        self.max_payload_length = largest


def verified(found: jws.CompactSignature, key: RSAKey | ECKey, alg: str) -> dict[str, Any]:
    """The claims of a JWS that was taken apart (`joserfc.jws.extract_compact`), its signature by `alg` verified.

    Which algorithm its header may name is the caller's to check first, and so are the claims. Raises JoseError, or
    msgspec.DecodeError when the claims are no JSON object.
    """
    if not jws.validate_compact(found, key, registry=_of(alg)):
        raise BadSignatureError
    return msgspec.json.decode(found.payload or b"", type=dict[str, Any])


def verify(
    token: str, keys: KeySet | RSAKey | ECKey, *, algorithms: list[str] | None = None, largest: int = 0
) -> dict[str, Any]:
    """The claims of the compact JWS `token`, its signature verified by `keys`.

    Only asymmetric algorithms pass (never `none`, never HMAC). The claims themselves are the
    caller's to check. Raises joserfc.errors.JoseError (or ValueError when it is no JWS at all).

    Args:
        largest: bytes of the encoded claims that are taken, and a header of 8 KiB with them, when joserfc's own
            limits (128 kB and 512 bytes) are too narrow: userinfo holds a photo.
    """
    allowed = algorithms or ASYMMETRIC
    registry = _Roomy(allowed, largest) if largest else None
    return dict(jwt.decode(token, keys, algorithms=allowed, registry=registry).claims)
