"""Who looked at her record: written with the access, readable by her alone."""

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

from janani.kernel import postgres
from janani.record.access import Access
from janani.record.actor import Actor
from janani.record.authorization.audit import AuditLog, audit_events
from janani.record.validation import Validator
from record_smart import Server, patient

AT = datetime(2025, 9, 4, 7, 37, 47, 106000, UTC)
DOCTOR = Actor("staff", "Practitioner/d", scopes=frozenset(["user/*.cruds"]), client="portals", display="Dr Perera")
MOTHER = "openid fhirUser launch/patient patient/*.rs"


def test_an_event_is_valid_r4_and_says_who_what_when() -> None:
    read = Access("R", "read", "Observation", "o", 3, ("p",))
    [(person, event)] = audit_events(DOCTOR, [read], AT)
    assert Validator.load(None).validate(event) == []
    assert person == "p"
    assert event["recorded"] == "2025-09-04T07:37:47.106+00:00"
    assert (event["action"], event["subtype"][0]["code"]) == ("R", "read")
    assert [agent["who"] for agent in event["agent"]] == [
        {"display": "Dr Perera", "reference": "Practitioner/d"},
        {"display": "portals"},
    ]
    assert [entity["what"]["reference"] for entity in event["entity"]] == ["Patient/p", "Observation/o/_history/3"]


def test_a_search_that_found_two_women_tells_neither_of_the_other() -> None:
    search = Access("E", "search-type", "Patient", patients=("p", "q"), query=("identifier", "_count"))
    events = dict(audit_events(DOCTOR, [search], AT))
    assert set(events) == {"p", "q"}
    assert "Patient/q" not in repr(events["p"])
    assert events["p"]["entity"][1]["description"] == "Patient?identifier&_count"
    assert base64.b64decode(events["p"]["entity"][1]["query"]) == b"Patient?identifier&_count"


def test_one_request_is_one_event_an_interaction() -> None:
    writes = [Access("C", "create", "Observation", str(n), 1, ("p",)) for n in range(15)]
    writes += [Access("U", "update", "Encounter", "e", 2, ("p",)), Access("C", "create", "Practitioner", "r", 1)]
    events = [event for _, event in audit_events(DOCTOR, writes, AT)]
    assert [(event["action"], len(event["entity"])) for event in events] == [("C", 16), ("U", 2)]
    assert all(Validator.load(None).validate(event) == [] for event in events)


def test_what_is_more_than_an_event_holds_goes_into_the_next() -> None:
    writes = [Access("C", "create", "Observation", str(n), 1, ("p",)) for n in range(450)]
    events = [event for _, event in audit_events(DOCTOR, writes, AT)]
    assert [len(event["entity"]) for event in events] == [201, 201, 51]
    named = {entity["what"]["reference"] for event in events for entity in event["entity"]}
    assert named == {"Patient/p", *(f"Observation/{n}/_history/1" for n in range(450))}
    assert len({event["id"] for event in events}) == 3


def test_what_concerns_nobody_leaves_nothing() -> None:
    assert audit_events(DOCTOR, [Access("R", "read", "Practitioner", "d", 1)], AT) == []


def test_a_service_is_its_own_agent() -> None:
    sync = Actor("system", "janani-sync", client="janani-sync", display="janani-sync")
    [(_, event)] = audit_events(sync, [Access("C", "create", "Patient", "p", 1, ("p",))], AT)
    assert [agent["who"] for agent in event["agent"]] == [{"display": "janani-sync"}]
    assert len(event["entity"]) == 1


async def test_she_reads_who_accessed_her_record(server: Server) -> None:
    sync = await server.system()
    hers = (await server.http.post("/fhir/Patient", json=patient("pairwise-1"), headers=sync)).json()["id"]
    other = (await server.http.post("/fhir/Patient", json=patient("pairwise-2", "2"), headers=sync)).json()["id"]
    server.esignet.person = {"sub": "pairwise-d", "name": "Anura", "email": "dr.perera@moh.example"}
    doctor = (await server.person("openid fhirUser user/*.cruds"))["access_token"]
    for one in (hers, other):
        await server.http.get(f"/fhir/Patient/{one}", headers={"authorization": f"Bearer {doctor}"})
    server.esignet.person = {"sub": "pairwise-1", "name": "Kumari"}
    token = (await server.person(MOTHER))["access_token"]
    events = await _events(server, {"authorization": f"Bearer {token}"}, f"AuditEvent?patient={hers}", 2)
    said = {(event["subtype"][0]["code"], event["agent"][0]["who"]["display"]) for event in events}
    assert said == {("create", "janani-sync"), ("read", "Dr Anura Perera")}
    assert all(event["meta"]["versionId"] == "1" for event in events)
    assert other not in repr(events)


async def _events(server: Server, headers: dict[str, str], url: str, most: int) -> list[dict[str, Any]]:
    for _ in range(1200):
        found = (await server.http.get(f"/fhir/{url}", headers=headers)).json()
        if found["total"] >= most:
            return [entry["resource"] for entry in found["entry"]]
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_two_settle_the_same_rows_once(database: str) -> None:
    pool, log = await postgres.open_pool(database, "record"), AuditLog(lambda: AT, "http://localhost:8081/fhir")
    access = Access("R", "read", "Patient", "p", 1, ("p",))
    async with pool.acquire() as one, pool.acquire() as two:
        for _ in range(3):
            await log.record(one, DOCTOR, [access])
        made = await asyncio.gather(log.settle(one), log.settle(two))
        assert sum(made) == 3
        assert await one.fetchval("select count(*) from audit") == 0
        assert await one.fetchval("select count(*) from resource where type = 'AuditEvent'") == 3
    await pool.close()


async def test_an_access_that_is_rolled_back_did_not_happen(database: str) -> None:
    pool, log = await postgres.open_pool(database, "record"), AuditLog(lambda: AT, "http://localhost:8081/fhir")
    async with pool.acquire() as connection:
        change = connection.transaction()
        await change.start()
        await log.record(connection, DOCTOR, [Access("C", "create", "Patient", "p", 1, ("p",))])
        await change.rollback()
        assert await log.settle(connection) == 0
    await pool.close()
