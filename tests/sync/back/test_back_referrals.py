"""An answer to a referral, before the sync knows of it and after: what is written where, without servers."""

from typing import Any, cast

import pytest

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.clients.fhir import FhirError, Issue
from janani.sync.back import clinic as clinics
from janani.sync.back import definition
from janani.sync.back.clinic import Clinic, Refused, Wires
from janani.sync.back.edits import Edit, Edits
from janani.sync.back.event import Care
from janani.sync.back.ours import DAY
from janani.sync.mapping import checking

Json = dict[str, Any]
PROGRAMME = programmes.load("anc_lk")
TABLE, CATALOGUE = checking.read(PROGRAMME)
FOUND = definition.read(PROGRAMME, CATALOGUE)
assert FOUND is not None
DEFINITION = FOUND
EVENT = "aaaaaaaaaa1"
CLINIC, WORDS = sorted(DEFINITION.asks_again)[0], "Seen; all well"
SOURCE, NAME = "ServiceRequest/5", f"{EVENT}-referral"
TASK = {"resourceType": "Task", "id": "6", "status": "requested", "meta": {"versionId": "2"}}


def request(version: int, status: str, *notes: str, to: str = "VOG clinic") -> Json:
    one: Json = {"resourceType": "ServiceRequest", "id": "5", "status": status, "meta": {"versionId": str(version)}}
    one |= {"performer": [{"display": to}], "priority": "urgent", "occurrenceDateTime": "2026-11-20"}
    return one | ({"note": [{"text": text} for text in notes]} if notes else {})


class World:
    """A registry with the referral, a record with its versions, and what the sync did."""

    def __init__(self, *versions: Json) -> None:
        self.versions = {one["meta"]["versionId"]: one for one in versions}
        self.current = versions[-1]
        self.sent: list[Json] = []
        self.did: list[Any] = []

    async def get(self, _path: str, _query: Json) -> Json:
        values = [{"dataElement": CLINIC, "value": "VOG_KANDY"}]
        when = "2026-11-20T00:00:00.000"
        return {"event": EVENT, "trackedEntity": "her", "programStage": "s", "occurredAt": when, "dataValues": values}

    async def vread(self, _kind: str, _id: str, version: int) -> Json:
        if str(version) not in self.versions:
            raise FhirError(404, [Issue(code="not-found")])
        return self.versions[str(version)]

    async def read(self, _kind: str, _id: str) -> Json:
        return self.current

    async def search(self, _kind: str, _query: Json) -> list[Json]:
        return [TASK]

    async def transaction(self, bundle: Json) -> None:
        self.sent += [entry["resource"] for entry in bundle["entry"]]
        assert all(entry["request"]["ifMatch"] for entry in bundle["entry"])

    async def hold(self, _person: str, key: str, _event: str, texts: Json) -> None:
        self.did.append(("hold", key.partition("?")[0], texts))

    async def resend(self, _person: str, key: str, _now: Any) -> None:
        self.did.append(("resend", key.partition("?")[0]))

    async def write(self, _source: str, _patient: str, _on: str, texts: Json, _references: Any, person: str) -> str:
        self.did.append(("tell", person, *texts.values()))
        return "brought"

    async def take_back(self, source: str) -> str:
        self.did.append(("take back", source))
        return "taken_back"

    async def bring(self, version: int) -> list[Any]:
        here = cast("Any", self)
        wires = Wires(here, here, here, here, DEFINITION, here, TABLE.identifiers, {}, here, lambda: here)
        await Edits(wires, here, here, here).bring(Edit(SOURCE, NAME, version, version))
        return self.did


def held() -> list[Any]:
    grounds = dict.fromkeys(DEFINITION.asks_again, "") | {CLINIC: "VOG_KANDY", DAY: "2026-11-20"}
    return [("hold", "ServiceRequest", grounds), ("hold", "Task", grounds)]


@pytest.fixture(autouse=True)
def a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("janani.sync.back.event.day_of", lambda *_: "2026-11-21")


async def test_an_answer_is_told_and_stands_with_its_task_until_she_asks_again() -> None:
    world = World(request(1, "active"), request(2, "completed", WORDS))
    assert await world.bring(2) == [*held(), ("tell", "her", WORDS)]
    assert world.sent == []


async def test_an_answer_that_was_written_over_before_it_was_read_is_put_back() -> None:
    world = World(request(1, "active"), request(2, "completed", WORDS), request(3, "active"))
    assert await world.bring(2) == [*held(), ("tell", "her", WORDS)]
    assert [(one["resourceType"], one["status"], one["meta"]["versionId"]) for one in world.sent] == [
        ("ServiceRequest", "completed", "3"),
        ("Task", "completed", "2"),
    ]
    assert world.sent[0]["note"] == [{"text": WORDS}]


@pytest.mark.parametrize(
    "now",
    [
        request(3, "active", to="Another clinic"),  # the midwife asks again
        request(3, "active", "Of another woman"),  # the doctor took it back
        request(3, "revoked"),
    ],
)
async def test_it_is_told_but_not_put_back_where_more_than_a_correction_followed(now: Json) -> None:
    world = World(request(1, "active"), request(2, "completed", WORDS), now)
    assert await world.bring(2) == [("tell", "her", WORDS)]
    assert world.sent == []


async def test_an_answer_that_is_taken_back_takes_its_event_and_the_referral_is_the_midwifes_again() -> None:
    world = World(request(1, "active"), request(2, "completed", WORDS), request(3, "active", "Of another woman"))
    did = await world.bring(3)
    assert did == [("resend", "ServiceRequest"), ("resend", "Task"), ("take back", SOURCE)]


async def test_words_on_a_referral_that_was_never_answered_are_told() -> None:
    world = World(request(1, "active"), request(2, "active", "Bring the scan"))
    until_she_writes = ("hold", "ServiceRequest", {CLINIC: "VOG_KANDY"})
    assert await world.bring(2) == [until_she_writes, ("tell", "her", "Bring the scan")]


async def test_what_was_taken_back_and_is_said_again_gets_an_event_of_another_uid() -> None:
    spent = {"first"}

    class Registry:
        async def import_tracker(self, payload: Json, **_parameters: str) -> Json:
            [one] = payload["events"]
            if one["event"] in spent:
                return {"status": "ERROR", "validationReport": {"errorReports": [{"errorCode": "E1082"}]}}
            return {"status": "OK"}

    registry = cast("Dhis2Client", Registry())
    wires = Wires(registry, *cast("Any", [None] * 9))
    event: Json = {"event": "first", "dataValues": []}
    await Clinic(wires)._write(SOURCE, Care("her", "e", "u"), event, fresh=True)
    assert event["event"] == clinics.events.event_of(SOURCE, "her", 1)
    with pytest.raises(Refused, match="E1082"):
        await Clinic(wires)._write(SOURCE, Care("her", "e", "u"), {"event": "first"}, fresh=False)
