"""Authentication by one-time code, versions 1 to 3 (reference §4.4)."""

from datetime import timedelta

import msgspec
from litestar import Response, post
from msgspec import Struct

from janani.esignet.attempts import check_person, read_naming, source_of
from janani.esignet.consent import consent_action
from janani.esignet.envelope import Fault, success
from janani.esignet.identity import normal_number
from janani.esignet.incoming import Http, csrf_guard, same_transaction
from janani.esignet.otp import Verdict, judge, lock_end, no_more
from janani.esignet.problems import Refused
from janani.esignet.provider import CODES, SQL, STEPS, Idp, Provider, Row
from janani.esignet.vocabulary import ACR_OF_FACTOR, CHALLENGES
from janani.kernel.http import Sent


class Challenge(Struct, rename="camel", forbid_unknown_fields=True):
    """One proof, such as a one-time code."""

    auth_factor_type: str | None = None
    challenge: str | None = None
    format: str | None = None


class Authenticate(Struct, rename="camel", forbid_unknown_fields=True):
    """The request of authenticate."""

    transaction_id: str | None = None
    individual_id: str | None = None
    challenge_list: list[Challenge] | None = None
    captcha_token: str | msgspec.UnsetType | None = msgspec.UNSET


def authenticate_faults(request: Authenticate, otp_length: int = 6) -> list[Fault]:
    """The faults of an authenticate request, one a field."""
    challenges = request.challenge_list or []
    checks = (
        ("transactionId", "invalid_transaction_id", bool((request.transaction_id or "").strip())),
        ("individualId", "invalid_identifier", bool((request.individual_id or "").strip())),
        ("challengeList", "invalid_no_of_challenges", 1 <= len(challenges) <= 5),
    )
    faults = [Fault(code, f"request.{field}") for field, code, good in checks if not good]
    for place, challenge in enumerate(challenges):
        faults += _challenge_faults(challenge, f"request.challengeList[{place}]", otp_length)
    return faults


def _challenge_faults(challenge: Challenge, at: str, otp_length: int) -> list[Fault]:
    form = CHALLENGES.get(challenge.auth_factor_type or "")
    if form is None:
        return [Fault("invalid_auth_factor_type", f"{at}.authFactorType")]
    if challenge.format != form.format:
        return [Fault("invalid_challenge_format", f"{at}.format")]
    text = challenge.challenge or ""
    shortest, longest = (form.shortest, form.longest) if challenge.auth_factor_type != "OTP" else (otp_length,) * 2
    if not text.strip() or not shortest <= len(text) <= longest:
        return [Fault("invalid_challenge", f"{at}.challenge")]
    return []


@post(
    ["/v1/esignet/authorization/authenticate", "/v1/esignet/authorization/v2/authenticate"],
    status_code=200,
    guards=[csrf_guard],
)
async def authenticate_early(request: Http, idp: Idp) -> Response[bytes]:
    """Versions 1 (answers no consentAction) and 2. Neither knows a captcha."""
    return await _authenticate(request, idp, 2 if "/v2/" in request.scope["path"] else 1)


@post("/v1/esignet/authorization/v3/authenticate", status_code=200, guards=[csrf_guard])
async def authenticate_v3(request: Http, idp: Idp) -> Response[bytes]:
    """Version 3. No captcha is configured, so its token is not looked at."""
    return await _authenticate(request, idp, 3)


async def _authenticate(request: Http, idp: Provider, version: int) -> Response[bytes]:
    source, length, most = source_of(idp, request), idp.options.otp_length, idp.options.otp_attempts
    body, row = await read_naming(request, idp, Authenticate, lambda it: authenticate_faults(it, length), source)
    if version < 3 and body.captcha_token is not msgspec.UNSET:
        raise Refused("unknown_error")
    same_transaction(row, body.transaction_id or "")
    code = next((it.challenge for it in body.challenge_list or [] if it.auth_factor_type == "OTP"), None)
    if code is None:
        raise Refused("auth_factor_mismatch")
    number = normal_number(body.individual_id or "")
    await _check_code(idp, row, code, source)
    action = await consent_action(idp, row, row["asked"]) if version > 1 else "CAPTURE"
    now = idp.now()
    done = await STEPS.authenticated(
        idp.pool,
        id=row["id"],
        most=most,
        otp_hash=row["otp_hash"],
        person_id=row["asked"],
        typed_id=number,
        acr=ACR_OF_FACTOR["OTP"],
        consent_action=action,
        now=now,
        expires_at=now + timedelta(seconds=idp.options.transaction_seconds),
    )
    if not done["moved"]:
        await _count_try(idp, row, source)
        raise Refused("invalid_transaction" if done["free"] else "individual_id_blocked")
    answer = {"transactionId": row["id"]} | ({"consentAction": action} if version > 1 else {})
    return Sent(success(answer, now))


async def _check_code(idp: Provider, row: Row, code: str, source: bytes) -> None:
    """Raises Refused unless it is the code of the person who was named. A right one counts when it moves on.

    `no_attempts_left` (and locks), `invalid_individual_id`, `individual_id_blocked`, `invalid_transaction` (nothing
    sent), `auth_failed`.
    """
    if row["tries"] >= idp.options.otp_attempts:
        raise await no_more(idp, row, source)
    try:
        await check_person(idp, row, source)
        if row["otp_hash"] is None:
            raise Refused("invalid_transaction")
    except Refused:
        await _count_try(idp, row, source)
        raise
    sandbox, length, person = idp.settings.sandbox, idp.options.otp_length, row["asked"]
    verdict = judge(idp.otp_key, row, person, code, now=idp.now(), sandbox=sandbox, length=length)
    if verdict is Verdict.RIGHT:
        return
    if verdict is Verdict.WRONG:
        await _count_wrong(idp, row, source)
    else:
        await _count_try(idp, row, source)
    await idp.note(
        "authenticated",
        f"auth_failed_{verdict.value}",
        transaction=row["number"],
        client=row["client_id"],
        person=person,
    )
    raise Refused("auth_failed")


async def _count_wrong(idp: Provider, row: Row, source: bytes) -> None:
    """Counts a wrong code. Raises Refused as `_count_try`."""
    most = idp.options.otp_attempts
    tries = await CODES.wrong_code(
        idp.pool,
        id=row["id"],
        most=most,
        now=idp.now(),
        source=source,
        person_id=row["asked"],
        limit=most,
        locked_until=lock_end(idp),
    )
    if (tries or 0) > most:
        raise await no_more(idp, row, source)


async def _count_try(idp: Provider, row: Row, source: bytes) -> None:
    """Counts one that failed. Raises Refused `no_attempts_left` when it was one too many."""
    if (await SQL.count_try(idp.pool, id=row["id"]) or 0) > idp.options.otp_attempts:
        raise await no_more(idp, row, source)
