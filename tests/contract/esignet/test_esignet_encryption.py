"""Userinfo encrypted to its client, and PATCH of a client (reference §2.5, §6.4)."""

import pytest
from joserfc import jwe
from joserfc.jwk import RSAKey

from esignet_wire import RelyingParty, Wire, claims_in, codes

pytestmark = pytest.mark.contract
KEY = RSAKey.generate_key(2048, {"kid": "enc-1", "use": "enc"})


async def test_a_client_with_an_encryption_key_gets_a_nested_jwt(wire: Wire, rp: RelyingParty) -> None:
    patch = {"encPublicKey": KEY.as_dict(private=False), "additionalConfig": {"userinfo_response_type": "JWE"}}
    assert codes(await rp.manage(patch, patch=True)) == []
    asked = {"claims": {"userinfo": {"name": {"essential": True}}}}
    tokens = (await rp.redeem(await wire.code("name", **asked))).json()
    answer = await rp.userinfo(tokens["access_token"])
    assert answer.headers["content-type"].startswith("application/jwt")
    assert answer.text.count(".") == 4
    opened = jwe.decrypt_compact(answer.text, KEY, algorithms=["RSA-OAEP-256", "A256GCM"])
    assert opened.headers()["cty"] == "JWT"
    assert opened.plaintext is not None
    assert claims_in(opened.plaintext.decode(), await rp.keys())["name"] == "Kumari Dissanayake"


async def test_a_client_that_wants_encryption_without_a_key_gets_nothing(wire: Wire, rp: RelyingParty) -> None:
    other = RelyingParty(rp.http, rp.bearer, "keyless")
    config = {"userinfo_response_type": "JWE"}
    assert codes(await other.manage(other.registration(additionalConfig=config))) == []
    tokens = (await other.redeem(await wire.code(clientId=other.client_id))).json()
    answer = await other.userinfo(tokens["access_token"])
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'error="unknown_error"')


async def test_a_patch_changes_what_it_names_and_nothing_else(wire: Wire, rp: RelyingParty) -> None:
    assert codes(await rp.manage({"clientNameLangMap": {"sin": "සායනය"}}, patch=True)) == []
    assert codes(await rp.manage({"userClaims": ["name"]}, patch=True)) == []
    details = (await wire.oauth_details(scope="openid profile")).json()["response"]
    assert details["clientName"] == {"@none": "ANC Portal", "eng": "ANC Portal", "sin": "සායනය"}
    assert details["voluntaryClaims"] == ["name"]
    assert codes(await rp.manage({"status": "INACTIVE"}, patch=True)) == []
    assert codes(await wire.oauth_details()) == ["invalid_client_id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"encPublicKey": {"kty": "oct", "k": "c2VjcmV0"}}, "invalid_public_key"),
        ({"encPublicKey": KEY.as_dict(private=False) | {"use": "sig"}}, "invalid_public_key"),
        ({"status": "GONE"}, "invalid_status"),
        ({"userClaims": ["blood_group"]}, "invalid_claim"),
        ({"redirectUris": []}, "invalid_redirect_uri"),
        ({"publicKey": KEY.as_dict(private=False)}, "unknown_error"),
        ({"relyingPartyId": "another"}, "unknown_error"),
    ],
)
async def test_a_patch_with_a_fault(rp: RelyingParty, change: dict[str, object], code: str) -> None:
    assert codes(await rp.manage(change, patch=True)) == [code]


async def test_nobody_to_patch(rp: RelyingParty) -> None:
    nobody = RelyingParty(rp.http, rp.bearer, "nobody")
    assert codes(await nobody.manage({"status": "INACTIVE"}, patch=True)) == ["invalid_client_id"]
    nobody.bearer = "wrong"
    assert (await nobody.manage({"status": "INACTIVE"}, patch=True)).status_code == 401
