"""Personal access tokens in DHIS2's form (Web API, "Personal access token"). Pure."""

import secrets
import string
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from janani.registry.problems import Refusal

_DEFAULT_LIFE = timedelta(days=30)
_LAST = 253_402_214_400_000  # the last day of the year 9999, in milliseconds
_ALPHABET = string.ascii_letters + string.digits


def key() -> str:
    """`d2pat_`, 32 random letters and digits, and the CRC-32 of what stands before it in ten digits."""
    body = "d2pat_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return f"{body}{zlib.crc32(body.encode()):010d}"


def expiry(body: bytes, now: datetime) -> datetime:
    """When a token made with request `body` ends: its `expire` (epoch ms), else in thirty days. Raises Refusal."""
    try:
        asked: Any = msgspec.json.decode(body or b"{}", type=dict[str, Any]).get("expire")
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Invalid JSON: {error}") from error
    if asked is None:
        return now + _DEFAULT_LIFE
    if type(asked) is not int or not now.timestamp() * 1000 < asked <= _LAST:
        raise Refusal(400, "expire must be an instant in the future, in milliseconds.")
    return datetime.fromtimestamp(asked / 1000, UTC)
