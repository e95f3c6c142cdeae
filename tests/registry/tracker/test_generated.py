"""Generated attribute values (reference §3.11)."""

import asyncio

import httpx

from registry.tracker.antenatal import ROLES, Clock, attribute, payload, person

NUMBER = f"/api/trackedEntityAttributes/{ROLES.attributes['registration_number']}"


async def test_the_first_registration_number(registry: httpx.AsyncClient, clock: Clock) -> None:
    found = (await registry.get(f"{NUMBER}/generate")).json()
    assert found["value"] == "ANC00000001"
    assert found["ownerObject"] == "TRACKEDENTITYATTRIBUTE"
    assert found["created"] == "2026-11-21T06:00:00.000"
    assert found["expiryDate"] == "2026-11-24T06:00:00.000"


async def test_numbers_taken_by_hand_are_passed_over(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["attributes"].append(attribute("registration_number", "ANC00000001"))
    assert (await registry.post("/api/tracker?async=false", json=payload(woman))).status_code == 200
    assert (await registry.get(f"{NUMBER}/generate")).json()["value"] == "ANC00000002"


async def test_no_number_is_given_twice(registry: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(registry.get(f"{NUMBER}/generateAndReserve?numberToReserve=5") for _ in range(6)))
    values = [one["value"] for answer in answers for one in answer.json()]
    assert len(set(values)) == 30


async def test_what_the_pattern_needs_and_refusals(registry: httpx.AsyncClient) -> None:
    assert (await registry.get(f"{NUMBER}/requiredValues")).json() == {"REQUIRED": [], "OPTIONAL": ["SEQUENTIAL"]}
    plain = ROLES.attributes["full_name"]
    assert (await registry.get(f"/api/trackedEntityAttributes/{plain}/generate")).status_code == 409
    assert (await registry.get("/api/trackedEntityAttributes/zzzzzzzzzzz/generate")).status_code == 404
