"""Cards for tests: claim 169 signed in every way a card may be, and in ways it may not."""

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from janani.esignet.card import base45

ISSUER = "https://mosip.example"
NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
KAMALA = {1: "965741234V", 4: "Kamala Perera", 8: "19960512", 9: 2, 10: "12 Lake Road\nKandy", 12: "+94771234567"}


@dataclass
class Card:
    """A card; change what is wrong with it."""

    key: Any
    kid: bytes | None = b"key-1"
    alg: int | None = -8
    identity: Any = field(default_factory=lambda: dict(KAMALA))
    claims: dict[Any, Any] = field(default_factory=dict)  # overrides; None removes
    header: dict[Any, Any] = field(default_factory=dict)
    unprotected: dict[Any, Any] = field(default_factory=dict)
    tag: int | None = 18

    def text(self) -> str:
        seconds = int(NOW.timestamp())
        claims = {1: ISSUER, 4: seconds + 3600, 5: seconds - 60, 6: seconds - 60, 169: self.identity} | self.claims
        payload = cbor2.dumps({name: value for name, value in claims.items() if value is not None})
        header = {name: value for name, value in ((1, self.alg), (4, self.kid)) if value is not None} | self.header
        protected = cbor2.dumps(header)
        signature = _signature(self.key, self.alg, cbor2.dumps(["Signature1", protected, b"", payload]))
        parts: Any = [protected, self.unprotected, payload, signature]
        return wrapped(parts if self.tag is None else cbor2.CBORTag(self.tag, parts))


def wrapped(item: Any) -> str:
    """Any CBOR item as the text of a code."""
    return base45(zlib.compress(cbor2.dumps(item)))


def jwk(key: Any, kid: str = "key-1") -> dict[str, Any]:
    """The public half as it stands in a JWK Set."""
    kind = {ed25519.Ed25519PrivateKey: OKPKey, ec.EllipticCurvePrivateKey: ECKey, rsa.RSAPrivateKey: RSAKey}
    found = next(one for private, one in kind.items() if isinstance(key, private))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {**found.import_key(pem).as_dict(private=False), "kid": kid, "use": "sig"}


def _signature(key: Any, alg: int | None, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if alg == -37:
        return key.sign(data, padding.PSS(padding.MGF1(SHA256()), salt_length=32), SHA256())
    return key.sign(data, padding.PKCS1v15(), SHA256())
