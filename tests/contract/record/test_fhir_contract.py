"""What the parts rely on of any FHIR R4 server. Runs on ours and on HAPI FHIR alike; leaves only rows of its own."""

import asyncio
import uuid
from typing import Any

import pytest

from janani.clients.fhir import FhirClient, FhirError

pytestmark = pytest.mark.contract

SYSTEM = "http://fhir.health.gov.lk/ips/identifier/phn"
EVENT = "http://fhir.health.gov.lk/ips/identifier/contract-event"


def woman(number: str, **more: Any) -> dict[str, Any]:
    name = [{"family": "Perera", "given": ["Nimali"]}]
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": number}], "name": name, **more}


def bundle(number: str, weight: float = 60.5) -> dict[str, Any]:
    her = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, number)}"
    observation = {
        "resourceType": "Observation",
        "identifier": [{"system": EVENT, "value": number}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": her},
        "effectiveDateTime": "2026-02-01T09:00:00+05:30",
        "valueQuantity": {"value": weight, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }
    conditional = [
        (her, woman(number), f"Patient?identifier={SYSTEM}%7C{number}"),
        (f"urn:uuid:{uuid.uuid4()}", observation, f"Observation?identifier={EVENT}%7C{number}"),
    ]
    entries = [
        {"fullUrl": full_url, "resource": resource, "request": {"method": "PUT", "url": url}}
        for full_url, resource, url in conditional
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@pytest.fixture
def number() -> str:
    """An identifier nobody has."""
    return uuid.uuid4().hex


async def test_it_is_a_fhir_r4_server(fhir: FhirClient) -> None:
    statement = await fhir.get("/metadata")
    assert statement["fhirVersion"].startswith("4.0")
    patient = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    assert {"read", "create", "update", "search-type"} <= {one["code"] for one in patient["interaction"]}


async def test_what_is_created_is_read_and_found(fhir: FhirClient, number: str) -> None:
    created = await fhir.create(woman(number))
    read = await fhir.read("Patient", created["id"])
    assert read["identifier"] == created["identifier"]
    found = await fhir.search("Patient", {"identifier": f"{SYSTEM}|{number}"})
    assert [one["id"] for one in found] == [created["id"]]
    assert (await fhir.get("/Patient", {"identifier": f"{SYSTEM}|{number}"}))["total"] == 1


async def test_conditional_create_is_idempotent(fhir: FhirClient, number: str) -> None:
    made = [await fhir.create(woman(number), if_none_exist=f"identifier={SYSTEM}%7C{number}") for _ in range(2)]
    assert made[0]["id"] == made[1]["id"]


async def test_a_stale_update_is_refused(fhir: FhirClient, number: str) -> None:
    first = await fhir.create(woman(number))
    second = await fhir.update(first | {"gender": "female"}, if_match=first["meta"]["versionId"])
    assert second["meta"]["versionId"] == "2"
    with pytest.raises(FhirError) as refused:
        await fhir.update(first | {"gender": "other"}, if_match="1")
    assert refused.value.status in (409, 412)


async def test_a_transaction_twice_leaves_no_duplicates_and_no_new_versions(fhir: FhirClient, number: str) -> None:
    first = await fhir.transaction(bundle(number))
    again = await fhir.transaction(bundle(number))
    assert [one["response"]["status"][:3] for one in first["entry"]] == ["201", "201"]
    assert [one["response"]["status"][:3] for one in again["entry"]] == ["200", "200"]
    changed = await fhir.transaction(bundle(number, 61))
    assert [one["response"]["etag"] for one in changed["entry"]] == ['W/"1"', 'W/"2"']
    her = (await fhir.search("Patient", {"identifier": f"{SYSTEM}|{number}"}))[0]
    found = await fhir.search("Observation", {"patient": her["id"]})
    assert [one["subject"]["reference"] for one in found] == [f"Patient/{her['id']}"]


async def test_a_transaction_is_all_or_nothing(fhir: FhirClient, number: str) -> None:
    broken = bundle(number)
    broken["entry"][1]["resource"]["encounter"] = {"reference": f"Encounter/{uuid.uuid4()}"}
    with pytest.raises(FhirError) as refused:
        await fhir.transaction(broken)
    assert refused.value.status in (400, 404, 422)
    assert not refused.value.retryable
    assert await fhir.search("Patient", {"identifier": f"{SYSTEM}|{number}"}) == []


async def test_the_same_transaction_at_once_makes_one_patient(fhir: FhirClient, number: str) -> None:
    answers = await asyncio.gather(*(fhir.transaction(bundle(number)) for _ in range(6)), return_exceptions=True)
    for answer in answers:  # a conflict may be tried again
        assert not isinstance(answer, BaseException) or (isinstance(answer, FhirError) and answer.retryable)
    assert len(await fhir.search("Patient", {"identifier": f"{SYSTEM}|{number}"})) == 1


async def test_all_pages_are_read(fhir: FhirClient, number: str) -> None:
    first = await fhir.create(woman(number))
    entries = [
        {"resource": one["resource"] | {"id": ""}, "request": {"method": "POST", "url": "Observation"}}
        for one in [bundle(number)["entry"][1]] * 12
    ]
    for entry in entries:
        entry["resource"] = {
            name: value for name, value in entry["resource"].items() if name not in ("id", "identifier")
        }
        entry["resource"]["subject"] = {"reference": f"Patient/{first['id']}"}
    await fhir.transaction({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    found = await fhir.search("Observation", {"patient": first["id"], "_count": "5", "_sort": "-date"})
    assert len({one["id"] for one in found}) == 12
    included = await fhir.search("Observation", {"patient": first["id"], "_include": "Observation:patient"})
    assert [one["id"] for one in included if one["resourceType"] == "Patient"] == [first["id"]]


async def test_chained_identifier_and_date_range(fhir: FhirClient, number: str) -> None:
    await fhir.transaction(bundle(number))
    whose = ("patient.identifier", f"{SYSTEM}|{number}")
    assert len(await fhir.search("Observation", [whose, ("date", "ge2026-02-01"), ("date", "lt2026-03-01")])) == 1
    assert len(await fhir.search("Observation", [whose, ("date", "lt2026-02-01")])) == 0
    assert len(await fhir.search("Observation", [whose, ("code", "http://loinc.org|29463-7")])) == 1


async def test_everything_of_a_patient(fhir: FhirClient, number: str) -> None:
    await fhir.transaction(bundle(number))
    her = (await fhir.search("Patient", {"identifier": f"{SYSTEM}|{number}"}))[0]
    assert {"Patient", "Observation"} <= {one["resourceType"] for one in await fhir.everything(her["id"])}


async def test_refusals_are_operation_outcomes(fhir: FhirClient) -> None:
    for path, status in ((f"/Patient/{uuid.uuid4()}", 404), ("/Patient?nonsense=1", 400)):
        with pytest.raises(FhirError) as refused:
            await fhir.get(path)
        assert (refused.value.status, bool(refused.value.issues)) == (status, True)
