"""Tracker export on the wire (reference §3): shapes, scopes, filters, paging."""

from typing import Any

import httpx
import pytest

from janani.kernel.ids import uid
from janani.registry.tracker import exporting
from registry.tracker.antenatal import (
    AREA,
    OTHER_AREA,
    PACKAGE,
    PERSON,
    PROGRAM,
    REGISTRATION,
    ROLES,
    VISIT,
    Clock,
    attribute,
    auth,
    payload,
    person,
)

Json = dict[str, Any]
DISTRICT = next(unit["path"].split("/")[-2] for unit in PACKAGE["organisationUnits"] if unit["id"] == AREA)
NAME, NIC, BIRTH, AGE = (ROLES.attributes[role] for role in ("full_name", "nic", "birth_date", "age"))


async def read(
    client: httpx.AsyncClient, path: str, *, as_user: str = "admin", expect: int = 200, **query: Any
) -> Json:
    answer = await client.get(f"/api/tracker/{path}", params=query, auth=auth(as_user))
    assert answer.status_code == expect, answer.text
    return answer.json()


@pytest.fixture
async def women(registry: httpx.AsyncClient) -> list[Json]:
    """Three women of the area, the third completed, and one of another district."""
    people = [person("Kumari Perera", "975141234V"), person("Nimali Silva"), person("Fathima Nazeer")]
    people[1]["enrollments"][0]["attributes"].append(attribute("age", "28"))
    people[2]["enrollments"][0]["status"] = "COMPLETED"
    far = person("Thevaki Selvam", orgUnit=OTHER_AREA)
    far["enrollments"][0]["orgUnit"] = OTHER_AREA
    people.append(far)
    people[0]["enrollments"][0]["notes"] = [{"value": "Prefers mornings"}]
    answer = await registry.post("/api/tracker?async=false", json=payload(*people))
    assert answer.status_code == 200, answer.text
    return people


async def test_fields_star_gives_the_whole_tree(registry: httpx.AsyncClient, women: list[Json]) -> None:
    her = women[0]
    found = await read(registry, f"trackedEntities/{her['trackedEntity']}", fields="*")
    assert set(found) == {
        "trackedEntity", "trackedEntityType", "createdAt", "updatedAt", "orgUnit", "inactive", "deleted",
        "potentialDuplicate", "createdBy", "updatedBy", "relationships", "attributes", "enrollments", "programOwners",
    }  # fmt: skip
    assert found["createdAt"] == "2026-11-21T06:00:00.000"
    assert found["createdBy"] == {
        "uid": "M5zQapPyTZI", "username": "admin", "firstName": "admin", "surname": "admin"
    }  # fmt: skip
    assert found["programOwners"] == [{"orgUnit": AREA, "trackedEntity": her["trackedEntity"], "program": PROGRAM}]
    of_type = {one["attribute"] for one in found["attributes"]}
    assert of_type == {NAME, NIC, BIRTH}  # gender belongs to the programme only
    assert next(one for one in found["attributes"] if one["attribute"] == BIRTH)["valueType"] == "DATE"
    enrollment = found["enrollments"][0]
    assert enrollment["enrolledAt"] == "2026-11-20T00:00:00.000"
    assert ROLES.attributes["gender"] in {one["attribute"] for one in enrollment["attributes"]}
    assert enrollment["notes"][0]["value"] == "Prefers mornings"
    done, planned = enrollment["events"]
    assert done["completedBy"] == "admin"
    assert done["completedAt"] == "2026-11-21T06:00:00.000"
    assert {"dataElement", "value", "createdAt", "updatedAt", "storedBy", "providedElsewhere"} <= set(
        done["dataValues"][0]
    )
    assert "occurredAt" not in planned
    assert planned["scheduledAt"] == "2026-12-18T00:00:00.000"
    assert planned["trackedEntity"] == her["trackedEntity"]


async def test_default_fields_leave_the_tree_out(registry: httpx.AsyncClient, women: list[Json]) -> None:
    found = await read(registry, f"trackedEntities/{women[0]['trackedEntity']}")
    assert "attributes" in found
    assert not {"enrollments", "programOwners", "relationships"} & set(found)
    enrollment = await read(registry, f"enrollments/{women[0]['enrollments'][0]['enrollment']}")
    assert enrollment["program"] == PROGRAM
    assert not {"events", "attributes", "relationships"} & set(enrollment)
    event = await read(registry, f"events/{women[0]['enrollments'][0]['events'][0]['event']}")
    assert event["programStage"] == REGISTRATION
    assert event["followup"] is False


async def test_captures_own_selections(registry: httpx.AsyncClient, women: list[Json]) -> None:
    her = women[0]["trackedEntity"]
    owners = await read(registry, f"trackedEntities/{her}", program=PROGRAM, fields="programOwners[program,orgUnit]")
    assert owners == {"programOwners": [{"program": PROGRAM, "orgUnit": AREA}]}
    tree = await read(
        registry, f"trackedEntities/{her}", program=PROGRAM, fields="enrollments[*,!attributes],attributes"
    )
    assert set(tree) == {"enrollments", "attributes"}
    assert "attributes" not in tree["enrollments"][0]
    assert ROLES.attributes["gender"] in {one["attribute"] for one in tree["attributes"]}
    listed = await read(
        registry, "trackedEntities", program=PROGRAM, orgUnits=AREA, order="createdAt:desc", page=1, pageSize=15,
        fields=":all,!relationships,programOwners[orgUnit,program]", enrollmentStatus="ACTIVE",
    )  # fmt: skip
    assert set(listed["trackedEntities"][0]["programOwners"][0]) == {"orgUnit", "program"}


LISTS: list[tuple[Json, set[int]]] = [
    ({}, {0, 1, 2, 3}),
    ({"orgUnits": AREA}, {0, 1, 2}),
    ({"orgUnits": DISTRICT}, set()),
    ({"orgUnits": DISTRICT, "orgUnitMode": "CHILDREN"}, {0, 1, 2}),
    ({"orgUnits": DISTRICT, "orgUnitMode": "DESCENDANTS"}, {0, 1, 2}),
    ({"orgUnitMode": "ALL"}, {0, 1, 2, 3}),
    ({"enrollmentStatus": "COMPLETED"}, {2}),
    ({"filter": f"{NAME}:like:PERERA"}, {0}),
    ({"filter": f"{NAME}:ilike:a"}, {0, 1, 2, 3}),
    ({"filter": f"{NAME}:sw:nim"}, {1}),
    ({"filter": f"{NAME}:ew:nazeer"}, {2}),
    ({"filter": f"{NAME}:like:%"}, set()),
    ({"filter": f"{NIC}:eq:975141234v"}, {0}),
    ({"filter": f"{NIC}:in:975141234V;123456789V"}, {0}),
    ({"filter": f"{NIC}:null"}, {1, 2, 3}),
    ({"filter": f"{NIC}:!null"}, {0}),
    ({"filter": f"{AGE}:gt:9:lt:100"}, {1}),
    ({"filter": f"{AGE}:eq:28.0"}, {1}),
    ({"filter": f"{NAME}:like:i,{AGE}:ge:28"}, {1}),
    ({"programStage": VISIT}, {0, 1, 2, 3}),
    ({"followUp": "true"}, set()),
    ({"enrollmentEnrolledAfter": "2026-11-20", "enrollmentEnrolledBefore": "2026-11-20"}, {0, 1, 2, 3}),
    ({"enrollmentEnrolledAfter": "2026-11-21"}, set()),
    ({"updatedWithin": "PT1H"}, {0, 1, 2, 3}),
    ({"updatedAfter": "2026-11-21T06:00:00.000"}, {0, 1, 2, 3}),
    ({"updatedAfter": "2026-11-21T06:00:00.001"}, set()),
    (
        {"eventStatus": "SCHEDULE", "eventOccurredAfter": "2026-12-18", "eventOccurredBefore": "2026-12-18"},
        {0, 1, 2, 3},
    ),
]


async def test_lists_hold_those_asked_for(registry: httpx.AsyncClient, women: list[Json]) -> None:
    by_uid = {her["trackedEntity"]: place for place, her in enumerate(women)}
    for query, expected in LISTS:
        found = await read(registry, "trackedEntities", program=PROGRAM, fields="trackedEntity", **query)
        assert {by_uid[one["trackedEntity"]] for one in found["trackedEntities"]} == expected, query


REFUSED: list[tuple[str, Json, int]] = [
    ("trackedEntities", {}, 400),
    ("trackedEntities", {"program": PROGRAM, "trackedEntityType": PERSON}, 400),
    ("trackedEntities", {"program": "zzzzzzzzzzz"}, 400),
    ("trackedEntities", {"program": PROGRAM, "orgUnitMode": "SELECTED"}, 400),
    ("trackedEntities", {"program": PROGRAM, "orgUnitMode": "ALL", "orgUnits": AREA}, 400),
    ("trackedEntities", {"program": PROGRAM, "orgUnits": "zzzzzzzzzzz"}, 400),
    ("trackedEntities", {"program": PROGRAM, "orgUnits": "bad"}, 400),
    ("trackedEntities", {"program": PROGRAM, "order": "colour"}, 400),
    ("trackedEntities", {"program": PROGRAM, "filter": f"{NAME}:maybe:x"}, 400),
    ("trackedEntities", {"program": PROGRAM, "filter": [f"{NAME}:sw:x", f"{NAME}:ew:x"]}, 400),
    ("trackedEntities", {"program": PROGRAM, "filter": "zzzzzzzzzzz:eq:x"}, 400),
    ("trackedEntities", {"program": PROGRAM, "nonsense": "1"}, 400),
    ("trackedEntities", {"program": PROGRAM, "pageSize": "0"}, 400),
    ("trackedEntities", {"program": PROGRAM, "updatedWithin": "5d"}, 400),
    ("trackedEntities", {"trackedEntityType": PERSON, "enrollmentStatus": "ACTIVE"}, 400),
    ("enrollments", {}, 400),
    ("events", {"assignedUserMode": "SOME"}, 400),
    ("trackedEntities/bad", {}, 400),
    ("trackedEntities/zzzzzzzzzzz", {}, 404),
    ("enrollments/zzzzzzzzzzz", {}, 404),
    ("events/zzzzzzzzzzz", {}, 404),
]


async def test_what_is_refused(registry: httpx.AsyncClient) -> None:
    for path, query, status in REFUSED:
        message = await read(registry, path, expect=status, **query)
        assert message["httpStatusCode"] == status
        assert message["errorCode"] == {400: "E1003", 404: "E1005"}[status]


async def test_a_midwife_sees_her_search_scope_and_no_further(registry: httpx.AsyncClient, women: list[Json]) -> None:
    seen = await read(registry, "trackedEntities", as_user="nirmala", program=PROGRAM, fields="trackedEntity")
    assert len(seen["trackedEntities"]) == 3
    by_type = await read(registry, "trackedEntities", as_user="nirmala", trackedEntityType=PERSON)
    assert len(by_type["trackedEntities"]) == 3
    far = women[3]
    await read(registry, f"trackedEntities/{far['trackedEntity']}", as_user="nirmala", expect=403)
    await read(registry, f"enrollments/{far['enrollments'][0]['enrollment']}", as_user="nirmala", expect=404)
    await read(registry, "trackedEntities", as_user="nirmala", program=PROGRAM, orgUnits=OTHER_AREA, expect=403)
    await read(registry, "trackedEntities", as_user="nirmala", program=PROGRAM, orgUnitMode="ALL", expect=403)
    events = await read(registry, "events", as_user="nirmala", program=PROGRAM, totalPages="true")
    assert events["pager"]["total"] >= 4
    assert (await registry.get("/api/tracker/events", auth=None)).status_code in (200, 401)


async def test_pages_follow_one_another(registry: httpx.AsyncClient, women: list[Json]) -> None:
    first = await read(registry, "trackedEntities", program=PROGRAM, pageSize=3, order="trackedEntity:asc")
    assert first["pager"]["page"] == 1
    assert first["pager"]["pageSize"] == 3
    assert "page=2" in first["pager"]["nextPage"]
    second = await read(registry, "trackedEntities", program=PROGRAM, pageSize=3, page=2, order="trackedEntity:asc")
    assert "nextPage" not in second["pager"]
    uids = [one["trackedEntity"] for one in first["trackedEntities"] + second["trackedEntities"]]
    assert uids == sorted(her["trackedEntity"] for her in women)
    totals = await read(registry, "trackedEntities", program=PROGRAM, pageSize=3, totalPages="true",
                        order=f"{NAME}:asc", filter=f"{NAME}:like:a")  # fmt: skip
    assert totals["pager"] == {"page": 1, "pageSize": 3, "total": 4, "pageCount": 2}
    whole = await read(registry, "trackedEntities", program=PROGRAM, paging="false")
    assert set(whole) == {"trackedEntities"}


async def test_what_is_more_than_one_answer_holds_is_refused_not_cut(
    registry: httpx.AsyncClient, women: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    for most, status in ((len(women), 200), (len(women) - 1, 409)):
        monkeypatch.setattr(exporting, "_MOST_UNPAGED", most)
        for path in ("trackedEntities", "enrollments"):
            await read(registry, path, program=PROGRAM, paging="false", expect=status)


async def test_events_by_date_status_and_person(registry: httpx.AsyncClient, women: list[Json]) -> None:
    planned = await read(
        registry, "events", program=PROGRAM, orgUnit=AREA, status="SCHEDULE", scheduledAfter="2026-12-01",
        scheduledBefore="2026-12-18", order="scheduledAt:asc",
    )  # fmt: skip
    assert len(planned["events"]) == 4
    hers = await read(registry, "events", program=PROGRAM, trackedEntity=women[0]["trackedEntity"])
    assert len(hers["events"]) == 2
    by_enrolment = await read(
        registry, "enrollments", trackedEntity=women[0]["trackedEntity"], fields="enrollment,events[event,status]"
    )
    assert {one["status"] for one in by_enrolment["enrollments"][0]["events"]} == {"COMPLETED", "SCHEDULE"}


async def test_deleted_people_show_only_when_asked(
    registry: httpx.AsyncClient, women: list[Json], clock: Clock
) -> None:
    her = women[0]["trackedEntity"]
    clock.forward(minutes=1)
    body = {"trackedEntities": [{"trackedEntity": her}]}
    await registry.post("/api/tracker?async=false&importStrategy=DELETE", json=body)
    await read(registry, f"trackedEntities/{her}", expect=404)
    gone = await read(registry, "trackedEntities", program=PROGRAM, includeDeleted="true", fields="*",
                      updatedAfter="2026-11-21T06:00:30", orgUnitMode="ACCESSIBLE", order="updatedAt:asc")  # fmt: skip
    assert [(one["trackedEntity"], one["deleted"]) for one in gone["trackedEntities"]] == [(her, True)]


async def test_any_change_moves_her_stamp(registry: httpx.AsyncClient, women: list[Json], clock: Clock) -> None:
    her = women[0]
    clock.forward(hours=1)
    visit = {
        "event": uid(), "programStage": VISIT, "orgUnit": AREA, "status": "SCHEDULE", "scheduledAt": "2027-01-15",
        "enrollment": her["enrollments"][0]["enrollment"],
    }  # fmt: skip
    answer = await registry.post("/api/tracker?async=false", json={"events": [visit]}, auth=auth("nirmala"))
    assert answer.status_code == 200, answer.text
    found = await read(registry, f"trackedEntities/{her['trackedEntity']}")
    assert found["updatedAt"] == "2026-11-21T07:00:00.000"
    assert found["updatedBy"]["username"] == "nirmala"
    assert found["createdBy"]["username"] == "admin"


async def test_null_deletes_a_value_and_absence_keeps_it(registry: httpx.AsyncClient, women: list[Json]) -> None:
    her = women[0]
    slim = {name: her[name] for name in ("trackedEntity", "trackedEntityType", "orgUnit")}
    slim["attributes"] = [attribute("nic", None)]
    answer = await registry.post("/api/tracker?async=false", json=payload(slim))
    assert answer.status_code == 200, answer.text
    found = await read(registry, f"trackedEntities/{her['trackedEntity']}")
    assert {one["attribute"] for one in found["attributes"]} == {NAME, BIRTH}


async def test_names_alone_show_the_same_as_choosing_from_the_whole(
    registry: httpx.AsyncClient, women: list[Json]
) -> None:
    """`fields` of nothing but names is made without the rest; a `*` beside it makes all and chooses."""
    users = "uid,username"
    events = f"event,status,occurredAt,updatedAt,deleted,createdBy[{users}],dataValues[dataElement,value],notes[value]"
    enrollments = f"enrollment,orgUnit,followUp,attributes[attribute,value],notes[value],events[{events}]"
    names = f"trackedEntity,createdAt,updatedBy[{users}],attributes[value],enrollments[{enrollments}],programOwners"
    brief = await read(registry, "trackedEntities", program=PROGRAM, fields=names)
    chosen = await read(registry, "trackedEntities", program=PROGRAM, fields=f"{names},trackedEntity::rename(id)")
    assert len(brief["trackedEntities"]) == len(women)
    for one, other in zip(brief["trackedEntities"], chosen["trackedEntities"], strict=True):
        assert one == {name: value for name, value in other.items() if name != "id"}
    seen = [event for one in brief["trackedEntities"] for event in one["enrollments"][0]["events"]]
    assert all(set(event) >= {"event", "createdBy", "dataValues", "notes"} for event in seen)
    assert {name for event in seen for value in event["dataValues"] for name in value} <= {"dataElement", "value"}
    listed = await read(registry, "events", program=PROGRAM, fields="event,followup")
    assert all(set(one) == {"event", "followup"} for one in listed["events"])
