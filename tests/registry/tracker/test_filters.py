"""Filters on values that are numbers (reference §3.3)."""

from typing import Any

import asyncpg
import httpx

from janani.settings import Settings
from registry.tracker.antenatal import ELEMENTS, PACKAGE, PROGRAM, ROLES, payload, person
from registry.tracker.test_export import read
from registry.tracker.test_import import send

Json = dict[str, Any]
NUMBER, GRAVIDA = "AttNumber01", ELEMENTS["ANC_GRAVIDA"]
LONG, NEXT = "19991234567890123", "19991234567890124"
_ODD_EVENT = """
update event set data_values = jsonb_set(data_values, array[$2, 'value'], '"many"')
 where data_values ? $2 and enrollment in (
   select id from enrollment where tracked_entity = (select id from tracked_entity where uid = $1))
"""
_ODD_VALUE = """
update attribute_value set value = '1e200000'
 where attribute = $2 and tracked_entity = (select id from tracked_entity where uid = $1)
"""


async def _found(client: httpx.AsyncClient, test: str) -> set[str]:
    found = await read(client, "trackedEntities", program=PROGRAM, filter=f"{NUMBER}:{test}", fields="trackedEntity")
    return {one["trackedEntity"] for one in found["trackedEntities"]}


async def test_numbers_are_compared_to_the_last_digit_and_what_is_none_stops_nobody(
    registry: httpx.AsyncClient, settings: Settings
) -> None:
    """What was stored before an attribute or element became a number need be none."""
    like = next(one for one in PACKAGE["trackedEntityAttributes"] if one["id"] == ROLES.attributes["full_name"])
    number = like | {"id": NUMBER, "code": NUMBER, "name": NUMBER, "shortName": NUMBER, "valueType": "NUMBER"}
    await registry.post("/api/metadata", json={"trackedEntityAttributes": [number]})
    people = [person(attributes=[{"attribute": NUMBER, "value": value}]) for value in (LONG, NEXT, "7")]
    await send(registry, payload(*people))
    one, two, odd = (her["trackedEntity"] for her in people)
    connection = await asyncpg.connect(settings.database.dsn, server_settings={"search_path": "registry"})
    await connection.execute(_ODD_EVENT, odd, GRAVIDA)
    await connection.execute(_ODD_VALUE, odd, NUMBER)
    await connection.close()
    assert await _found(registry, f"eq:{LONG}") == {one}
    assert await _found(registry, f"in:{NEXT};1e3") == {two}
    assert await _found(registry, "ge:-1.5") == {one, two}
    events = await read(registry, "events", program=PROGRAM, filter=f"{GRAVIDA}:eq:2")
    assert {event["trackedEntity"] for event in events["events"]} == {one, two}
    for text in ("NaN", "inf", "1e99999", "1e200000", "9" * 5000, "x", ""):
        query = {"program": PROGRAM, "filter": f"{NUMBER}:ge:{text}"}
        assert "a number is needed" in (await read(registry, "trackedEntities", expect=400, **query))["message"]
