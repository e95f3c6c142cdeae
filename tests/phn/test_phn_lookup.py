"""Looking a person up by number or demographics (PDQm), and keeping her demographics."""

import asyncio

import httpx
import msgspec
import pytest

from janani.programmes.sri_lanka import check_digit
from janani.settings import Settings
from phn_world import NIC, PHN, PROGRAMME, SUBJECT, issue_of, patient, phn_of, trail

MALINI, MALANI, OLD, FOREIGN = "KANDYTH1MKH7R47", "KANDYTH1TGW4C94", "20340001179", "12345678"


async def search(route: httpx.AsyncClient, **criteria: str) -> list[str]:
    answer = await route.get("/fhir/Patient", params=criteria)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    assert bundle["total"] == len(bundle.get("entry", []))
    return [phn_of(entry["resource"]) for entry in bundle.get("entry", [])]


@pytest.mark.parametrize("number", [MALINI, "kandyth1 mkh7r4 7", OLD, FOREIGN])
async def test_a_number_finds_its_holder(route: httpx.AsyncClient, number: str) -> None:
    [found] = await search(route, identifier=f"{PHN}|{number}")
    assert found == "".join(number.split()).upper()


async def test_the_holder_comes_with_her_demographics(route: httpx.AsyncClient) -> None:
    answer = await route.get("/fhir/Patient", params={"identifier": f"{PHN}|{MALINI}"})
    [entry] = answer.json()["entry"]
    malini = entry["resource"]
    assert malini["name"][0]["text"] == "Malini Jayawardena"
    assert malini["birthDate"] == "1990-07-02"
    assert malini["telecom"] == [{"system": "phone", "value": "+94771234502"}]
    assert entry["search"] == {"mode": "match"}
    assert entry["fullUrl"].endswith(f"/fhir/Patient/{malini['id']}")
    assert (await route.get(f"/fhir/Patient/{malini['id']}")).json() == malini


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"identifier": f"{NIC}|906845678V"}, [MALINI]),
        ({"identifier": f"{NIC}|199068405678"}, [MALINI]),  # the new form of the same card
        ({"identifier": f"{PHN}|{MALINI},{PHN}|{OLD}"}, [OLD, MALINI]),
        ({"identifier": MALINI}, [MALINI]),
        ({"identifier": f"urn:other|{MALINI}"}, []),
        ({"identifier": f"{PHN}|KANDYTH1BBBBBB1"}, []),
        ({"family": "Jayawardena"}, [MALINI, MALANI]),  # as it sounds
        ({"name": "malini jayawardena", "birthdate": "1990-07-02"}, [MALINI]),
        ({"given": "Jane", "family": "Doe", "birthdate": "eq1997-08-01"}, [FOREIGN]),
        ({"telecom": "077 123 4502"}, [MALINI]),
        ({"birthdate": "1990-07-02", "gender": "male"}, []),
        ({"family": "Jayawardena", "_count": "1"}, [MALINI]),
    ],
)
async def test_who_fits_every_criterion_is_found(
    route: httpx.AsyncClient, criteria: dict[str, str], found: list[str]
) -> None:
    assert await search(route, **criteria) == found


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "required"),  # nobody may list everybody
        ("?identifier=", 400, "required"),
        ("?gender=female", 400, "required"),
        ("?family=J", 400, "value"),
        ("?address=Kandy", 400, "not-supported"),
        ("?birthdate=ge1990", 400, "value"),
        ("?gender=f&name=Jane", 400, "value"),
        ("?birthdate=1990-07-02&birthdate=1991-07-02", 400, "not-supported"),
        ("/no-such-id", 404, "not-found"),
        ("/7d0f3c9e-9b0a-4f5e-8a73-000000000000", 404, "not-found"),
    ],
)
async def test_what_is_not_supported_is_refused(route: httpx.AsyncClient, query: str, status: int, code: str) -> None:
    assert issue_of(await route.get(f"/fhir/Patient{query}"))[:2] == (status, code)


async def test_criteria_may_come_as_a_form(route: httpx.AsyncClient) -> None:
    answer = await route.post("/fhir/Patient/_search", data={"identifier": f"{PHN}|{MALINI}"})
    assert answer.json()["total"] == 1
    nobody = await route.post("/fhir/Patient/_search", content=b"")
    assert issue_of(nobody)[:2] == (400, "required")


async def test_the_women_of_the_demo_district_are_known(route: httpx.AsyncClient) -> None:
    district = msgspec.json.decode((PROGRAMME.folder / "demo" / "district.json").read_bytes())
    uid = PROGRAMME.registry.attributes["phn"]
    numbers = [
        one["value"]
        for person in district["trackedEntities"]
        for one in person["enrollments"][0]["attributes"]
        if one["attribute"] == uid
    ]
    assert numbers
    assert await search(route, identifier=f"{PHN}|{numbers[0]}") == [numbers[0]]


async def test_a_midwife_records_who_brings_a_number(route: httpx.AsyncClient) -> None:
    resource = patient(
        "Kumari Dissanayake", identifiers={PHN: "HOSP0001BBBBBB0", SUBJECT: "pairwise"}, birthDate="1996-03-14"
    )
    number = phn_of(resource)
    query = {"identifier": f"{PHN}|{number}"}
    wrong = await route.put("/fhir/Patient", params=query, json=resource)
    assert issue_of(wrong) == (422, "value", "check-digit")

    number = "HOSP0001BBBBBB" + check_digit("HOSP0001BBBBBB")
    resource["identifier"][0]["value"] = number
    query = {"identifier": f"{PHN}|{number}"}
    made = await route.put("/fhir/Patient", params=query, json=resource)
    assert made.status_code == 201
    assert made.headers["location"].endswith(made.json()["id"])
    again = await route.put("/fhir/Patient", params=query, json=resource | {"gender": "female"})
    assert (again.status_code, again.json()["meta"]["versionId"]) == (200, "2")
    assert again.json()["id"] == made.json()["id"]
    assert await search(route, identifier=f"{SUBJECT}|pairwise") == [number]


async def test_an_older_number_is_kept_as_entered(route: httpx.AsyncClient) -> None:
    made = await route.post("/fhir/Patient", json=patient(identifiers={PHN: " abc-99 "}))
    assert made.status_code == 201
    assert phn_of(made.json()) == "abc-99"
    twice = await route.post("/fhir/Patient", json=patient(identifiers={PHN: "abc-99"}))
    assert issue_of(twice) == (409, "duplicate", "phn-known")


async def test_two_midwives_at_once_do_not_overwrite_each_other(route: httpx.AsyncClient) -> None:
    query = {"identifier": f"{PHN}|{MALINI}"}
    found = (await route.get("/fhir/Patient", params=query)).json()["entry"][0]["resource"]
    writes = [
        route.put("/fhir/Patient", params=query, json=found | {"active": active}, headers={"if-match": 'W/"1"'})
        for active in (True, False)
    ]
    assert sorted(answer.status_code for answer in await asyncio.gather(*writes)) == [200, 412]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "structure"),
        (b"[]", 400, "structure"),
        (b'{"resourceType": "Observation"}', 400, "structure"),
        (b'{"resourceType": "Patient", "identifier": "x"}', 400, "structure"),
        (b'{"resourceType": "Patient"}', 422, "required"),
        (b'{"resourceType": "Patient", "gender": "F"}', 422, "code-invalid"),
        (b'{"resourceType": "Patient", "birthDate": "02/07/1990"}', 422, "value"),
    ],
)
async def test_what_can_not_be_a_patient_is_refused(
    route: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await route.post("/fhir/Patient", content=body, headers={"content-type": "application/fhir+json"})
    assert issue_of(answer)[:2] == (status, code)


async def test_updates_name_one_phn(route: httpx.AsyncClient) -> None:
    resource = patient(identifiers={PHN: FOREIGN})
    for query in ("", f"?identifier={NIC}|906845678V", f"?identifier={PHN}|{FOREIGN}&name=x"):
        assert issue_of(await route.put(f"/fhir/Patient{query}", json=resource))[:2] == (400, "required")
    other = await route.put("/fhir/Patient", params={"identifier": f"{PHN}|{OLD}"}, json=resource)
    assert issue_of(other)[:2] == (400, "value")


async def test_everything_leaves_a_trace_without_personal_data(route: httpx.AsyncClient, settings: Settings) -> None:
    await search(route, identifier=f"{PHN}|{MALINI}")
    await search(route, identifier=f"{PHN}|nobody")
    assert await trail(settings.database.dsn) == [("midwife", "search", True), ("midwife", "search", False)]


async def test_only_the_registrys_route_may_ask(route: httpx.AsyncClient) -> None:
    for header in ("", "ApiToken", "ApiToken wrong", "Basic YWRtaW46ZGlzdHJpY3Q="):
        answer = await route.get(
            "/fhir/Patient", params={"identifier": f"{PHN}|{MALINI}"}, headers={"authorization": header}
        )
        assert issue_of(answer)[:2] == (401, "login")
    assert (await route.get("/fhir/metadata", headers={"authorization": ""})).status_code == 200


async def test_the_rest_is_answered_in_fhirs_words(route: httpx.AsyncClient) -> None:
    assert issue_of(await route.get("/fhir/Observation"))[:2] == (404, "not-found")
    assert issue_of(await route.delete("/fhir/Patient"))[:2] == (405, "not-supported")
    xml = await route.post("/fhir/Patient", content=b"<Patient/>", headers={"content-type": "application/fhir+xml"})
    assert issue_of(xml)[:2] == (415, "not-supported")
