"""One-time codes: drawing, hashing, judging, sending (reference §4.3). A code is bound to transaction and person."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import msgspec
from litestar import Response, post
from msgspec import Struct

from janani.esignet.delivery import deliver
from janani.esignet.envelope import Fault, success
from janani.esignet.identity import normal_number
from janani.esignet.incoming import Http, bound_transaction, csrf_guard, read, same_transaction
from janani.esignet.people import masked_email, masked_phone
from janani.esignet.problems import Refused
from janani.esignet.provider import SQL, Idp, Provider, Row
from janani.esignet.vocabulary import CHANNELS
from janani.kernel import i18n
from janani.kernel.i18n import _

SANDBOX_CODE = "111111"
SENDS = 3


class Verdict(Enum):
    """What a code that was entered is."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"


class SendOtp(Struct, rename="camel", forbid_unknown_fields=True):
    """The request of send-otp. The captcha token is read and not used: no captcha is configured."""

    transaction_id: str | None = None
    individual_id: str | None = None
    otp_channels: list[str] | None = None
    captcha_token: str | None = None


def draw() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(1_000_000):06d}"


def hashed(key: bytes, transaction: str, person: int, code: str) -> bytes:
    """What is kept of a code: a keyed hash that holds for one transaction and one person."""
    return hmac.digest(key, f"{transaction}:{person}:{code}".encode(), hashlib.sha256)


def judge(key: bytes, row: Row, person: int, entered: str, *, now: datetime, sandbox: bool) -> Verdict:
    """The verdict on `entered` for the code kept in the transaction `row`. Takes the same time for every code."""
    right = hmac.compare_digest(hashed(key, row["id"], person, entered), row["otp_hash"])
    demo = hmac.compare_digest(entered.encode(), SANDBOX_CODE.encode()) and sandbox
    if row["otp_person_id"] != person or not (right or demo):
        return Verdict.WRONG
    return Verdict.RIGHT if now < row["otp_expires_at"] else Verdict.EXPIRED


def send_faults(request: SendOtp) -> list[Fault]:
    """The faults of a send-otp request, one a field."""
    channels = request.otp_channels or []
    checks = (
        ("transactionId", "invalid_transaction_id", bool((request.transaction_id or "").strip())),
        ("individualId", "invalid_identifier", bool((request.individual_id or "").strip())),
        ("otpChannels", "invalid_otp_channel", channels and all(c.lower() in CHANNELS for c in channels)),
    )
    return [Fault(code, f"request.{field}") for field, code, good in checks if not good]


@post("/v1/esignet/authorization/send-otp", status_code=200, guards=[csrf_guard])
async def send_otp(request: Http, idp: Idp) -> Response[bytes]:
    """Sends a fresh code over the channels asked for; the one sent before is void."""
    row = await bound_transaction(request, idp, "preauth")
    body = await read(request, SendOtp, send_faults, idp.now())
    same_transaction(row, body.transaction_id or "")
    number = normal_number(body.individual_id or "")
    if await SQL.count_send(idp.pool, id=row["id"]) > SENDS:
        await lock(idp, number)
        raise Refused("no_attempts_left")
    person = await unlocked_person(idp, number)
    addresses = _addresses(msgspec.json.decode(person["identity"]), body.otp_channels or [])
    if not addresses:
        raise Refused("no_email_mobile_found")
    await _send(idp, row, person["id"], addresses)
    await idp.note("otp_sent", "ok", transaction=row["number"], client=row["client_id"], person=person["id"])
    answer = {
        "transactionId": row["id"],
        "maskedEmail": masked_email(addresses["email"]) if "email" in addresses else None,
        "maskedMobile": masked_phone(addresses["phone"]) if "phone" in addresses else None,
    }
    return Response(success(answer, idp.now()), media_type="application/json")


async def unlocked_person(idp: Provider, number: str) -> Row:
    """The person with this number. Raises Refused `invalid_individual_id` or `individual_id_blocked`."""
    person = await SQL.person_by_number(idp.pool, number=number, now=idp.now())
    if person is None:
        raise Refused("invalid_individual_id")
    if person["locked_until"] and person["locked_until"] > idp.now():
        raise Refused("individual_id_blocked")
    return person


async def lock(idp: Provider, number: str) -> None:
    """Locks whoever has this number for `otp_lock_seconds`."""
    await SQL.lock_number(idp.pool, number=number, locked_until=lock_end(idp))


def lock_end(idp: Provider) -> datetime:
    """When a lock that begins now ends."""
    return idp.now() + timedelta(seconds=idp.options.otp_lock_seconds)


def _addresses(identity: dict[str, Any], channels: list[str]) -> dict[str, str]:
    wanted = {channel.lower() for channel in channels}
    return {channel: identity[channel] for channel in CHANNELS if channel in wanted and identity.get(channel)}


async def _send(idp: Provider, row: Row, person: int, addresses: dict[str, str]) -> None:
    """Keeps the hash of a new code and delivers the code in the language of the page."""
    code, now = draw(), idp.now()
    await SQL.put_otp(
        idp.pool,
        id=row["id"],
        otp_hash=hashed(idp.otp_key, row["id"], person, code),
        person_id=person,
        otp_expires_at=now + timedelta(seconds=idp.options.otp_seconds),
    )
    i18n.use(i18n.choose((msgspec.json.decode(row["request"]).get("uiLocales") or "en").split()))
    text = _("%(code)s is your code to sign in. Do not tell it to anyone.") % {"code": code}
    await deliver(idp, addresses, text)
