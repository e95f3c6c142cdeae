"""The token endpoint and userinfo: what is refused, and how (reference §5, §6 and the T and U rows of §13)."""

import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from esignet_wire import API, RelyingParty, Wire, b64u, codes, pkce

pytestmark = pytest.mark.contract
NOW = int(datetime.now(UTC).timestamp())


async def test_a_code_serves_once(wire: Wire, rp: RelyingParty) -> None:
    code = await wire.code()
    assert (await rp.redeem(code)).status_code == 200
    again = await rp.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert again.headers["cache-control"] == "no-store"
    assert again.headers["pragma"] == "no-cache"


@pytest.mark.parametrize(
    ("change", "error", "description"),
    [
        ({"code": "unknown"}, "invalid_grant", "invalid_grant"),
        ({"code": None}, "invalid_grant", "invalid_grant"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type", "unsupported_grant_type"),
        ({"client_id": "another"}, "invalid_request", "invalid_client_id"),
        ({"redirect_uri": "https://portal.example/callbacK"}, "invalid_request", "invalid_redirect_uri"),
        ({"client_assertion_type": "jwt"}, "invalid_client", "invalid_client"),
        ({"client_assertion": "rubbish"}, "invalid_client", "invalid_client"),
    ],
)
async def test_a_token_request_with_a_fault_leaves_the_code_alone(
    wire: Wire, rp: RelyingParty, change: dict[str, Any], error: str, description: str
) -> None:
    code = await wire.code()
    form = {"code": code} | change
    answer = await rp.redeem(**form)
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": description})
    assert (await rp.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another"},
        {"sub": "another"},
        {"aud": "https://evil.example/token"},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"iat": None},
        {"nbf": NOW + 86400},
        {"jti": None},
        {"jti": " "},
        {"key": RSAKey.generate_key(2048)},
        {"header": {"alg": "RS256", "kid": "another"}},
        {"header": {"alg": "RS256", "typ": "at+jwt"}},
        {"header": {"alg": "RS256", "x5t#S256": "another"}},
        {"alg": "RS512"},
    ],
)
async def test_an_assertion_with_a_fault(wire: Wire, rp: RelyingParty, change: dict[str, Any]) -> None:
    code = await wire.code()
    answer = await rp.redeem(code, client_assertion=await rp.assertion(**change))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_neither_none_nor_the_public_key_as_a_secret(wire: Wire, rp: RelyingParty) -> None:
    code = await wire.code()
    good = await rp.assertion()
    unsigned = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
    signing_input = b64u(b'{"alg":"HS256"}') + "." + good.split(".")[1]
    secret = rp.key.as_pem(private=False)
    mixed_up = signing_input + "." + b64u(hmac.digest(secret, signing_input.encode(), "sha256"))
    for assertion in (unsigned, mixed_up):
        answer = await rp.redeem(code, client_assertion=assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


async def test_a_jti_serves_once(wire: Wire, rp: RelyingParty) -> None:
    assertion = await rp.assertion()
    assert (await rp.redeem(await wire.code(), client_assertion=assertion)).status_code == 200
    answer = await rp.redeem(await wire.code(), client_assertion=assertion)
    assert answer.json()["error"] == "invalid_client"


async def test_the_issuer_is_an_audience_too_and_a_header_needs_no_kid(wire: Wire, rp: RelyingParty) -> None:
    issuer = str(rp.http.base_url).rstrip("/")
    code = await wire.code()
    assertion = await rp.assertion(aud=[issuer], header={"alg": "RS256"})
    assert (await rp.redeem(code, client_assertion=assertion)).status_code == 200


async def test_the_older_token_path_has_its_own_audience(wire: Wire, rp: RelyingParty) -> None:
    code = await wire.code()
    assert (await rp.redeem(code, path="oauth/token")).json()["error"] == "invalid_client"
    base = str(rp.http.base_url).rstrip("/")
    assertion = await rp.assertion(aud=f"{base}{API}/oauth/token")
    assert (await rp.redeem(code, path="oauth/token", client_assertion=assertion)).status_code == 200


async def test_pkce_is_enforced_when_a_challenge_was_sent(wire: Wire, rp: RelyingParty) -> None:
    verifier, challenge = pkce()
    code = await wire.code(codeChallenge=challenge, codeChallengeMethod="S256")
    for wrong in (None, pkce()[0], challenge):
        answer = await rp.redeem(code, code_verifier=wrong)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await rp.redeem(code, code_verifier=verifier)).status_code == 200


async def test_another_client_cannot_redeem_the_code(wire: Wire, rp: RelyingParty) -> None:
    other = RelyingParty(rp.http, rp.bearer, "other")
    assert codes(await other.manage(other.registration())) == []
    code = await wire.code()
    assert (await other.redeem(code)).json()["error"] == "invalid_request"
    assert (await other.redeem(code, client_id=None)).json()["error"] == "invalid_client"


async def test_a_client_made_inactive_redeems_nothing(wire: Wire, rp: RelyingParty) -> None:
    code = await wire.code()
    update = {k: v for k, v in rp.registration().items() if k not in ("clientId", "publicKey", "relyingPartyId")}
    await rp.manage(update | {"status": "INACTIVE"}, put=True)
    answer = await rp.redeem(code)
    assert answer.json() == {"error": "invalid_request", "error_description": "invalid_client_id"}


async def test_the_token_path_takes_post_only(rp: RelyingParty) -> None:
    answer = await rp.http.get(f"{API}/oauth/v2/token")
    assert (answer.status_code, answer.json()["error"]) == (405, "invalid_request")


async def test_userinfo_takes_a_good_bearer_token_in_the_header_only(wire: Wire, rp: RelyingParty) -> None:
    tokens = (await rp.redeem(await wire.code())).json()
    good, path = tokens["access_token"], f"{API}/oidc/userinfo"
    head, payload, signature = good.split(".")
    for headers in (
        {},
        {"authorization": good},
        {"authorization": f"DPoP {good}"},
        {"authorization": f"Bearer {tokens['id_token']}"},
        {"authorization": f"Bearer {head}.{payload[:-2]}AA.{signature}"},
        {"authorization": "Bearer"},
    ):
        answer = await rp.http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["www-authenticate"] == 'error="invalid_token"'
    assert (await rp.http.get(path, params={"access_token": good})).status_code == 401
    assert (await rp.http.post(path, headers={"authorization": f"Bearer {good}"})).status_code == 405
    twice = [("authorization", f"Bearer {good}")] * 2
    assert (await rp.http.get(path, headers=twice)).status_code == 400
    as_json = {"authorization": f"Bearer {good}", "accept": "application/json"}
    assert (await rp.http.get(path, headers=as_json)).status_code == 406
    assert (await rp.userinfo(good)).status_code == 200
