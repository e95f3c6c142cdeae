"""Issuing, matching and checking numbers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from janani.kernel.secrets import secret
from janani.phn.app import create_app
from janani.programmes.sri_lanka import parse_phn
from janani.settings import Phn, Settings
from phn_world import NIC, PHN, SUBJECT, issue_of, parameters, patient, phn_of, trail

KUMARI = patient("Kumari Dissanayake", identifiers={SUBJECT: "pairwise", NIC: "965741234V"}, birthDate="1996-03-14")


async def issued(route: httpx.AsyncClient, request_id: str, person: dict, **more: bool) -> httpx.Response:
    return await route.post("/fhir/Patient/$issue", json=parameters(requestId=request_id, resource=person, **more))


async def test_a_number_is_issued_once_a_request(route: httpx.AsyncClient, settings: Settings) -> None:
    first = await issued(route, "request-1", KUMARI)
    assert first.status_code == 201
    phn = parse_phn(phn_of(first.json()))
    assert (phn.version, phn.point_of_issue, phn.valid) == (2, settings.phn.point_of_issue, True)
    again = await issued(route, "request-1", KUMARI)
    assert (again.status_code, again.json()) == (200, first.json())
    assert await trail(settings.database.dsn) == [("midwife", "issue", True)] * 2


async def test_the_number_stands_first_and_is_coded(route: httpx.AsyncClient) -> None:
    resource = (await issued(route, "request-1", KUMARI)).json()
    first, *others = resource["identifier"]
    assert (first["use"], first["system"], first["type"]["coding"][0]["code"]) == ("official", PHN, "PHN")
    assert [one["system"] for one in others] == [SUBJECT, NIC]


async def test_a_form_sent_twice_at_once_gets_one_number(route: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(issued(route, "request-1", KUMARI) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({phn_of(answer.json()) for answer in answers}) == 1


async def test_one_person_gets_no_second_number(route: httpx.AsyncClient) -> None:
    at_once = await asyncio.gather(*(issued(route, f"request-{n}", KUMARI) for n in range(3)))
    assert sorted(answer.status_code for answer in at_once) == [201, 409, 409]
    same_card = patient("K. Dissanayake", identifiers={NIC: "199657401234"})  # the new form of her card
    refused = await issued(route, "request-9", same_card)
    assert issue_of(refused) == (409, "duplicate", "identity-known")
    assert "Dissanayake" not in refused.text
    other = await issued(route, "request-9", same_card, confirmDistinct=True)
    assert other.status_code == 201
    verified = await issued(route, "request-10", KUMARI, confirmDistinct=True)
    assert issue_of(verified) == (409, "duplicate", "identity-known")


@pytest.mark.parametrize("meta", [None, "x", [], 5])
async def test_a_meta_that_is_no_object_is_refused(route: httpx.AsyncClient, meta: object) -> None:
    refused = await issued(route, "request-1", KUMARI | {"meta": meta})
    assert issue_of(refused) == (400, "structure", "")


async def test_one_that_was_stored_with_such_a_meta_is_found(route: httpx.AsyncClient, settings: Settings) -> None:
    number = phn_of((await issued(route, "request-1", KUMARI)).json())
    connection = await asyncpg.connect(settings.database.dsn)
    await connection.execute("""update phn.person set resource = resource || '{"meta": "x"}'""")
    await connection.close()
    found = await route.get("/fhir/Patient", params={"identifier": f"{PHN}|{number}"})
    assert found.status_code == 200, found.text
    assert found.json()["entry"][0]["resource"]["meta"]["versionId"] == "1"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (parameters(requestId="request-1"), (400, "required", "")),
        (parameters(resource=KUMARI), (400, "required", "")),
        (parameters(requestId="short", resource=KUMARI), (400, "required", "")),
        (parameters(requestId="request-1", resource=KUMARI, colour="red"), (400, "not-supported", "")),
        (parameters(requestId=12345678, resource=KUMARI), (400, "structure", "")),
        (parameters(requestId="request-1", resource=patient("")), (422, "required", "")),
        (
            parameters(requestId="request-1", resource=patient(identifiers={PHN: "12345678"})),
            (422, "business-rule", "phn-given"),
        ),
        ({"resourceType": "Parameters", "parameter": {}}, (400, "structure", "")),
    ],
)
async def test_what_can_not_be_issued_is_refused(
    route: httpx.AsyncClient, body: dict, expected: tuple[int, str, str]
) -> None:
    assert issue_of(await route.post("/fhir/Patient/$issue", json=body)) == expected


@pytest.fixture
async def first_version(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    settings = msgspec.structs.replace(settings, phn=Phn(issue_version=1, point_of_issue="2034"))
    async with AsyncTestClient(create_app(settings)) as client:
        client.headers["authorization"] = f"ApiToken {secret(settings.secrets, 'phn-token', create=False)}"
        yield client


async def test_version_one_counts(first_version: httpx.AsyncClient) -> None:
    people = [patient(f"Woman {n}") for n in range(4)]
    numbers = [phn_of((await issued(first_version, f"request-{n}", person)).json()) for n, person in enumerate(people)]
    assert [number[:10] for number in numbers] == ["2034000000", "2034000001", "2034000002", "2034000003"]
    assert all(parse_phn(number).valid for number in numbers)


async def match(route: httpx.AsyncClient, person: dict, **more: object) -> list[tuple[str, float, str, list[str]]]:
    answer = await route.post("/fhir/Patient/$match", json=parameters(resource=person, **more))
    assert answer.status_code == 200, answer.text
    found = []
    for entry in answer.json().get("entry", []):
        grade, *reasons = entry["search"]["extension"]
        codes = [one["valueCodeableConcept"]["coding"][0]["code"] for one in reasons]
        assert all(one["valueCodeableConcept"]["text"] for one in reasons)
        found.append((phn_of(entry["resource"]), entry["search"]["score"], grade["valueCode"], codes))
    return found


async def test_likely_duplicates_come_best_first_with_reasons(route: httpx.AsyncClient) -> None:
    person = patient(
        "Malini Jayawardena",
        birthDate="1990-07-02",
        gender="female",
        telecom=[{"system": "phone", "value": "0771234502"}],
    )
    first, second = await match(route, person)
    assert first == ("KANDYTH1MKH7R47", 1.0, "certain", ["same-name", "same-birth-date", "same-phone"])
    assert second[0] == "KANDYTH1TGW4C94"
    assert second[2:] == ("possible", ["similar-name", "similar-birth-date"])
    assert [one[0] for one in await match(route, person, onlyCertainMatches=True)] == [first[0]]
    assert [one[0] for one in await match(route, person, count=1)] == [first[0]]
    assert await match(route, person, count=0) == []


async def test_one_identity_matches_whatever_is_written(route: httpx.AsyncClient) -> None:
    await issued(route, "request-1", KUMARI)
    [found] = await match(route, patient("Somebody Else", identifiers={SUBJECT: "pairwise"}))
    assert found[1:] == (0.99, "certain", ["same-subject"])
    [found] = await match(route, patient("Somebody Else", identifiers={NIC: "199657401234"}))
    assert found[1:] == (0.95, "certain", ["same-nic"])


async def test_nobody_like_her_is_an_empty_list(route: httpx.AsyncClient) -> None:
    assert await match(route, patient("Zainab Marikkar", birthDate=date(2001, 5, 5).isoformat())) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("KANDYTH1MKH7R47", {"result": True, "known": True, "version": 2, "checkDigit": True}),
        ("kandyth1mkh7r47", {"number": "KANDYTH1MKH7R47", "result": True, "known": True}),
        ("KANDYTH1MKH7R48", {"result": False, "known": False, "warning": "check-digit", "checkDigit": False}),
        ("20340001179", {"result": True, "version": 1, "pointOfIssue": "2034"}),
        ("12345678", {"result": True, "known": True, "warning": "unknown-format"}),
        ("whatever", {"number": "whatever", "result": True, "known": False, "warning": "unknown-format"}),
    ],
)
async def test_a_number_is_checked(route: httpx.AsyncClient, number: str, expected: dict) -> None:
    answer = (await route.post("/fhir/Patient/$check-number", json=parameters(number=number))).json()
    values = {one["name"]: next(value for key, value in one.items() if key != "name") for one in answer["parameter"]}
    assert expected.items() <= values.items()
    assert ("message" in values) == ("warning" in values)


async def test_a_version_no_longer_accepted_is_warned_of(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, phn=Phn(accepted_versions=[2]))
    async with AsyncTestClient(create_app(settings)) as client:
        headers = {"authorization": f"ApiToken {secret(settings.secrets, 'phn-token', create=False)}"}
        answer = await client.post(
            "/fhir/Patient/$check-number", json=parameters(number="20340001179"), headers=headers
        )
    assert {"name": "warning", "valueCode": "version-not-accepted"} in answer.json()["parameter"]
