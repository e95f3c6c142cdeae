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
