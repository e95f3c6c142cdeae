"""Whatever is sent, the answer is an OperationOutcome and never a 500."""

from typing import Any

import httpx

KIND = {"content-type": "application/fhir+json"}
PATIENTS: list[bytes] = [
    b"",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"resourceType":',
    b'{"resourceType":"Patient","name":"x"}',
    b'{"resourceType":"Patient","name":[null,1,"x",{}]}',
    b'{"resourceType":"Patient","identifier":{"system":1,"value":[]}}',
    b'{"resourceType":"Patient","identifier":[{"system":{"a":1},"value":{"b":2}}]}',
    b'{"resourceType":"Patient","meta":[]}',
    b'{"resourceType":"Patient","meta":{"profile":"x"}}',
    b'{"resourceType":"Patient","birthDate":"0000-99-99"}',
    b'{"resourceType":"Patient","birthDate":{"reference":5}}',
    b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}',
    b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}',
    b'{"resourceType":"Patient","multipleBirthInteger":1e999999}',
    b'{"resourceType":["Patient"]}',
    b'{"resourceType":"Patient","contained":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 300 + b"[]" + b"}]" * 300 + b"}",
    b'{"resourceType":"Patient","generalPractitioner":[{"reference":"Practitioner?"}]}',
    b'{"resourceType":"Patient","generalPractitioner":[{"reference":"Practitioner?nonsense=1"}]}',
    b'{"resourceType":"Patient","generalPractitioner":[{"reference":["x"]}]}',
]


async def test_odd_bodies(record: httpx.AsyncClient) -> None:
    for body in PATIENTS:
        await _refused(record, body)
    assert (await record.get("/fhir/Patient?_summary=count")).json()["total"] == 0


async def _refused(record: httpx.AsyncClient, body: bytes) -> None:
    for answer in (
        await record.post("/fhir/Patient", content=body, headers=KIND),
        await record.put("/fhir/Patient/x", content=body, headers=KIND),
        await record.post("/fhir", content=_transaction(body), headers=KIND),
    ):
        assert 400 <= answer.status_code < 500, (body[:80], answer.status_code, answer.text[:300])
        assert answer.json()["resourceType"] == "OperationOutcome"
    validated = await record.post("/fhir/Patient/$validate", content=body, headers=KIND)
    assert validated.status_code < 500, body[:80]


def _transaction(body: bytes) -> bytes:
    request = b'{"request":{"method":"POST","url":"Patient"},"resource":'
    start = b'{"resourceType":"Bundle","type":"transaction","entry":[' + request
    return start + (body or b"0") + b"}]}"


BUNDLES: list[dict[str, Any]] = [
    {"entry": {}},
    {"entry": [7]},
    {"entry": [{"request": []}]},
    {"entry": [{"request": {"method": 1, "url": 2}}]},
    {"entry": [{"request": {"method": "POST", "url": "Patient"}, "resource": []}]},
    {"entry": [{"request": {"method": "POST", "url": ""}, "resource": {"resourceType": "Patient"}}]},
    {"entry": [{"request": {"method": "PUT", "url": "Patient/"}, "resource": {"resourceType": "Patient"}}]},
    {"entry": [{"request": {"method": "PUT", "url": "Patient/a/b"}, "resource": {"resourceType": "Patient"}}]},
    {"entry": [{"request": {"method": "PUT", "url": "Patient/ä"}, "resource": {"resourceType": "Patient"}}]},
    {"entry": [{"request": {"method": "PUT", "url": "Patient?"}, "resource": {"resourceType": "Patient"}}]},
    {"entry": [{"request": {"method": "DELETE", "url": "Patient"}}]},
    {"entry": [{"request": {"method": "GET", "url": "Patient/x/y/z/w"}}]},
    {"entry": [{"request": {"method": "GET", "url": "Patient/x/_history/99999999999999999999"}}]},
    {
        "entry": [
            {"fullUrl": 7, "request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}}
        ]
    },
    {
        "entry": [
            {"request": {"method": "PATCH", "url": "Patient/x"}, "resource": {"resourceType": "Binary", "data": 7}}
        ]
    },
    {
        "entry": [
            {
                "request": {"method": "PUT", "url": "Patient/x", "ifMatch": 7},
                "resource": {"resourceType": "Patient"},
            }
        ]
    },
]


async def test_odd_bundles(record: httpx.AsyncClient) -> None:
    for bundle in BUNDLES:
        sent = {"resourceType": "Bundle", "type": "transaction", **bundle}
        answer = await record.post("/fhir", json=sent)
        assert 400 <= answer.status_code < 500, (bundle, answer.status_code, answer.text[:300])
        batch = await record.post("/fhir", json=sent | {"type": "batch"})
        assert batch.status_code < 500, bundle


URLS = [
    "/Patient/%00",
    "/Patient/a%2Fb",
    "/Patient/" + "x" * 500,
    "/Patient/x/_history/99999999999999999999",
    "/Patient/x/_history/x",
    "/Patient/x/_history/%C2%B2",
    "/Patient?identifier=%00",
    "/Patient?_count=-1",
    "/Patient?_count=" + "9" * 5000,
    "/Patient?_count=%D9%A1",
    "/Patient?birthdate=99999-01",
    "/Patient?_lastUpdated=",
    "/Patient?_id=%FF",
    "/Patient?:=1",
    "/Patient?.=1",
    "/Patient?identifier:missing=maybe",
    "/Patient/_history?_since=x",
    "/Patient/_history?_before=x",
    "/?_getpages=x&_getpagesoffset=-1",
    "/_history?_count=99999999999999999999",
    "/Observation?value-quantity=1e99999999",
    "/Observation?value-quantity=NaN",
    "/Observation?value-quantity=1|2|3|4",
    "/Observation?subject:Nonsense=1",
    "/Observation?subject:Patient.subject:Patient.name=1",
]


async def test_odd_urls(record: httpx.AsyncClient) -> None:
    for url in URLS:
        answer = await record.get(f"/fhir{url}")
        assert answer.status_code < 500, (url, answer.text[:300])
        assert answer.json()["resourceType"] in ("OperationOutcome", "Bundle")


OPERATIONS = [
    {"parameter": None},
    {"parameter": 5},
    {"parameter": "x"},
    {"parameter": {"name": "resource"}},
    {"parameter": [None]},
    {"parameter": [{"name": [1]}]},
    {"parameter": [{"name": "resource", "resource": "x"}]},
    {"parameter": [{"name": "resource", "resource": None}]},
    {"parameter": [{"name": "patient", "valueIdentifier": {"system": 5}}]},
    {"parameter": [{"name": "system", "valueUri": 5}]},
]


async def test_odd_parameters_of_operations(record: httpx.AsyncClient) -> None:
    for odd in OPERATIONS:
        for url in ("/fhir/Patient/$validate", "/fhir/$sent-digests"):
            answer = await record.post(url, json={"resourceType": "Parameters", **odd})
            assert answer.status_code in (200, 400), (url, odd, answer.text[:300])
            if not isinstance(odd["parameter"], list):
                assert answer.status_code == 400, (url, odd)
