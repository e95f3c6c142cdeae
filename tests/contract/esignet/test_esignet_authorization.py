"""oauth-details, send-otp, authenticate, auth-code: what is refused, and with which code (reference §13)."""

from typing import Any

import httpx
import pytest

from esignet_wire import API, MOTHER, Wire, codes, pkce

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("rp")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clientId": "nobody"}, "invalid_client_id"),
        ({"redirectUri": "https://portal.example/callback/"}, "invalid_redirect_uri"),
        ({"redirectUri": "https://evil.example/callback"}, "invalid_redirect_uri"),
        ({"responseType": "token"}, "invalid_response_type"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "resident-service"}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "Manage-VID", "claims": {"userinfo": {"name": None}}}, "invalid_scope"),
        ({"claims": {"userinfo": {"name": "yes"}}}, "invalid_claim"),
        ({"claims": {"userinfo": {"name": {"essential": "yes"}}}}, "invalid_claim"),
        ({"claims": {"userinfo": {"verified_claims": {}}}}, "invalid_claim"),
        ({"display": "cinema"}, "invalid_display"),
        ({"prompt": "login consent"}, "invalid_prompt"),
        ({"codeChallenge": pkce()[1]}, "invalid_pkce_challenge"),
        ({"codeChallengeMethod": "S256"}, "invalid_pkce_challenge"),
        ({"codeChallenge": pkce()[1], "codeChallengeMethod": "plain"}, "unsupported_pkce_challenge_method"),
        ({"idTokenHint": "eyJ"}, "invalid_id_token_hint"),
    ],
)
async def test_an_authorization_request_with_a_fault(wire: Wire, change: dict[str, Any], code: str) -> None:
    assert codes(await wire.oauth_details(**change)) == [code]


async def test_a_nonce_serves_once(wire: Wire) -> None:
    assert codes(await wire.oauth_details(nonce="only-once")) == []
    assert codes(await wire.oauth_details(nonce="only-once")) == ["invalid_request"]


async def test_the_three_versions_differ_as_documented(wire: Wire) -> None:
    first = (await wire.oauth_details(version="")).json()["response"]
    second = (await wire.oauth_details(version="v2/")).json()["response"]
    assert first["clientName"] == "ANC Portal"
    assert "credentialScopes" not in first
    assert second["clientName"]["@none"] == "ANC Portal"
    third = (await wire.oauth_details()).json()["response"]
    assert list(third) == [
        "transactionId",
        "logoUrl",
        "authFactors",
        "authorizeScopes",
        "essentialClaims",
        "voluntaryClaims",
        "configs",
        "redirectUri",
        "clientName",
        "credentialScopes",
    ]
    assert third["authFactors"] == [[{"type": "OTP", "count": 0, "subTypes": None}]]


async def test_headers_bind_each_call_to_what_was_shown(wire: Wire) -> None:
    await wire.oauth_details()
    request = {"transactionId": wire.details["transactionId"], "individualId": MOTHER, "otpChannels": ["phone"]}
    good, bare = wire.headers(), {"x-xsrf-token": wire.csrf}
    assert codes(await wire.post("send-otp", request, bare)) == ["invalid_transaction"]
    assert codes(await wire.post("send-otp", request, good | {"oauth-details-key": "x"})) == ["invalid_transaction"]
    assert codes(await wire.post("send-otp", request, good | {"oauth-details-hash": "x"})) == ["invalid_request"]
    assert codes(await wire.post("auth-code", {"transactionId": request["transactionId"]}, good)) == [
        "invalid_transaction"
    ]
    other = request | {"transactionId": "another"}
    assert codes(await wire.post("send-otp", other, good)) == ["invalid_transaction"]


@pytest.mark.parametrize(
    ("person", "change", "code"),
    [
        ("", {}, "invalid_identifier"),
        (MOTHER, {"otpChannels": []}, "invalid_otp_channel"),
        (MOTHER, {"otpChannels": ["pigeon"]}, "invalid_otp_channel"),
        ("9999999999", {}, "invalid_individual_id"),
        ("3000000005", {"otpChannels": ["email"]}, "no_email_mobile_found"),
    ],
)
async def test_a_code_that_cannot_be_sent(wire: Wire, person: str, change: dict[str, Any], code: str) -> None:
    await wire.oauth_details()
    assert codes(await wire.send_otp(person, **change)) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": "12345"}, "invalid_challenge"),
        ({"code": "1234567"}, "invalid_challenge"),
        ({"format": "number"}, "invalid_challenge_format"),
        ({"authFactorType": "otp"}, "invalid_auth_factor_type"),
        ({"authFactorType": "PIN", "format": "number", "code": "545411"}, "auth_factor_mismatch"),
    ],
)
async def test_a_challenge_with_a_fault(wire: Wire, change: dict[str, Any], code: str) -> None:
    await wire.oauth_details()
    await wire.send_otp()
    assert codes(await wire.authenticate(**change)) == [code]


@pytest.mark.parametrize("count", [0, 6])
async def test_one_to_five_challenges(wire: Wire, count: int) -> None:
    await wire.oauth_details()
    one = {"authFactorType": "OTP", "challenge": "111111", "format": "alpha-numeric"}
    request = {"transactionId": wire.details["transactionId"], "individualId": MOTHER, "challengeList": [one] * count}
    assert codes(await wire.post("v3/authenticate", request)) == ["invalid_no_of_challenges"]


async def test_no_code_was_sent_or_it_was_sent_for_another_person(wire: Wire) -> None:
    await wire.oauth_details()
    assert codes(await wire.authenticate()) == ["invalid_transaction"]
    await wire.send_otp()
    assert codes(await wire.authenticate("3000000002")) == ["auth_failed"]
    assert codes(await wire.authenticate()) == []
    assert codes(await wire.authenticate()) == ["invalid_transaction"]


async def test_the_first_version_of_authenticate_answers_no_consent_action(wire: Wire) -> None:
    await wire.oauth_details(version="")
    await wire.send_otp()
    answer = await wire.authenticate(version="")
    assert list(answer.json()["response"]) == ["transactionId"]


@pytest.mark.parametrize(
    ("accepted", "scopes", "code"),
    [
        (["birthdate"], (), "invalid_accepted_claim"),  # the essential name is missing
        (["name", "email"], (), "invalid_accepted_claim"),  # e-mail was not asked for
        (["name", " "], (), "invalid_accepted_claim"),
        (["name"], ("Manage-VID",), "invalid_permitted_scope"),
    ],
)
async def test_a_consent_that_does_not_fit(wire: Wire, accepted: list[str], scopes: tuple[str, ...], code: str) -> None:
    await wire.oauth_details(claims={"userinfo": {"name": {"essential": True}, "birthdate": None}})
    await wire.send_otp()
    await wire.authenticate()
    assert codes(await wire.auth_code(*accepted, scopes=scopes)) == [code]
    assert codes(await wire.auth_code("name")) == []
    assert codes(await wire.auth_code("name")) == ["invalid_transaction"]


async def test_the_fourth_code_is_not_sent_and_the_person_rests(wire: Wire, http: httpx.AsyncClient) -> None:
    await wire.oauth_details()
    for _ in range(3):
        assert codes(await wire.send_otp("3000000006")) == []
    assert codes(await wire.send_otp("3000000006")) == ["no_attempts_left"]
    await wire.oauth_details()
    assert codes(await wire.send_otp("3000000006")) == ["individual_id_blocked"]


async def test_unknown_paths_and_methods(http: httpx.AsyncClient) -> None:
    missing = await http.get(f"{API}/nothing-here")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert (await http.get(f"{API}/authorization/send-otp")).status_code == 405
