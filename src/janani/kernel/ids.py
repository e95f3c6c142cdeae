"""Identifiers that are not about anything: DHIS2 UIDs, random tokens, name-based UUIDs."""

import hashlib
import re
import secrets
import string
import uuid

_LETTERS = string.ascii_letters
_ALPHABET = string.ascii_letters + string.digits
_UID = re.compile(r"^[A-Za-z][A-Za-z0-9]{10}$")


def uid() -> str:
    """A random DHIS2 UID: a letter, then ten letters or digits."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def uid_of(name: str) -> str:
    """The DHIS2 UID that always belongs to `name`; for rows that may be written twice."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    number, first = divmod(number, len(_LETTERS))
    rest = []
    for _ in range(10):
        number, place = divmod(number, len(_ALPHABET))
        rest.append(_ALPHABET[place])
    return _LETTERS[first] + "".join(rest)


def is_uid(text: str) -> bool:
    """Whether `text` has the form of a DHIS2 UID."""
    return bool(_UID.match(text))


def token(bits: int = 256) -> str:
    """A random URL-safe token of `bits` bits."""
    return secrets.token_urlsafe(bits // 8)


def uuid_of(namespace: uuid.UUID, name: str) -> str:
    """The version 5 UUID of `name` in `namespace`, as text (RFC 9562 §5.5)."""
    return str(uuid.uuid5(namespace, name))
