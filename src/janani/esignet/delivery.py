"""The way of codes to people: a durable row each, sent by a gateway, tried again, dropped when the code has lapsed.

Any number of processes may run `work`: each row is leased by one. A process that dies leaves its rows to the others.
"""

import asyncio
import hashlib
import hmac
import os
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from janani.esignet import gateways
from janani.esignet.gateways import Message, NotSent
from janani.esignet.provider import CODES, Provider, Row
from janani.kernel.secrets import MissingSecret
from janani.kernel.telemetry import log, place_of

LEASE = timedelta(seconds=2 * gateways.SECONDS)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(seconds=30)
POLL_SECONDS = 1.0
_NONCE = 12


def seal(pairwise_key: bytes, message: Message) -> bytes:
    """`message` as it waits in the database: encrypted, because it has a code and an address."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_key(pairwise_key)).encrypt(nonce, msgspec.json.encode(message), None)


def unseal(pairwise_key: bytes, sealed: bytes) -> Message:
    """What was sealed. Raises InvalidTag when another key sealed it."""
    text = AESGCM(_key(pairwise_key)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
    return msgspec.json.decode(text, type=Message)


def _key(pairwise_key: bytes) -> bytes:
    return hmac.digest(pairwise_key, b"messages on their way", hashlib.sha256)


def wait_after(tries: int) -> timedelta:
    """How long after the `tries`-th failure it is tried again: 2, 4, 8, 16, then 30 seconds."""
    return min(FIRST_WAIT * 2.0 ** min(tries - 1, 10), LONGEST_WAIT)


async def work(idp: Provider) -> None:
    """Sends what is due, for as long as the application runs. Outside the sandbox only."""
    while True:
        try:
            found = await send_due(idp)
        except Exception as error:  # the database is away, or a bug: next time
            log("esignet").warning("deliveries_stopped", error=type(error).__name__, place=place_of(error))
            found = 0
        if not found:
            await asyncio.sleep(POLL_SECONDS)


async def send_due(idp: Provider) -> int:
    """Sends the messages that are due now, side by side; how many there were."""
    now = idp.now()
    due = [row async for row in CODES.claim_deliveries(idp.pool, now=now, leased_until=now + LEASE)]
    await asyncio.gather(*(_send(idp, row) for row in due))
    return len(due)


async def _send(idp: Provider, row: Row) -> None:
    if row["expires_at"] <= idp.now():
        await _end(idp, row, "otp_dropped", "lapsed")
        return
    try:
        message = unseal(idp.pairwise_key, bytes(row["sealed"]))
        await gateways.send(idp.settings, idp.http, row["channel"], message)
    except InvalidTag:
        await _end(idp, row, "otp_dropped", "sealed_by_another_key")
    except MissingSecret:
        await _again(idp, row, "missing_secret")
    except NotSent as fault:
        if fault.final:
            await _end(idp, row, "otp_dropped", fault.reason)
        else:
            await _again(idp, row, fault.reason)
    except Exception as error:  # one message must not hold up the others
        log("esignet").error("code_not_sendable", error=type(error).__name__, place=place_of(error))
        await _again(idp, row, type(error).__name__)
    else:
        await _end(idp, row, "otp_delivered", row["channel"])


async def _again(idp: Provider, row: Row, reason: str) -> None:
    """Puts the row off, if its code will still be good then."""
    _say(row, reason)
    at: datetime = idp.now() + wait_after(row["tries"])
    if at >= row["expires_at"]:
        await _end(idp, row, "otp_dropped", reason)
    else:
        await CODES.put_off_delivery(idp.pool, next_try_at=at, id=row["id"])


async def _end(idp: Provider, row: Row, event: str, outcome: str) -> None:
    if event == "otp_dropped":
        _say(row, outcome, dropped=True)
    await CODES.end_delivery(
        idp.pool,
        id=row["id"],
        now=idp.now(),
        event=event,
        outcome=outcome,
        transaction_number=row["transaction_number"],
    )


def _say(row: Row, reason: str, **more: Any) -> None:
    log("esignet").warning(
        "code_not_sent", delivery=row["id"], channel=row["channel"], tries=row["tries"], reason=reason, **more
    )
