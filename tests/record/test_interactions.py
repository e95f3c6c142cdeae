"""The RESTful interactions of R4 §http on one resource."""

import httpx
import pytest

from janani.record.preferences import preference

PHN = "http://fhir.health.gov.lk/ips/identifier/phn"
FHIR = {"content-type": "application/fhir+json"}


def patient(number: str = "1", **more: object) -> dict[str, object]:
    name = [{"family": "Perera", "given": ["Nimali"]}]
    return {"resourceType": "Patient", "identifier": [{"system": PHN, "value": number}], "name": name, **more}


async def test_a_created_resource_is_read_back_with_version_and_time(record: httpx.AsyncClient) -> None:
    created = await record.post("/fhir/Patient", json=patient())
    assert created.status_code == 201, created.text
    body = created.json()
    assert created.headers["etag"] == 'W/"1"'
    assert created.headers["location"].endswith(f"/fhir/Patient/{body['id']}/_history/1")
    assert created.headers["content-type"].startswith("application/fhir+json")
    read = await record.get(f"/fhir/Patient/{body['id']}")
    assert read.json() == body
    assert body["meta"]["versionId"] == "1"


async def test_decimals_keep_their_precision(record: httpx.AsyncClient) -> None:
    text = b"""{"resourceType":"Observation","status":"final","code":{"text":"Hb"},"valueQuantity":{"value":11.20}}"""
    created = await record.post("/fhir/Observation", content=text, headers={"content-type": "application/fhir+json"})
    assert b'"value":11.20' in created.content


async def test_update_makes_a_version_unless_nothing_changed(record: httpx.AsyncClient) -> None:
    first = await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    same = await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    other = await record.put("/fhir/Patient/nimali", json=patient("2", id="nimali"))
    assert [first.status_code, same.status_code, other.status_code] == [201, 200, 200]
    assert [one.headers["etag"] for one in (first, same, other)] == ['W/"1"', 'W/"1"', 'W/"2"']
    old = await record.get("/fhir/Patient/nimali/_history/1")
    assert old.json()["identifier"][0]["value"] == "1"


async def test_another_precision_is_another_value(record: httpx.AsyncClient) -> None:
    async def stored(value: bytes) -> tuple[str, bytes]:
        body = b'{"resourceType":"Observation","id":"hb","status":"final","code":{"text":"Hb"},'
        body += b'"valueQuantity":{"value":%b}}' % value
        answer = await record.put("/fhir/Observation/hb", content=body, headers=FHIR)
        return answer.headers["etag"], answer.content

    for version, value in enumerate((b"12", b"12.0", b"12.00"), 1):
        tag, said = await stored(value)
        assert tag == f'W/"{version}"'
        assert b'"value":%b}' % value in said
    assert (await stored(b"12.00"))[0] == 'W/"3"'
    patch = b'[{"op":"replace","path":"/valueQuantity/value","value":12.0}]'
    headers = {"content-type": "application/json-patch+json"}
    assert b'"value":12.0}' in (await record.patch("/fhir/Observation/hb", content=patch, headers=headers)).content


async def test_a_stale_version_is_refused(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    changed = patient("2", id="nimali")
    assert (await record.put("/fhir/Patient/nimali", json=changed, headers={"if-match": 'W/"1"'})).status_code == 200
    stale = await record.put("/fhir/Patient/nimali", json=patient("3", id="nimali"), headers={"if-match": 'W/"1"'})
    assert stale.status_code == 412
    assert stale.json()["issue"][0]["code"] == "conflict"


async def test_delete_answers_200_whether_or_not_there_was_anything(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    for _ in range(2):
        deleted = await record.delete("/fhir/Patient/nimali")
        assert deleted.status_code == 200
        assert deleted.json()["resourceType"] == "OperationOutcome"
    assert (await record.delete("/fhir/Patient/nobody")).status_code == 200
    assert (await record.delete("/fhir/Patient?identifier=x|y")).status_code == 200
    assert (await record.get("/fhir/Patient/nimali")).status_code == 410
    assert (await record.get("/fhir/Patient/nobody")).status_code == 404


async def test_a_deleted_resource_can_come_back(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    await record.delete("/fhir/Patient/nimali")
    again = await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    assert (again.status_code, again.headers["etag"]) == (201, 'W/"3"')


async def test_what_is_referred_to_is_not_deleted(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/nimali"},
    }
    assert (await record.post("/fhir/Encounter", json=encounter)).status_code == 201
    assert (await record.delete("/fhir/Patient/nimali")).status_code == 409
    encounter["subject"] = {"reference": "Patient/nobody"}
    assert (await record.post("/fhir/Encounter", json=encounter)).status_code == 400


async def test_conditional_create_gives_what_is_there(record: httpx.AsyncClient) -> None:
    condition = {"if-none-exist": f"identifier={PHN}|7"}
    first = await record.post("/fhir/Patient", json=patient("7"), headers=condition)
    second = await record.post("/fhir/Patient", json=patient("7"), headers=condition)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


async def test_conditional_update_creates_updates_and_refuses_many(record: httpx.AsyncClient) -> None:
    where = f"/fhir/Patient?identifier={PHN}%7C7"
    created = await record.put(where, json=patient("7"))
    updated = await record.put(where, json=patient("7", gender="female"))
    assert (created.status_code, updated.status_code) == (201, 200)
    assert created.json()["id"] == updated.json()["id"]
    await record.post("/fhir/Patient", json=patient("7"))
    assert (await record.put(where, json=patient("7"))).status_code == 412
    assert (await record.delete(where)).status_code == 412


async def test_json_patch(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    patch = [{"op": "add", "path": "/gender", "value": "female"}]
    kind = {"content-type": "application/json-patch+json"}
    done = await record.patch("/fhir/Patient/nimali", json=patch, headers=kind)
    assert done.status_code == 200, done.text
    assert (done.json()["gender"], done.headers["etag"]) == ("female", 'W/"2"')
    fhirpath = await record.patch("/fhir/Patient/nimali", json={"resourceType": "Parameters"})
    assert fhirpath.json()["issue"][0]["code"] == "not-supported"
    assert (await record.patch("/fhir/Patient/nobody", json=patch, headers=kind)).status_code == 404
    failed = [{"op": "test", "path": "/gender", "value": "male"}]
    assert (await record.patch("/fhir/Patient/nimali", json=failed, headers=kind)).status_code == 422


async def test_history_is_newest_first_and_pages(record: httpx.AsyncClient) -> None:
    for number in "12":
        await record.put("/fhir/Patient/nimali", json=patient(number, id="nimali"))
    await record.delete("/fhir/Patient/nimali")
    bundle = (await record.get("/fhir/Patient/nimali/_history?_count=2")).json()
    assert bundle["type"] == "history"
    assert bundle["total"] == 3
    methods = [entry["request"]["method"] for entry in bundle["entry"]]
    assert methods == ["DELETE", "PUT"]
    following = next(link["url"] for link in bundle["link"] if link["relation"] == "next")
    rest = (await record.get(following.partition("8081")[2])).json()
    assert [entry["response"]["status"] for entry in rest["entry"]] == ["201 Created"]
    assert (await record.get("/fhir/Patient/_history")).json()["total"] == 3
    first = (await record.get("/fhir/_history?_count=2")).json()
    assert first["total"] == 3  # who looked is no part of it
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    second = (await record.get(following)).json()
    assert (len(first["entry"]), len(second["entry"]), second.get("total")) == (2, 1, None)  # counted once
    assert (await record.get("/fhir/Patient/_history?_since=2999-01-01")).json()["total"] == 0


async def test_prefer_decides_what_comes_back(record: httpx.AsyncClient) -> None:
    minimal = await record.post("/fhir/Patient", json=patient(), headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    said = await record.post("/fhir/Patient", json=patient(), headers={"prefer": "return=OperationOutcome"})
    assert said.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "prefer", ["return=minimal, handling=strict", "handling=strict; x=y,return=minimal", 'Return="minimal"']
)
async def test_preferences_come_in_any_order(prefer: str) -> None:
    assert preference(prefer) == "minimal"


async def test_what_is_not_supported_is_refused(record: httpx.AsyncClient) -> None:
    assert (await record.get("/fhir/Patient?_format=xml")).status_code == 406
    assert (await record.get("/fhir/Patient", headers={"accept": "application/fhir+xml"})).status_code == 406
    xml = {"content-type": "application/fhir+xml"}
    assert (await record.post("/fhir/Patient", content=b"<Patient/>", headers=xml)).status_code == 415
    assert (await record.get("/fhir/Nonsense/1")).status_code == 404
    unknown = await record.get("/fhir/Patient?shoe-size=42")
    assert unknown.status_code == 400
    assert "HAPI-0524" in unknown.json()["issue"][0]["diagnostics"]
    assert (await record.get("/fhir/Patient/x/$frobnicate")).status_code in (400, 404)
    assert (await record.post("/fhir/Patient", content=b"{")).status_code == 400
    invalid = await record.post("/fhir/Patient", json=patient(gender="cat"))
    assert invalid.status_code == 422, invalid.text


async def test_validate_says_what_is_wrong_and_stores_nothing(record: httpx.AsyncClient) -> None:
    good = await record.post("/fhir/Patient/$validate", json=patient())
    assert good.status_code == 200, good.text
    bad = await record.post("/fhir/Patient/$validate", json=patient(gender="cat"))
    assert (bad.status_code, bad.json()["issue"][0]["severity"]) == (412, "error")
    assert (await record.get("/fhir/Patient?_summary=count")).json()["total"] == 0


async def test_metadata_says_what_there_is(record: httpx.AsyncClient) -> None:
    statement = (await record.get("/fhir/metadata")).json()
    patient_part = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    assert {"name": "identifier", "type": "token"} in patient_part["searchParam"]
    assert "Observation:patient" in patient_part["searchRevInclude"]
    assert statement["format"] == ["application/fhir+json", "json"]


async def test_the_audit_trail_is_searched_but_not_changed(record: httpx.AsyncClient) -> None:
    await record.put("/fhir/Patient/nimali", json=patient(id="nimali"))
    await record.get("/fhir/Patient/nimali")
    trail = (await record.get("/fhir/AuditEvent?patient=nimali&_sort=date")).json()
    assert [entry["resource"]["action"] for entry in trail["entry"]] == ["U", "R"]
    event = trail["entry"][0]["resource"]
    assert (await record.put(f"/fhir/AuditEvent/{event['id']}", json=event)).status_code == 405
    assert (await record.delete(f"/fhir/AuditEvent/{event['id']}")).status_code == 405
    everything = (await record.get("/fhir/Patient/nimali/$everything")).json()
    assert everything["total"] == 1
