"""A person by the signed QR code on her card, with the network away (MOSIP "169 – QR Code Specification"). Pure.

    base45 (RFC 9285) → zlib → COSE_Sign1 (RFC 9052 §4.2) → CWT (RFC 8392) → claim 169: her data under small numbers

It proves what the issuer wrote on the card; not that the card is hers. So an identity read here is to be confirmed
online later. Everything is limited in size before it is believed, and decoded no further than needed before the
signature is verified.
"""

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from msgspec import Struct

LARGEST_TEXT = 4296
"""Characters of the largest QR code (version 40, level L, alphanumeric)."""
_LARGEST_BYTES = 64 * 1024
_DEPTH = 8
_SKEW = timedelta(seconds=60)
_RSA_BITS = 2048
_OF_A_KEY = ("kty", "kid", "n", "e", "crv", "x", "y")
_BASE45 = {sign: value for value, sign in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")}
_SIGN1, _CWT = 18, 61
_ALG, _CRIT, _KID = 1, 2, 4
_ISS, _SUB, _EXP, _NBF, _IAT, _IDENTITY = 1, 2, 4, 5, 6, 169
_GENDERS = {"1": "Male", "2": "Female", "3": "Others"}


class CardError(Exception):
    """A code that can't be trusted, or not now.

    `code`: card_unreadable, card_forged, card_unknown_key, card_other_issuer, card_expired, card_not_yet_valid,
    card_keys_missing.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderKeys(Struct, frozen=True):
    """What was fetched of a provider while it could be reached: `jwks` are the members of its JWK Set.

    `issuers` are the values of `iss` to take; the first is the provider's own name.
    """

    issuers: tuple[str, ...]
    jwks: list[dict[str, Any]]
    fetched_at: datetime


class OfflineIdentity(Struct, frozen=True):
    """What the card says, `claims` under OpenID Connect's names; `subject` is empty on most cards."""

    issuer: str
    subject: str
    claims: dict[str, Any]
    issued_at: datetime | None
    expires_at: datetime


class _Signed(Struct, frozen=True):
    """The parts of a COSE_Sign1."""

    protected: bytes
    header: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes
    signature: bytes


def read(text: str, keys: ProviderKeys, now: datetime) -> OfflineIdentity:
    """The identity in the QR code's `text`, signed by one of `keys` and valid at `now`. Raises CardError."""
    signed = _signed(_inflated(_base45(text.strip("\r\n\t"))))
    _check_signature(signed, keys.jwks)
    token = _map(_cbor(signed.payload, _CWT))
    issuer = token.get(_ISS)
    if not isinstance(issuer, str) or issuer not in keys.issuers:
        raise CardError("card_other_issuer")
    expires_at = _check_times(token, now)
    subject = token.get(_SUB)
    return OfflineIdentity(
        issuer=keys.issuers[0],
        subject=subject if isinstance(subject, str) else "",
        claims=_claims(_map(_nested(token.get(_IDENTITY)))),
        issued_at=_instant(token.get(_IAT)),
        expires_at=expires_at,
    )


def signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """What a COSE_Sign1 signs: its Sig_structure (RFC 9052 §4.4), without external data."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def _base45(text: str) -> bytes:
    """The bytes of a base45 text (RFC 9285 §4). Raises CardError."""
    try:
        values = [_BASE45[sign] for sign in text] if 0 < len(text) <= LARGEST_TEXT else []
    except KeyError as error:
        raise CardError("card_unreadable") from error
    found = bytearray()
    for at in range(0, len(values), 3):
        group = values[at : at + 3]
        number = sum(value * 45**place for place, value in enumerate(group))
        if len(group) == 1 or number >= 256 ** (len(group) - 1):
            raise CardError("card_unreadable")
        found += number.to_bytes(len(group) - 1, "big")
    return bytes(found)


def _inflated(data: bytes) -> bytes:
    """`data` without its zlib layer; never more than 64 KiB of it. Raises CardError."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, _LARGEST_BYTES)
    except zlib.error as error:
        raise CardError("card_unreadable") from error
    if not stream.eof or stream.unused_data:
        raise CardError("card_unreadable")
    return found


def _signed(data: bytes) -> _Signed:
    parts = _cbor(data, _CWT, _SIGN1)
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise CardError("card_unreadable")
    protected, unprotected, payload, signature = parts
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise CardError("card_unreadable")
    header = _map(_cbor(protected)) if protected else {}
    return _Signed(protected, header, _map(unprotected), payload, signature)


def _cbor(data: bytes, *tags: int) -> Any:
    """The one CBOR item in `data`, without the `tags` around it. Raises CardError."""
    try:
        found = cbor2.loads(data, max_depth=_DEPTH, allow_duplicate_keys=False)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise CardError("card_unreadable") from error
    for tag in tags:
        if isinstance(found, cbor2.CBORTag) and found.tag == tag:
            found = found.value
    return found


def _nested(value: Any) -> Any:
    """Claim 169 as the map it is, or as the bytes of one, as some issuers write it."""
    return _cbor(value) if isinstance(value, bytes) else value


def _map(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise CardError("card_unreadable")
    return value


def _check_signature(signed: _Signed, jwks: Sequence[Mapping[str, Any]]) -> None:
    """The algorithm is named where it is signed, and belongs to the key's kind: no other can be talked into.

    Raises CardError.
    """
    if _CRIT in signed.header:  # extensions that must be understood, of which we know none
        raise CardError("card_unreadable")
    jwk = _key_named(signed.header.get(_KID, signed.unprotected.get(_KID)), jwks)
    verify = _VERIFIERS.get(_number(signed.header.get(_ALG)))
    if verify is None:
        raise CardError("card_forged")
    try:
        key = import_key({name: jwk[name] for name in _OF_A_KEY if name in jwk}).get_op_key("verify")
        verify(key, signed.signature, signed_bytes(signed.protected, signed.payload))
    except (JoseError, InvalidSignature, ValueError, TypeError) as error:
        raise CardError("card_forged") from error


def _key_named(kid: Any, jwks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The key with this `kid` (bytes in COSE); without one only a lone key can be meant. Raises CardError."""
    signing = [one for one in jwks if one.get("use", "sig") == "sig"]
    if kid is not None:
        signing = [one for one in signing if isinstance(kid, bytes) and str(one.get("kid", "")).encode() == kid]
    if len(signing) != 1:
        raise CardError("card_unknown_key")
    return signing[0]


def _ed25519(key: Any, signature: bytes, data: bytes) -> None:
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise TypeError("another kind of key")
    key.verify(signature, data)


def _es256(key: Any, signature: bytes, data: bytes) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("another kind of key")
    if len(signature) != 64:
        raise ValueError("not two numbers of 32 bytes (RFC 9053 §2.1)")
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))


def _rs256(key: Any, signature: bytes, data: bytes) -> None:
    _rsa(key).verify(signature, data, padding.PKCS1v15(), SHA256())


def _ps256(key: Any, signature: bytes, data: bytes) -> None:
    _rsa(key).verify(signature, data, padding.PSS(padding.MGF1(SHA256()), salt_length=32), SHA256())


def _rsa(key: Any) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _RSA_BITS:
        raise TypeError("another kind of key")
    return key


_VERIFIERS = {-8: _ed25519, -7: _es256, -37: _ps256, -257: _rs256}
"""COSE's numbers of the signatures that are taken (RFC 9053 §2, RFC 8812 §2)."""


def _check_times(token: Mapping[Any, Any], now: datetime) -> datetime:
    """When the card runs out; one that never does is not taken. Raises CardError."""
    expires_at = _instant(token.get(_EXP))
    if expires_at is None:
        raise CardError("card_unreadable")
    if now >= expires_at + _SKEW:
        raise CardError("card_expired")
    for name in (_NBF, _IAT):
        begins = _instant(token.get(name))
        if begins is None and token.get(name) is not None:
            raise CardError("card_unreadable")
        if begins is not None and now < begins - _SKEW:
            raise CardError("card_not_yet_valid")
    return expires_at


def _instant(value: Any) -> datetime | None:
    """A NumericDate (RFC 8392 §2): seconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CardError("card_unreadable") from error


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _claims(identity: Mapping[Any, Any]) -> dict[str, Any]:
    """Claim 169's attributes (§3 of its specification) under the names OpenID Connect has for them."""
    said = {number: text for number in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12) if (text := _text(identity.get(number)))}
    name = said.get(4) or " ".join(said[number] for number in (5, 6, 7) if number in said)
    born = said.get(8, "")
    found = {
        "individual_id": said.get(1),
        "name": name,
        "given_name": said.get(5),
        "family_name": said.get(7),
        "birthdate": f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 and born.isdigit() else born,
        "gender": _GENDERS.get(said.get(9, "")),
        "address": {"formatted": said[10]} if 10 in said else None,
        "email": said.get(11),
        "phone_number": said.get(12),
    }
    return {claim: value for claim, value in found.items() if value}


def _text(value: Any) -> str:
    """A text, or a number that the specification's versions write either way (gender)."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def keys_of(document: bytes) -> list[dict[str, Any]]:
    """The members of a JWK Set document that may sign; secrets are never kept. Raises ValueError."""
    keys = msgspec.json.decode(document, type=dict[str, Any]).get("keys")
    if not isinstance(keys, list):
        raise ValueError("no JWK Set")
    public = [one for one in keys if isinstance(one, dict) and one.get("kty") in ("RSA", "EC", "OKP")]
    return [{name: one[name] for name in (*_OF_A_KEY, "use") if name in one} for one in public]
