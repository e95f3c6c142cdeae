"""What both generations of eSignet do, and what release 1.6.1 does in its own way (reference §5.3 to §5.5, §7, §14)."""

import time
from typing import Any

import httpx
import pytest

from esignet_wire import ACR, API, RelyingParty, Wire, claims_in, codes, pkce

pytestmark = pytest.mark.contract
both = pytest.mark.parametrize("generation", ["main", "1.6.1"], indirect=True)
old = pytest.mark.parametrize("generation", ["1.6.1"], indirect=True)


async def tokens_of(wire: Wire, rp: RelyingParty, *claims: str, **asked: Any) -> dict[str, Any]:
    return dict((await rp.redeem(await wire.code(*claims, **asked))).json())


@both
async def test_a_whole_sign_in(wire: Wire, rp: RelyingParty, http: httpx.AsyncClient, generation: str) -> None:
    verifier, challenge = pkce()
    asked = {"claims": {"userinfo": {"name": {"essential": True}, "phone_number": None}}, "nonce": "n", "state": "s"}
    code = await wire.code("name", codeChallenge=challenge, codeChallengeMethod="S256", **asked)
    tokens = (await rp.redeem(code, code_verifier=verifier)).json()
    keys = await rp.keys()
    id_token = claims_in(tokens["id_token"], keys)
    userinfo = claims_in((await rp.userinfo(tokens["access_token"])).text, keys)
    issuer = str(http.base_url).rstrip("/")
    assert id_token["iss"] == userinfo["iss"] == (issuer if generation == "main" else f"{issuer}{API}")
    assert (await http.get("/.well-known/openid-configuration")).json()["issuer"] == issuer
    assert userinfo["name"] == "Kumari Dissanayake"
    assert "phone_number" not in userinfo


@both
async def test_the_sign_in_is_always_fresh_so_any_max_age_holds(wire: Wire, rp: RelyingParty) -> None:
    for asked in ({"maxAge": 0}, {"maxAge": 3600}, {"prompt": "login"}, {"prompt": "select_account"}):
        tokens = await tokens_of(wire, rp, **asked)
        assert time.time() - claims_in(tokens["id_token"], await rp.keys())["auth_time"] < 30
    assert codes(await wire.oauth_details(maxAge=-1)) == ["invalid_request"]


@both
async def test_prompt_consent_asks_though_she_agreed_before(wire: Wire, rp: RelyingParty) -> None:
    asked = {"claims": {"userinfo": {"name": None}}}
    await wire.code("name", **asked)
    for prompt, action in ((None, "NOCAPTURE"), ("consent", "CAPTURE")):
        await wire.oauth_details(**asked, prompt=prompt)
        await wire.send_otp()
        assert (await wire.authenticate()).json()["response"]["consentAction"] == action
    assert codes(await wire.oauth_details(prompt="sometimes")) == ["invalid_prompt"]


@both
async def test_the_context_is_of_those_asked_for_and_registered(wire: Wire, rp: RelyingParty) -> None:
    for asked in (
        {"acrValues": f"level-of-another-world {ACR}"},
        {"acrValues": None},
        {"acrValues": "made:up", "claims": {"id_token": {"acr": {"values": [ACR], "essential": True}}}},
    ):
        details = (await wire.oauth_details(**asked)).json()["response"]
        assert details["authFactors"] == [[{"type": "OTP", "count": 0, "subTypes": None}]]
    tokens = await tokens_of(wire, rp, acrValues=f"made:up {ACR}")
    assert claims_in(tokens["id_token"], await rp.keys())["acr"] == ACR


@both
async def test_claims_come_in_the_languages_asked_for(wire: Wire, rp: RelyingParty) -> None:
    asked = {"claims": {"userinfo": {"name": None}}, "claimsLocales": "ta si en"}
    tokens = await tokens_of(wire, rp, "name", **asked)
    shared = claims_in((await rp.userinfo(tokens["access_token"])).text, await rp.keys())
    assert shared["name#eng"] == "Kumari Dissanayake"
    assert "name#sin" in shared
    assert "name" not in shared


@both
@pytest.mark.parametrize(("wanted", "spoken"), [("si", "si"), ("fr ta-LK en", "ta"), ("fr", "en")])
async def test_the_page_speaks_the_first_language_it_knows(http: httpx.AsyncClient, wanted: str, spoken: str) -> None:
    page = await http.get("/authorize", params={"ui_locales": wanted})
    assert f'<html lang="{spoken}"' in page.text
    known = (await http.get("/.well-known/openid-configuration")).json()
    assert spoken in known["ui_locales_supported"]


@old
async def test_the_release_words_token_errors_in_its_own_way(wire: Wire, rp: RelyingParty) -> None:
    async def said(code: str, **changes: Any) -> tuple[int, str]:
        answer = await rp.redeem(code, **changes)
        return answer.status_code, answer.json()["error"]

    verifier, challenge = pkce()
    code = await wire.code(codeChallenge=challenge, codeChallengeMethod="S256")
    assert await said("no-such-code") == (400, "invalid_transaction")
    assert await said(code, client_id="another", code_verifier=verifier) == (400, "invalid_client_id")
    assert await said(code, redirect_uri="https://a.example/", code_verifier=verifier) == (400, "invalid_redirect_uri")
    assert await said(code) == (500, "invalid_pkce_code_verifier")
    assert await said(code, code_verifier="x" * 43) == (500, "pkce_failed")
    assert await said(code, code_verifier=verifier, grant_type="password") == (400, "invalid_input")
    forged = await rp.assertion(aud="https://elsewhere.example/")
    assert await said(code, code_verifier=verifier, client_assertion=forged) == (400, "invalid_assertion")
    issuer_as_audience = await rp.assertion(aud=str(rp.http.base_url).rstrip("/"))
    assert await said(code, code_verifier=verifier, client_assertion=issuer_as_audience) == (400, "invalid_assertion")
    assert (await rp.redeem(code, code_verifier=verifier)).status_code == 200


@old
async def test_the_release_knows_no_par_dpop_or_patch(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient, generation: str
) -> None:
    assert (await rp.push()).status_code == 404
    assert (await rp.manage({"clientName": "x"}, patch=True)).status_code == 405
    assert codes(await wire.oauth_details(dpopJkt="x" * 43)) == ["unknown_error"]
    code = await wire.code()
    answer = await rp.redeem(code, headers={"dpop": rp.proof("oauth/v2/token")})
    assert answer.json()["token_type"] == "Bearer"
    known = (await http.get("/.well-known/openid-configuration")).json()
    assert "pushed_authorization_request_endpoint" not in known
    assert "authorization_response_iss_parameter_supported" not in known
    assert known["scopes_supported"] == ["profile", "email", "phone"]
    assert known["token_endpoint_auth_signing_alg_values_supported"] == ["RS256"]
    assert "issuer" not in (await wire.oauth_details()).json()["response"]["configs"]


@old
async def test_the_release_asks_again_when_anything_differs(wire: Wire, rp: RelyingParty) -> None:
    await wire.code("name", claims={"userinfo": {"name": None, "email": None}})
    await wire.oauth_details(claims={"userinfo": {"name": None}})
    await wire.send_otp()
    assert (await wire.authenticate()).json()["response"]["consentAction"] == "CAPTURE"


@old
async def test_the_release_lets_the_page_read_its_csrf_cookie(http: httpx.AsyncClient, generation: str) -> None:
    answer = await http.get(f"{API}/csrf/token")
    assert "httponly" not in answer.headers["set-cookie"].lower()
