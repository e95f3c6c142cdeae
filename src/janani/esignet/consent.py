"""Consent and the code it leads to (reference §4.5 to §4.7). Nothing is shared that was not asked and agreed to."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from msgspec import Struct

from janani.esignet.clients import lifetime
from janani.esignet.envelope import Fault, sha3, success
from janani.esignet.incoming import Http, bound_transaction, csrf_guard, read, same_transaction
from janani.esignet.people import claims_of
from janani.esignet.problems import Refused
from janani.esignet.provider import SQL, Idp, Provider, Row
from janani.kernel import ids

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
    return "NOCAPTURE" if given and given["request_hash"] == _hash_of(row) else "CAPTURE"


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
    accepted, permitted = await _agreed(idp, row, body)
    code = ids.token()
    asked = msgspec.json.decode(row["request"])
    seconds = lifetime(row["additional_config"])
    async with idp.pool.acquire() as connection, connection.transaction():
        now = idp.now()
        number = await SQL.exchange_for_code(
            connection,
            id=row["id"],
            code_hash=sha3(code),
            accepted=accepted,
            permitted=permitted,
            lifetime_seconds=min(TOKEN_SECONDS, seconds or TOKEN_SECONDS),
            expires_at=now + timedelta(seconds=CODE_SECONDS),
        )
        if number is None:
            raise Refused("invalid_transaction")
        if row["consent_action"] == "CAPTURE":
            await _keep_consent(connection, idp, row, accepted, permitted, seconds)
    await idp.note(
        "consented", row["consent_action"], transaction=number, client=row["client_id"], person=row["person_id"]
    )
    answer = {
        "nonce": asked.get("nonce"),
        "state": asked.get("state"),
        "code": code,
        "redirectUri": asked["redirectUri"],
    }
    return Response(success(answer, idp.now()), media_type="application/json")


async def _agreed(idp: Provider, row: Row, body: AuthCode) -> tuple[list[str], list[str]]:
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
        return accepted, permitted
    if not (row["essential_claims"] or row["voluntary_claims"] or row["authorize_scopes"]):
        return [], []
    given = await SQL.consent_in_force(idp.pool, client_id=row["client_id"], person_id=row["person_id"], now=idp.now())
    if given is None or given["request_hash"] != _hash_of(row):
        raise Refused("invalid_transaction")
    return given["accepted_claims"], given["permitted_scopes"]


async def _keep_consent(
    connection: Any, idp: Provider, row: Row, accepted: list[str], permitted: list[str], seconds: int | None
) -> None:
    now = idp.now()
    of = {"client_id": row["client_id"], "person_id": row["person_id"], "now": now}
    await SQL.replace_consent(connection, **of)
    await SQL.add_consent(
        connection,
        **of,
        request_hash=_hash_of(row),
        accepted=accepted,
        permitted=permitted,
        expires_at=now + timedelta(seconds=seconds) if seconds else None,
    )


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
    return Response(success(answer, idp.now()), media_type="application/json")
