"""The door of the enveloped API: decoding, field checks, CSRF, and the headers that bind a call to its transaction.

Order as in eSignet: CSRF (403), oauth-details headers, then the envelope and its fields (reference §1).
"""

import hmac
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from janani.esignet.envelope import Fault, time_fault
from janani.esignet.problems import CsrfFailed, Refused
from janani.esignet.provider import SQL, Provider, Row
from janani.kernel import ids

T = TypeVar("T")
Http = Request[Any, Any, Any]
CSRF_COOKIE, CSRF_HEADER = "XSRF-TOKEN", "x-xsrf-token"


class Enveloped(Struct, Generic[T], rename="camel", forbid_unknown_fields=True):
    """`{requestTime, request}`."""

    request_time: str | None = None
    request: T | None = None


@cache
def _decoder(kind: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(Enveloped[kind])


async def read(request: Http, kind: type[T], check: Callable[[T], list[Fault]], now: datetime) -> T:
    """The `request` of an enveloped body as `kind`, its time and fields checked.

    Raises Refused: `invalid_request` for another media type, `unknown_error` for JSON that is malformed or has
    unknown members or is nested without end, else one fault a field.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("invalid_request")
    body = await request.body()
    if b"\\u0000" in body:  # a database text holds no NUL
        raise Refused("unknown_error")
    try:
        enveloped: Enveloped[T] = _decoder(cast("Any", kind)).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("unknown_error") from error
    faults = time_fault(enveloped.request_time, now)
    if enveloped.request is None:
        raise Refused("invalid_request", [*faults, Fault("invalid_request", "request")])
    faults += check(enveloped.request)
    if faults:
        raise Refused(faults[0].code, faults)
    return enveloped.request


async def csrf_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises CsrfFailed unless cookie and header carry the same token (double submit, reference §1.2)."""
    cookie, header = connection.cookies.get(CSRF_COOKIE, ""), connection.headers.get(CSRF_HEADER, "")
    if not cookie or not hmac.compare_digest(cookie.encode(), header.encode()):
        raise CsrfFailed


def csrf_answer(request: Http, *, secure: bool, readable: bool) -> Response[dict[str, str]]:
    """The token as JSON and as a cookie (that scripts can't read unless `readable`); a token already there is kept."""
    known = request.cookies.get(CSRF_COOKIE, "")
    token = known if re.fullmatch(r"[\w-]{20,100}", known, re.ASCII) else ids.token()
    response = Response({"headerName": "X-XSRF-TOKEN", "parameterName": "_csrf", "token": token})
    response.set_cookie(CSRF_COOKIE, token, path="/v1/esignet", httponly=not readable, secure=secure, samesite="strict")
    return response


async def bound_transaction(request: Http, idp: Provider, stage: str) -> Row:
    """The transaction that the oauth-details headers name, in `stage` (reference §1.3).

    Raises Refused `invalid_transaction` (no such key, another stage, lapsed) or `invalid_request` (wrong hash).
    """
    key = request.headers.get("oauth-details-key", "")
    return bound(request, await SQL.transaction_at(idp.pool, id=key, stage=stage, now=idp.now()) if key else None)


def bound(request: Http, row: Row) -> Row:
    """`row`, the transaction looked up by the oauth-details key (None: there is none). Raises as bound_transaction."""
    if row is None:
        raise Refused("invalid_transaction")
    remember(request, row)
    shown = request.headers.get("oauth-details-hash", "")
    if not hmac.compare_digest(row["details_hash"].encode(), shown.encode()):
        raise Refused("invalid_request", reason="oauth-details-hash")
    return row


def remember(request: Http, row: Row) -> None:
    """Notes what the call is about, for the audit trail: a transaction, its client and (if known) its person."""
    request.scope["state"]["about"] = {
        "transaction": row["number"],
        "client": row["client_id"],
        "person": row["person_id"],
    }


def same_transaction(row: Row, transaction_id: str) -> None:
    """Raises Refused unless header and body name the same transaction (upstream forgets to compare them)."""
    if row["id"] != transaction_id:
        raise Refused("invalid_transaction")
