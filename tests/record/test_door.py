"""A patient at the door: her compartment, whatever she asks; and scopes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar.testing import AsyncTestClient

from janani.record.actor import OPEN, Actor
from janani.record.app import create_app
from janani.settings import Settings

PHN = "http://fhir.health.gov.lk/ips/identifier/phn"
NIMALI = Actor(kind="patient", id="Patient/nimali", patient="nimali", scopes=frozenset({"patient/*.rs"}))
SITA = Actor(kind="patient", id="Patient/sita", patient="sita", scopes=frozenset({"patient/*.rs"}))
As = Callable[[Actor], httpx.AsyncClient]


@pytest.fixture
async def acting(open_settings: Settings) -> AsyncIterator[As]:
    """Gives the client, acting as whom one says from then on; two women are in the record."""
    app = create_app(open_settings)
    async with AsyncTestClient(app) as client:

        def act(actor: Actor) -> httpx.AsyncClient:
            async def authenticate(_request: Any) -> Actor:
                return actor

            app.state.authenticate = authenticate
            return client

        await _fill(act(OPEN))
        yield act


async def _fill(client: httpx.AsyncClient) -> None:
    place = {"resourceType": "Location", "id": "clinic", "name": "MOH Kaduwela"}
    assert (await client.put("/fhir/Location/clinic", json=place)).status_code == 201
    for name in ("nimali", "sita"):
        identifier = [{"system": PHN, "value": name}]
        patient = {"resourceType": "Patient", "id": name, "identifier": identifier, "name": [{"family": "Perera"}]}
        assert (await client.put(f"/fhir/Patient/{name}", json=patient)).status_code == 201
        visit = {
            "resourceType": "Encounter",
            "id": f"visit-{name}",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"reference": f"Patient/{name}"},
            "location": [{"location": {"reference": "Location/clinic"}}],
        }
        assert (await client.put(f"/fhir/Encounter/visit-{name}", json=visit)).status_code == 201
    group = {
        "resourceType": "Group",
        "id": "mothers",
        "type": "person",
        "actual": True,
        "member": [{"entity": {"reference": f"Patient/{name}"}} for name in ("nimali", "sita")],
    }
    assert (await client.put("/fhir/Group/mothers", json=group)).status_code == 201


OF_OTHERS = [
    "Patient/sita",
    "Patient/sita/_history/1",
    "Patient/sita/_history",
    "Patient/sita/$everything",
    "Encounter/visit-sita",
    "Encounter/visit-sita/_history/1",
    "Group/mothers",
]


async def test_what_is_not_hers_is_not_found(acting: As) -> None:
    hidden = {url: (await acting(NIMALI).get(f"/fhir/{url}")).status_code for url in OF_OTHERS}
    assert hidden == dict.fromkeys(OF_OTHERS, 404)
    shown = {url: (await acting(OPEN).get(f"/fhir/{url}")).status_code for url in OF_OTHERS}
    assert shown == dict.fromkeys(OF_OTHERS, 200)


SEARCHES: dict[str, set[str]] = {
    "Patient": {"nimali"},
    "Patient?_id=sita": set(),
    f"Patient?identifier={PHN}|sita": set(),
    "Patient?family=perera&_revinclude=Encounter:subject": {"nimali", "visit-nimali"},
    "Encounter?patient=sita": set(),
    "Encounter?_include=Encounter:subject&_include=Encounter:location": {"nimali", "visit-nimali", "clinic"},
    "Encounter?location.name=MOH": {"visit-nimali"},
    "Location?_revinclude=Encounter:location": {"clinic", "visit-nimali"},
    "Group": set(),
    "Group?member.identifier=sita": set(),
    "_history": {"nimali", "visit-nimali", "clinic"},
    "Encounter/_history": {"visit-nimali"},
    "Patient/nimali/$everything": {"nimali", "visit-nimali", "clinic"},
    "Patient/nimali/$everything?_type=Encounter": {"visit-nimali"},
}


async def test_every_search_ends_at_her_compartment(acting: As) -> None:
    found = {url: _ids(await acting(NIMALI).get(f"/fhir/{url}")) for url in SEARCHES}
    assert found == SEARCHES


def _ids(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    resources = [entry["resource"] for entry in answer.json().get("entry", [])]
    return {one["id"] for one in resources if one["resourceType"] != "AuditEvent"}


async def test_bundles_are_no_way_around(acting: As) -> None:
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient/sita", "Patient?_id=sita")]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = (await acting(NIMALI).post("/fhir", json=bundle)).json()
    assert answer["entry"][0]["response"]["status"] == "404"
    assert answer["entry"][1]["resource"]["total"] == 0


async def test_a_page_link_serves_its_owner_alone(acting: As) -> None:
    everything = (await acting(SITA).get("/fhir/Patient/sita/$everything?_count=1")).json()
    link = next(one["url"] for one in everything["link"] if one["relation"] == "next").partition("/fhir")[2]
    assert (await acting(NIMALI).get(f"/fhir{link}")).status_code == 410
    assert (await acting(SITA).get(f"/fhir{link}")).status_code == 200


def _may(*scopes: str) -> Actor:
    return Actor(kind="staff", id="Practitioner/1", scopes=frozenset(scopes))


async def test_scopes_decide_what_may_be_done(acting: As) -> None:
    new = {"resourceType": "Patient", "name": [{"family": "Silva"}]}
    assert (await acting(NIMALI).post("/fhir/Patient", json=new)).status_code == 403
    assert (await acting(NIMALI).delete("/fhir/Patient/nimali")).status_code == 403
    reader = Actor(kind="staff", id="Practitioner/1", scopes=frozenset({"user/Patient.r", "user/Encounter.s"}))
    assert (await acting(reader).get("/fhir/Patient/sita")).status_code == 200
    assert (await acting(reader).get("/fhir/Patient")).status_code == 403
    assert (await acting(reader).get("/fhir/Encounter")).status_code == 200
    assert (await acting(reader).get("/fhir/_history")).status_code == 403
    chained = await acting(reader).get("/fhir/Encounter?patient.family=perera")
    assert chained.status_code == 403


async def test_a_chain_needs_the_right_to_search_all_along_it(acting: As) -> None:
    reader = _may("user/Observation.rs", "user/Encounter.rs", "user/EpisodeOfCare.rs")
    short = await acting(reader).get("/fhir/Observation?encounter.status=finished")
    assert short.status_code == 200
    long = await acting(reader).get("/fhir/Observation?encounter.patient.family=perera")
    assert long.status_code == 403


async def test_criteria_other_than_an_identifier_need_the_right_to_search(acting: As) -> None:
    def observed(about: str) -> dict[str, Any]:
        subject = {"reference": about}
        return {"resourceType": "Observation", "status": "final", "code": {"text": "kicks"}, "subject": subject}

    def create(actor: Actor, about: str) -> Awaitable[httpx.Response]:
        return acting(actor).post("/fhir/Observation", json=observed(about))

    creator = _may("user/Observation.cud")
    assert (await create(creator, "Patient?family=nobody")).status_code == 403
    assert (await create(creator, f"Patient?identifier={PHN}|sita")).status_code == 201
    assert (await create(_may("user/Observation.c", "user/Patient.s"), "Patient?_id=sita")).status_code == 201
    for criteria in ("status=final", "subject.family=perera", f"identifier={PHN}|1&status=final"):
        assert (await acting(creator).delete(f"/fhir/Observation?{criteria}")).status_code == 403
        sent = await acting(creator).put(f"/fhir/Observation?{criteria}", json=observed("Patient/sita"))
        assert sent.status_code == 403


async def test_who_may_not_read_is_not_shown_what_a_write_found(acting: As) -> None:
    new = {"resourceType": "Patient", "identifier": [{"system": PHN, "value": "sita"}]}

    async def create(actor: Actor) -> httpx.Response:
        headers = {"if-none-exist": f"identifier={PHN}|sita", "prefer": "return=representation"}
        found = await acting(actor).post("/fhir/Patient", json=new, headers=headers)
        assert found.status_code == 200
        return found

    assert "Perera" in (await create(_may("user/Patient.cr"))).text
    hidden = await create(_may("user/Patient.c"))
    assert hidden.content == b""
    assert hidden.headers["content-location"].endswith("Patient/sita/_history/1")
    patched = await acting(_may("user/Patient.u")).patch(
        "/fhir/Patient/sita",
        content=b'[{"op":"add","path":"/active","value":true}]',
        headers={"content-type": "application/json-patch+json"},
    )
    assert (patched.status_code, patched.content) == (200, b"")


async def test_a_count_is_an_access_to_the_record_of_whom_it_counts(acting: As) -> None:
    async def searches(about: str) -> list[str]:
        found = (await acting(OPEN).get(f"/fhir/AuditEvent?patient={about}&action=E&_count=500")).json()
        events = [entry["resource"] for entry in found.get("entry", [])]
        return [event["entity"][1]["description"] for event in events]

    for count in ("_summary=count", "_count=0"):
        url = f"/fhir/Encounter?patient=sita&status=finished&{count}"
        assert (await acting(_may("user/Encounter.s")).get(url)).json()["total"] == 1
    assert await searches("sita") == ["Encounter?patient&status"] * 2
    assert await searches("nimali") == []


async def test_everything_of_types_that_may_not_be_read_is_nothing(acting: As) -> None:
    reader = Actor(kind="staff", id="Practitioner/1", scopes=frozenset({"user/Patient.rs"}))
    assert _ids(await acting(reader).get("/fhir/Patient/sita/$everything")) == {"sita"}
    assert _ids(await acting(reader).get("/fhir/Patient/sita/$everything?_type=Encounter")) == set()


async def test_a_patient_who_may_write_writes_about_herself(acting: As) -> None:
    writer = Actor(kind="patient", id="Patient/nimali", patient="nimali", scopes=frozenset({"patient/*.cruds"}))

    def write(about: str) -> Awaitable[httpx.Response]:
        subject = {"reference": f"Patient/{about}"}
        said = {"resourceType": "Observation", "status": "final", "code": {"text": "kicks"}, "subject": subject}
        return acting(writer).post("/fhir/Observation", json=said)

    assert (await write("nimali")).status_code == 201
    assert (await write("sita")).status_code == 403
    visit = (await acting(OPEN).get("/fhir/Encounter/visit-sita")).json()
    assert (await acting(writer).put("/fhir/Encounter/visit-sita", json=visit)).status_code in (403, 404)
    assert (await acting(writer).delete("/fhir/Encounter/visit-sita")).status_code == 404
    assert (await acting(writer).delete("/fhir/Location/clinic")).status_code == 404
