"""Who sees and changes what of the metadata, by authorities and sharing."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from registry_wire import ADMIN

Client = AsyncTestClient[Litestar]
CLERK = ("clerk", "Clerk-1234")


@pytest.fixture
async def clerk(registry: Client) -> str:
    """A user who may manage users and import metadata, and has one more authority."""
    authorities = [
        "F_METADATA_IMPORT",
        "F_USER_ADD",
        "F_USERROLE_PUBLIC_ADD",
        "F_CONSTANT_ADD",
        "F_CONSTANT_PUBLIC_ADD",
    ]
    await registry.post(
        "/api/metadata",
        json={
            "userRoles": [
                {"id": "ClerksRole1", "name": "Clerk", "authorities": authorities},
                {"id": "ModestRole1", "name": "Modest", "authorities": ["F_USER_ADD"]},
            ],
            "users": [user("ClerkClerk1", "clerk", "ClerksRole1", password=CLERK[1], email="clerk@moh.example")],
        },
        auth=ADMIN,
    )
    return "ClerkClerk1"


def user(uid: str, username: str, *roles: str, **more: Any) -> dict[str, Any]:
    one = {"id": uid, "username": username, "firstName": username.title(), "surname": "Person"}
    return one | {"userRoles": [{"id": role} for role in roles]} | more


def codes(answer: Any) -> list[str]:
    response = answer.json()["response"]
    rows = response.get("errorReports") or [
        error
        for kind in response.get("typeReports", [])
        for one in kind["objectReports"]
        for error in one["errorReports"]
    ]
    return [row["errorCode"] for row in rows]


async def test_nobody_gives_a_role_with_rights_they_lack(registry: Client, clerk: str) -> None:
    made = await registry.post("/api/users", json=user("OtherOther1", "other", "yrB6vc5Ip3r"), auth=CLERK)
    assert codes(made) == ["E3003"]
    modest = await registry.post("/api/users", json=user("OtherOther1", "other", "ModestRole1"), auth=CLERK)
    assert modest.status_code == 201


async def test_nobody_takes_over_a_user_with_more_rights(registry: Client, clerk: str) -> None:
    admin = user("M5zQapPyTZI", "admin", password="Taken-1234")
    package = await registry.post("/api/metadata", json={"users": [admin]}, auth=CLERK)
    single = await registry.put("/api/users/M5zQapPyTZI", json=admin, auth=CLERK)
    assert [codes(package), codes(single)] == [["E3003"], ["E3003"]]
    assert (await registry.get("/api/me", auth=ADMIN)).status_code == 200


async def test_an_import_needs_the_authority_of_each_type(registry: Client, clerk: str) -> None:
    package = {"constants": [{"name": "Pi"}], "optionSets": [{"name": "Colours", "valueType": "TEXT"}]}
    answer = await registry.post("/api/metadata", json=package, auth=CLERK)
    assert codes(answer) == ["E3000"]
    assert (await registry.post("/api/constants", json={"name": "Pi"}, auth=CLERK)).status_code == 201


async def test_sharing_decides_who_sees_and_changes_an_object(registry: Client, clerk: str) -> None:
    shared = {"public": "r-------", "userGroups": {}, "users": {}}
    hidden = shared | {"public": "--------", "owner": "M5zQapPyTZI"}
    package = {
        "constants": [
            {"id": "SharedSha01", "name": "Seen", "sharing": shared},
            {"id": "HiddenHid01", "name": "Hidden", "sharing": hidden},
        ]
    }
    await registry.post("/api/metadata", json=package, auth=ADMIN)
    rows = (await registry.get("/api/constants?fields=id,access[write]", auth=CLERK)).json()["constants"]
    assert rows == [{"id": "SharedSha01", "access": {"write": False}}]
    assert (await registry.get("/api/constants/HiddenHid01", auth=CLERK)).status_code == 404
    changed = await registry.put("/api/constants/SharedSha01", json={"name": "Mine"}, auth=CLERK)
    assert codes(changed) == ["E3001"]


async def test_sharing_that_was_not_sent_stays(registry: Client, clerk: str) -> None:
    hidden = {"public": "--------", "owner": "M5zQapPyTZI", "users": {}, "userGroups": {}}
    await registry.post("/api/constants", json={"id": "HiddenHid01", "name": "A", "sharing": hidden}, auth=ADMIN)
    await registry.put("/api/constants/HiddenHid01", json={"name": "B"}, auth=ADMIN)
    assert (await registry.get("/api/constants/HiddenHid01", auth=CLERK)).status_code == 404


async def test_sharing_in_the_older_form_is_understood(registry: Client, clerk: str) -> None:
    old = {"id": "OldOldOldO1", "name": "Old", "publicAccess": "--------"}
    old["userAccesses"] = [{"id": clerk, "access": "r-------"}]
    await registry.post("/api/constants", json=old, auth=ADMIN)
    found = (await registry.get("/api/constants/OldOldOldO1", auth=CLERK)).json()
    assert found["sharing"]["public"] == "--------"
    assert "publicAccess" not in found


async def test_of_others_only_names_are_seen_even_through_references(registry: Client, clerk: str) -> None:
    await registry.post("/api/users", json=user("PlainPlain1", "plain", password="Plain-1234"), auth=ADMIN)
    group = {"id": "GroupGroup1", "name": "Group", "users": [{"id": clerk}]}
    await registry.post("/api/userGroups", json=group, auth=ADMIN)
    plain = ("plain", "Plain-1234")
    through = await registry.get("/api/userGroups/GroupGroup1?fields=users[*]", auth=plain)
    direct = await registry.get(f"/api/users/{clerk}?fields=*", auth=plain)
    guessed = await registry.get("/api/users?filter=email:like:clerk", auth=plain)
    assert "Clerk Person" in through.text
    assert "clerk@moh.example" not in through.text + direct.text
    assert guessed.json()["users"] == []
    assert (await registry.get("/api/userLookup/clerk", auth=plain)).json()["id"] == clerk


async def test_an_oauth_clients_secret_is_stored_as_a_hash_and_never_shown(registry: Client) -> None:
    client = {"id": "SecretSecr1", "name": "C", "clientId": "c", "clientSecret": "very-secret"}
    await registry.post("/api/oAuth2Clients", json=client, auth=ADMIN)
    read = (await registry.get("/api/oAuth2Clients/SecretSecr1", auth=ADMIN)).json()
    assert "clientSecret" not in read
    await registry.put("/api/oAuth2Clients/SecretSecr1", json=read | {"name": "D"}, auth=ADMIN)
    form = {"grant_type": "authorization_code", "code": "none"}
    right = await registry.post("/oauth2/token", data=form, auth=("c", "very-secret"))
    wrong = await registry.post("/oauth2/token", data=form, auth=("c", "wrong"))
    assert (right.json()["error"], wrong.json()["error"]) == ("invalid_grant", "invalid_client")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "ADMIN"}, "E5003"),
        ({"openId": "taken@moh.example"}, "E5003"),
        ({"password": "short"}, "E4005"),
        ({"password": "x" * 73}, "E4005"),
        ({"username": "no spaces"}, "E4049"),
    ],
)
async def test_a_user_that_can_not_be_is_refused(registry: Client, change: dict[str, str], code: str) -> None:
    await registry.post("/api/users", json=user("TakenTaken1", "taken", openId="taken@moh.example"), auth=ADMIN)
    answer = await registry.post("/api/users", json=user("OtherOther1", "other") | change, auth=ADMIN)
    assert (answer.status_code, codes(answer)) == (409, [code])
