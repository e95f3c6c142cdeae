"""Whatever stands where a token should: the provider refuses it in its protocol's words, and never falls over it."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey

from esignet_wire import API, ASSERTION_TYPE, REDIRECT, RelyingParty, Wire, codes
from janani.esignet import dpop

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def members(*names: str) -> st.SearchStrategy[Any]:
    """An object with some of these names, and anything in them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, JSON))


JWK = members("kty", "n", "e", "crv", "x", "y", "d", "k", "kid", "use", "alg")
HEADER = st.fixed_dictionaries(
    {"alg": st.sampled_from(["RS256", "PS256", "ES256", "none", "HS256", "", 5])},
    optional={
        "typ": st.sampled_from(["JWT", "dpop+jwt", "", 7]),
        "jwk": JWK | st.just({"kty": "RSA", "n": "AQAB", "e": "AQAB"}) | st.just({"kty": "EC", "crv": "P-256"}),
        "kid": JSON,
        "crit": JSON,
        "b64": st.booleans(),
        "zip": st.just("DEF"),
        "x5t#S256": JSON,
    },
)
CLAIMS = members("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "htm", "htu", "ath", "nonce") | JSON


def part(value: Any) -> str:
    text = json.dumps(value).encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


COMPACT = st.builds(
    lambda header, claims, signature: f"{part(header)}.{part(claims)}.{signature}",
    HEADER | JSON,
    CLAIMS,
    st.binary(max_size=300).map(lambda it: base64.urlsafe_b64encode(it).decode().rstrip("=")),
)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
TOKEN = COMPACT | st.text(max_size=60) | st.text("ab.=_-", max_size=30)
HEADER_TOKEN = (COMPACT | PRINTABLE | st.text("ab.=_-", max_size=30)).map(str.strip).filter(bool)


def for_any(strategy: st.SearchStrategy[str], check: Callable[[str], None]) -> None:
    """Runs `check` for examples, always the same ones."""

    @given(strategy)
    @settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def run(token: str) -> None:
        check(token)

    run()


def base_of(http: httpx.AsyncClient) -> str:
    return str(http.base_url).rstrip("/") + API


async def test_any_client_assertion_is_an_invalid_client(wire: Wire, rp: RelyingParty, http: httpx.AsyncClient) -> None:
    code, base = await wire.code(), base_of(http)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": rp.client_id}
    pushed = {"client_id": rp.client_id, "scope": "openid", "response_type": "code", "redirect_uri": REDIRECT}

    def ask(client: httpx.Client, path: str, fields: dict[str, str], token: str) -> None:
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token.encode(errors="replace").decode()}
        answer = client.post(f"{base}/{path}", data=fields | proof)
        assert answer.status_code == 400, token
        assert answer.json()["error"] in ("invalid_client", "invalid_request"), token

    def run() -> None:
        with httpx.Client(trust_env=False) as client:
            for_any(TOKEN, lambda token: ask(client, "oauth/v2/token", form, token))
            for_any(TOKEN, lambda token: ask(client, "oauth/par", pushed, token))

    await asyncio.to_thread(run)
    assert (await rp.redeem(code)).status_code == 200  # none of it spent the code


async def test_any_proof_of_possession_is_an_invalid_proof(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient
) -> None:
    code, base = await wire.code(), base_of(http)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": rp.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": await rp.assertion(),
    }

    def run() -> None:
        with httpx.Client(trust_env=False) as client:

            def ask(proof: str) -> None:
                answer = client.post(f"{base}/oauth/v2/token", data=form, headers={"dpop": proof})
                assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), proof

            for_any(HEADER_TOKEN, ask)

    await asyncio.to_thread(run)
    assert (await rp.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "payload",
    [
        '"jti": "a", "iat": NaN',
        '"jti": "a", "iat": ' + "9" * 400,
        '"iat": NOW, "jti": "\\ud800"',
        '"iat": NOW, "jti": "a", "nonce": "\\ud800"',
        '"iat": NOW, "jti": "a", "x": ' + "[" * 3000,
    ],
)
def test_a_signed_proof_that_is_odd_json_is_an_invalid_proof(payload: str) -> None:
    key, now = RSAKey.generate_key(2048), datetime.now(UTC)
    public = {name: value for name, value in key.as_dict(private=False).items() if name in ("kty", "n", "e")}
    header = {"typ": "dpop+jwt", "alg": "RS256", "jwk": public}
    text = f'{{"htm": "POST", "htu": "u", {payload.replace("NOW", str(now.timestamp()))}}}'
    proof = jws.serialize_compact(header, text, key, algorithms=["RS256"])
    with pytest.raises(dpop.BadProof):
        dpop.checked(proof, method="POST", url="u", access_token=None, now=now)


async def test_any_access_token_is_an_invalid_token(rp: RelyingParty, http: httpx.AsyncClient) -> None:
    base = base_of(http)

    def run() -> None:
        with httpx.Client(trust_env=False) as client:

            def ask(token: str) -> None:
                for scheme in ("Bearer", "DPoP"):
                    headers = {"authorization": f"{scheme} {token}", "dpop": token}
                    answer = client.get(f"{base}/oidc/userinfo", headers=headers)
                    assert (answer.status_code, answer.content) == (401, b""), token

            for_any(HEADER_TOKEN, ask)

    await asyncio.to_thread(run)


async def test_any_hint_of_an_id_token_is_an_invalid_hint(wire: Wire, rp: RelyingParty) -> None:
    @given(TOKEN.map(lambda it: it.replace("\x00", "").encode(errors="replace").decode()).filter(bool))
    @settings(max_examples=15, derandomize=True, database=None)
    def examples(token: str) -> None:
        found.append(token)

    found: list[str] = []
    examples()
    for token in found:
        assert codes(await wire.oauth_details(idTokenHint=token)) == ["invalid_id_token_hint"], token
