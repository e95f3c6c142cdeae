"""Tells clients that a person withdrew consent: a signed event (RFC 8417), pushed (RFC 8935), tried until taken.

A row stands for each before it is sent, so nothing is lost when this process ends. The same event keeps its `jti`:
who gets it twice can tell.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from janani.esignet.people import pairwise_subject
from janani.esignet.provider import SQL, Provider, Row
from janani.kernel.jose import sign

WITHDRAWN = "urn:janani:event:consent-withdrawn"
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=7)
_ANSWER_SECONDS = 5.0
_LEASE = timedelta(seconds=120)


def event(idp: Provider, notice: Row) -> str:
    """The security event token of a withdrawal; its subject is the person's at that client (RFC 9493 §3.2.3)."""
    subject = pairwise_subject(idp.pairwise_key, notice["relying_party_id"], notice["individual_id"])
    claims: dict[str, Any] = {
        "iss": idp.token_issuer,
        "aud": notice["client_id"],
        "iat": int(idp.now().timestamp()),
        "toe": int(notice["withdrawn_at"].timestamp()),
        "jti": notice["jti"],
        "sub_id": {"format": "iss_sub", "iss": idp.token_issuer, "sub": subject},
        "events": {WITHDRAWN: {"claims": notice["claims"], "scopes": notice["scopes"]}},
    }
    return sign(claims, idp.key, typ="secevent+jwt", alg=idp.options.signing_algorithm)


def wait_after(tries: int) -> timedelta:
    """How long to wait after the `tries`-th try failed."""
    doublings = min(tries - 1, 20)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


async def tell(idp: Provider) -> None:
    """Sends what is due, a few beside each other (as many as `notices_due` takes)."""
    now = idp.now()
    due = [row async for row in SQL.notices_due(idp.pool, now=now, leased_until=now + _LEASE)]
    await asyncio.gather(*(_tell(idp, notice) for notice in due))


async def _tell(idp: Provider, notice: Row) -> None:
    fault = await _push(idp, notice)
    outcome = await _keep(idp, notice, fault, idp.now())
    await idp.note(
        "withdrawal_told", outcome, client=notice["client_id"], person=notice["person_id"], reason=fault or None
    )


async def _push(idp: Provider, notice: Row) -> str:
    """Sends one; what went wrong, empty when it was taken. The status is the answer (RFC 8935 §2.2): no body is read.

    httpx's own limits are on each read: who sends a byte at a time would never reach them.
    """
    if not notice["address"]:
        return "no address any more"
    headers = {"content-type": "application/secevent+jwt", "accept": "application/json"}
    signed = event(idp, notice)
    try:
        async with (
            asyncio.timeout(_ANSWER_SECONDS),
            idp.http.stream("POST", notice["address"], content=signed, headers=headers) as answer,
        ):
            return "" if answer.is_success else f"HTTP {answer.status_code}"
    except Exception as error:  # an address may be wrong in many ways; one client's must not keep it from others
        return type(error).__name__


async def _keep(idp: Provider, notice: Row, fault: str, now: datetime) -> str:
    if not fault:
        await SQL.end_notice(idp.pool, id=notice["id"], told_at=now)
        return "ok"
    lasting = bool(notice["address"]) and now - notice["withdrawn_at"] < GIVE_UP_AFTER
    next_try = now + wait_after(notice["tries"]) if lasting else None
    await SQL.put_off_notice(idp.pool, id=notice["id"], next_try_at=next_try, fault=fault)
    return "put_off" if lasting else "given_up"
