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

from janani.esignet.attempts import check_person, counted_since, read_naming, source_of, strike
from janani.esignet.delivery import seal
from janani.esignet.envelope import Fault, success
from janani.esignet.gateways import Message, channels
from janani.esignet.incoming import Http, csrf_guard, same_transaction
from janani.esignet.people import masked_email, masked_phone
from janani.esignet.problems import Refused
from janani.esignet.provider import CODES, SQL, Idp, Provider, Row
from janani.esignet.vocabulary import CHANNELS
from janani.kernel import i18n
from janani.kernel.http import Sent
from janani.kernel.i18n import _

SANDBOX_DIGIT = "1"  # a code of ones, in the sandbox only
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


def draw(length: int) -> str:
    """`length` random digits."""
    return f"{secrets.randbelow(10**length):0{length}d}"


def hashed(key: bytes, transaction: str, person: int, code: str) -> bytes:
    """What is kept of a code: a keyed hash that holds for one transaction and one person."""
    return hmac.digest(key, f"{transaction}:{person}:{code}".encode(), hashlib.sha256)


def judge(key: bytes, row: Row, person: int, entered: str, *, now: datetime, sandbox: bool, length: int = 6) -> Verdict:
    """The verdict on `entered` for the code kept in the transaction `row`. Takes the same time for every code."""
    right = hmac.compare_digest(hashed(key, row["id"], person, entered), row["otp_hash"])
    demo = hmac.compare_digest(entered.encode(), (SANDBOX_DIGIT * length).encode()) and sandbox
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
    source = source_of(idp, request)
    body, row = await read_naming(request, idp, SendOtp, send_faults, source)
    same_transaction(row, body.transaction_id or "")
    if row["sends"] >= SENDS:
        raise await no_more(idp, row, source)
    try:
        await check_person(idp, row, source)
        addresses = _addresses(msgspec.json.decode(row["identity"]), body.otp_channels or [])
        if not addresses:
            raise Refused("no_email_mobile_found")
        reached = await _send(idp, row, source, addresses)
    except Refused:  # what fails counts, too; what succeeds counts itself
        if (await SQL.count_send(idp.pool, id=row["id"]) or 0) > SENDS:
            raise await no_more(idp, row, source) from None
        raise
    answer = {
        "transactionId": row["id"],
        "maskedEmail": masked_email(addresses["email"]) if "email" in reached else None,
        "maskedMobile": masked_phone(addresses["phone"]) if "phone" in reached else None,
    }
    return Sent(success(answer, idp.now()))


async def no_more(idp: Provider, row: Row, source: bytes) -> Refused:
    """The refusal of one try too many in a sign-in. It counts for its source, and locks the person a code was sent to
    in this sign-in, whomever the request names, for `otp_lock_seconds`.
    """
    if row["of_source"] >= idp.options.otp_source_tries:
        return Refused("no_attempts_left", reason="source")
    await strike(idp, row, source, "wrong")
    await SQL.lock_person_of(idp.pool, transaction=row["id"], locked_until=lock_end(idp))
    return Refused("no_attempts_left")


def lock_end(idp: Provider) -> datetime:
    """When a lock that begins now ends."""
    return idp.now() + timedelta(seconds=idp.options.otp_lock_seconds)


def _addresses(identity: dict[str, Any], channels: list[str]) -> dict[str, str]:
    wanted = {channel.lower() for channel in channels}
    return {channel: identity[channel] for channel in CHANNELS if channel in wanted and identity.get(channel)}


async def _send(idp: Provider, row: Row, source: bytes, addresses: dict[str, str]) -> list[str]:
    """Keeps the hash of a new code, and puts the code, in the language of the page, on its way; the channels it goes.

    Raises Refused `send_otp_failed` when none of the addresses has a gateway, `individual_id_blocked` when the person
    was sent too many codes that were not used.
    """
    sandbox = idp.settings.sandbox
    ways = {way: to for way, to in addresses.items() if sandbox or way in channels(idp.settings)}
    if not ways:
        raise Refused("send_otp_failed")
    code, now, person = draw(idp.options.otp_length), idp.now(), row["asked"]
    i18n.use(i18n.choose((msgspec.json.decode(row["request"]).get("uiLocales") or "en").split(), "esignet/"))
    text = _("%(code)s is your code to sign in. Do not tell it to anyone.") % {"code": code}
    messages = [Message(to, _("Your code to sign in"), text) for to in ways.values()]
    done = await CODES.send_code(
        idp.pool,
        id=row["id"],
        most=SENDS,
        most_of_person=idp.options.otp_sends,
        since=counted_since(idp),
        otp_hash=hashed(idp.otp_key, row["id"], person, code),
        person_id=person,
        otp_expires_at=now + timedelta(seconds=idp.options.otp_seconds),
        now=now,
        source=source,
        inbox_channels=list(ways) if sandbox else [],
        inbox_addresses=list(ways.values()) if sandbox else [],
        inbox_texts=[text] * len(ways) if sandbox else [],
        channels=[] if sandbox else list(ways),
        sealed=[] if sandbox else [seal(idp.pairwise_key, message) for message in messages],
    )
    if not done["allowed"]:
        raise Refused("individual_id_blocked", reason="sends")
    if not done["sent"]:
        raise Refused("invalid_transaction")
    return list(ways)
