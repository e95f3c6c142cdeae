"""Signing keys and signed tokens, by joserfc. No cryptography of our own."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from janani.kernel.secrets import MissingSecret, write_private

ASYMMETRIC = ["RS256", "PS256", "ES256"]


def signing_key(path: Path, *, create: bool) -> RSAKey:
    """The RSA signing key kept as PEM (private key, then its certificate) at `path`.

    Its JWK carries `kid` (RFC 7638 thumbprint), `use`, `alg` RS256, `x5c`, `x5t` and `x5t#S256`.
    With `create` a 2048-bit key and a self-signed certificate are made when absent; without,
    MissingSecret is raised.
    """
    if not path.exists():
        if not create:
            raise MissingSecret(f"{path} is missing. Put an RSA private key and its certificate there, as PEM.")
        write_private(path, _new_key_and_certificate(path.stem))
    pem = path.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    key = RSAKey.import_key(pem[: pem.index(b"-----BEGIN CERTIFICATE")])
    thumbprint = key.thumbprint()
    return RSAKey.import_key(
        key.as_dict(private=True)
        | {
            "kid": thumbprint,
            "use": "sig",
            "alg": "RS256",
            "x5c": [base64.b64encode(certificate).decode()],
            "x5t": _base64url(hashlib.sha1(certificate, usedforsecurity=False).digest()),
            "x5t#S256": _base64url(hashlib.sha256(certificate).digest()),
        }
    )


def jwks(*keys: RSAKey | ECKey) -> dict[str, Any]:
    """The JWK Set document of the public halves of `keys` (RFC 7517 §5)."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def algorithm_of(key: RSAKey | ECKey) -> str:
    """How `key` signs: its own `alg`, else RS256 for RSA and ES256 for elliptic curves."""
    said = key.as_dict(private=False).get("alg")
    return said if isinstance(said, str) else "ES256" if isinstance(key, ECKey) else "RS256"


def sign(claims: dict[str, Any], key: RSAKey | ECKey, *, typ: str = "JWT", alg: str = "RS256", **header: Any) -> str:
    """`claims` as a compact JWS by `key`, with `kid` (and any further `header`) in its header."""
    return jwt.encode({"alg": alg, "typ": typ, "kid": key.kid, **header}, claims, key, algorithms=[alg])


def verify(token: str, keys: KeySet | RSAKey | ECKey, *, algorithms: list[str] | None = None) -> dict[str, Any]:
    """The claims of the compact JWS `token`, its signature verified by `keys`.

    Only asymmetric algorithms pass (never `none`, never HMAC). The claims themselves are the
    caller's to check. Raises joserfc.errors.JoseError (or ValueError when it is no JWS at all).
    """
    return dict(jwt.decode(token, keys, algorithms=algorithms or ASYMMETRIC).claims)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new_key_and_certificate(name: str) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"janani {name}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=730))
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
