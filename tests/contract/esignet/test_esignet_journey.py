"""From the number to the verified claims, over HTTP (reference §0 and §11.1)."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from esignet_wire import API, NIC, REDIRECT, RelyingParty, Wire, b64u, claims_in, codes, pkce

pytestmark = pytest.mark.contract
CLAIMS = {"name": {"essential": True}, "birthdate": None, "phone_number": None, "address": None, "individual_id": None}


async def test_a_mother_signs_in_and_shares_what_she_left_switched_on(wire: Wire, rp: RelyingParty) -> None:
    verifier, challenge = pkce()
    details = await wire.oauth_details(
        nonce="n-1", state="s-1", claims={"userinfo": CLAIMS}, codeChallenge=challenge, codeChallengeMethod="S256"
    )
    shown = details.json()["response"]
    assert shown["essentialClaims"] == ["name"]
    assert sorted(shown["voluntaryClaims"]) == ["address", "birthdate", "individual_id", "phone_number"]

    sent = (await wire.send_otp(channels=["phone"])).json()["response"]
    assert (sent["maskedEmail"], sent["maskedMobile"]) == (None, "XXXXXXX34501")
    authenticated = (await wire.authenticate()).json()["response"]
    assert authenticated == {"transactionId": shown["transactionId"], "consentAction": "CAPTURE"}
    given = (await wire.auth_code("name", "birthdate", "address")).json()["response"]
    assert (given["nonce"], given["state"], given["redirectUri"]) == ("n-1", "s-1", REDIRECT)

    answer = await rp.redeem(given["code"], code_verifier=verifier)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens, keys = answer.json(), await rp.keys()
    assert sorted(tokens) == ["access_token", "expires_in", "id_token", "token_type"]
    id_token = claims_in(tokens["id_token"], keys)
    issuer = (await rp.http.get("/.well-known/openid-configuration")).json()["issuer"]
    assert id_token["iss"] == issuer
    assert (id_token["aud"], id_token["nonce"]) == (rp.client_id, "n-1")
    assert id_token["acr"] == "mosip:idp:acr:generated-code"
    assert id_token["exp"] - id_token["iat"] == tokens["expires_in"] == 3600
    assert id_token["at_hash"] == b64u(hashlib.sha256(tokens["access_token"].encode()).digest()[:16])

    answer = await rp.userinfo(tokens["access_token"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    userinfo = claims_in(answer.text, keys)
    assert userinfo == {
        "sub": id_token["sub"],
        "iss": issuer,
        "aud": rp.client_id,
        "name": "Kumari Dissanayake",
        "birthdate": "1996/03/14",
        "address": {
            "street_address": "12 Temple Road",
            "locality": "Akurana",
            "region": "Kandy",
            "postal_code": "20850",
            "country": "Sri Lanka",
        },
    }
    assert (await rp.userinfo(tokens["access_token"])).content == answer.content


async def test_mosips_golden_path_runs_unchanged(http: httpx.AsyncClient) -> None:
    """No PKCE, nonce, state or claims; a wildcard redirect URI sent literally; captcha `dummy`."""
    wire, person = Wire(http), "8267411571"
    answer = await wire.oauth_details(
        clientId="IIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArLeYj",
        scope="openid profile",
        redirectUri="http://localhost:8080/**",
        acrValues=None,
    )
    assert codes(answer) == []
    assert codes(await wire.send_otp(person, ["email", "phone"])) == []
    assert codes(await wire.authenticate(person)) == []
    answer = await wire.auth_code("name")
    assert codes(answer) == []
    assert answer.json()["response"]["redirectUri"] == "http://localhost:8080/**"


async def _signed_in(wire: Wire, rp: RelyingParty, *claims: str, person: str = "3000000001", **asked: Any) -> Any:
    code = await wire.code(*claims, person=person, **asked)
    tokens = (await rp.redeem(code)).json()
    return claims_in((await rp.userinfo(tokens["access_token"])).text, await rp.keys())


async def test_a_nic_signs_in_the_same_person_and_is_her_individual_id(wire: Wire, rp: RelyingParty) -> None:
    asked = {"claims": {"userinfo": {"individual_id": None}}, "prompt": "consent"}
    by_number = await _signed_in(wire, rp, "individual_id", **asked)
    by_nic = await _signed_in(wire, rp, "individual_id", person=NIC, **asked)
    assert by_number["sub"] == by_nic["sub"]
    assert (by_number["individual_id"], by_nic["individual_id"]) == ("3000000001", NIC)


async def test_clients_of_one_relying_party_see_one_subject_others_another(wire: Wire, rp: RelyingParty) -> None:
    async def subject(party: RelyingParty) -> str:
        answer = await party.manage(party.registration())
        assert codes(answer) == []
        return str((await _signed_in(wire, party, clientId=party.client_id))["sub"])

    mine = (await _signed_in(wire, rp))["sub"]
    same_party = await subject(RelyingParty(rp.http, rp.bearer, "record", "moh-lk"))
    other_party = await subject(RelyingParty(rp.http, rp.bearer, "shop", "a-shop"))
    assert mine == same_party != other_party
    assert len(mine) == 43


async def test_claims_in_the_languages_asked_for(wire: Wire, rp: RelyingParty) -> None:
    asked = {"claims": {"userinfo": {"name": None}}, "prompt": "consent"}
    one = await _signed_in(wire, rp, "name", claimsLocales="si", **asked)
    two = await _signed_in(wire, rp, "name", claimsLocales="en si ta", **asked)
    assert one["name"] == "කුමාරි දිසානායක"
    assert {name for name in two if name.startswith("name")} == {"name#eng", "name#sin"}


async def test_consent_is_remembered_until_more_is_asked(wire: Wire, rp: RelyingParty) -> None:
    asked = {"claims": {"userinfo": {"name": {"essential": True}, "email": None}}}
    first = await _signed_in(wire, rp, "name", **asked)
    assert "email" not in first
    await wire.oauth_details(**asked)
    await wire.send_otp()
    assert (await wire.authenticate()).json()["response"]["consentAction"] == "NOCAPTURE"
    code = (await wire.auth_code("email")).json()["response"]["code"]  # ignored: what she chose before holds
    tokens = (await rp.redeem(code)).json()
    assert "email" not in claims_in((await rp.userinfo(tokens["access_token"])).text, await rp.keys())
    more = {"claims": {"userinfo": {**asked["claims"]["userinfo"], "phone_number": None}}}
    for other in (more, {**asked, "prompt": "consent"}):
        await wire.oauth_details(**other)
        await wire.send_otp()
        assert (await wire.authenticate()).json()["response"]["consentAction"] == "CAPTURE"


async def test_of_many_who_redeem_a_code_at_once_one_gets_tokens(wire: Wire, rp: RelyingParty) -> None:
    code = await wire.code()
    answers = await asyncio.gather(*(rp.redeem(code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}


async def test_claim_details_tell_what_is_on_record_once(wire: Wire, rp: RelyingParty) -> None:
    await wire.oauth_details(claims={"userinfo": {"email": None, "name": None}})
    await wire.send_otp("3000000005", ["phone"])
    await wire.authenticate("3000000005")
    answer = await wire.http.get(f"{API}/authorization/claim-details", headers=wire.headers())
    status = {it["claim"]: it["available"] for it in answer.json()["response"]["claimStatus"]}
    assert status == {"name": True, "email": False}
    again = await wire.http.get(f"{API}/authorization/claim-details", headers=wire.headers())
    assert codes(again) == ["no_attempts_left"]
