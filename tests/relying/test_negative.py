"""The negative table, the relying party's side: each row is refused with its code, leaves no session, is audited."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet, RSAKey

from janani.clients.oidc import OidcError
from janani.clients.oidc_provider import Metadata, Provider
from janani.kernel import http
from oidc_provider import TestProvider, new_key
from relying_world import World

STRANGER = new_key()
NOW = time.time()
Change = Callable[[TestProvider], Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}.{b64(signature)}"


def hs256(provider: TestProvider, secret: bytes) -> Callable[[dict[str, Any]], str]:
    """A token signed with something public as if it were a shared secret (algorithm confusion)."""

    def make(claims: dict[str, Any]) -> str:
        signed = compact({"alg": "HS256", "kid": provider.key.kid}, claims).rpartition(".")[0]
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return make


def unsigned(provider: TestProvider, alg: str = "none") -> Callable[[dict[str, Any]], str]:
    return lambda claims: compact({"alg": alg, "kid": provider.key.kid}, claims)


def tampered(provider: TestProvider) -> Callable[[dict[str, Any]], str]:
    def make(claims: dict[str, Any]) -> str:
        header, _payload, signature = provider.signed(claims, {}, provider.key).split(".")
        return f"{header}.{b64(json.dumps(claims | {'sub': 'victim'}).encode())}.{signature}"

    return make


def with_their_key(provider: TestProvider) -> Callable[[dict[str, Any]], str]:
    """A stranger's key in the token's own header, which must count for nothing."""
    bare = RSAKey.import_key({k: v for k, v in STRANGER.as_dict(private=True).items() if k not in ("alg", "use")})
    header = {"alg": "RS256", "kid": provider.key.kid, "jwk": STRANGER.as_dict(private=False)}
    return lambda claims: jws.serialize_compact(header, json.dumps(claims).encode(), bare, algorithms=["RS256"])


def put(**values: Any) -> Change:
    return lambda provider: [setattr(provider, name, value) for name, value in values.items()]


def made(name: str, maker: Callable[[TestProvider], Any]) -> Change:
    return lambda provider: setattr(provider, name, maker(provider))


def wrong_use(provider: TestProvider) -> None:
    provider.published = []
    provider.extra_keys = [provider.key.as_dict(private=False) | {"use": "enc"}]


def pem_of(provider: TestProvider) -> bytes:
    return provider.key.as_pem(private=False)


ROWS: list[tuple[str, Change, str]] = [
    # the signature of the id_token
    ("alg none", made("forged", unsigned), "bad_signature"),
    ("alg NONE, in capitals", made("forged", lambda p: unsigned(p, "NONE")), "bad_signature"),
    ("alg empty", made("forged", lambda p: unsigned(p, "")), "bad_signature"),
    ("HS256 with the public key (PEM)", made("forged", lambda p: hs256(p, pem_of(p))), "bad_signature"),
    ("HS256 with the modulus", made("forged", lambda p: hs256(p, p.key.as_dict()["n"].encode())), "bad_signature"),
    ("alg not announced", put(algorithm="RS512"), "bad_signature"),
    ("another's key under a known kid", made("forged", with_their_key), "bad_signature"),
    ("unknown kid", put(id_token_key=STRANGER), "unknown_key"),
    ("no keys published", put(published=[]), "unknown_key"),
    ("a key of another use", wrong_use, "unknown_key"),
    ("claims changed after signing", made("forged", tampered), "bad_signature"),
    (
        "signature cut off",
        made("forged", lambda p: lambda c: p.signed(c, {}, p.key).rpartition(".")[0] + "."),
        "bad_signature",
    ),
    ("no JWS at all", put(forged=lambda _: "not a token"), "bad_signature"),
    ("four parts", put(forged=lambda _: "a.b.c.d"), "bad_signature"),
    ("oversized", put(forged=lambda _: "a" * 300_000 + ".b.c"), "bad_signature"),
    ("header is no object", put(forged=lambda _: f"{b64(b'[]')}.{b64(b'{}')}.x"), "bad_signature"),
    # its claims
    ("iss of another", put(id_token={"iss": "https://evil.example"}), "bad_issuer"),
    ("iss missing", put(id_token={"iss": None}), "bad_issuer"),
    ("aud of another", put(id_token={"aud": "another"}), "bad_audience"),
    ("aud with others", put(id_token={"aud": ["janani-verify", "another"]}), "bad_audience"),
    ("aud empty", put(id_token={"aud": []}), "bad_audience"),
    ("azp of another", put(id_token={"azp": "another"}), "bad_audience"),
    ("expired", put(id_token={"exp": int(NOW) - 3600}), "expired"),
    ("exp missing", put(id_token={"exp": None}), "expired"),
    ("exp is text", put(id_token={"exp": "tomorrow"}), "expired"),
    ("issued in the future", put(id_token={"iat": int(NOW) + 86400}), "not_yet_valid"),
    ("nbf in the future", put(id_token={"nbf": int(NOW) + 86400}), "not_yet_valid"),
    ("nonce of another", put(id_token={"nonce": "another"}), "bad_nonce"),
    ("nonce missing", put(id_token={"nonce": None}), "bad_nonce"),
    ("at_hash of another token", put(id_token={"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "bad_at_hash"),
    ("acr lower than asked", put(id_token={"acr": "mosip:idp:acr:knowledge"}), "bad_acr"),
    ("acr missing", put(id_token={"acr": None}), "bad_acr"),
    ("sub missing", put(id_token={"sub": None}), "bad_subject"),
    ("sub empty", put(id_token={"sub": ""}), "bad_subject"),
    # userinfo
    ("userinfo not signed", put(userinfo_plain=True), "unsigned_userinfo"),
    ("userinfo alg none", made("forged_userinfo", unsigned), "bad_signature"),
    ("userinfo HS256", made("forged_userinfo", lambda p: hs256(p, pem_of(p))), "bad_signature"),
    ("userinfo changed", made("forged_userinfo", tampered), "bad_signature"),
    ("userinfo of another sub", put(userinfo={"sub": "another"}), "bad_subject"),
    ("userinfo without sub", put(userinfo={"sub": None}), "bad_subject"),
    ("userinfo for another client", put(userinfo={"aud": "another"}), "bad_audience"),
    ("userinfo of another issuer", put(userinfo={"iss": "https://evil.example"}), "bad_issuer"),
    (
        "userinfo sealed for another",
        put(sealing_key=RSAKey.generate_key(2048, {"use": "enc"})),
        "undecryptable_userinfo",
    ),
    ("userinfo calls itself a JWT", put(forged_userinfo=lambda _: "{}"), "bad_signature"),
    ("userinfo as a web page", put(forged_userinfo=lambda _: "<html>", userinfo_type="text/html"), "unsigned_userinfo"),
    # the token endpoint
    ("code replayed or of another client", put(token_error=(400, {"error": "invalid_grant"})), "code_refused"),
    ("PKCE not proved", put(challenge="another"), "code_refused"),
    ("assertion refused", put(token_error=(401, {"error": "invalid_client"})), "client_refused"),
    ("a redirect instead of tokens", put(token_error=(302, "")), "request_refused"),
    ("tokens that need DPoP", put(token_changes={"token_type": "DPoP"}), "provider_invalid"),
    ("no id_token", put(token_changes={"id_token": None}), "provider_invalid"),
    ("malformed answer", put(token_error=(200, "{")), "provider_invalid"),
]


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
async def test_it_is_refused_leaves_no_session_and_is_audited(world: World, change: Change, code: str) -> None:
    begun = await world.begin()
    change(world.provider)
    answer = await world.fetch(code="the-code", state=begun["state"])
    assert answer.json()["error"] == code
    assert answer.status_code in (400, 502, 503)
    assert await world.trail() == [("midwife", code)]
    assert await _sessions(world) == 0
    again = await world.fetch(code="the-code", state=begun["state"])
    assert again.json()["error"] == "state_unknown"


async def test_a_mixed_up_provider_stops_it_before_the_code_is_sent(world: World) -> None:
    begun = await world.begin()
    answer = await world.fetch(code="the-code", state=begun["state"], iss="https://evil.example")  # RFC 9207
    assert answer.json()["error"] == "bad_issuer"
    assert world.provider.token_calls == 0


async def test_where_the_provider_promises_iss_its_absence_is_a_mix_up_too(world: World) -> None:
    world.provider.metadata_changes = {"authorization_response_iss_parameter_supported": True}
    begun = await world.begin()
    answer = await world.fetch(code="the-code", state=begun["state"])
    assert answer.json()["error"] == "bad_issuer"
    begun = await world.begin()
    assert (await world.fetch(code="the-code", state=begun["state"], iss=world.provider.url)).status_code == 200


@pytest.mark.parametrize("state", ["", "x", "é" * 50, "a" * 60_000, "' or 1=1 --", "\x00"])
async def test_states_nobody_gave_end_nothing(world: World, state: str) -> None:
    begun = await world.begin()
    answer = await world.fetch(code="the-code", state=state or "none")
    assert (answer.status_code, answer.json()["error"]) == (400, "state_unknown")
    assert (await world.fetch(code="the-code", state=begun["state"])).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"code": {}}', b"\xff\xfe", b"{" * 5000, b'{"ui_locales": "\\u0000"}']
)
async def test_malformed_calls_are_refused_in_words(world: World, body: bytes) -> None:
    for path in ("/fetchUserInfo", "/authorizations", "/verifications"):
        answer = await world.route.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (201, 400), answer.text
    oversized = await world.route.post("/fetchUserInfo", content=b"x" * 100_000)
    assert oversized.status_code == 413


@pytest.mark.parametrize("query", ["wait=-1", "wait=99", "wait=x", "wait=1e9"])
async def test_waiting_has_its_limits(world: World, query: str) -> None:
    answer = await world.route.get(f"/verifications/anything?{query}")
    assert (answer.status_code, set(answer.json())) == (400, {"error", "message", "hint"})


async def _sessions(world: World) -> int:
    connection = await asyncpg.connect(world.settings.database.dsn)
    try:
        found: int = await connection.fetchval("select count(*) from relying.authorization_request")
        return found
    finally:
        await connection.close()


_PARTS = st.binary(max_size=60).map(b64) | st.text(max_size=30) | st.just("")


@given(st.lists(_PARTS, max_size=6).map(".".join) | st.text(max_size=80))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_text_is_taken_for_a_token(token: str) -> None:
    now = datetime.now(UTC)
    provider = Provider(Metadata("i", "a", "t", "j"))
    provider._keys, provider._fetched_at = KeySet([STRANGER]), now  # so that no key has to be fetched
    async with http.client() as web:
        with pytest.raises(OidcError):
            await provider.verified(web, token, now)
