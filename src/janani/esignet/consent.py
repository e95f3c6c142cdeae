"""Consent and the code it leads to (reference §4.5 to §4.7). Nothing is shared that was not asked and agreed to."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from litestar import Response, get, post
from msgspec import Struct

from janani.esignet.clients import lifetime
from janani.esignet.envelope import Fault, sha3, success
from janani.esignet.incoming import Http, bound_transaction, csrf_guard, read, same_transaction
from janani.esignet.people import claims_of
from janani.esignet.problems import Refused
from janani.esignet.provider import SQL, STEPS, Idp, Provider, Row
from janani.kernel import ids
from janani.kernel.http import Sent
from janani.kernel.postgres import json_of

CODE_SECONDS = 300
TOKEN_SECONDS = 3600


class AuthCode(Struct, rename="camel", forbid_unknown_fields=True):
    """The request of auth-code: what the person agreed to."""

    transaction_id: str | None = None
    accepted_claims: list[str] | None = None
    permitted_authorize_scopes: list[str] | None = None


def request_hash(essential: list[str], voluntary: list[str], scopes: list[str], claims: dict[str, Any]) -> str:
    """Tells whether a later request asks for the same as the one consented to."""
    asked = [sorted(essential), sorted(voluntary), sorted(scopes), claims]
    return sha3(msgspec.json.encode(asked, order="deterministic").decode())


def check_acceptance(
    accepted: list[str], permitted: list[str], *, essential: list[str], voluntary: list[str], scopes: list[str]
) -> None:
    """Raises Refused `invalid_accepted_claim` or `invalid_permitted_scope`.

    Every essential claim must be accepted, and nothing that was not requested.
    """
    if not set(essential) <= set(accepted) <= {*essential, *voluntary}:
        raise Refused("invalid_accepted_claim")
    if not set(permitted) <= set(scopes):
        raise Refused("invalid_permitted_scope")


def wishes(claims: list[str], request: dict[str, Any]) -> dict[str, Any]:
    """What else is wished of each claim (its value, values or purpose); whether it is essential says the page."""
    userinfo = (request.get("claims") or {}).get("userinfo") or {}
    return {
        claim: {name: value for name, value in (userinfo.get(claim) or {}).items() if name != "essential"}
        for claim in claims
    }


def covered(given: Row, row: Row, *, exactly: bool) -> tuple[list[str], list[str]] | None:
    """The claims and scopes of a consent that was `given` for the request in `row`; None when it asks for more.

    `exactly`: as eSignet has it, anything but the same request asks for more.

    A request asks for more when it names a claim or scope that was not asked then, or wishes something else of it
    (another purpose, say), or needs a claim that the person withheld.
    """
    if exactly or given["asked_claims"] is None:
        same = given["request_hash"] == _hash_of(row)
        return (given["accepted_claims"], given["permitted_scopes"]) if same else None
    asked, scopes = msgspec.json.decode(given["asked_claims"]), row["authorize_scopes"]
    wanted = wishes([*row["essential_claims"], *row["voluntary_claims"]], msgspec.json.decode(row["request"]))
    if any(claim not in asked or asked[claim] != wish for claim, wish in wanted.items()):
        return None
    if not (
        set(row["essential_claims"]) <= set(given["accepted_claims"]) and set(scopes) <= set(given["asked_scopes"])
    ):
        return None
    return (
        [claim for claim in given["accepted_claims"] if claim in wanted],
        [scope for scope in given["permitted_scopes"] if scope in scopes],
    )


def _hash_of(row: Row) -> str:
    claims = msgspec.json.decode(row["request"]).get("claims") or {}
    return request_hash(row["essential_claims"], row["voluntary_claims"], row["authorize_scopes"], claims)


async def consent_action(idp: Provider, row: Row, person: int) -> str:
    """`CAPTURE` when the person must be asked, `NOCAPTURE` when nothing is requested or they agreed before."""
    if not (row["essential_claims"] or row["voluntary_claims"] or row["authorize_scopes"]):
        return "NOCAPTURE"
    if msgspec.json.decode(row["request"]).get("prompt") == "consent":
        return "CAPTURE"
    given = await SQL.consent_in_force(idp.pool, client_id=row["client_id"], person_id=person, now=idp.now())
    return "NOCAPTURE" if given and covered(given, row, exactly=idp.old) else "CAPTURE"


def auth_code_faults(request: AuthCode) -> list[Fault]:
    """The faults of an auth-code request, one a field."""
    checks = (
        ("transactionId", "invalid_transaction_id", bool((request.transaction_id or "").strip())),
        ("acceptedClaims", "invalid_accepted_claim", all(c.strip() for c in request.accepted_claims or [])),
        (
            "permittedAuthorizeScopes",
            "invalid_permitted_scope",
            all(scope.strip() for scope in request.permitted_authorize_scopes or []),
        ),
    )
    return [Fault(code, f"request.{field}") for field, code, good in checks if not good]


@post("/v1/esignet/authorization/auth-code", status_code=200, guards=[csrf_guard])
async def auth_code(request: Http, idp: Idp) -> Response[bytes]:
    """Ends the transaction and gives the code for what the person agreed to."""
    row = await bound_transaction(request, idp, "authenticated")
    body = await read(request, AuthCode, auth_code_faults, idp.now())
    same_transaction(row, body.transaction_id or "")
    code, now = ids.token(), idp.now()
    asked, seconds = msgspec.json.decode(row["request"]), lifetime(row["additional_config"])
    agreed = await _agreed(idp, row, body, now)
    number = await STEPS.give_code(
        idp.pool,
        id=row["id"],
        code_hash=sha3(code),
        capture=row["consent_action"] == "CAPTURE",
        request_hash=_hash_of(row),
        asked_claims=json_of(wishes([*row["essential_claims"], *row["voluntary_claims"]], asked)),
        asked_scopes=row["authorize_scopes"],
        held=agreed.held,
        accepted=agreed.claims,
        permitted=agreed.scopes,
        lifetime_seconds=min(TOKEN_SECONDS, seconds or TOKEN_SECONDS),
        now=now,
        expires_at=now + timedelta(seconds=CODE_SECONDS),
        consent_expires_at=now + timedelta(seconds=seconds) if seconds else None,
    )
    if number is None:
        raise Refused("invalid_transaction")
    answer = {
        "nonce": asked.get("nonce"),
        "state": asked.get("state"),
        "code": code,
        "redirectUri": asked["redirectUri"],
    }
    return Sent(success(answer, idp.now()))


class Agreed(NamedTuple):
    """What the person agreed to: now, or with the earlier consent whose number is `held`."""

    claims: list[str]
    scopes: list[str]
    held: int | None = None


async def _agreed(idp: Provider, row: Row, body: AuthCode, now: datetime) -> Agreed:
    """The accepted claims and permitted scopes: as sent, or with NOCAPTURE as agreed before."""
    if row["consent_action"] == "CAPTURE":
        accepted = list(dict.fromkeys(body.accepted_claims or []))
        permitted = list(dict.fromkeys(body.permitted_authorize_scopes or []))
        check_acceptance(
            accepted,
            permitted,
            essential=row["essential_claims"],
            voluntary=row["voluntary_claims"],
            scopes=row["authorize_scopes"],
        )
        return Agreed(accepted, permitted)
    if not (row["essential_claims"] or row["voluntary_claims"] or row["authorize_scopes"]):
        return Agreed([], [])
    given = await SQL.consent_in_force(idp.pool, client_id=row["client_id"], person_id=row["person_id"], now=now)
    agreed = covered(given, row, exactly=idp.old) if given else None
    if agreed is None:  # withdrawn meanwhile
        raise Refused("invalid_transaction")
    return Agreed(*agreed, held=given["id"])


@get("/v1/esignet/authorization/claim-details")
async def claim_details(request: Http, idp: Idp) -> Response[bytes]:
    """Which of the requested claims are on record, without their values. Once a transaction (reference §4.6)."""
    row = await bound_transaction(request, idp, "authenticated")
    if await SQL.count_claim_details(idp.pool, id=row["id"]) > 1:
        raise Refused("no_attempts_left")
    person = await SQL.person_by_id(idp.pool, id=row["person_id"])
    requested = [*row["essential_claims"], *row["voluntary_claims"]]
    known = claims_of(msgspec.json.decode(person["identity"]), row["typed_id"], requested, {}, [])
    answer = {
        "transactionId": row["id"],
        "consentAction": row["consent_action"],
        "profileUpdateRequired": False,
        "claimStatus": [{"claim": claim, "verified": False, "available": claim in known} for claim in requested],
    }
    return Sent(success(answer, idp.now()))
