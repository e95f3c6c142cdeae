"""Everybody is read in the order of changes, and nobody is missed: many at one time, clocks set back, a change while
they are read. What the sync itself wrote back is not the registry's word."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.kernel.clock import system_clock
from janani.sync import mapping
from janani.sync.mapping.model import Person
from janani.sync.source import Source

ZONE = ZoneInfo("Europe/Oslo")  # its clocks were set back on 25 October 2026 at 01:00 UTC
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)
BACK = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def uid(number: int) -> str:
    return f"T{number:010}"


class Registry:
    """Answers as DHIS2 does: times in its own zone without offset, `updatedAfter` inclusive."""

    def __init__(self, changed: list[datetime]) -> None:
        self.changed = {uid(number): instant for number, instant in enumerate(changed)}
        self.more: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, str]] = []
        self.version, self.units = "2.42.1", ["/Country", "/Country/Kandy", "/Country/Kandy/Clinic", "/Country/Galle"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query, kind = dict(request.url.params), request.url.path.rpartition("/")[2]
        if kind == "info":
            return httpx.Response(200, content=msgspec.json.encode({"systemId": "one", "version": self.version}))
        if kind == "organisationUnits":
            units = [{"id": path.rpartition("/")[2], "name": path, "path": path} for path in self.units]
            return httpx.Response(200, content=msgspec.json.encode({kind: units}))
        if kind != "trackedEntities":
            return httpx.Response(200, content=b"{}")
        self.asked.append(query)
        listed = query.get("trackedEntity", "").replace(";", ",") or query.get("trackedEntities", "")
        names = listed.split(",") if listed else list(self.changed)
        after = datetime.fromisoformat(query.get("updatedAfter", "1970-01-01T00:00:00")).replace(tzinfo=ZONE)
        found = sorted((self.changed[name], name) for name in names if self.changed[name] >= after.astimezone(UTC))
        size, page = int(query["pageSize"]), int(query["page"])
        shown = [self.shown(name) for _, name in found[(page - 1) * size : page * size]]
        return httpx.Response(200, content=msgspec.json.encode({"trackedEntities": shown}))

    def shown(self, name: str) -> dict[str, Any]:
        local = self.changed[name].astimezone(ZONE).replace(tzinfo=None)
        return {"trackedEntity": name, "updatedAt": local.isoformat(timespec="milliseconds")} | self.more.get(name, {})


@pytest.fixture(scope="module")
def mapper() -> mapping.Mapper:
    return mapping.compile(programmes.load("anc_lk"))


def source(registry: Registry, **ours: Any) -> Source:
    client = httpx.AsyncClient(transport=httpx.MockTransport(registry))
    return Source(Dhis2Client(client, "http://registry"), system_clock, **ours)


@pytest.mark.parametrize(
    "changed",
    [
        [],
        [NOON + timedelta(seconds=number) for number in range(25)],
        [NOON] * 25,
        [NOON + timedelta(microseconds=100 * number) for number in range(25)],
        [NOON] * 12 + [NOON + timedelta(hours=1)] * 13,
        [BACK + timedelta(minutes=5 * number) for number in range(25)],
    ],
    ids=["nobody", "one by one", "all at once", "within a few milliseconds", "two crowds", "the clock is set back"],
)
async def test_nobody_is_missed(mapper: mapping.Mapper, changed: list[datetime]) -> None:
    registry, met = Registry(changed), set()
    async for page in source(registry).everybody(mapper, 5):
        met |= page.keys()
    assert met == registry.changed.keys()
    assert len(registry.asked) < 20


async def test_who_is_changed_meanwhile_comes_again(mapper: mapping.Mapper) -> None:
    registry = Registry([NOON + timedelta(seconds=number) for number in range(20)])
    met: list[str] = []
    async for page in source(registry).everybody(mapper, 5):
        met += page
        registry.changed[uid(2)] = NOON + timedelta(days=1)
    assert set(met) == registry.changed.keys()
    assert met.count(uid(2)) > 1


async def test_only_what_the_mapper_reads_is_asked_for(mapper: mapping.Mapper) -> None:
    registry = Registry([NOON])
    _ = [page async for page in source(registry).everybody(mapper, 5)]
    assert "dataValues[dataElement,value]" in registry.asked[0]["fields"]
    assert not {"*", "geometry", "notes", "relationships"} & set(registry.asked[0]["fields"].split(","))


async def test_what_the_sync_wrote_back_is_not_the_registrys_word(mapper: mapping.Mapper) -> None:
    registry = Registry([NOON, NOON + timedelta(seconds=1)])
    midwife, agent = ({"uid": "midwifeMidw", "username": "midwife"}, {"uid": "syncSyncSyn", "username": "sync"})
    values = [
        {"dataElement": "a", "value": "1", "updatedAt": "2026-10-01T08:00:00.000", "updatedBy": midwife},
        {"dataElement": "b", "value": "2", "updatedAt": "2026-10-02T08:00:00.000", "updatedBy": agent},
    ]
    events = [
        {"event": "visitVisitV", "programStage": "visits", "updatedBy": agent, "dataValues": values},
        {"event": "clinicClini", "programStage": "clinic", "updatedBy": agent, "dataValues": values},
    ]
    registry.more[uid(1)] = {"enrollments": [{"enrollment": "enrolEnrolE", "events": events}]}
    pages = source(registry, own_user="sync", unseen_stage="clinic").everybody(mapper, 5)
    people: dict[str, Person] = {name: one async for page in pages for name, one in page.items()}
    (event,) = (people[uid(1)].enrollments or [])[0].events or []
    assert (event.event, event.updatedBy, event.updatedAt) == ("visitVisitV", midwife, "2026-10-01T08:00:00.000")
    assert [query.get("trackedEntities") for query in registry.asked] == [None, uid(1)]


@pytest.mark.parametrize(
    ("version", "names"), [("2.40.4", ("trackedEntity", "ouMode")), ("2.41.0", ("trackedEntities", "orgUnitMode"))]
)
async def test_people_are_asked_for_by_the_names_that_the_version_knows(version: str, names: tuple[str, str]) -> None:
    registry = Registry([NOON, NOON])
    registry.version = version
    assert set(await source(registry).people([uid(0), uid(1)])) == {uid(0), uid(1)}
    assert set(names) <= registry.asked[0].keys()


async def test_version_2_40_is_asked_for_everybody_by_its_own_name(mapper: mapping.Mapper) -> None:
    for version, name in (("2.40.4", "ouMode"), ("2.41.0", "orgUnitMode")):
        registry = Registry([NOON])
        registry.version = version
        _ = [page async for page in source(registry).everybody(mapper, 5)]
        assert {one for one in registry.asked[0] if one.endswith("Mode")} == {name}


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(
    ("units", "hers", "enrolment", "event", "concerned"),
    [
        ((), "Galle", "Galle", "Galle", True),
        (("Kandy",), "Clinic", "Clinic", "Clinic", True),  # below
        (("Kandy",), "Galle", "Galle", "Galle", False),
        (("Kandy",), "Country", "Country", "Country", False),  # above
        (("Kandy",), "Galle", "Galle", "Kandy", True),  # a visit of hers is there, which polling finds, too
        (("Kandy", "Galle"), "Galle", "Galle", "Galle", True),
        (("Kandy",), "Unshown", "Unshown", "Unshown", False),
    ],
)
async def test_only_who_belongs_to_the_units_concerns_the_sync(
    mapper: mapping.Mapper, units: tuple[str, ...], hers: str, enrolment: str, event: str, concerned: bool, typed: bool
) -> None:
    program = mapper.programme.registry.program
    events = [{"event": "e", "orgUnit": event}]
    enrollments = [{"enrollment": "n", "program": program, "orgUnit": enrolment, "events": events}]
    person: Any = {"trackedEntity": uid(1), "orgUnit": hers, "enrollments": enrollments}
    reader = source(Registry([]), units=units)
    found = msgspec.convert(person, Person) if typed else person
    assert await reader.concerns(mapper, found) is concerned
    enrollments[0]["program"] = "another"
    assert not await reader.concerns(mapper, msgspec.convert(person, Person))
