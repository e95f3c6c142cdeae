"""Whose unit owns a woman in a programme decides what of that programme is read with her (reference §3.4, §3.9)."""

from typing import Any

import httpx
import pytest

from registry.tracker.antenatal import (
    AREA,
    OTHER_AREA,
    PACKAGE,
    PROGRAM,
    ROLES,
    attribute,
    enrolment,
    payload,
    person,
)
from registry.tracker.test_export import read
from registry.tracker.test_import import codes, send

Json = dict[str, Any]
SOUTH = next(unit["id"] for unit in PACKAGE["organisationUnits"] if unit["code"] == "PHM-AKURANA-S")
GENDER, NAME = ROLES.attributes["gender"], ROLES.attributes["full_name"]
SECOND, GUARDED = "PrgSecond01", "PrgGuarded1"


@pytest.fixture
async def programmes(registry: httpx.AsyncClient) -> None:
    """Two programmes besides the antenatal one, for people of the same type; the second is PROTECTED."""
    like = {
        name: PACKAGE["programs"][0][name]
        for name in ("programType", "trackedEntityType", "categoryCombo", "organisationUnits", "sharing")
    }
    added = [
        like | {"id": place, "name": place, "shortName": place, "accessLevel": level}
        for place, level in ((SECOND, "OPEN"), (GUARDED, "PROTECTED"))
    ]
    answer = await registry.post("/api/metadata", json={"programs": added})
    assert answer.status_code == 200, answer.text


def _enrolled(program: str, unit: str) -> Json:
    return enrolment([], program=program, orgUnit=unit, events=[])


async def _seen(client: httpx.AsyncClient, woman: Json, **query: Any) -> Json:
    fields = "attributes[attribute],enrollments[program],programOwners[program]"
    path = f"trackedEntities/{woman['trackedEntity']}"
    found = await read(client, path, as_user="nirmala", fields=fields, **query)
    return {name: {one for row in rows for one in row.values()} for name, rows in found.items()}


@pytest.mark.usefixtures("programmes")
async def test_a_programme_owned_out_of_reach_is_refused_with_all_that_is_its(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["orgUnit"] = OTHER_AREA
    for event in woman["enrollments"][0]["events"]:
        event["orgUnit"] = OTHER_AREA
    woman["enrollments"].append(_enrolled(SECOND, AREA))
    await send(registry, payload(woman))
    assert await _seen(registry, woman, program=SECOND) == {
        "attributes": {NAME, ROLES.attributes["birth_date"]},
        "enrollments": {SECOND},
        "programOwners": {SECOND},
    }
    assert (await _seen(registry, woman))["enrollments"] == {SECOND}
    refused = await read(
        registry, f"trackedEntities/{woman['trackedEntity']}", as_user="nirmala", program=PROGRAM, expect=403
    )
    assert PROGRAM in refused["message"]
    assert "ownership" in refused["message"]
    hers = await read(registry, f"trackedEntities/{woman['trackedEntity']}", as_user="thevaki", program=PROGRAM)
    assert GENDER in {one["attribute"] for one in hers["attributes"]}
    for program, count in ((PROGRAM, 0), (SECOND, 1)):
        listed: Json = {"program": program, "trackedEntities": woman["trackedEntity"]}
        found = await read(registry, "trackedEntities", as_user="nirmala", **listed)
        assert len(found["trackedEntities"]) == count


@pytest.mark.usefixtures("programmes")
async def test_without_an_owner_her_own_unit_says_who_reads(registry: httpx.AsyncClient) -> None:
    near, far = person(enrollments=[_enrolled(SECOND, AREA)]), person(enrollments=[_enrolled(SECOND, AREA)])
    far["orgUnit"] = OTHER_AREA
    for woman in (near, far):
        woman["attributes"] = [attribute("full_name", "Kumari Perera"), attribute("gender", "Female")]
        woman["attributes"].append(attribute("birth_date", "1997-08-01"))
    await send(registry, payload(near, far))
    hers = await _seen(registry, near, program=PROGRAM)
    assert hers["enrollments"] == set()
    assert GENDER in hers["attributes"]
    assert GENDER not in (await _seen(registry, near, program=SECOND))["attributes"]
    await read(registry, f"trackedEntities/{far['trackedEntity']}", as_user="nirmala", program=PROGRAM, expect=403)
    assert (await _seen(registry, far))["enrollments"] == {SECOND}


@pytest.mark.usefixtures("programmes")
async def test_a_protected_programme_is_read_where_its_owner_captures(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"].append(_enrolled(GUARDED, SOUTH))
    await send(registry, payload(woman))
    path = f"trackedEntities/{woman['trackedEntity']}"
    await read(registry, path, as_user="nirmala", program=GUARDED, expect=403)
    assert (await _seen(registry, woman, program=PROGRAM))["enrollments"] == {PROGRAM}


def _at(unit: str, woman: Json) -> Json:
    """`woman` and all that is hers at `unit`."""
    for enrolled in woman["enrollments"]:
        for one in (enrolled, *enrolled["events"]):
            one["orgUnit"] = unit
    return woman | {"orgUnit": unit}


def _takes(woman: Json, **more: Any) -> Json:
    values = [
        attribute("full_name", "Taken Over"),
        attribute("birth_date", "1997-08-01"),
        attribute("gender", "Female"),
    ]
    return {"enrollments": [enrolment(values, trackedEntity=woman["trackedEntity"], **more)]}


@pytest.mark.usefixtures("programmes")
async def test_a_woman_of_another_unit_is_not_taken_over_by_enrolling_her(registry: httpx.AsyncClient) -> None:
    values = [attribute("full_name", "Kumari Perera"), attribute("birth_date", "1997-08-01")]
    stranger = person(orgUnit=OTHER_AREA, enrollments=[], attributes=[*values, attribute("gender", "Female")])
    elsewhere = _at(OTHER_AREA, person())
    await send(registry, payload(stranger, elsewhere))
    for taken in (_takes(stranger), _takes(elsewhere, program=SECOND, attributes=[], events=[])):
        refused = await send(registry, taken, as_user="nirmala", expect=409)
        assert ("ENROLLMENT", "E1102") in codes(refused)
    mine = await read(registry, f"trackedEntities/{stranger['trackedEntity']}", as_user="thevaki", program=PROGRAM)
    assert "Kumari Perera" in {one["value"] for one in mine["attributes"]}


@pytest.mark.usefixtures("programmes")
async def test_a_woman_within_reach_is_enrolled_in_a_second_programme(registry: httpx.AsyncClient) -> None:
    """For an OPEN programme her unit is in the search scope; for a PROTECTED one it must be in the capture scope."""
    woman = _at(SOUTH, person())
    await send(registry, payload(woman))
    guarded = _takes(woman, program=GUARDED, attributes=[], events=[])
    assert codes(await send(registry, guarded, as_user="nirmala", expect=409)) == {("ENROLLMENT", "E1102")}
    await send(registry, _takes(woman, program=SECOND, attributes=[], events=[]), as_user="nirmala")
