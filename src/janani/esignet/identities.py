"""People by API, in the shape of MOSIP's mock identity system (reference §10), behind a token of its own.

It differs where that one would be unsafe: it asks for a bearer token, keeps neither `pin` nor `password`, and never
reads another's number as an alias. Beyond it: the member `aliases`, which the original drops.
"""

import hmac
from typing import Any

import asyncpg
import msgspec
from litestar import Response, get, post, put
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from janani.esignet.envelope import instant, success
from janani.esignet.identity import (
    FIELDS,
    NEVER_KEPT,
    TEXTS,
    Alias,
    as_lists,
    normal_number,
    request_faults,
)
from janani.esignet.incoming import Http, read
from janani.esignet.people_file import save_aliases
from janani.esignet.problems import Refused, Unauthorised
from janani.esignet.provider import SQL, Idp, Provider
from janani.kernel.http import Sent
from janani.kernel.postgres import json_of
from janani.kernel.secrets import MissingSecret, secret

TOKEN_FILE = "esignet-identities-token"  # noqa: S105 — the name of its file
_AT = "/v1/mock-identity-system/identity"


def identities_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises Unauthorised unless the call carries the bearer token in `secrets/esignet-identities-token`.

    Without that file nobody enters; the sandbox makes it when it starts.
    """
    idp: Provider = connection.app.state.idp
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    try:
        right = secret(idp.settings.secrets, TOKEN_FILE, create=False)
    except MissingSecret as error:
        raise Unauthorised from error
    if scheme.lower() != "bearer" or not right or not hmac.compare_digest(token.strip().encode(), right.encode()):
        raise Unauthorised


@post(_AT, status_code=200, guards=[identities_guard])
async def create_identity(request: Http, idp: Idp) -> Response[bytes]:
    """Adds a person. Refused: `invalid_<field>`, `duplicate_individual_id` (also for an alias that is another's)."""
    sent = await read(request, dict[str, Any], lambda it: request_faults(it, whole=True), idp.now())
    number = sent["individualId"]
    async with idp.pool.acquire() as connection, connection.transaction():
        person = await SQL.add_person(connection, individual_id=number, identity=json_of(_fields(sent)), now=idp.now())
        if person is None:
            raise Refused("duplicate_individual_id")
        await _save_aliases(idp, connection, number, sent)
    await idp.note("identity_created", "ok", person=person)
    return _answer(idp, {"status": "mock identity data created successfully"})


@put(_AT, guards=[identities_guard])
async def update_identity(request: Http, idp: Idp) -> Response[bytes]:
    """Replaces the fields that are sent and not null. Refused: `invalid_individual_id` when there's no such person."""
    sent = await read(request, dict[str, Any], lambda it: request_faults(it, whole=False), idp.now())
    number = sent["individualId"]
    async with idp.pool.acquire() as connection, connection.transaction():
        person = await SQL.merge_person(
            connection, identity=json_of(_fields(sent)), now=idp.now(), individual_id=number
        )
        if person is None:
            raise Refused("invalid_individual_id")
        await _save_aliases(idp, connection, number, sent)
    await idp.note("identity_updated", "ok", person=person)
    return _answer(idp, {"status": "mock Identity data updated successfully"})


@get(f"{_AT}/{{individual_id:str}}", guards=[identities_guard])
async def get_identity(idp: Idp, individual_id: FromPath[str]) -> Response[bytes]:
    """The record of the person with exactly this number. Refused: `invalid_individual_id`."""
    row = None
    if "\x00" not in individual_id:
        row = await SQL.person_by_individual_id(idp.pool, individual_id=individual_id)
    if row is None:
        raise Refused("invalid_individual_id")
    aliases = [
        {
            "number": alias["alias"],
            "kind": alias["kind"],
            "expires": instant(alias["expires_at"]) if alias["expires_at"] else None,
            "revoked": alias["revoked_at"] is not None,
        }
        async for alias in SQL.aliases_of(idp.pool, person_id=row["id"])
    ]
    await idp.note("identity_read", "ok", person=row["id"])
    return _answer(idp, as_lists(msgspec.json.decode(row["identity"])) | {"aliases": aliases})


def _fields(sent: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a request: the known fields that are not null, texts by language. Others are dropped."""
    known = {name: sent[name] for name in FIELDS if name not in NEVER_KEPT and sent.get(name) is not None}
    return {
        name: {one["language"]: one["value"] for one in value} if name in TEXTS else value
        for name, value in known.items()
    }


async def _save_aliases(idp: Provider, connection: asyncpg.Connection, number: str, sent: dict[str, Any]) -> None:
    aliases = [
        msgspec.structs.replace(alias, number=normal_number(alias.number))
        for alias in msgspec.convert(sent.get("aliases") or [], list[Alias])
    ]
    numbers = [alias.number for alias in aliases]
    taken = [
        row async for row in SQL.taken_numbers(connection, aliases=numbers, individual_ids=[number] * len(numbers))
    ]
    if taken:
        raise Refused("duplicate_individual_id", reason="alias")
    await save_aliases(connection, [(alias, number) for alias in aliases], idp.now())


def _answer(idp: Provider, response: Any) -> Response[bytes]:
    return Sent(success(response, idp.now()))
