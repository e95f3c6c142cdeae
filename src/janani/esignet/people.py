"""What of a person a relying party is told: claims, masked addresses, and the pairwise subject."""

import hashlib
import hmac
from typing import Any

from janani.esignet.envelope import base64url
from janani.esignet.vocabulary import three_letters


def pairwise_subject(key: bytes, relying_party_id: str, individual_id: str) -> str:
    """The `sub` of a person at a relying party: 43 characters, stable, unlinkable between parties.

    Keyed, unlike the mock's plain hash, so that no one can try all numbers (reference §6.3).
    """
    text = f"{len(relying_party_id)}:{relying_party_id}:{individual_id}"
    return base64url(hmac.digest(key, text.encode(), hashlib.sha256))


def masked_phone(phone: str) -> str:
    """The first half of the characters and one more become X: `+919427357934` is `XXXXXXX357934`."""
    hidden = len(phone) // 2 + 1
    return "X" * hidden + phone[hidden:]


def masked_email(email: str) -> str:
    """In the local part every character but each third becomes X; the domain stays."""
    local, at, domain = email.rpartition("@")
    return "".join(c if place % 3 == 0 else "X" for place, c in enumerate(local, 1)) + at + domain


def claims_of(
    identity: dict[str, Any], typed_number: str, accepted: list[str], wishes: dict[str, Any], locales: list[str]
) -> dict[str, Any]:
    """The userinfo claims of a person (reference §6.2).

    Args:
        identity: the stored record.
        typed_number: what was typed at sign-in; the claim `individual_id`.
        accepted: the claims the person agreed to. Those not on record are left out.
        wishes: `claims.userinfo` of the request; a `value` or `values` there must match, else the claim is left out.
        locales: language tags; none is English, several give `name#eng`, `name#sin`.
    """
    languages = list(dict.fromkeys(three_letters(tag) for tag in locales)) or ["eng"]
    claims: dict[str, Any] = {}
    for claim in accepted:
        wish = wishes.get(claim) or {}
        allowed = wish.get("values") or ([wish["value"]] if "value" in wish else None)
        for name, value in _claim(claim, identity, typed_number, languages).items():
            if allowed is None or value in allowed:
                claims[name] = value
    return claims


_PLAIN = {"birthdate": "dateOfBirth", "email": "email", "phone_number": "phone", "picture": "encodedPhoto"}
_LOCAL = {"name": "fullName", "gender": "gender"}
_ADDRESS = {
    "street_address": "streetAddress",
    "locality": "locality",
    "region": "region",
    "country": "country",
}


def _claim(claim: str, identity: dict[str, Any], typed_number: str, languages: list[str]) -> dict[str, Any]:
    if claim == "individual_id":
        return {claim: typed_number}
    if claim == "address":
        address: dict[str, Any] = {}
        for name, field in _ADDRESS.items():
            address |= _localised(name, identity.get(field), languages)
        if identity.get("postalCode"):
            address["postal_code"] = identity["postalCode"]
        return {claim: address} if address else {}
    if claim in _LOCAL:
        return _localised(claim, identity.get(_LOCAL[claim]), languages)
    value = identity.get(_PLAIN.get(claim, ""))
    return {claim: value} if value else {}


def _localised(name: str, text: str | dict[str, str] | None, languages: list[str]) -> dict[str, str]:
    texts = {"eng": text} if isinstance(text, str) else text or {}
    if len(languages) == 1:
        return {name: texts[languages[0]]} if texts.get(languages[0]) else {}
    return {f"{name}#{language}": texts[language] for language in languages if texts.get(language)}
