"""Generated attribute values: the next registration number, and values reserved beforehand (reference §3.11)."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
from litestar import Request, get
from litestar.params import FromPath

from janani.registry.problems import Refusal, not_found
from janani.registry.tracker import parameters
from janani.registry.tracker.asking import Asking, asking
from janani.registry.tracker.catalogue import Attribute
from janani.registry.tracker.patterns import Frame, PatternFault, frame, required
from janani.registry.tracker.store import SQL
from janani.registry.tracker.times import write_instant

_Request = Request[Any, Any, Any]
Json = dict[str, Any]
_GENERATE_DAYS, _RESERVE_DAYS = 3, 60
_MOST = 1000
_ROUNDS = 50


@get("/api/trackedEntityAttributes/{attribute_uid:str}/requiredValues", summary="What a pattern needs")
async def required_values(request: _Request, attribute_uid: FromPath[str]) -> Json:
    """The values a caller must give for the attribute's pattern, and those the server fills."""
    ask = await asking(request)
    needed, filled = required(_generated(ask, attribute_uid).pattern or "")
    return {"REQUIRED": needed, "OPTIONAL": filled}


@get("/api/trackedEntityAttributes/{attribute_uid:str}/generate", summary="Generate a value")
async def generate(request: _Request, attribute_uid: FromPath[str]) -> Json:
    """One free value, held for the caller three days (or `expiration` days)."""
    sent = dict(request.query_params.items())
    return (await _reserve(request, attribute_uid, sent, 1, _GENERATE_DAYS))[0]


@get("/api/trackedEntityAttributes/{attribute_uid:str}/generateAndReserve", summary="Generate several values")
async def generate_and_reserve(request: _Request, attribute_uid: FromPath[str]) -> list[Json]:
    """`numberToReserve` free values, held for the caller sixty days (or `expiration` days)."""
    sent = dict(request.query_params.items())
    count = parameters.number("numberToReserve", sent.pop("numberToReserve", "1"), _MOST)
    return await _reserve(request, attribute_uid, sent, count, _RESERVE_DAYS)


def _generated(ask: Asking, uid: str) -> Attribute:
    attribute = ask.catalogue.attributes.get(uid)
    if attribute is None:
        raise not_found("TrackedEntityAttribute", uid)
    if attribute.pattern is None:
        raise Refusal(409, f"TrackedEntityAttribute {uid} has no pattern to generate values from.")
    return attribute


async def _reserve(request: _Request, uid: str, sent: dict[str, str], count: int, days: int) -> list[Json]:
    ask = await asking(request)
    attribute = _generated(ask, uid)
    days = parameters.number("expiration", sent.pop("expiration", str(days)), 3650)
    unknown = sent.keys() - {"ORG_UNIT_CODE"}
    if unknown:
        raise Refusal(400, f"Parameter {min(unknown)} is not supported here.")
    try:
        found = frame(attribute.pattern or "", sent, ask.now.astimezone(ask.zone))
    except PatternFault as fault:
        raise Refusal(409, str(fault)) from fault
    expires = ask.now + timedelta(days=days)
    async with ask.pool.acquire() as connection, connection.transaction():
        values = await _free(connection, uid, found, count, ask.now, expires)
    return [_shown(uid, found, value, ask, expires) for value in values]


async def _free(
    connection: asyncpg.Connection, uid: str, found: Frame, count: int, now: datetime, expires: datetime
) -> list[str]:
    """`count` values that nobody has, now held. Raises Refusal (409) when the pattern has run out."""
    held: list[str] = []
    for _ in range(_ROUNDS):
        tried = await _candidates(connection, uid, found, count - len(held))
        free = [row["value"] async for row in SQL.free_values(connection, values=tried, attribute=uid, now=now)]
        if free:
            kept = SQL.reserve(connection, attribute=uid, key=found.key, now=now, expires=expires, values=free)
            held += [row["value"] async for row in kept]
        if len(held) == count:
            return sorted(held)
        if found.generated.method == "SEQUENTIAL" and not tried:
            break
    raise Refusal(409, "Could not reserve the requested values: the pattern has no values left.")


async def _candidates(connection: asyncpg.Connection, uid: str, found: Frame, count: int) -> list[str]:
    if found.generated.method == "RANDOM":
        return list({found.random() for _ in range(count)})
    last = int(await SQL.next_number(connection, attribute=uid, key=found.key, count=count))
    numbers = range(last - count + 1, min(last, found.capacity) + 1)
    return [found.numbered(number) for number in numbers]


def _shown(uid: str, found: Frame, value: str, ask: Asking, expires: datetime) -> Json:
    return {
        "ownerObject": "TRACKEDENTITYATTRIBUTE",
        "ownerUid": uid,
        "key": found.key,
        "value": value,
        "created": write_instant(ask.now, ask.zone),
        "expiryDate": write_instant(expires, ask.zone),
    }


handlers = [required_values, generate, generate_and_reserve]
