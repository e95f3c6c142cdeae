"""Write-back over the real wires: registry, record and sync of a whole Janani."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.clients.fhir import FhirClient
from janani.kernel.ids import uid_of
from janani.portals.chart import definition
from janani.portals.doctor import additions
from janani.portals.doctor.additions import Answer, answering
from janani.portals.doctor.own import mistaken, own, unanswered
from janani.sync.mapping import checking
from people import record_token, visited
from system import System, a_system

PROGRAMME = programmes.load("anc_lk")
STAGES, ELEMENTS = PROGRAMME.registry.stages, PROGRAMME.registry.elements
_TABLE, CATALOGUE = checking.read(PROGRAMME)
PATIENCE_SECONDS = 60
SEVERAL_ROUNDS_SECONDS = 14  # both ways, with the look back for what came late


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with a_system("--no-demo") as one:
        yield one


class Clinic:
    """A doctor at the record, a midwife at the registry, and a look into both."""

    def __init__(self, system: System, http: httpx.AsyncClient, token: str) -> None:
        async def bearer() -> str:
            return token

        self.record = FhirClient(http, f"{system.url('record')}/fhir", bearer)
        self.registry = Dhis2Client(http, system.url("registry"), basic=("admin", "district"))
        self.http, self.sync = http, system.url("sync")
        self.chart = definition.definition(PROGRAMME)

    async def woman(self, number: int, prefix: str) -> "Woman":
        one = visited(number, prefix=prefix)
        report = await self.registry.import_tracker({"trackedEntities": [one]})
        assert report["status"] == "OK", report
        found = await self.until(lambda: self.record.search("Patient", {"identifier": f"{_TE}|{one['trackedEntity']}"}))
        woman = Woman(self, one["trackedEntity"], found[0]["id"], uid_of(f"{prefix}/{number}/seen"))
        await self.until(lambda: self.record.search("Observation", {"patient": woman.patient, "code": "718-7"}))
        return woman

    async def doctor(self) -> str:
        """Whoever the record has as a Practitioner first."""
        [doctor, *_] = await self.record.search("Practitioner")
        return f"Practitioner/{doctor['id']}"

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        end = time.monotonic() + PATIENCE_SECONDS
        while not (found := await look()):
            assert time.monotonic() < end, "it did not come to pass"
            await asyncio.sleep(0.1)
        return found


_TE = "http://fhir.health.gov.lk/ips/identifier/dhis2-tracked-entity"


class Woman:
    def __init__(self, clinic: Clinic, uid: str, patient: str, visit: str) -> None:
        self.clinic, self.uid, self.patient, self.visit = clinic, uid, patient, visit

    async def add(self, form: str, **sent: str) -> None:
        """What the doctor's form writes."""
        now = datetime.now(UTC).astimezone()
        typed, faults = additions.read(sent, self.clinic.chart, now)
        assert not faults
        bundle = additions.bundle(typed, self.clinic.chart, form, self.patient, await self.clinic.doctor(), now)
        await self.clinic.record.transaction(bundle)

    async def take_back(self) -> int:
        """The doctor takes back all that he added himself, as his page does; how many resources."""
        who, now = await self.clinic.doctor(), datetime.now(UTC).astimezone()
        resources = await self.clinic.record.everything(self.patient, {"_count": "500"})
        his = own(resources, self.clinic.chart, who, now)
        for one in his:
            resource = await self.clinic.record.read(one.kind, one.id)
            changed = mistaken(resource, self.clinic.chart, "Of another woman", who, now)
            await self.clinic.record.update(changed, if_match=one.version)
        return len(his)

    async def events(self, role: str) -> list[dict[str, Any]]:
        person = await self.clinic.registry.tracked_entity(self.uid)
        return [e for e in person["enrollments"][0]["events"] if e["programStage"] == STAGES[role]]

    async def value(self, element: str) -> str | None:
        event = await self.clinic.registry.get(f"/tracker/events/{self.visit}")
        return next((v["value"] for v in event["dataValues"] if v["dataElement"] == ELEMENTS[element]), None)

    async def versions(self) -> dict[str, str]:
        """Version by resource of all that the record holds of her."""
        found = await self.clinic.record.everything(self.patient, {"_count": "500"})
        shared = ("Practitioner", "Organization", "Location", "Device")
        hers = [one for one in found if one["resourceType"] not in shared]
        return {f"{one['resourceType']}/{one['id']}": one["meta"]["versionId"] for one in hers}

    async def stamps(self) -> dict[str, str]:
        """When each event that says what the doctor did was last written."""
        return {one["event"]: one["updatedAt"] for one in await self.events("specialist")}

    async def observation(self, code: str) -> dict[str, Any]:
        """The registry's newest observation of a kind in the record."""
        found = await self.clinic.record.search("Observation", {"patient": self.patient, "code": code})
        named = [one for one in found if one["identifier"][0]["value"].startswith(self.visit)]
        return named[0]

    async def midwife_writes(self, element: str, value: str) -> None:
        event = await self.clinic.registry.get(f"/tracker/events/{self.visit}")
        kept = ("event", "status", "program", "programStage", "enrollment", "orgUnit", "occurredAt")
        sent = {k: event[k] for k in kept} | {"dataValues": [{"dataElement": ELEMENTS[element], "value": value}]}
        report = await self.clinic.registry.import_tracker({"events": [sent]})
        assert report["status"] == "OK", report


@dataclass
class Left:
    """A woman as she was when both sides agreed; nothing may be written of her again."""

    woman: Woman
    versions: dict[str, str]
    stamps: dict[str, str]
    since: float


@pytest.fixture(scope="module")
def left() -> list[Left]:
    """Those whom a test leaves to the last look, so that the rounds go by while other tests run."""
    return []


@pytest.fixture
async def clinic(system: System) -> AsyncIterator[Clinic]:
    async with httpx.AsyncClient(timeout=60) as http:
        yield Clinic(system, http, await record_token(system, http))


def _texts(event: dict[str, Any]) -> dict[str, str]:
    return {one["dataElement"]: one["value"] for one in event["dataValues"]}


async def test_what_the_doctor_adds_is_an_event_in_the_registry(clinic: Clinic, left: list[Left]) -> None:
    woman = await clinic.woman(1, "back-adds")
    before = len(await woman.versions())
    appointment = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    await woman.add(
        "3f0f6a52-7d4e-4b0c-9a55-0f1c2b6f6a11",
        haemoglobin="9.8",
        systolic="150",
        diastolic="95",
        diagnosis="gestational-hypertension",
        medicine="methyldopa",
        dose="250 mg twice a day",
        note="See her in two weeks",
        follow_up=appointment,
    )
    after = await woman.versions()
    found = await clinic.until(lambda: _when(woman.events("specialist"), lambda events: len(events) == 2))
    visit = next(one for one in found if one["status"] == "COMPLETED")
    planned = next(one for one in found if one["status"] == "SCHEDULE")
    texts = _texts(visit)
    assert texts[ELEMENTS["haemoglobin"]] == "9.8"
    assert (texts[ELEMENTS["systolic"]], texts[ELEMENTS["diastolic"]]) == ("150", "95")
    words = set(texts.values())
    assert {"Gestational hypertension", "Methyldopa: 250 mg twice a day", "See her in two weeks"} <= words
    assert texts[ELEMENTS["record_origin"]].startswith("Encounter/")
    assert planned["scheduledAt"].startswith(appointment)
    assert len(after) > before
    left.append(Left(woman, after, await woman.stamps(), time.monotonic()))


async def test_what_the_doctor_took_back_as_his_mistake_is_unsaid_in_the_registry(
    clinic: Clinic, left: list[Left]
) -> None:
    woman = await clinic.woman(7, "back-unsays")
    await woman.add(
        "6f0f6a52-7d4e-4b0c-9a55-0f1c2b6f6a13",
        haemoglobin="9.1",
        systolic="150",
        diastolic="95",
        diagnosis="gestational-hypertension",
        medicine="methyldopa",
        note="Of another woman",
        follow_up="2027-12-20",
    )
    await clinic.until(lambda: _when(woman.events("specialist"), lambda events: len(events) == 2))
    assert await woman.take_back() == 6

    async def unsaid() -> bool:
        return not await woman.events("specialist")

    await clinic.until(unsaid)
    left.append(Left(woman, await woman.versions(), await woman.stamps(), time.monotonic()))


async def test_a_corrected_value_comes_back_to_the_visit_it_is_of_and_nothing_is_written_again(clinic: Clinic) -> None:
    woman = await clinic.woman(2, "back-corrects")
    found = await woman.observation("718-7")
    found["valueQuantity"]["value"] = 10.2
    await clinic.record.update(found, if_match=found["meta"]["versionId"])
    versions = await woman.versions()
    await clinic.until(lambda: _when(woman.value("haemoglobin"), lambda value: value == "10.2"))
    await asyncio.sleep(5)
    assert await woman.versions() == versions
    await woman.midwife_writes("haemoglobin", "10.6")  # and later words of the midwife go on to the record
    await clinic.until(lambda: _when(woman.observation("718-7"), lambda one: one["valueQuantity"]["value"] == 10.6))


async def test_a_closed_problem_stays_closed_and_is_told_in_words(clinic: Clinic) -> None:
    woman = await clinic.woman(3, "back-closes")
    [problem, *_] = await clinic.record.search("Condition", {"patient": woman.patient, "_sort": "_id"})
    system = problem["clinicalStatus"]["coding"][0]["system"]
    closed = problem | {"clinicalStatus": {"coding": [{"system": system, "code": "resolved"}]}}
    await clinic.record.update(closed, if_match=problem["meta"]["versionId"])
    [event] = await clinic.until(lambda: woman.events("specialist"))
    assert any(text.endswith(": resolved") for text in _texts(event).values())
    await woman.midwife_writes("weight", "56")
    await clinic.until(lambda: _when(woman.observation("29463-7"), lambda one: one["valueQuantity"]["value"] == 56))
    again = await clinic.record.read("Condition", problem["id"])
    assert again["clinicalStatus"]["coding"][0]["code"] == "resolved"


async def refer(woman: "Woman", name: str, clinic: str = "VOG_KANDY", **more: str) -> None:
    """The midwife refers her; once more under the same name, she changes that referral."""
    [registration] = await woman.events("registration")
    said = {
        ELEMENTS["referral_clinic"]: clinic,
        ELEMENTS["referral_urgency"]: "URGENT",
        _element("ANC_REFERRAL_MAIN_REASON"): _first_option("ANC_REFERRAL_MAIN_REASON"),
    } | {_element(code): value for code, value in more.items()}
    referral = {
        "event": uid_of(f"{name}/referral"),
        "program": registration["program"],
        "programStage": STAGES["referral"],
        "enrollment": registration["enrollment"],
        "orgUnit": registration["orgUnit"],
        "status": "COMPLETED",
        "occurredAt": registration["occurredAt"],
        "dataValues": [{"dataElement": uid, "value": value} for uid, value in said.items()],
    }
    report = await woman.clinic.registry.import_tracker({"events": [referral]})
    assert report["status"] == "OK", report


async def test_an_answered_referral_stays_answered_until_the_midwife_asks_again(clinic: Clinic) -> None:
    woman = await clinic.woman(8, "back-refers")
    await refer(woman, "back-refers")
    her, who = {"patient": woman.patient}, await clinic.doctor()
    [request] = await clinic.until(lambda: clinic.record.search("ServiceRequest", her))

    async def states() -> list[str]:
        found = [*await clinic.record.search("ServiceRequest", her), *await clinic.record.search("Task", her)]
        return [one["status"] for one in found]

    async def answers(words: str) -> None:
        [request] = await clinic.record.search("ServiceRequest", her)
        tasks, now = await clinic.record.search("Task", her), datetime.now(UTC).astimezone()
        answer = Answer(words, "", "6f0f6a52-7d4e-4b0c-9a55-0f1c2b6f6a14")
        await clinic.record.transaction(answering(request, tasks, answer, clinic.chart, who, now))
        await clinic.until(lambda: told(words))

    async def told(words: str) -> bool:
        return any(words in _texts(event).values() for event in await woman.events("specialist"))

    async def untold() -> bool:
        return not await woman.events("specialist")

    await answers("Seen; all well")
    await refer(woman, "back-refers", ANC_REFERRAL_REASON="Twins, not triplets")
    await woman.midwife_writes("weight", "57")
    await clinic.until(lambda: _when(woman.observation("29463-7"), lambda one: one["valueQuantity"]["value"] == 57))
    assert await states() == ["completed", "completed"]
    assert (await clinic.record.read("ServiceRequest", request["id"]))["note"][0]["text"] == "Seen; all well"

    await refer(woman, "back-refers", "VOG_JAFFNA", ANC_REFERRAL_REASON="Twins, not triplets")
    await clinic.until(lambda: _when(states(), lambda found: found == ["active", "requested"]))
    assert await told("Seen; all well")  # what was said stays said

    await answers("Seen; comes again")
    resources = await clinic.record.everything(woman.patient, {"_count": "500"})
    request, now = await clinic.record.read("ServiceRequest", request["id"]), datetime.now(UTC).astimezone()
    bundle = unanswered(request, resources, clinic.chart, "Of another woman", who, now)
    await clinic.record.transaction(bundle)
    await clinic.until(untold)
    await clinic.until(
        lambda: _when(clinic.record.read("ServiceRequest", request["id"]), lambda one: "note" not in one)
    )
    assert await states() == ["active", "requested"]  # as the midwife has it

    await answers("Of her this time")
    assert await states() == ["completed", "completed"]
    found = (await clinic.http.get(f"{clinic.sync}/status")).json()["write-back"]
    assert found["set aside"] == 0, found


async def test_the_answer_to_a_referral_and_what_is_taken_back(clinic: Clinic) -> None:
    woman = await clinic.woman(6, "back-answers")
    await refer(woman, "back-answers")
    [request] = await clinic.until(lambda: clinic.record.search("ServiceRequest", {"patient": woman.patient}))
    tasks = await clinic.record.search("Task", {"patient": woman.patient})
    words, now, who = "Seen; twins; comes every week", datetime.now(UTC).astimezone(), await clinic.doctor()
    answer = Answer(words, "2027-12-17", "4f0f6a52-7d4e-4b0c-9a55-0f1c2b6f6a14")
    await clinic.record.transaction(answering(request, tasks, answer, clinic.chart, who, now))
    found = await clinic.until(lambda: _when(woman.events("specialist"), lambda events: len(events) == 2))
    seen, planned = sorted(found, key=lambda one: one["status"])
    assert words in _texts(seen).values()
    assert planned["scheduledAt"].startswith("2027-12-17")
    [request] = await clinic.record.search("ServiceRequest", {"patient": woman.patient})
    [task] = await clinic.record.search("Task", {"patient": woman.patient})
    assert (request["status"], task["status"]) == ("completed", "completed")

    await woman.add("5f0f6a52-7d4e-4b0c-9a55-0f1c2b6f6a12", haemoglobin="8.8", follow_up="2027-12-24")
    await clinic.until(lambda: _when(woman.events("specialist"), lambda events: len(events) == 4))
    [appointment] = [
        one
        for one in await clinic.record.search("Appointment", {"patient": woman.patient})
        if one["start"].startswith("2027-12-24")
    ]
    await clinic.record.update(appointment | {"status": "cancelled"})
    [encounter] = [
        one
        for one in await clinic.record.search("Encounter", {"patient": woman.patient})
        if one["identifier"][0]["system"] == clinic.chart.form_system
    ]
    await clinic.record.update(encounter | {"status": "entered-in-error"})

    async def taken_back() -> bool:
        states = sorted(one["status"] for one in await woman.events("specialist"))
        return states == ["COMPLETED", "SCHEDULE", "SKIPPED"]

    await clinic.until(taken_back)
    found = (await clinic.http.get(f"{clinic.sync}/status")).json()["write-back"]
    assert found["set aside"] == 0, found


async def test_what_was_carried_does_not_echo(clinic: Clinic, left: list[Left]) -> None:
    if not left:
        pytest.skip("alone, it has nobody to look at")
    for one in left:
        await asyncio.sleep(max(0.0, one.since + SEVERAL_ROUNDS_SECONDS - time.monotonic()))
        woman = Woman(clinic, one.woman.uid, one.woman.patient, one.woman.visit)
        assert await woman.versions() == one.versions
        assert await woman.stamps() == one.stamps


def _element(code: str) -> str:
    return CATALOGUE.elements[code].uid


def _first_option(code: str) -> str:
    return next(iter(CATALOGUE.elements[code].options))


@pytest.mark.parametrize(("keep", "stands"), [("record", "16"), ("registry", "15")])
async def test_a_value_that_both_changed_while_the_sync_was_away_waits_for_a_person(
    clinic: Clinic, system: System, keep: str, stands: str
) -> None:
    woman = await clinic.woman(
        4 if keep == "record" else 5, "back-asks"
    )  # `poa` has no rule of its own: `otherwise: ask`
    if not system.apart:
        system.take_apart("sync")
    system.cut_off("sync")
    found = await woman.observation("11885-1")
    found["valueQuantity"]["value"] = 16
    await clinic.record.update(found)
    await woman.midwife_writes("poa", "15")
    system.bring_back("sync")
    staff = {"authorization": f"Bearer {(system.home / 'secrets' / 'sync-token').read_text().strip()}"}
    page = f"{clinic.sync}/conflicts"

    async def asked() -> str:
        text = (await clinic.http.get(page, headers=staff)).text
        return text if woman.uid in text and "<form" in text else ""

    text = await clinic.until(asked)
    assert (await clinic.http.get(page)).status_code == 401
    assert ">15<" in text
    assert ">16<" in text
    assert await woman.value("poa") == "15"
    number = text.partition('action="/conflicts/')[2].partition('"')[0]
    answer = await clinic.http.post(f"{page}/{number}", data={"keep": keep, "seen": "of other texts"}, headers=staff)
    assert (answer.status_code, "has changed since" in answer.text) == (409, True)
    seen = text.partition('name="seen" value="')[2].partition('"')[0]
    answer = await clinic.http.post(f"{page}/{number}", data={"keep": keep, "seen": seen}, headers=staff)
    assert answer.status_code == 303
    await clinic.until(lambda: _when(woman.value("poa"), lambda value: value == stands))
    await clinic.until(
        lambda: _when(woman.observation("11885-1"), lambda one: str(one["valueQuantity"]["value"]) == stands)
    )
    assert "<form" not in (await clinic.http.get(page, headers=staff)).text


async def _when(look: Awaitable[Any], true: Callable[[Any], bool]) -> Any:
    found = await look
    return found if true(found) else None
