"""The MOSIP envelope around requests and responses (reference §1.1), and the hash that binds later calls (§1.3)."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

LEEWAY = timedelta(minutes=2)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


@dataclass(frozen=True)
class Fault:
    """One entry of `errors`: a code, and the field it is about when it is about one (`request.redirectUri`)."""

    code: str
    field: str = ""

    @property
    def message(self) -> str:
        """`errorMessage`: the code itself, or `<field>: <code>`."""
        return f"{self.field}: {self.code}" if self.field else self.code


def instant(when: datetime) -> str:
    """`when` as `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def time_fault(request_time: str | None, now: datetime) -> list[Fault]:
    """The fault of `requestTime`, if it has one: missing, not exactly the pattern, or 2 minutes or more off."""
    fault = [Fault("invalid_request", "requestTime")]
    if request_time is None or not _TIME.fullmatch(request_time):
        return fault
    try:
        sent = datetime.fromisoformat(request_time)
    except ValueError:
        return fault
    return [] if abs(now - sent) < LEEWAY else fault


def success(response: Any, now: datetime) -> bytes:
    """The envelope of a success. `response` may be msgspec.Raw, which goes out byte for byte."""
    return msgspec.json.encode({"responseTime": instant(now), "response": response, "errors": []})


def failure(faults: Iterable[Fault], now: datetime) -> bytes:
    """The envelope of a failure."""
    errors = [{"errorCode": fault.code, "errorMessage": fault.message} for fault in faults]
    return msgspec.json.encode({"responseTime": instant(now), "response": None, "errors": errors})


def details_hash(response: bytes) -> str:
    """oauth-details-hash of the compact JSON of a `response` object: base64url(SHA-256), unpadded."""
    return base64url(hashlib.sha256(response).digest())


def base64url(data: bytes) -> str:
    """`data` in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sha3(text: str) -> str:
    """base64url(SHA3-256) of `text`: how eSignet makes ids and keeps codes."""
    return base64url(hashlib.sha3_256(text.encode()).digest())
