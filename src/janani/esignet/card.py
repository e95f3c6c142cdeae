"""A person's card: MOSIP's signed QR code (claim 169), issued in the sandbox with the key that signs tokens.

The other end is the relying party's `offline`; the format is described there. eSignet itself issues no cards, MOSIP's
print services do, so this is no part of its protocol.
"""

import zlib
from datetime import datetime, timedelta
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey

VALID = timedelta(days=3650)
_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_RS256, _ALG, _KID, _SIGN1 = -257, 1, 4, 18
_ISS, _EXP, _NBF, _IAT, _IDENTITY = 1, 4, 5, 6, 169
_GENDERS = {"male": 1, "female": 2}
_OTHER = 3


def card_text(identity: dict[str, Any], *, issuer: str, key: RSAKey, now: datetime) -> str:
    """The text of the QR code of a person, signed by `key` (RS256), good for ten years.

    Args:
        identity: the stored record (`people.Identity` as JSON).
        issuer: `iss`, as in the provider's metadata.
    """
    seconds = int(now.timestamp())
    token = {
        _ISS: issuer,
        _EXP: seconds + int(VALID.total_seconds()),
        _NBF: seconds,
        _IAT: seconds,
        _IDENTITY: _attributes(identity),
    }
    protected, payload = cbor2.dumps({_ALG: _RS256, _KID: str(key.kid).encode()}), cbor2.dumps(token)
    signing: Any = key.get_op_key("sign")
    data = cbor2.dumps(["Signature1", protected, b"", payload])
    signature = signing.sign(data, padding.PKCS1v15(), SHA256())
    return base45(zlib.compress(cbor2.dumps(cbor2.CBORTag(_SIGN1, [protected, {}, payload, signature])), 9))


def base45(data: bytes) -> str:
    """`data` in the characters that QR codes hold densest (RFC 9285 §3)."""
    found = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        number = int.from_bytes(pair, "big")
        found += [_BASE45[number // 45**place % 45] for place in range(len(pair) + 1)]
    return "".join(found)


def _attributes(identity: dict[str, Any]) -> dict[int, Any]:
    """The attributes of claim 169 that are on record."""
    gender = _english(identity.get("gender"))
    lines = [identity.get("streetAddress"), identity.get("locality"), identity.get("region"), identity.get("country")]
    texts = [_english(line) for line in lines]
    texts[1] = " ".join(part for part in (identity.get("postalCode", ""), texts[1]) if part)
    found = {
        1: identity["individualId"],
        3: "eng",
        4: _english(identity.get("fullName")),
        8: identity["dateOfBirth"].replace("/", ""),
        9: _GENDERS.get(gender.lower(), _OTHER) if gender else None,
        10: "\n".join(text for text in texts if text),
        11: identity.get("email"),
        12: identity.get("phone"),
    }
    return {number: value for number, value in found.items() if value}


def _english(text: str | dict[str, str] | None) -> str:
    """A text of the identity system in English, else in its first language."""
    if isinstance(text, dict):
        return text.get("eng") or next(iter(text.values()), "")
    return text or ""
