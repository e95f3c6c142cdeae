"""Tracker import on the wire (reference §2): what is stored, what is refused and with which code."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx

from janani.kernel.ids import uid
from janani.registry.app import create_app
from janani.settings import Settings
from registry.tracker.antenatal import (
    AREA,
    ELEMENTS,
    OTHER_AREA,
    VISIT,
    Clock,
    attribute,
    auth,
    enrolment,
    package,
    payload,
    person,
    registration,
)

Json = dict[str, Any]


async def send(
    client: httpx.AsyncClient, body: Json, *, as_user: str = "admin", expect: int = 200, **query: str
) -> Json:
    answer = await client.post("/api/tracker", params={"async": "false", **query}, json=body, auth=auth(as_user))
    assert answer.status_code == expect, answer.text
    return answer.json()


def codes(report: Json) -> set[tuple[str, str]]:
    return {(line["trackerType"], line["errorCode"]) for line in report["validationReport"]["errorReports"]}


async def test_a_woman_registered_enrolled_and_seen_is_four_objects(registry: httpx.AsyncClient) -> None:
    report = await send(registry, payload(person()), as_user="nirmala")
    assert report["status"] == "OK"
    assert report["stats"] == {"created": 4, "updated": 0, "deleted": 0, "ignored": 0, "total": 4}
    assert report["validationReport"] == {"errorReports": [], "warningReports": []}
    by_type = report["bundleReport"]["typeReportMap"]
    assert list(by_type) == ["TRACKED_ENTITY", "ENROLLMENT", "EVENT", "RELATIONSHIP"]
    assert by_type["EVENT"]["stats"]["created"] == 2
    assert by_type["EVENT"]["objectReports"][0]["trackerType"] == "EVENT"


async def test_sending_the_same_again_changes_nothing(registry: httpx.AsyncClient, clock: Clock) -> None:
    woman = person()
    await send(registry, payload(woman))
    before = (await registry.get("/api/tracker/changes?wait=0")).json()
    clock.forward(hours=1)
    report = await send(registry, payload(woman))
    assert report["stats"] == {"created": 0, "updated": 4, "deleted": 0, "ignored": 0, "total": 4}
    assert (await registry.get("/api/tracker/changes?wait=0")).json() == before


async def test_a_fault_refuses_everything_and_leaves_out_the_bundle_report(registry: httpx.AsyncClient) -> None:
    wrong = person()
    wrong["enrollments"][0]["attributes"] = []
    report = await send(registry, payload(person(), wrong), expect=409)
    assert report["status"] == "ERROR"
    assert "bundleReport" not in report
    assert report["stats"] == {"created": 0, "updated": 0, "deleted": 0, "ignored": 8, "total": 8}
    assert codes(report) == {("ENROLLMENT", "E1018"), ("EVENT", "E5000")}


async def test_atomic_mode_object_stores_what_is_sound(registry: httpx.AsyncClient) -> None:
    wrong = person()
    wrong["orgUnit"] = "zzzzzzzzzzz"
    report = await send(registry, payload(person(), wrong), expect=409, atomicMode="OBJECT")
    assert report["stats"] == {"created": 4, "updated": 0, "deleted": 0, "ignored": 4, "total": 8}
    assert codes(report) == {("TRACKED_ENTITY", "E1049"), ("ENROLLMENT", "E5000"), ("EVENT", "E5000")}


def _without(woman: Json, place: str) -> Json:
    return {name: value for name, value in woman.items() if name != place}


def _enrolled(**changes: Any) -> Json:
    woman = person()
    woman["enrollments"][0] |= changes
    return woman


def _seen(**changes: Any) -> Json:
    woman = person()
    woman["enrollments"][0]["events"] = [registration(**changes)]
    return woman


def _values(*values: Json) -> Json:
    woman = person()
    woman["enrollments"][0]["attributes"] += values
    return woman


REFUSED: list[tuple[Json, tuple[str, str]]] = [
    (_without(person(), "trackedEntityType"), ("TRACKED_ENTITY", "E1121")),
    (_without(person(), "orgUnit"), ("TRACKED_ENTITY", "E1121")),
    (person(trackedEntityType="zzzzzzzzzzz"), ("TRACKED_ENTITY", "E1005")),
    (person(trackedEntity="short"), ("TRACKED_ENTITY", "E1048")),
    (person(geometry={"type": "Point", "coordinates": [0, 0]}), ("TRACKED_ENTITY", "E1012")),
    (_enrolled(program="zzzzzzzzzzz"), ("ENROLLMENT", "E1069")),
    (_enrolled(orgUnit="zzzzzzzzzzz"), ("ENROLLMENT", "E1070")),
    (_enrolled(orgUnit=None), ("ENROLLMENT", "E1122")),
    (_enrolled(enrolledAt=None), ("ENROLLMENT", "E1025")),
    (_enrolled(enrolledAt="2026-11-29"), ("ENROLLMENT", "E1020")),
    (_enrolled(occurredAt="2026-11-29"), ("ENROLLMENT", "E1021")),
    (_enrolled(completedAt="2026-11-20"), ("ENROLLMENT", "E1052")),
    (_values(attribute("phone", "call me")), ("ENROLLMENT", "E1007")),
    (_values(attribute("phone", "x" * 1300)), ("ENROLLMENT", "E1077")),
    (_values({"attribute": "zzzzzzzzzzz", "value": "1"}), ("ENROLLMENT", "E1006")),
    (_values({"value": "1"}), ("ENROLLMENT", "E1075")),
    (_values(attribute("gender", "Unicorn")), ("ENROLLMENT", "E1125")),
    (_values(attribute("registration_number", "XYZ1")), ("ENROLLMENT", "E1008")),
    (_values(attribute("full_name", None)), ("ENROLLMENT", "E1076")),
    (_seen(programStage="zzzzzzzzzzz"), ("EVENT", "E1013")),
    (_seen(programStage=None), ("EVENT", "E1035")),
    (_seen(orgUnit="zzzzzzzzzzz"), ("EVENT", "E1011")),
    (_seen(occurredAt=None), ("EVENT", "E1031")),
    (_seen(status="SCHEDULE", dataValues=[]), ("EVENT", "E1050")),
    (_seen(status="SCHEDULE", scheduledAt="2026-12-01"), ("EVENT", "E1315")),
    (_seen(status="ACTIVE", completedAt="2026-11-20"), ("EVENT", "E1051")),
    (_seen(dataValues=[]), ("EVENT", "E1303")),
    (_seen(dataValues=[{"dataElement": "zzzzzzzzzzz", "value": "1"}]), ("EVENT", "E1304")),
    (_seen(dataValues=[{"dataElement": ELEMENTS["ANC_GRAVIDA"], "value": "two"}]), ("EVENT", "E1302")),
    (_seen(dataValues=[{"dataElement": ELEMENTS["ANC_GRAVIDA"], "value": None}]), ("EVENT", "E1076")),
    (_seen(attributeOptionCombo="zzzzzzzzzzz"), ("EVENT", "E1115")),
]


async def test_what_the_rules_refuse(registry: httpx.AsyncClient) -> None:
    for woman, expected in REFUSED:
        assert expected in codes(await send(registry, payload(woman), expect=409))


async def test_a_second_enrolment_while_one_is_active_is_refused(registry: httpx.AsyncClient) -> None:
    woman = person()
    await send(registry, payload(woman))
    again = enrolment(woman["enrollments"][0]["attributes"], trackedEntity=woman["trackedEntity"])
    report = await send(registry, {"enrollments": [again]}, expect=409)
    assert ("ENROLLMENT", "E1015") in codes(report)


async def test_a_stage_that_does_not_repeat_takes_one_event(registry: httpx.AsyncClient) -> None:
    woman = person()
    await send(registry, payload(woman))
    event = registration(enrollment=woman["enrollments"][0]["enrollment"])
    assert codes(await send(registry, {"events": [event]}, expect=409)) == {("EVENT", "E1039")}


async def test_strategies_say_what_must_exist(registry: httpx.AsyncClient) -> None:
    woman = person()
    missing = await send(registry, payload(woman), expect=409, importStrategy="UPDATE")
    assert {("TRACKED_ENTITY", "E1063"), ("ENROLLMENT", "E1081"), ("EVENT", "E1032")} <= codes(missing)
    await send(registry, payload(woman), importStrategy="CREATE")
    there = await send(registry, payload(woman), expect=409, importStrategy="CREATE")
    assert codes(there) == {("TRACKED_ENTITY", "E1002"), ("ENROLLMENT", "E1080"), ("EVENT", "E1030")}


async def test_a_midwife_writes_in_her_own_area_only(registry: httpx.AsyncClient) -> None:
    elsewhere = person(orgUnit=OTHER_AREA)
    report = await send(registry, payload(elsewhere), as_user="nirmala", expect=409)
    assert ("TRACKED_ENTITY", "E1000") in codes(report)


async def test_a_midwife_of_another_district_cannot_change_her(registry: httpx.AsyncClient) -> None:
    woman = person()
    await send(registry, payload(woman), as_user="nirmala")
    report = await send(registry, payload(woman), as_user="thevaki", expect=409)
    assert {("TRACKED_ENTITY", "E1003"), ("ENROLLMENT", "E1102"), ("EVENT", "E1102")} <= codes(report)


async def test_deletion_marks_cascades_and_is_final(registry: httpx.AsyncClient) -> None:
    woman = person(nic="975141234V")
    await send(registry, payload(woman))
    only_uid = {"trackedEntities": [{"trackedEntity": woman["trackedEntity"]}]}
    refused = await send(registry, only_uid, as_user="nirmala", expect=409, importStrategy="DELETE")
    assert codes(refused) == {("TRACKED_ENTITY", "E1100")}
    report = await send(registry, only_uid, importStrategy="DELETE")
    assert report["stats"]["deleted"] == 1
    again = await send(registry, payload(woman), expect=409)
    assert {("TRACKED_ENTITY", "E1114"), ("ENROLLMENT", "E1113"), ("EVENT", "E1082")} <= codes(again)
    await send(registry, payload(person(nic="975141234V")))  # her number is free again


async def test_a_dry_run_stores_nothing(registry: httpx.AsyncClient) -> None:
    woman = person()
    report = await send(registry, payload(woman), importMode="VALIDATE")
    assert report["stats"]["created"] == 4
    assert (await send(registry, payload(woman), importStrategy="CREATE"))["stats"]["created"] == 4


async def test_a_completed_visit_is_not_planned_again(registry: httpx.AsyncClient) -> None:
    woman = person()
    await send(registry, payload(woman))
    enrollment = woman["enrollments"][0]
    back = enrollment["events"][0] | {"status": "SCHEDULE", "scheduledAt": "2026-12-01", "dataValues": []}
    report = await send(registry, {"events": [back | {"enrollment": enrollment["enrollment"]}]}, expect=409)
    assert codes(report) == {("EVENT", "E1316")}


async def test_two_women_with_one_nic_at_once_one_wins_the_other_is_told(registry: httpx.AsyncClient) -> None:
    women = [person(nic="975141234V") for _ in range(6)]
    answers = await asyncio.gather(*(registry.post("/api/tracker?async=false", json=payload(woman)) for woman in women))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    lost = next(answer.json() for answer in answers if answer.status_code == 409)
    assert ("ENROLLMENT", "E1064") in codes(lost)


async def test_one_nic_twice_in_one_payload_is_told_too(registry: httpx.AsyncClient) -> None:
    report = await send(registry, payload(person(nic="975141234V"), person(nic="975141234V")), expect=409)
    assert ("ENROLLMENT", "E1064") in codes(report)


async def test_two_midwives_saving_the_same_woman_at_once_both_succeed(registry: httpx.AsyncClient) -> None:
    woman, other = person(), person("Nimali Silva")
    await send(registry, payload(woman, other))
    visits = [
        {
            "event": uid(),
            "programStage": VISIT,
            "orgUnit": AREA,
            "enrollment": one["enrollments"][0]["enrollment"],
            "status": "SCHEDULE",
            "scheduledAt": "2026-12-01",
        }
        for _ in range(4)
        for one in (woman, other)
    ]
    pairs = [visits[place : place + 2][:: 1 if place % 4 else -1] for place in range(0, 8, 2)]
    answers = await asyncio.gather(
        *(registry.post("/api/tracker?async=false", json={"events": pair}) for pair in pairs)
    )
    assert [answer.status_code for answer in answers] == [200] * 4


async def test_the_same_new_woman_sent_twice_at_once_is_one_woman(registry: httpx.AsyncClient) -> None:
    woman = person()
    answers = await asyncio.gather(*(registry.post("/api/tracker?async=false", json=payload(woman)) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sum(answer.json()["stats"]["created"] for answer in answers) == 4


UNREADABLE: list[tuple[dict[str, str], bytes, int]] = [
    ({"importStrategy": "MERGE"}, b"{}", 400),
    ({"nonsense": "1"}, b"{}", 400),
    ({"idScheme": "CODE"}, b"{}", 400),
    ({"async": "true"}, b"{}", 409),
    ({}, b"", 400),
    ({}, b"{", 400),
    ({}, b'{"enrollments":[{"status":"DREAMING"}]}', 400),
]


async def test_what_cannot_be_read_is_a_web_message(registry: httpx.AsyncClient) -> None:
    for query, body, status in UNREADABLE:
        answer = await registry.post("/api/tracker", params={"async": "false"} | query, content=body)
        assert answer.status_code == status
        assert answer.json()["status"] == "ERROR"
        assert answer.json()["httpStatusCode"] == status


async def test_an_empty_object_is_an_empty_report(registry: httpx.AsyncClient) -> None:
    report = await send(registry, {})
    assert report["stats"] == {"created": 0, "updated": 0, "deleted": 0, "ignored": 0, "total": 0}


async def test_a_reused_note_is_a_warning_and_relationships_are_refused(registry: httpx.AsyncClient) -> None:
    woman = person()
    woman["enrollments"][0]["notes"] = [{"note": uid(), "value": "Prefers mornings"}]
    await send(registry, payload(woman))
    report = await send(registry, payload(woman), reportMode="WARNINGS")
    assert report["status"] == "WARNING"
    assert [line["errorCode"] for line in report["validationReport"]["warningReports"]] == ["E1119"]
    link = {"relationshipType": "zzzzzzzzzzz", "from": {}, "to": {}}
    refused = await send(registry, {"relationships": [link]}, expect=409)
    assert codes(refused) == {("RELATIONSHIP", "E4006")}


async def test_the_day_is_the_servers_not_utc(settings: Settings, clock: Clock) -> None:
    """At 20:00 UTC it is half past one of the next day in Colombo: a woman who comes then may be enrolled."""
    clock.now = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
    app = create_app(settings, clock)
    async with (
        app.lifespan(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://localhost:8080", auth=auth("admin")
        ) as client,
    ):
        await client.post("/api/metadata", content=package())
        early = person()
        early["enrollments"][0] |= {"enrolledAt": "2026-11-22", "events": []}
        await send(client, payload(early))
        early["enrollments"][0]["enrolledAt"] = "2026-11-23"
        assert codes(await send(client, payload(early), expect=409)) == {("ENROLLMENT", "E1020")}
