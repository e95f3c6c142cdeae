"""Refresh tokens: they rotate, ask again who it is, and end together."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from janani.kernel import postgres
from janani.record.authorization import token as token_endpoint
from janani.record.authorization.clients import ASSERTION_TYPE
from record_smart import DOCTOR, MOTHER, VERIFIER, Server, doctor, patient, refreshed, told


async def test_refresh_tokens_rotate(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    form = {"grant_type": "refresh_token", "refresh_token": said["refresh_token"]}
    narrow = (await server.token("portals", **form, scope="user/Patient.rs")).json()
    assert narrow["scope"] == "user/Patient.rs"
    server.clock.ahead = timedelta(seconds=11)
    assert (await server.token("portals", **form)).json()["error"] == "invalid_grant"


async def test_a_refused_call_spends_no_refresh_token(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    form = {"grant_type": "refresh_token", "refresh_token": said["refresh_token"]}
    assert (await server.token("portals", **form, scope="system/*.cruds")).json()["error"] == "invalid_scope"
    clients = server.app.state.authorization.clients
    clients["janani-sync"] = msgspec.structs.replace(clients["janani-sync"], grants=("refresh_token",))
    assert (await server.token("janani-sync", **form)).json()["error"] == "invalid_grant"
    server.clock.ahead = timedelta(minutes=10)
    assert (await server.token("portals", **form)).status_code == 200


async def test_a_client_whose_answer_was_lost_asks_again_within_ten_seconds(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    first = await refreshed(server, said)
    server.clock.ahead = timedelta(seconds=9)
    second = await refreshed(server, said)
    assert (first.status_code, second.status_code) == (200, 200)
    server.clock.ahead = timedelta(seconds=18)  # counted from the first use
    for gone in (said, first.json(), second.json()):
        assert (await refreshed(server, gone)).json()["error"] == "invalid_grant"


async def test_a_refresh_asks_again_what_the_staff_list_allows(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    staff = server.app.state.authorization.staff
    member = staff["dr.perera@moh.example"]
    staff["dr.perera@moh.example"] = msgspec.structs.replace(member, scopes=["user/*.rs"])
    said = (await refreshed(server, said)).json()
    assert said["scope"] == "openid fhirUser online_access user/*.rs"
    staff["dr.perera@moh.example"] = member
    assert (await refreshed(server, said)).json()["scope"] == said["scope"]  # more is asked for by signing in


@pytest.mark.parametrize("changes", [None, {"scopes": ["system/*.cruds"]}, {"identifier": "dr-silva"}])
async def test_who_has_left_the_staff_is_refused_for_good(server: Server, changes: dict[str, Any] | None) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    staff = server.app.state.authorization.staff
    member = staff.pop("dr.perera@moh.example")
    if changes is not None:
        staff["dr.perera@moh.example"] = msgspec.structs.replace(member, **changes)
    answer = await refreshed(server, said)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    staff["dr.perera@moh.example"] = member
    assert (await refreshed(server, said)).json()["error"] == "invalid_grant"


async def test_a_mother_whose_record_is_another_by_now_signs_in_again(server: Server) -> None:
    sync = await server.system()
    wrong = (await server.http.post("/fhir/Patient", json=patient("pairwise-1"), headers=sync)).json()["id"]
    said = await server.person(MOTHER + " online_access")
    said = (await refreshed(server, said)).json()
    assert said["patient"] == wrong
    corrected = patient("pairwise-2") | {"id": wrong}
    assert (await server.http.put(f"/fhir/Patient/{wrong}", json=corrected, headers=sync)).status_code == 200
    hers = (await server.http.post("/fhir/Patient", json=patient("pairwise-1", "2"), headers=sync)).json()["id"]
    answer = await refreshed(server, said)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await server.person(MOTHER))["patient"] == hers


async def test_two_records_for_one_person_end_her_login(server: Server) -> None:
    sync = await server.system()
    await server.http.post("/fhir/Patient", json=patient("pairwise-1"), headers=sync)
    said = await server.person(MOTHER + " online_access")
    await server.http.post("/fhir/Patient", json=patient("pairwise-1", "2"), headers=sync)
    assert (await refreshed(server, said)).json()["error"] == "invalid_grant"


async def test_a_login_that_does_not_say_whose_it_is_ends(server: Server, database: str) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " online_access")
    pool = await postgres.open_pool(database, "record")
    await pool.execute("update refresh_token set login = (login::jsonb - 'account')::text")
    await pool.close()
    assert (await refreshed(server, said)).json()["error"] == "invalid_grant"


async def test_a_refresh_token_can_be_given_back(server: Server) -> None:
    doctor(server)
    said = await server.person(DOCTOR + " offline_access")
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    def form(token: str) -> dict[str, str]:
        return {"client_assertion_type": kind, "client_assertion": server.assertion("portals"), "token": token}

    assert (await server.http.post("/auth/introspect", data=form(said["access_token"]))).json()["active"] is True
    assert (await server.http.post("/auth/introspect", data=form("x"))).json() == {"active": False}
    refused = await server.http.post("/auth/revoke", data=form(said["access_token"]))
    assert refused.json()["error"] == "unsupported_token_type"
    assert (await server.http.post("/auth/revoke", data=form(said["refresh_token"]))).status_code == 200
    again = await server.token("portals", grant_type="refresh_token", refresh_token=said["refresh_token"])
    assert again.json()["error"] == "invalid_grant"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between using what was sent and storing what is given for it, time passes."""
    original = token_endpoint._granted

    async def granted(*a: Any) -> Any:
        await asyncio.sleep(0.4)
        return await original(*a)

    monkeypatch.setattr(token_endpoint, "_granted", granted)


def beside(request: Coroutine[Any, Any, httpx.Response]) -> asyncio.Future[httpx.Response]:
    """`request` while others are under way: the test client lets its loop wait for each answer."""
    return asyncio.ensure_future(asyncio.to_thread(asyncio.run, request))


@pytest.mark.usefixtures("slow")
async def test_of_two_with_one_code_nobody_keeps_a_login(server: Server) -> None:
    doctor(server)
    back = (await server.sign_in(DOCTOR + " online_access")).headers["location"]
    form = {"grant_type": "authorization_code", "code": told(back)["code"], "code_verifier": VERIFIER}
    form["redirect_uri"] = back.partition("?")[0]
    answers = await asyncio.gather(*(beside(server.token("portals", **form)) for _ in range(2)))
    first, second = sorted(answers, key=lambda answer: answer.status_code)
    assert (first.status_code, second.status_code) == (200, 400)
    assert (await refreshed(server, first.json())).json()["error"] == "invalid_grant"


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("end", ["replayed", "given back"])
async def test_a_token_that_is_just_being_renewed_ends_too(server: Server, end: str) -> None:
    doctor(server)
    first = await server.person(DOCTOR + " online_access")
    second = (await refreshed(server, first)).json()
    server.clock.ahead += timedelta(seconds=11)
    renewing = beside(refreshed(server, second))
    await asyncio.sleep(0.2)
    if end == "replayed":
        assert (await refreshed(server, first)).json()["error"] == "invalid_grant"
    else:
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": server.assertion("portals")}
        given = await server.http.post("/auth/revoke", data=proof | {"token": second["refresh_token"]})
        assert given.status_code == 200
    third = await renewing
    assert third.status_code == 200
    assert (await refreshed(server, third.json())).json()["error"] == "invalid_grant"
