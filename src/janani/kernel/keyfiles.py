"""Private keys from files: PEM, JWK (or a set of them) and PKCS#12, as JWKs with their certificate.

Java KeyStores are refused with the command that converts one: the only Python reader of that format has had no release
since 2020, and Java itself has written PKCS#12 by default since version 9.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from janani.kernel.problems import RefusesToStart

ASYMMETRIC = ["RS256", "PS256", "ES256"]
SigningKey = RSAKey | ECKey
_JAVA = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_LEAST_BITS = 2048
_VALID = timedelta(days=730)


class BadKeyFile(RefusesToStart):
    """A file with a key can't be used. Its text says which, why, and what to do; never its content."""


def read_key(path: Path, *, password: str = "", alias: str = "", alg: str = "", kid: str = "") -> SigningKey:
    """The private signing key in `path`, whatever the format, as a JWK.

    Args:
        password: of a PKCS#12 file or an encrypted PEM.
        alias: name of the entry, where a file has names (PKCS#12 friendly name, `kid` in a JWK Set).
        alg: how it signs (RS256, PS256, ES256); empty: RS256 for RSA, ES256 for P-256.
        kid: what it is published as; empty: its own, else its RFC 7638 thumbprint.

    The JWK carries `kid`, `use`, `alg` and, where there is a certificate, `x5c`, `x5t`, `x5t#S256`. Raises BadKeyFile.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadKeyFile(f"{path} can't be read: {error.strerror}.") from error
    try:
        if content.lstrip().startswith(b"{"):
            return _of_jwk(path, content, alias, alg, kid)
        if content.startswith(_JAVA):
            raise BadKeyFile(_java_words(path, alias))
        key, certificates = (
            _of_pem(content, password) if b"-----BEGIN" in content else _of_pkcs12(path, content, password, alias)
        )
    except (ValueError, TypeError, JoseError, msgspec.DecodeError) as error:
        raise BadKeyFile(f"{path} holds no private key that can be used: {error}") from error
    return described(path, key, certificates, alg, kid)


def described(path: Path, key: Any, certificates: Sequence[x509.Certificate], alg: str, kid: str) -> SigningKey:
    """`key` (of cryptography) as a JWK with `kid`, `use`, `alg` and certificate. Raises BadKeyFile."""
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _LEAST_BITS:
        known: tuple[str, ...] = ("RS256", "PS256")
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        known = ("ES256",)
    else:
        raise BadKeyFile(f"{path}: the key must be RSA of {_LEAST_BITS} bits or more, or on the curve P-256.")
    if alg and alg not in known:
        raise BadKeyFile(f"{path}: this key can't sign {alg!r}; expected one of: {', '.join(known)}.")
    if certificates and _public(certificates[0].public_key()) != _public(key.public_key()):
        raise BadKeyFile(f"{path}: the certificate belongs to another key.")
    kind = RSAKey if len(known) > 1 else ECKey
    bare = kind(key, key)  # as it is: OpenSSL looked for factors when it was read, which takes long, and would again
    named = {"kid": kid or bare.thumbprint(), "use": "sig", "alg": alg or known[0]}
    return kind(key, bare.as_dict(private=True) | named | _certified(certificates))


def new_pem(name: str, now: datetime | None = None, *, curve: bool = False) -> bytes:
    """A new private key (RSA 2048, or P-256) and its self-signed certificate of two years, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1()) if curve else rsa.generate_private_key(65537, _LEAST_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"janani {name}")])
    now = now or datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _certified(certificates: Sequence[x509.Certificate]) -> dict[str, Any]:
    chain = [one.public_bytes(serialization.Encoding.DER) for one in certificates]
    if not chain:
        return {}
    return {
        "x5c": [base64.b64encode(one).decode() for one in chain],
        "x5t": _base64url(hashlib.sha1(chain[0], usedforsecurity=False).digest()),
        "x5t#S256": _base64url(hashlib.sha256(chain[0]).digest()),
    }


def _of_pem(content: bytes, password: str) -> tuple[Any, list[x509.Certificate]]:
    key = serialization.load_pem_private_key(content, password.encode() or None)
    certificates = x509.load_pem_x509_certificates(content) if b"BEGIN CERTIFICATE" in content else []
    return key, certificates


def _of_pkcs12(path: Path, content: bytes, password: str, alias: str) -> tuple[Any, list[x509.Certificate]]:
    store = pkcs12.load_pkcs12(content, password.encode() or None)
    if store.key is None:
        raise BadKeyFile(f"{path} holds certificates only, no private key.")
    found = (store.cert.friendly_name or b"").decode("utf-8", "replace") if store.cert else ""
    if alias and found and found.casefold() != alias.casefold():
        raise BadKeyFile(
            f"{path}: its key is named {found!r}, not {alias!r}. A file with several keys is read no further than the "
            f"first; export the one you mean: keytool -importkeystore -srckeystore {path.name} -srcalias {alias} "
            f"-destkeystore {alias}.p12 -deststoretype PKCS12"
        )
    chain = [store.cert, *store.additional_certs] if store.cert else []
    return store.key, [one.certificate for one in chain]


def _of_jwk(path: Path, content: bytes, alias: str, alg: str, kid: str) -> SigningKey:
    document = msgspec.json.decode(content, type=dict[str, Any])
    found = document.get("keys", [document])
    named = [
        one for one in found if isinstance(one, dict) and _asymmetric(one) and (not alias or one.get("kid") == alias)
    ]
    if len(named) != 1:
        raise BadKeyFile(
            f"{path}: expected one private key{f' with kid {alias!r}' if alias else ''}, found {len(named)}."
        )
    [one] = named
    plain = {
        name: value for name, value in one.items() if name not in ("use", "key_ops", "alg", "x5c", "x5t", "x5t#S256")
    }
    key = import_key(plain)
    certificates = [x509.load_der_x509_certificate(base64.b64decode(text)) for text in one.get("x5c", [])]
    return described(path, key.private_key, certificates, alg or one.get("alg", ""), kid or one.get("kid", ""))


def _asymmetric(member: dict[str, Any]) -> bool:
    return member.get("kty") in ("RSA", "EC") and "d" in member


def _java_words(path: Path, alias: str) -> str:
    entry = f" -srcalias {alias}" if alias else ""
    return (
        f"{path} is a Java KeyStore, which is not read here. Convert it: keytool -importkeystore "
        f"-srckeystore {path.name}{entry} -destkeystore {path.stem}.p12 -deststoretype PKCS12"
    )


def _public(key: Any) -> bytes:
    found: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
