"""Tokens bound to a key (reference §5.4, RFC 9449)."""

import secrets
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from esignet_wire import API, RelyingParty, Wire, claims_in, codes

pytestmark = pytest.mark.contract
TOKEN, USERINFO = "oauth/v2/token", "oidc/userinfo"
NOW = int(datetime.now(UTC).timestamp())


async def bound_token(wire: Wire, rp: RelyingParty) -> tuple[dict[str, Any], str]:
    """A DPoP-bound token answer and the server's nonce."""
    code = await wire.code()
    refused = await rp.redeem(code, headers={"dpop": rp.proof(TOKEN)})
    assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
    nonce = refused.headers["dpop-nonce"]
    answer = await rp.redeem(code, headers={"dpop": rp.proof(TOKEN, nonce=nonce)})
    assert answer.status_code == 200, answer.text
    return answer.json(), nonce


async def call(rp: RelyingParty, token: str, proof: str, scheme: str = "DPoP") -> httpx.Response:
    headers = {"authorization": f"{scheme} {token}"} | ({"dpop": proof} if proof else {})
    return await rp.http.get(f"{API}/{USERINFO}", headers=headers)


async def test_a_bound_token_serves_who_has_the_key(wire: Wire, rp: RelyingParty) -> None:
    tokens, nonce = await bound_token(wire, rp)
    access = tokens["access_token"]
    assert tokens["token_type"] == "DPoP"
    assert claims_in(access, await rp.keys())["cnf"] == {"jkt": rp.key.thumbprint()}
    first = await call(rp, access, rp.proof(USERINFO, method="GET", token=access))
    assert first.status_code == 401
    assert first.headers["www-authenticate"] == 'DPoP error="use_dpop_nonce"'
    nonce = first.headers["dpop-nonce"]
    proof = rp.proof(USERINFO, method="GET", token=access, nonce=nonce)
    assert (await call(rp, access, proof)).status_code == 200
    assert (await call(rp, access, proof)).status_code == 401  # its jti serves once


async def test_a_bound_token_serves_nobody_else(wire: Wire, rp: RelyingParty) -> None:
    tokens, nonce = await bound_token(wire, rp)
    access = tokens["access_token"]
    thief = RSAKey.generate_key(2048)
    good = {"method": "GET", "token": access, "nonce": nonce}
    attempts = [
        await call(rp, access, "", "Bearer"),
        await call(rp, access, rp.proof(USERINFO, **good), "Bearer"),
        await call(rp, access, ""),
        await call(rp, access, rp.proof(USERINFO, key=thief, **good)),
        await call(rp, access, rp.proof(USERINFO, **good | {"token": "another"})),
        await call(rp, access, rp.proof(TOKEN, **good)),
    ]
    assert [answer.status_code for answer in attempts] == [401] * 6
    assert all(answer.content == b"" for answer in attempts)


@pytest.mark.parametrize(
    "change",
    [
        {"htm": "GET"},
        {"htu": "https://evil.example/token"},
        {"iat": NOW - 3600},
        {"iat": None},
        {"jti": None},
        {"header": {"typ": "JWT"}},
        {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
        {"header": {"jwk": {"kty": "RSA"}}},
        {"header": {"jwk": RSAKey.generate_key(2048).as_dict(private=False)}},
    ],
)
async def test_a_proof_with_a_fault(wire: Wire, rp: RelyingParty, change: dict[str, Any]) -> None:
    code = await wire.code()
    answer = await rp.redeem(code, headers={"dpop": rp.proof(TOKEN, **change)})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    assert answer.headers["www-authenticate"] == 'DPoP error="invalid_dpop_proof"'


async def test_an_old_nonce_is_answered_with_a_new_one(wire: Wire, rp: RelyingParty) -> None:
    answer = await rp.redeem(await wire.code(), headers={"dpop": rp.proof(TOKEN, nonce=secrets.token_urlsafe())})
    assert answer.json()["error"] == "use_dpop_nonce"
    assert answer.headers["dpop-nonce"]


async def test_a_request_that_names_a_key_is_redeemed_with_that_key_only(wire: Wire, rp: RelyingParty) -> None:
    pushed = await rp.push(dpop_jkt=rp.key.thumbprint())
    await wire.par_oauth_details(rp.client_id, pushed.json()["request_uri"])
    code = await wire.finish()
    thief = rp.proof(TOKEN, key=RSAKey.generate_key(2048))
    nonce = (await rp.redeem(code, headers={"dpop": thief})).headers["dpop-nonce"]
    thief = rp.proof(TOKEN, key=RSAKey.generate_key(2048), nonce=nonce)
    for headers in ({}, {"dpop": thief}):
        assert (await rp.redeem(code, headers=headers)).json()["error"] == "invalid_dpop_proof"
    assert (await rp.redeem(code, headers={"dpop": rp.proof(TOKEN, nonce=nonce)})).status_code == 200


async def test_a_client_can_ask_that_its_tokens_are_always_bound(wire: Wire, rp: RelyingParty) -> None:
    strict = RelyingParty(rp.http, rp.bearer, "bound-only")
    config = {"dpop_bound_access_tokens": True}
    assert codes(await strict.manage(strict.registration(additionalConfig=config))) == []
    code = await wire.code(clientId=strict.client_id)
    assert (await strict.redeem(code)).json()["error"] == "invalid_dpop_proof"
