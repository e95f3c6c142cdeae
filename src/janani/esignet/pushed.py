"""Pushed authorization requests (reference §4.2, RFC 9126): the client sends its request first, over the back channel.

Not offered when behaving as release 1.6.1.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, post
from msgspec import Struct

from janani.esignet.audit import of_client
from janani.esignet.authorization import AuthorizationRequest, field_faults
from janani.esignet.details import accepted, begin, spend_nonce
from janani.esignet.envelope import Fault, sha3
from janani.esignet.form import authenticate_client, check_assertion_fields, read_form, shown_key
from janani.esignet.incoming import Http, csrf_guard, read
from janani.esignet.problems import Refused, TokenRefused
from janani.esignet.provider import SQL, Idp, Provider
from janani.esignet.vocabulary import REQUEST_URI
from janani.kernel import ids

PUSHED_SECONDS = 60
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_MEMBERS = (
    "client_id",
    "scope",
    "response_type",
    "redirect_uri",
    "display",
    "prompt",
    "acr_values",
    "nonce",
    "state",
    "claims_locales",
    "ui_locales",
    "code_challenge",
    "code_challenge_method",
    "id_token_hint",
    "dpop_jkt",
)


class Reference(Struct, rename="camel", forbid_unknown_fields=True):
    """The request of par-oauth-details: which pushed request the person was sent with."""

    client_id: str | None = None
    request_uri: str | None = None


def pushed_request(form: dict[str, str]) -> AuthorizationRequest:
    """The authorization request in a PAR form. Raises TokenRefused `invalid_request`, or `invalid_claim` as reason."""
    if "request_uri" in form:
        raise TokenRefused("invalid_request", reason="request_uri pushed")
    members: dict[str, Any] = {name: form[name] for name in _MEMBERS if form.get(name)}
    if "\\u0000" in form.get("claims", ""):  # a database text holds no NUL
        raise TokenRefused("invalid_claim")
    try:
        if form.get("claims"):
            members["claims"] = msgspec.json.decode(form["claims"], type=dict[str, Any])
        if form.get("max_age"):
            members["max_age"] = int(form["max_age"])
    except (msgspec.DecodeError, RecursionError) as error:
        raise TokenRefused("invalid_claim") from error
    except ValueError as error:
        raise TokenRefused("invalid_request", reason="max_age") from error
    return AuthorizationRequest(**members)


@post("/v1/esignet/oauth/par", status_code=201)
async def push(request: Http, idp: Idp) -> Response[dict[str, Any]]:
    """Keeps a client's checked request for a minute and answers the reference to send the person with."""
    form = await read_form(request)
    check_assertion_fields(form)
    client = await SQL.active_client(idp.pool, client_id=form.get("client_id", ""))
    if client is None:
        raise TokenRefused("invalid_client", reason="no such client")
    of_client(request, client["client_id"])
    paths = (request.scope["path"], "/v1/esignet/oauth/v2/token")
    await authenticate_client(idp, client, form["client_assertion"], paths)
    asked = pushed_request(form)
    proof = await shown_key(request, idp, asked.dpop_jkt or None, {}) if "dpop" in request.headers else None
    if proof:
        asked.dpop_jkt = proof.jkt
    try:
        if faults := field_faults(asked, 3):
            raise Refused(faults[0].code, faults)
        accepted(idp, asked, client, pushed=True)
        await spend_nonce(idp, asked)
    except Refused as refused:
        raise TokenRefused(refused.code) from refused
    reference = ids.token()
    await SQL.push_request(
        idp.pool,
        reference_hash=sha3(reference),
        client_id=client["client_id"],
        request=msgspec.json.encode(asked).decode(),
        expires_at=idp.now() + timedelta(seconds=PUSHED_SECONDS),
    )
    await idp.note("request_pushed", "ok", client=client["client_id"])
    answer = {"request_uri": REQUEST_URI + reference, "expires_in": PUSHED_SECONDS}
    return Response(answer, status_code=201, headers=_NO_STORE)


def reference_faults(request: Reference) -> list[Fault]:
    """The faults of a par-oauth-details request, one a field."""
    checks = (
        ("clientId", "invalid_client_id", bool((request.client_id or "").strip())),
        ("requestUri", "invalid_request", (request.request_uri or "").startswith(REQUEST_URI)),
    )
    return [Fault(code, f"request.{field}") for field, code, good in checks if not good]


@post("/v1/esignet/authorization/par-oauth-details", status_code=200, guards=[csrf_guard])
async def par_oauth_details(request: Http, idp: Idp) -> Response[bytes]:
    """Begins a sign-in with a pushed request, once. Refused `invalid_request` when it is gone or another client's."""
    body = await read(request, Reference, reference_faults, idp.now())
    reference = (body.request_uri or "").removeprefix(REQUEST_URI)
    row = await SQL.pop_request(idp.pool, reference_hash=sha3(reference))
    if row is None or row["client_id"] != body.client_id or row["expires_at"] <= idp.now():
        raise Refused("invalid_request", reason="pushed request gone, or of another client")
    asked = msgspec.json.decode(row["request"], type=AuthorizationRequest)
    return await begin(request, idp, asked, 3, pushed=True)


async def peek(idp: Provider, client_id: str, request_uri: str, now: datetime) -> dict[str, Any]:
    """What was pushed, for the page to know its language; it stays. Empty when there is no such request."""
    if not request_uri.startswith(REQUEST_URI) or "\x00" in client_id:
        return {}
    text = await SQL.pushed_request(
        idp.pool, reference_hash=sha3(request_uri.removeprefix(REQUEST_URI)), client_id=client_id, now=now
    )
    found: dict[str, Any] = msgspec.json.decode(text) if text else {}
    return found
