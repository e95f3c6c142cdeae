"""Pushed authorization requests (reference §4.2, RFC 9126)."""

from typing import Any

import pytest

from esignet_wire import API, RelyingParty, Wire, codes, pkce

pytestmark = pytest.mark.contract


async def test_a_pushed_request_begins_a_sign_in_once(wire: Wire, rp: RelyingParty) -> None:
    verifier, challenge = pkce()
    pushed = await rp.push(
        state="s1",
        nonce="pushed-1",
        claims='{"userinfo":{"name":{"essential":true}}}',
        code_challenge=challenge,
        code_challenge_method="S256",
    )
    assert pushed.status_code == 201
    assert pushed.json()["expires_in"] == 60
    reference = pushed.json()["request_uri"]
    assert reference.startswith("urn:ietf:params:oauth:request_uri:")
    begun = await wire.par_oauth_details(rp.client_id, reference)
    assert begun.json()["response"]["essentialClaims"] == ["name"]
    code = await wire.finish("name")
    assert (await rp.redeem(code, code_verifier=verifier)).status_code == 200
    assert codes(await wire.par_oauth_details(rp.client_id, reference)) == ["invalid_request"]


async def test_a_reference_is_used_up_even_by_the_wrong_client(wire: Wire, rp: RelyingParty) -> None:
    reference = (await rp.push()).json()["request_uri"]
    assert codes(await wire.par_oauth_details("another", reference)) == ["invalid_request"]
    assert codes(await wire.par_oauth_details(rp.client_id, reference)) == ["invalid_request"]


async def test_state_and_nonce_come_from_the_pushed_request(wire: Wire, rp: RelyingParty) -> None:
    reference = (await rp.push(state="s1", nonce="pushed-2")).json()["request_uri"]
    await wire.par_oauth_details(rp.client_id, reference)
    await wire.send_otp()
    await wire.authenticate()
    answer = (await wire.auth_code()).json()["response"]
    assert (answer["state"], answer["nonce"]) == ("s1", "pushed-2")


@pytest.mark.parametrize(
    ("change", "error", "description"),
    [
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request", "invalid_request"),
        ({"client_assertion": "rubbish"}, "invalid_client", "invalid_client"),
        ({"client_assertion_type": None}, "invalid_client", "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client", "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request", "invalid_redirect_uri"),
        ({"response_type": "token"}, "invalid_request", "invalid_response_type"),
        ({"scope": "profile"}, "invalid_scope", "invalid_scope"),
        ({"claims": "[]"}, "invalid_request", "invalid_claim"),
        ({"claims": '{"userinfo":{"name":1}}'}, "invalid_request", "invalid_claim"),
        ({"max_age": "soon"}, "invalid_request", "invalid_request"),
        ({"max_age": "-1"}, "invalid_request", "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request", "invalid_pkce_challenge"),
        ({"id_token_hint": "eyJ"}, "invalid_request", "invalid_id_token_hint"),
    ],
)
async def test_a_push_with_a_fault(rp: RelyingParty, change: dict[str, Any], error: str, description: str) -> None:
    answer = await rp.push(**change)
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": description})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("audience", ["", f"{API}/oauth/v2/token", f"{API}/oauth/par"])
async def test_the_assertion_may_be_for_the_issuer_the_token_or_the_push_endpoint(
    rp: RelyingParty, audience: str
) -> None:
    base = str(rp.http.base_url).rstrip("/")
    assert (await rp.push(client_assertion=await rp.assertion(aud=base + audience))).status_code == 201


async def test_a_nonce_serves_once_whichever_way_it_comes(wire: Wire, rp: RelyingParty) -> None:
    assert (await rp.push(nonce="either-way")).status_code == 201
    assert (await rp.push(nonce="either-way")).json()["error"] == "invalid_request"
    assert codes(await wire.oauth_details(nonce="either-way")) == ["invalid_request"]


async def test_a_client_can_ask_that_its_requests_are_only_ever_pushed(wire: Wire, rp: RelyingParty) -> None:
    strict = RelyingParty(rp.http, rp.bearer, "push-only")
    config = {"require_pushed_authorization_requests": True}
    assert codes(await strict.manage(strict.registration(additionalConfig=config))) == []
    assert codes(await wire.oauth_details(clientId=strict.client_id)) == ["invalid_request"]
    reference = (await strict.push()).json()["request_uri"]
    assert codes(await wire.par_oauth_details(strict.client_id, reference)) == []


@pytest.mark.parametrize("reference", [None, "", "urn:ietf:params:oauth:request_uri:unknown", "https://evil.example"])
async def test_a_reference_with_a_fault(wire: Wire, rp: RelyingParty, reference: Any) -> None:
    assert codes(await wire.par_oauth_details(rp.client_id, reference)) == ["invalid_request"]


async def test_the_page_knows_no_client_with_a_nul(wire: Wire) -> None:
    page = await wire.http.get(
        "/authorize", params={"client_id": "\x00", "request_uri": "urn:ietf:params:oauth:request_uri:x"}
    )
    assert page.status_code == 200
