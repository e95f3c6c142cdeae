"""Values that only one person may have (reference §2.6): also those that were stored before they had to be unique."""

from typing import Any

import httpx

from registry.tracker.antenatal import AREA, PACKAGE, ROLES, payload, person
from registry.tracker.test_import import codes, send

Json = dict[str, Any]
NUMBER = "AttNumber01"
SOUTH = next(unit["id"] for unit in PACKAGE["organisationUnits"] if unit["code"] == "PHM-AKURANA-S")


async def _attribute(client: httpx.AsyncClient, *, expect: int = 200, **more: Any) -> Json:
    like = next(one for one in PACKAGE["trackedEntityAttributes"] if one["id"] == ROLES.attributes["full_name"])
    number = like | {"id": NUMBER, "code": NUMBER, "name": NUMBER, "shortName": NUMBER, "valueType": "TEXT"} | more
    answer = await client.post("/api/metadata", json={"trackedEntityAttributes": [number]})
    assert answer.status_code == expect, answer.text
    return answer.json()


def _woman(value: str, unit: str = AREA) -> Json:
    return person(orgUnit=unit, attributes=[{"attribute": NUMBER, "value": value}], enrollments=[])


async def test_what_is_made_unique_later_is_unique_against_what_is_stored(registry: httpx.AsyncClient) -> None:
    await _attribute(registry)
    first = _woman("7")
    await send(registry, payload(first, _woman("8")))
    await _attribute(registry, unique=True)
    assert codes(await send(registry, payload(_woman("7")), expect=409)) == {("TRACKED_ENTITY", "E1064")}
    await send(registry, payload(first))
    await _attribute(registry)
    await send(registry, payload(_woman("7")))


async def test_what_stands_twice_cannot_be_made_unique(registry: httpx.AsyncClient) -> None:
    await _attribute(registry)
    gone = _woman("gone")
    await send(registry, payload(_woman("secret"), _woman("secret"), _woman("8"), gone, _woman("gone")))
    await send(registry, payload(gone), importStrategy="DELETE")
    for query in ({"importMode": "VALIDATE"}, {}):
        like = {"trackedEntityAttributes": [await _read(registry) | {"unique": True}]}
        refused = await registry.post("/api/metadata", json=like, params=query)
        assert refused.status_code == 409
        assert "1 value" in refused.text
        assert "secret" not in refused.text
    assert not (await _read(registry)).get("unique")


async def _read(client: httpx.AsyncClient) -> Json:
    return (await client.get(f"/api/trackedEntityAttributes/{NUMBER}", params={"fields": ":owner"})).json()


async def test_what_is_unique_in_a_unit_moves_with_her(registry: httpx.AsyncClient) -> None:
    await _attribute(registry, unique=True, orgunitScope=True)
    north, south = _woman("7"), _woman("7", SOUTH)
    await send(registry, payload(north, south))
    bare = {"attributes": []}
    changed = {"attributes": [{"attribute": NUMBER, "value": "9"}]}
    for moved in (north | {"orgUnit": SOUTH}, north | {"orgUnit": SOUTH} | bare):
        assert codes(await send(registry, payload(moved), expect=409)) == {("TRACKED_ENTITY", "E1064")}
    await send(registry, payload(north | {"orgUnit": SOUTH} | changed))
    await send(registry, payload(north))
    await send(registry, payload(south), importStrategy="DELETE")
    await send(registry, payload(north | {"orgUnit": SOUTH} | bare))
    await send(registry, payload(_woman("7")))
    assert codes(await send(registry, payload(_woman("7", SOUTH)), expect=409)) == {("TRACKED_ENTITY", "E1064")}


async def test_what_was_unique_in_a_unit_becomes_so_everywhere(registry: httpx.AsyncClient) -> None:
    await _attribute(registry, unique=True, orgunitScope=True)
    north, south = _woman("7"), _woman("7", SOUTH)
    await send(registry, payload(north, south, _woman("8", SOUTH)))
    await _attribute(registry, unique=True, orgunitScope=False, expect=409)
    await send(registry, payload(south), importStrategy="DELETE")
    await _attribute(registry, unique=True, orgunitScope=False)
    assert codes(await send(registry, payload(_woman("8")), expect=409)) == {("TRACKED_ENTITY", "E1064")}
    await _attribute(registry, unique=True, orgunitScope=True)
    await send(registry, payload(_woman("8")))
