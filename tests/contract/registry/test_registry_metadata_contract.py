"""How any DHIS2 v42 server takes and gives metadata."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from janani.kernel.ids import uid

pytestmark = pytest.mark.contract
Json = dict[str, Any]


@pytest.fixture
async def colours(administrator: httpx.AsyncClient) -> AsyncIterator[Json]:
    """An option set of two options, imported as a package; gone afterwards."""
    owner = uid()
    options = [
        {"id": uid(), "code": name.upper(), "name": name, "sortOrder": place, "optionSet": {"id": owner}}
        for place, name in enumerate(("Red", "Blue"), 1)
    ]
    option_set = {
        "id": owner,
        "name": f"Colours {owner}",
        "code": f"COLOURS_{owner}",
        "valueType": "TEXT",
        "options": [{"id": one["id"]} for one in options],
    }
    package = {"optionSets": [option_set], "options": options}
    answer = await administrator.post("/api/metadata", json=package)
    assert answer.status_code == 200, answer.text
    assert answer.json()["response"]["stats"]["created"] == 3
    yield option_set
    await administrator.post("/api/metadata?importStrategy=DELETE", json=package)


async def test_a_package_reads_back_through_references_in_order(
    administrator: httpx.AsyncClient, colours: Json
) -> None:
    query = {"fields": "id,displayName,options[code,displayName]"}
    found = (await administrator.get(f"/api/optionSets/{colours['id']}", params=query)).json()
    assert [option["code"] for option in found["options"]] == ["RED", "BLUE"]
    assert found["options"][0]["displayName"] == "Red"


async def test_a_reference_without_selection_is_an_id(administrator: httpx.AsyncClient, colours: Json) -> None:
    found = (await administrator.get(f"/api/optionSets/{colours['id']}?fields=options")).json()
    assert [set(option) for option in found["options"]] == [{"id"}, {"id"}]


async def test_filters_and_pages(administrator: httpx.AsyncClient, colours: Json) -> None:
    query = {"filter": f"code:eq:{colours['code']}", "fields": "id,options~size~rename(count)"}
    found = (await administrator.get("/api/optionSets", params=query)).json()
    assert found["optionSets"] == [{"id": colours["id"], "count": 2}]
    assert found["pager"] == found["pager"] | {"page": 1, "total": 1, "pageSize": 50, "pageCount": 1}
    in_set = {"filter": f"optionSet.id:eq:{colours['id']}", "pageSize": 1, "order": "name:asc"}
    page = (await administrator.get("/api/options", params=in_set)).json()
    assert [row["displayName"] for row in page["options"]] == ["Blue"]
    assert "nextPage" in page["pager"]


async def test_the_same_package_again_changes_nothing(administrator: httpx.AsyncClient, colours: Json) -> None:
    again = await administrator.post("/api/metadata", json={"optionSets": [colours]})
    assert again.json()["response"]["stats"] == again.json()["response"]["stats"] | {"created": 0, "deleted": 0}


async def test_a_reference_to_nothing_stores_nothing(administrator: httpx.AsyncClient) -> None:
    good, bad = {"id": uid(), "name": f"Good {uid()}"}, uid()
    stage = {"id": bad, "name": "Stage", "program": {"id": uid()}}
    answer = await administrator.post("/api/metadata", json={"userGroups": [good], "programStages": [stage]})
    assert (answer.status_code, answer.json()["response"]["status"]) == (409, "ERROR")
    assert (await administrator.get(f"/api/userGroups/{good['id']}")).status_code == 404


async def test_validation_only_stores_nothing(administrator: httpx.AsyncClient) -> None:
    group = {"id": uid(), "name": f"Group {uid()}"}
    answer = await administrator.post("/api/metadata?importMode=VALIDATE", json={"userGroups": [group]})
    assert answer.status_code == 200
    assert (await administrator.get(f"/api/userGroups/{group['id']}")).status_code == 404


async def test_one_object_is_made_changed_and_deleted(administrator: httpx.AsyncClient) -> None:
    one = {"id": uid(), "name": f"Group {uid()}"}
    made = await administrator.post("/api/userGroups", json=one)
    assert (made.status_code, made.json()["response"]["uid"]) == (201, one["id"])
    assert made.headers["location"].endswith(f"/userGroups/{one['id']}")
    changed = await administrator.put(f"/api/userGroups/{one['id']}", json=one | {"code": one["id"]})
    assert changed.status_code == 200
    steps = [{"op": "replace", "path": "/code", "value": "PATCHED"}]
    headers = {"content-type": "application/json-patch+json"}
    patched = await administrator.patch(f"/api/userGroups/{one['id']}", json=steps, headers=headers)
    assert patched.status_code == 200, patched.text
    assert (await administrator.get(f"/api/userGroups/{one['id']}")).json()["code"] == "PATCHED"
    assert (await administrator.delete(f"/api/userGroups/{one['id']}")).status_code in (200, 204)
    gone = await administrator.get(f"/api/userGroups/{one['id']}")
    assert (gone.status_code, gone.json()["errorCode"]) == (404, "E1005")


async def test_broken_json_is_a_bad_request(administrator: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await administrator.post("/api/metadata", content=b"{", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (400, "ERROR")


async def test_the_data_store_keeps_values(administrator: httpx.AsyncClient) -> None:
    place = f"/api/dataStore/contract-{uid()}/key"
    assert (await administrator.post(place, json={"a": 1})).status_code == 201
    assert (await administrator.post(place, json={"a": 1})).status_code == 409
    assert (await administrator.put(place, json={"a": 2})).status_code == 200
    assert (await administrator.get(place)).json() == {"a": 2}
    assert (await administrator.delete(place)).status_code == 200
    assert (await administrator.get(place)).status_code == 404
