import asyncio
from typing import Any

from litestar import Litestar
from litestar.testing import AsyncTestClient

from registry_wire import ADMIN

Client = AsyncTestClient[Litestar]
FORM = (
    "id,displayName,programTrackedEntityAttributes[mandatory,trackedEntityAttribute[id,valueType,"
    "optionSet[options[code,displayName]]]],programStages[id,programStageSections[displayName,dataElements[id]],"
    "programStageDataElements[compulsory,dataElement[id,displayFormName,valueType]]]"
)


async def test_a_package_is_imported_again_without_harm(registry: Client, programme: dict[str, Any]) -> None:
    again = await registry.post("/api/metadata", json=programme, auth=ADMIN)
    assert again.json()["response"]["stats"]["created"] == 0
    assert again.json()["response"]["stats"]["ignored"] == 0


async def test_nested_fields_follow_references_to_the_options_of_an_attribute(
    registry: Client, programme: dict[str, Any]
) -> None:
    program = (await registry.get("/api/programs/eozjj9UivfS", params={"fields": FORM}, auth=ADMIN)).json()
    attributes = {
        row["trackedEntityAttribute"]["id"]: row["trackedEntityAttribute"]
        for row in program["programTrackedEntityAttributes"]
    }
    assert [option["code"] for option in attributes["p7zizFkC6Lv"]["optionSet"]["options"]] == [
        "Female",
        "Male",
        "Other",
    ]
    registration = next(stage for stage in program["programStages"] if stage["id"] == "LWJcStrI6kM")
    assert registration["programStageSections"][0]["displayName"] == "This pregnancy"
    assert {
        "compulsory": True,
        "dataElement": {"id": "vuDExM32SZ6", "displayFormName": "Last menstrual period (LMP)", "valueType": "DATE"},
    } in registration["programStageDataElements"]


async def test_filters_order_and_pages(registry: Client, programme: dict[str, Any]) -> None:
    params = {"filter": "valueType:eq:TRUE_ONLY", "fields": "id,code", "order": "code:asc", "pageSize": "3"}
    page = (await registry.get("/api/dataElements", params=params, auth=ADMIN)).json()
    assert len(page["dataElements"]) == 3
    assert page["pager"]["total"] > 3
    assert "page=2" in page["pager"]["nextPage"]
    codes = [row["code"] for row in page["dataElements"]]
    assert codes == sorted(codes)


async def test_units_know_their_path_level_and_children(registry: Client, programme: dict[str, Any]) -> None:
    unit = (await registry.get("/api/organisationUnits/Tnl7qgZh7zL", auth=ADMIN)).json()
    assert unit["level"] == 5
    assert unit["path"].endswith("/Tnl7qgZh7zL")
    assert unit["leaf"] is True


async def test_a_reference_to_nothing_refuses_the_whole_package(registry: Client) -> None:
    package = {
        "options": [{"name": "A", "code": "A"}],
        "programStages": [{"id": "AAAAAAAAAAA", "name": "Stage", "program": {"id": "BBBBBBBBBBB"}}],
    }
    answer = await registry.post("/api/metadata", json=package, auth=ADMIN)
    assert answer.status_code == 409
    reports = answer.json()["response"]["typeReports"]
    assert [
        report["objectReports"][0]["errorReports"][0]["errorCode"] for report in reports if report["objectReports"]
    ] == ["E5002"]
    assert (await registry.get("/api/options", auth=ADMIN)).json()["options"] == []


async def test_validate_mode_stores_nothing(registry: Client) -> None:
    package = {"constants": [{"name": "Pi"}]}
    await registry.post("/api/metadata?importMode=VALIDATE", json=package, auth=ADMIN)
    assert (await registry.get("/api/constants", auth=ADMIN)).json()["pager"]["total"] == 0


async def test_what_is_referred_to_can_not_be_deleted(registry: Client, programme: dict[str, Any]) -> None:
    answer = await registry.delete("/api/trackedEntityTypes/MxdEsVAegt5", auth=ADMIN)
    assert answer.status_code == 409
    assert answer.json()["response"]["errorReports"][0]["errorCode"] == "E4030"


async def test_an_unknown_type_is_refused_in_words(registry: Client) -> None:
    answer = await registry.get("/api/unicorns", auth=ADMIN)
    assert answer.status_code == 404
    assert answer.json()["status"] == "ERROR"


async def test_an_unknown_object_is_e1005(registry: Client) -> None:
    answer = await registry.get("/api/programs/AAAAAAAAAAA", auth=ADMIN)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "E1005")


async def test_a_patch_changes_what_it_names_and_nothing_else(registry: Client, programme: dict[str, Any]) -> None:
    headers = {"content-type": "application/json-patch+json"}
    role = programme["userRoles"][0]
    steps = b'[{"op":"add","path":"/authorities/-","value":"F_X"},{"op":"replace","path":"/name","value":"New"}]'
    answer = await registry.patch(f"/api/userRoles/{role['id']}", content=steps, headers=headers, auth=ADMIN)
    assert answer.status_code == 200, answer.text
    found = (await registry.get(f"/api/userRoles/{role['id']}", auth=ADMIN)).json()
    assert found["authorities"] == [*role["authorities"], "F_X"]
    assert (found["name"], found["code"]) == ("New", role["code"])


async def test_a_patch_of_nothing_or_of_another_kind_is_refused(registry: Client) -> None:
    headers = {"content-type": "application/json-patch+json"}
    place, body = "/api/userRoles/yrB6vc5Ip3r", b'[{"op":"remove","path":"/nothing"}]'
    assert (await registry.patch(place, content=body, headers=headers, auth=ADMIN)).status_code == 400
    assert (await registry.patch(place, content=body, auth=ADMIN)).status_code == 415


async def test_remove_by_id_takes_one_member_of_a_list(registry: Client, programme: dict[str, Any]) -> None:
    headers = {"content-type": "application/json-patch+json"}
    group = next(one for one in programme["userGroups"] if len(one["users"]) > 1)
    gone = group["users"][0]["id"]
    steps = [{"op": "remove-by-id", "path": "/users", "id": gone}]
    await registry.patch(f"/api/userGroups/{group['id']}", json=steps, headers=headers, auth=ADMIN)
    left = (await registry.get(f"/api/userGroups/{group['id']}/users", auth=ADMIN)).json()["users"]
    assert gone not in [one["id"] for one in left]
    assert len(left) == len(group["users"]) - 1


async def test_unchanged_metadata_is_not_sent_twice(registry: Client, programme: dict[str, Any]) -> None:
    first = await registry.get("/api/programs?fields=id,version", auth=ADMIN)
    headers = {"if-none-match": first.headers["etag"]}
    assert (await registry.get("/api/programs?fields=id,version", headers=headers, auth=ADMIN)).status_code == 304
    assert (await registry.get("/api/programs?fields=id", headers=headers, auth=ADMIN)).status_code == 200
    await registry.post("/api/constants", json={"name": "Pi"}, auth=ADMIN)
    assert (await registry.get("/api/programs?fields=id,version", headers=headers, auth=ADMIN)).status_code == 200


async def test_the_version_in_the_path_and_the_suffix_change_nothing(
    registry: Client, programme: dict[str, Any]
) -> None:
    plain = (await registry.get("/api/programs?fields=id", auth=ADMIN)).json()
    for path in ("/api/42/programs", "/api/programs.json", "/api/40/programs.json"):
        assert (await registry.get(f"{path}?fields=id", auth=ADMIN)).json() == plain


async def test_units_below_hers_are_found_for_a_midwife(registry: Client, programme: dict[str, Any]) -> None:
    midwife = programme["users"][0]
    sent = midwife | {"password": "Secret-123", "externalAuth": False}
    await registry.put(f"/api/users/{midwife['id']}", json=sent, auth=ADMIN)
    auth = (midwife["username"], "Secret-123")
    fields = "fields=id,displayName~rename(name),path,ancestors[displayName]"
    own = await registry.get(f"/api/organisationUnits?withinUserHierarchy=true&{fields}", auth=auth)
    assert {unit["id"] for unit in own.json()["organisationUnits"]} == {
        one["id"] for one in midwife["organisationUnits"]
    }
    search = await registry.get("/api/organisationUnits?withinUserSearchHierarchy=true&paging=false", auth=auth)
    assert len(search.json()["organisationUnits"]) > len(own.json()["organisationUnits"])
    root = search.json()["organisationUnits"][0]["id"]
    around = await registry.get(f"/api/organisationUnits/{root}?includeDescendants=true&fields=id", auth=auth)
    assert root in [one["id"] for one in around.json()["organisationUnits"]]


async def test_units_of_programmes(registry: Client, programme: dict[str, Any]) -> None:
    answer = await registry.get("/api/programs/orgUnits?programs=eozjj9UivfS,AAAAAAAAAAA", auth=ADMIN)
    assert list(answer.json()) == ["eozjj9UivfS"]
    assert len(answer.json()["eozjj9UivfS"]) == len(programme["programs"][0]["organisationUnits"])


async def test_what_is_exported_is_imported_unchanged(registry: Client, programme: dict[str, Any]) -> None:
    package = (await registry.get("/api/metadata", auth=ADMIN)).json()
    assert "displayName" not in str(package["programs"])
    before = (await registry.get("/api/programs/eozjj9UivfS", auth=ADMIN)).json()
    answer = await registry.post("/api/metadata", json=package, auth=ADMIN)
    assert answer.status_code == 200, answer.text
    assert (await registry.get("/api/programs/eozjj9UivfS", auth=ADMIN)).json() == before


async def test_parameters_that_would_change_the_meaning_are_refused(registry: Client) -> None:
    for parameter in ("atomicMode=NONE", "mergeMode=MERGE", "identifier=CODE", "async=true", "importStrategy=WISH"):
        assert (await registry.post(f"/api/metadata?{parameter}", json={}, auth=ADMIN)).status_code == 400


async def test_a_package_of_something_else_is_a_bad_request(registry: Client) -> None:
    for body in (b"[]", b"{", b'{"programs":["x"]}', b'{"programs":[{"id":7}]}'):
        answer = await registry.post("/api/metadata", content=body, auth=ADMIN)
        assert answer.status_code in (400, 409), body


async def test_changes_made_at_the_same_time_all_count(registry: Client) -> None:
    await registry.post("/api/userRoles", json={"id": "RoleRoleRo1", "name": "Role", "authorities": []}, auth=ADMIN)
    headers = {"content-type": "application/json-patch+json"}

    async def add(name: str) -> int:
        steps = [{"op": "add", "path": "/authorities/-", "value": name}]
        answer = await registry.patch("/api/userRoles/RoleRoleRo1", json=steps, headers=headers, auth=ADMIN)
        return answer.status_code

    assert await asyncio.gather(*(add(name) for name in "ABC")) == [200, 200, 200]
    found = (await registry.get("/api/userRoles/RoleRoleRo1", auth=ADMIN)).json()
    assert sorted(found["authorities"]) == ["A", "B", "C"]


async def test_a_report_says_where_the_wrong_object_stood(registry: Client) -> None:
    package = {"constants": [{"name": "Pi"}, {"name": "Tau"}, {"code": "NAMELESS"}]}
    answer = await registry.post("/api/metadata", json=package, auth=ADMIN)
    [report] = answer.json()["response"]["typeReports"]
    assert report["stats"] == {"created": 0, "updated": 0, "deleted": 0, "ignored": 3, "total": 3}
    assert [(one["index"], one["errorReports"][0]["errorCode"]) for one in report["objectReports"]] == [(2, "E4000")]


async def test_a_changed_programme_has_the_next_version_and_an_unchanged_one_its_own(
    registry: Client, programme: dict[str, Any]
) -> None:
    async def version() -> int:
        found: int = (await registry.get("/api/programs/eozjj9UivfS", auth=ADMIN)).json()["version"]
        return found

    first = await version()
    await registry.post("/api/metadata", json=programme, auth=ADMIN)
    assert await version() == first
    changed = programme["programs"][0] | {"name": "Another name"}
    await registry.post("/api/metadata", json={"programs": [changed]}, auth=ADMIN)
    assert await version() == first + 1
