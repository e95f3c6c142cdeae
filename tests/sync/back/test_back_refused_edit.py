"""Edits that the registry does not take, or that a person decided about."""

from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from janani import programmes
from janani.clients.dhis2 import Dhis2Error
from janani.kernel import postgres
from janani.kernel.clock import system_clock
from janani.settings import Settings
from janani.sync.back import definition
from janani.sync.back.clinic import Refused, Wires
from janani.sync.back.edits import Edit, Edits
from janani.sync.back.ours import Ours, Spoken
from janani.sync.back.sorting import seen
from janani.sync.delivery import Delivered
from janani.sync.mapping import checking
from janani.sync.mapping.values import condition_on

Json = dict[str, Any]
PROGRAMME = programmes.load("anc_lk")
TABLE, CATALOGUE = checking.read(PROGRAMME)
DEFINITION = definition.read(PROGRAMME, CATALOGUE)
EVENT, ELEMENT = "aaaaaaaaaa1", "element0001"
NAME = f"{EVENT}-haemoglobin"
KEY = condition_on("Observation", TABLE.identifiers["value"], NAME)


class World:
    """A registry that says 11.0 and takes nothing else, and a record in which a doctor wrote 1.1 for `before`."""

    def __init__(self, refusal: Json | Exception, before: str = "11.0") -> None:
        self.refusal, self.said = refusal, {1: before, 2: "1.1"}
        self.imported: list[Json] = []

    async def get(self, _path: str, _query: Json) -> Json:
        return person("11.0")["enrollments"][0]["events"][0] | {"trackedEntity": "her", "programStage": "s"}

    async def import_tracker(self, payload: Json, **_: str) -> Json:
        self.imported.append(payload)
        if isinstance(self.refusal, Exception):
            raise self.refusal
        return self.refusal

    async def vread(self, _kind: str, _id: str, version: int) -> Json:
        return {"resourceType": "Observation", "id": "7", "meta": {"versionId": str(version)}, "is": self.said[version]}

    async def read(self, kind: Any, id_: str) -> Json:
        return await self.vread(kind, id_, max(self.said))

    async def context(self) -> Any:
        return SimpleNamespace(zone=ZoneInfo("UTC"))


class Back:
    def read(self, resource: Json, _role: str, _refuse: Any) -> list[Any]:
        return [SimpleNamespace(uid=ELEMENT, text=resource["is"])]


def person(text: str) -> Json:
    event = {"event": EVENT, "occurredAt": "2026-11-20", "dataValues": [{"dataElement": ELEMENT, "value": text}]}
    return {"enrollments": [{"events": [event]}]}


def edits(world: World, ours: Ours, pool: Any) -> Edits:
    here, back = cast("Any", world), cast("Any", Back())
    assert DEFINITION is not None
    wires = Wires(here, here, pool, back, DEFINITION, here, TABLE.identifiers, {}, ZoneInfo("UTC"), system_clock)
    return Edits(wires, here, ours, here)


@pytest.mark.parametrize(
    ("saw", "outcome", "imports"),
    [
        (("11.0", "1.1"), "changed", 1),
        (("10.5", "1.1"), "asked", 0),  # the midwife has written since
        (("11.0", "1.0"), "asked", 0),  # the doctor has
    ],
)
async def test_a_decision_counts_for_the_two_texts_that_were_seen(
    settings: Settings, saw: tuple[str, str], outcome: str, imports: int
) -> None:
    pool = await postgres.open_pool(settings.database.dsn, "sync")
    world = World({"status": "OK"}, before="10.0")
    decided = f"{ELEMENT}=record:{seen(*saw)}"
    assert await edits(world, Ours(pool), pool).bring(Edit("Observation/7", NAME, 2, 2, decided)) == outcome
    assert len(world.imported) == imports
    await pool.close()


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        ({"status": "ERROR", "validationReport": {"errorReports": [{"errorCode": "E1300"}]}}, Refused),
        (Dhis2Error(500, "", ""), Dhis2Error),
    ],
)
async def test_what_the_registry_refuses_is_not_written_over(
    settings: Settings, refusal: Json | Exception, raised: type[Exception]
) -> None:
    pool = await postgres.open_pool(settings.database.dsn, "sync")
    ours = Ours(pool)
    with pytest.raises(raised):
        await edits(World(refusal), ours, pool).bring(Edit("Observation/7", NAME, 2, 2))

    async def standing(text: str) -> bool:
        mapped: Any = SimpleNamespace(person="her", entries=[], patient="p")
        [found] = await ours.before([Spoken(person(text), mapped, Delivered("p", {KEY: "digest"}))])
        return found is not None and KEY in found.standing

    assert await standing("11.0")
    assert not await standing("12.0")  # the midwife's later word goes on to the record
    await pool.close()
