"""How any DHIS2 v42 server tells who is calling."""

import httpx
import pytest

pytestmark = pytest.mark.contract
SCRIPT = {"x-requested-with": "XMLHttpRequest"}


async def test_ping_is_for_anybody(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/api/ping")
    assert (answer.status_code, answer.text.strip('"')) == (200, "pong")


async def test_a_script_that_is_not_logged_in_gets_401_in_a_web_message(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/api/me", headers=SCRIPT)
    assert answer.status_code == 401
    assert answer.json()["httpStatusCode"] == 401
    assert answer.json()["status"] == "ERROR"


async def test_a_wrong_password_is_401(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/api/me", auth=("nobody-of-this-name", "wrong"), headers=SCRIPT)
    assert answer.status_code == 401


async def test_the_caller_is_shown_with_authorities_and_units(administrator: httpx.AsyncClient) -> None:
    me = (await administrator.get("/api/me")).json()
    assert {"id", "username", "firstName", "surname", "userRoles", "organisationUnits", "settings"} <= set(me)
    assert "ALL" in me["authorities"]
    narrow = (await administrator.get("/api/me?fields=id,organisationUnits[id,path]")).json()
    assert set(narrow) == {"id", "organisationUnits"}


async def test_the_version_in_the_path_is_the_same_api(administrator: httpx.AsyncClient) -> None:
    for path in ("/api/me?fields=id", "/api/42/me?fields=id", "/api/me.json?fields=id"):
        assert (await administrator.get(path)).json() == (await administrator.get("/api/me?fields=id")).json()


async def test_the_system_says_what_it_is(administrator: httpx.AsyncClient) -> None:
    info = (await administrator.get("/api/system/info")).json()
    assert info["version"].split(".")[0] == "2"
    assert {"systemId", "serverDate", "contextPath", "serverTimeZoneId", "calendar"} <= set(info)


async def test_fresh_uids(administrator: httpx.AsyncClient) -> None:
    codes = (await administrator.get("/api/system/id?limit=3")).json()["codes"]
    assert len(set(codes)) == 3
    assert all(len(code) == 11 and code[0].isalpha() for code in codes)


async def test_a_personal_access_token_logs_in_until_it_is_revoked(
    administrator: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    made = (await administrator.post("/api/apiToken", json={})).json()["response"]
    assert made["key"].startswith("d2p")
    headers = SCRIPT | {"Authorization": f"ApiToken {made['key']}"}
    assert (await anybody.get("/api/me", headers=headers)).status_code == 200
    await administrator.delete(f"/api/apiToken/{made['uid']}")
    assert (await anybody.get("/api/me", headers=headers)).status_code == 401
