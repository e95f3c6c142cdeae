"""Transaction and batch (R4 §http 3.1.0.11), as the sync and the doctor portal send them."""

import asyncio
import base64
import json
import uuid
from typing import Any

import httpx

PHN = "http://fhir.health.gov.lk/ips/identifier/phn"
EVENT = "http://fhir.health.gov.lk/ips/identifier/dhis2-event"


def entry(
    resource: dict[str, Any], url: str, method: str = "PUT", full_url: str = "", **request: str
) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource, "request": {"method": method, "url": url, **request}}


def woman(phn: str = "1", observations: int = 3, weight: float = 60) -> dict[str, Any]:
    """A bundle as the sync sends it: patient, encounter, observations; conditional and by full URL."""
    her, visit = (f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, phn + name)}" for name in ("p", "e"))
    patient = {"resourceType": "Patient", "identifier": [{"system": PHN, "value": phn}], "name": [{"family": "Perera"}]}
    encounter = {
        "resourceType": "Encounter",
        "identifier": [{"system": EVENT, "value": phn}],
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": her},
    }
    entries = [
        entry(patient, f"Patient?identifier={PHN}|{phn}", full_url=her),
        entry(encounter, f"Encounter?identifier={EVENT}%7C{phn}", full_url=visit),
    ]
    for number in range(observations):
        observation = {
            "resourceType": "Observation",
            "identifier": [{"system": EVENT, "value": f"{phn}-{number}"}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": f"Patient?identifier={PHN}|{phn}"},
            "encounter": {"reference": visit},
            "effectiveDateTime": "2026-02-01",
            "valueQuantity": {"value": weight + number, "unit": "kg"},
        }
        entries.append(
            entry(observation, f"Observation?identifier={EVENT}|{phn}-{number}", full_url=f"urn:uuid:x{number}")
        )
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"][:3] for one in answer.json()["entry"]]


async def test_a_bundle_is_created_once_and_updated_where_it_changed(record: httpx.AsyncClient) -> None:
    first = await record.post("/fhir", json=woman())
    assert statuses(first) == ["201"] * 5
    assert first.json()["type"] == "transaction-response"
    again = await record.post("/fhir", json=woman())
    assert statuses(again) == ["200"] * 5
    assert [e["response"]["location"] for e in again.json()["entry"]] == [
        e["response"]["location"] for e in first.json()["entry"]
    ]
    changed = await record.post("/fhir", json=woman(weight=61))
    assert [e["response"]["etag"] for e in changed.json()["entry"]] == ['W/"1"'] * 2 + ['W/"2"'] * 3
    found = (await record.get(f"/fhir/Observation?patient.identifier={PHN}|1&_include=Observation:encounter")).json()
    assert found["total"] == 3
    assert found["entry"][0]["resource"]["subject"]["reference"].startswith("Patient/")


async def test_all_or_nothing(record: httpx.AsyncClient) -> None:
    bundle = woman()
    bundle["entry"][4]["resource"]["encounter"]["reference"] = "Encounter/nowhere"
    assert (await record.post("/fhir", json=bundle)).status_code == 400
    bundle["entry"][4]["resource"]["encounter"]["reference"] = "urn:uuid:nowhere"
    assert (await record.post("/fhir", json=bundle)).status_code == 400
    bundle["entry"][4]["resource"]["encounter"]["reference"] = "Encounter?identifier=nowhere|1"
    assert (await record.post("/fhir", json=bundle)).status_code == 404
    bundle = woman()
    bundle["entry"][3]["resource"]["status"] = "sort of"
    refused = await record.post("/fhir", json=bundle)
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["expression"] == ["Bundle.entry[3].resource.status"]
    assert (await record.get("/fhir/_history")).json()["total"] == 0


async def test_twenty_at_once_make_one_patient(record: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(record.post("/fhir", json=woman(weight=number)) for number in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    for resource_type, expected in (("Patient", 1), ("Encounter", 1), ("Observation", 3)):
        assert (await record.get(f"/fhir/{resource_type}?_summary=count")).json()["total"] == expected


async def test_deletes_come_first_then_creates_then_reads(record: httpx.AsyncClient) -> None:
    await record.post("/fhir", json=woman("1", 0))
    new = {"resourceType": "Patient", "name": [{"family": "Silva"}]}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"request": {"method": "GET", "url": "Patient?_sort=family"}},
            entry(new, "Patient", "POST"),
            {"request": {"method": "DELETE", "url": f"Encounter?identifier={EVENT}|1"}},
            {"request": {"method": "DELETE", "url": f"Patient?identifier={PHN}|1"}},
        ],
    }
    answer = await record.post("/fhir", json=bundle)
    assert statuses(answer) == ["200", "201", "200", "200"]
    found = answer.json()["entry"][0]["resource"]
    assert [one["resource"]["name"][0]["family"] for one in found["entry"]] == ["Silva"]


async def test_conditional_creates_of_one_bundle_agree(record: httpx.AsyncClient) -> None:
    person = {"resourceType": "Practitioner", "identifier": [{"system": "s", "value": "dr"}]}
    entries = [entry(person, "Practitioner", "POST", f"urn:uuid:{n}", ifNoneExist="identifier=s|dr") for n in (1, 2)]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert statuses(await record.post("/fhir", json=bundle)) == ["201", "200"]
    assert statuses(await record.post("/fhir", json=bundle)) == ["200", "200"]
    twice = {"resourceType": "Bundle", "type": "transaction", "entry": woman()["entry"][:1] * 2}
    assert (await record.post("/fhir", json=twice)).status_code == 400


async def test_the_second_conditional_create_of_a_bundle_says_where_the_first_put_it(record: httpx.AsyncClient) -> None:
    unit = {"resourceType": "Organization", "identifier": [{"system": PHN, "value": "u"}]}
    entries = [entry(unit, "Organization", "POST", ifNoneExist=f"identifier={PHN}|u") for _ in range(2)]
    prefer = {"prefer": "return=representation"}
    answer = await record.post(
        "/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=prefer
    )
    assert statuses(answer) == ["201", "200"]
    first, second = answer.json()["entry"]
    assert second["resource"] == first["resource"]
    assert second["response"] == {**first["response"], "status": "200 OK"}


async def test_patch_and_versions_within_a_bundle(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json={"resourceType": "Patient", "id": "nimali"})
    patch = base64.b64encode(json.dumps([{"op": "add", "path": "/active", "value": True}]).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch}
    one = entry(binary, "Patient/nimali", "PATCH", ifMatch='W/"1"')
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [one]}
    answer = await record.post("/fhir", json=bundle, headers={"prefer": "return=representation"})
    assert answer.json()["entry"][0]["resource"]["active"] is True
    assert (await record.post("/fhir", json=bundle)).status_code == 412


async def test_in_a_batch_each_stands_for_itself(record: httpx.AsyncClient) -> None:
    bundle = woman("1", 0) | {"type": "batch"}
    bundle["entry"][1]["resource"]["subject"] = {"reference": "Patient/nobody"}
    bundle["entry"].append({"request": {"method": "GET", "url": "Patient/nobody"}})
    answer = await record.post("/fhir", json=bundle)
    assert answer.json()["type"] == "batch-response"
    assert statuses(answer) == ["201", "400", "404"]
    assert answer.json()["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"


BAD_ENTRIES: list[dict[str, Any]] = [
    {},
    {"request": {"method": "BREW", "url": "Patient"}},
    {"request": {"method": "PUT", "url": "Patient/1"}},
    {"request": {"method": "POST", "url": "Nonsense"}, "resource": {"resourceType": "Nonsense"}},
    entry({"resourceType": "Group"}, "Patient", "POST"),
    entry({"resourceType": "Patient", "name": [{"family": "a\0b"}]}, "Patient", "POST"),
    {"request": {"method": "GET", "url": "Patient/x/_history/99999999999"}},
    {"request": {"method": "GET", "url": "Patient/x/_history/\u00b2"}},
    {"request": {"method": "GET", "url": "Patient?identifier=%00"}},
]


async def test_in_a_batch_a_bad_entry_spoils_no_other(record: httpx.AsyncClient) -> None:
    new = entry({"resourceType": "Patient", "name": [{"family": "Silva"}]}, "Patient", "POST")
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [new, *BAD_ENTRIES, new]}
    answer = await record.post("/fhir", json=bundle)
    first, *bad, last = statuses(answer)
    assert (first, last) == ("201", "201")
    assert set(bad) == {"400", "404", "422"}, bad
    outcomes = [one["response"]["outcome"]["resourceType"] for one in answer.json()["entry"][1:-1]]
    assert outcomes == ["OperationOutcome"] * len(BAD_ENTRIES)
    for one in BAD_ENTRIES:
        whole = await record.post("/fhir", json=bundle | {"type": "transaction", "entry": [new, one]})
        assert whole.status_code in (400, 404, 422), one
    assert (await record.get("/fhir/Patient?_summary=count")).json()["total"] == 2


async def test_what_is_no_transaction_is_refused(record: httpx.AsyncClient) -> None:
    for bundle in (
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle", "type": "transaction", "entry": [{}]},
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{"request": {"method": "PUT", "url": "Patient/1"}}],
        },
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [entry({"resourceType": "Group"}, "Patient", "POST")],
        },
    ):
        assert (await record.post("/fhir", json=bundle)).status_code == 400, bundle
    empty = await record.post("/fhir", json={"resourceType": "Bundle", "type": "transaction"})
    assert empty.status_code == 200
