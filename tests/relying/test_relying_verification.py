"""A verification, from the button to the filled form, and everything that may go wrong on the way."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.relying.verification import Verified
from relying_world import ATTRIBUTES, World

ROLES = programmes.load("anc_lk").registry.attributes


async def test_the_browser_learns_nothing_secret(world: World) -> None:
    begun = await world.begin()
    assert set(begun) == {"authorization_url", "state", "expires_in"}
    assert begun["state"] in begun["authorization_url"]
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fmidwife%2Fidentity%2Fcallback" in begun["authorization_url"]
    assert "client_id=janani-verify" in begun["authorization_url"]
    assert "code_verifier" not in begun["authorization_url"]


async def test_a_code_becomes_attributes_of_the_registry(world: World) -> None:
    begun = await world.begin()
    world.provider.claims = {"name": "Nimali Perera", "birthdate": "1996/03/14", "gender": "Female"}
    answer = await world.fetch(attributes=True, code="the-code", state=begun["state"], iss=world.provider.url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ATTRIBUTES
    verified = msgspec.json.decode(answer.content, type=Verified)
    values = {one.attribute: one.value for one in verified.attributes}
    assert values[ROLES["full_name"]] == "Nimali Perera"
    assert values[ROLES["birth_date"]] == "1996-03-14"
    assert values[ROLES["subject"]] == verified.subject == "subject-1"
    assert verified.provider == world.provider.url
    assert verified.acr == "mosip:idp:acr:generated-code"
    assert verified.verified_at.tzinfo is not None
    assert verified.withheld == ["phone_number", "address", "individual_id"]
    assert await world.trail() == [("midwife", "verified")]


async def test_the_reference_call_still_works(world: World) -> None:
    # As the Capture plugin of the reference sends it: no state, no nonce, no PKCE.
    answer = await world.fetch(
        code="the-code",
        client_id="janani-verify",
        redirect_uri="http://localhost:8000/midwife/identity/callback",
        grant_type="authorization_code",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    assert answer.status_code == 200, answer.text
    person = answer.json()
    assert person == {
        "sub": "subject-1",
        "iss": world.provider.url,
        "aud": "janani-verify",
        "name": "Nimali Perera",
    }


async def test_a_state_is_good_once_for_ten_minutes_for_who_began(world: World) -> None:
    begun = await world.begin()
    stranger = await world.route.post(
        "/fetchUserInfo", json={"code": "the-code", "state": begun["state"]}, headers={"x-forwarded-user": "another"}
    )
    assert (stranger.status_code, stranger.json()["error"]) == (400, "state_unknown")
    assert (await world.fetch(code="the-code", state=begun["state"])).status_code == 200
    again = await world.fetch(code="the-code", state=begun["state"])
    assert (again.status_code, again.json()["error"]) == (400, "state_unknown")

    late = await world.begin()
    world.clock.now += timedelta(minutes=10)
    answer = await world.fetch(code="the-code", state=late["state"])
    assert (answer.status_code, answer.json()["error"]) == (400, "state_unknown")


async def test_a_form_sent_twice_at_once_is_verified_once(world: World) -> None:
    begun = await world.begin()
    both = await asyncio.gather(*(world.fetch(code="the-code", state=begun["state"]) for _ in range(2)))
    assert sorted(one.status_code for one in both) == [200, 400]
    assert world.provider.token_calls == 1


async def test_a_code_of_another_browser_is_refused(world: World) -> None:
    await world.begin()
    stolen = world.provider.nonce
    mine = await world.begin()
    world.provider.nonce = stolen
    answer = await world.fetch(code="the-code", state=mine["state"])
    assert (answer.status_code, answer.json()["error"]) == (502, "bad_nonce")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"token_error": (400, {"error": "invalid_grant"})}, 400, "code_refused"),
        ({"token_error": (400, {"error": "invalid_client"})}, 502, "client_refused"),
        ({"token_error": (500, "stack trace with a secret")}, 503, "provider_failed"),
        ({"userinfo": {"sub": "someone else"}}, 502, "bad_subject"),
        ({"id_token": {"aud": "another-client"}}, 502, "bad_audience"),
        ({"id_token": {"acr": "mosip:idp:acr:knowledge"}}, 502, "bad_acr"),
        ({"userinfo_plain": True}, 502, "unsigned_userinfo"),
        ({"userinfo_status": 401}, 502, "request_refused"),
        ({"published": []}, 502, "unknown_key"),
    ],
)
async def test_what_goes_wrong_has_a_code_a_sentence_and_no_secret(
    world: World, change: dict[str, Any], status: int, code: str
) -> None:
    begun = await world.begin()
    for name, value in change.items():
        setattr(world.provider, name, value)
    answer = await world.fetch(code="the-code", state=begun["state"])
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, code)
    assert set(body) == {"error", "message", "hint"}
    assert body["message"].endswith(".")
    for secret in ("the-code", "secret", "Nimali", "eyJ", begun["state"]):
        assert secret not in answer.text
    assert await world.trail() == [("midwife", code)]


async def test_a_state_outlives_a_provider_that_was_never_reached(world: World) -> None:
    world.provider.metadata_changes = {"token_endpoint": "http://127.0.0.1:9/token"}
    begun = await world.begin()
    for _ in range(2):
        away = await world.fetch(code="the-code", state=begun["state"])
        assert (away.status_code, away.json()["error"]) == (503, "provider_unreachable")
        assert away.headers["retry-after"] == "30"


async def test_a_code_that_may_have_arrived_is_never_sent_again(world: World) -> None:
    begun = await world.begin()
    world.provider.token_error = (503, "")
    assert (await world.fetch(code="the-code", state=begun["state"])).status_code == 503
    world.provider.token_error = None
    again = await world.fetch(code="the-code", state=begun["state"])
    assert (again.status_code, again.json()["error"]) == (400, "state_unknown")
    assert world.provider.token_calls == 1


async def test_callers_choose_neither_client_nor_page(world: World) -> None:
    for body, code in (
        ({"code": "x", "client_id": "another"}, "other_client"),
        ({"code": "x", "redirect_uri": "https://evil.example/"}, "other_redirect_uri"),
        ({"code": "x", "grant_type": "password"}, "bad_request"),
        ({}, "bad_request"),
        ({"code": 5}, "bad_request"),
        ({"code": "x", "state": "never given"}, "state_unknown"),
        ({"error": "access_denied"}, "access_refused"),
    ):
        answer = await world.fetch(**body)
        assert (answer.status_code, answer.json()["error"]) == (400, code)
    page = await world.route.post("/authorizations", json={"redirect_uri": "https://evil.example/"})
    assert (page.status_code, page.json()["error"]) == (400, "other_redirect_uri")
    assert world.provider.token_calls == 0


@pytest.mark.parametrize("header", [None, "", "ApiToken", "ApiToken wrong", "Bearer x", "ApiToken wröng"])
async def test_only_the_registrys_route_may_call(world: World, header: str | None) -> None:
    del world.route.headers["authorization"]
    headers = {} if header is None else {"authorization": header.encode()}
    for path in ("/fetchUserInfo", "/authorizations"):
        answer = await world.route.post(path, json={"code": "the-code"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "ApiToken"
    assert world.provider.token_calls == 0


async def test_the_rest_of_the_wire_is_one_family_too(world: World) -> None:
    missing = await world.route.get("/nothing")
    assert (missing.status_code, set(missing.json())) == (404, {"error", "message", "hint"})
    wrong = await world.route.get("/fetchUserInfo")
    assert wrong.status_code == 405
    schema = (await world.route.get("/schemas/attributes.json")).json()
    assert "verifiedAt" in schema["$defs"]["Verified"]["properties"]
