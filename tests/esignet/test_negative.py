"""The negative table, the provider's side: each row is refused with its code, gives nobody anything, and is audited.

One provider for the whole file; each row has a browser and a source address of its own.
"""

import asyncio
import base64
import contextlib
import hmac
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey, RSAKey
from litestar import Litestar

from esignet_wire import API, MOTHER, REDIRECT, RelyingParty, Wire, codes, pkce
from janani.esignet.app import create_app
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.secrets import secret
from janani.settings import Database, Esignet, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
URL = "http://localhost:9999"
NEIGHBOUR = "3000000002"
NOW = int(datetime.now(UTC).timestamp())
STRANGER = RSAKey.generate_key(2048)
_sources = itertools.count(2)


@dataclass
class Case:
    """One person's browser, the client she is at, and another client of another relying party."""

    http: httpx.AsyncClient
    wire: Wire
    rp: RelyingParty
    other: RelyingParty
    pool: asyncpg.Pool

    async def redeemed(self, **changes: Any) -> httpx.Response:
        """The answer to a good code with a changed assertion."""
        return await self.rp.redeem(await self.wire.code(), client_assertion=await self.rp.assertion(**changes))

    async def shown(self, make: Callable[[str], str]) -> httpx.Response:
        """The answer to a good code with what `make` made of a good assertion."""
        return await self.rp.redeem(await self.wire.code(), client_assertion=make(await self.rp.assertion()))


Do = Callable[[Case], Awaitable[httpx.Response]]


@dataclass
class World:
    """The provider, its database, and the keys of its two clients."""

    transport: Callable[[str], httpx.ASGITransport]
    pool: asyncpg.Pool
    bearer: str
    clients: list[RelyingParty]


@contextlib.asynccontextmanager
async def living(app: Litestar) -> AsyncIterator[None]:
    """The app's lifespan, in one task from begin to end: a fixture's two halves may be in different ones."""
    ready, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            ready.set()
            await over.wait()

    task = asyncio.create_task(live())
    await asyncio.wait([task, waiting := asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield
    finally:
        over.set()
        await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    postgres: EmbeddedPostgres, made_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    admin = await asyncpg.connect(postgres.dsn)
    name = f"negative_{secrets.token_hex(4)}"
    await admin.execute(f"create database {name}")
    dsn, home = postgres.dsn.replace("/postgres?", f"/{name}?"), tmp_path_factory.mktemp("negative")
    (home / "secrets").mkdir()
    (home / "secrets" / "esignet.pem").write_bytes((made_keys / "esignet.pem").read_bytes())
    settings = msgspec.structs.replace(Settings(), home=str(home), database=Database(dsn=dsn), esignet=Esignet(url=URL))
    app = create_app(settings)
    async with living(app):
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1, server_settings={"search_path": "esignet"})

        def transport(source: str) -> httpx.ASGITransport:
            return httpx.ASGITransport(app, client=(source, 1))  # type: ignore[arg-type]

        bearer = secret(settings.secrets, "esignet-clients-token", create=False)
        async with httpx.AsyncClient(transport=transport("127.0.0.1"), base_url=URL) as http:
            clients = [RelyingParty(http, bearer), RelyingParty(http, bearer, "another", "another-rp")]
            for one in clients:
                assert codes(await one.manage(one.registration())) == []
            yield World(transport, pool, bearer, clients)
        await pool.close()
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest_asyncio.fixture(loop_scope="module")
async def case(world: World) -> AsyncIterator[Case]:
    async with httpx.AsyncClient(transport=world.transport(f"127.0.1.{next(_sources)}"), base_url=URL) as http:
        yield Case(http, Wire(http), *world.clients, world.pool)


async def given(pool: asyncpg.Pool) -> list[int]:
    """What anyone was given so far: sign-ins, codes, tokens."""
    row = await pool.fetchrow(
        "select (select count(*) from transaction where stage = 'authenticated'), (select count(*) from auth_code),"
        " (select count(*) from access_token)"
    )
    return list(row)


# ── Client assertions at the token endpoint ─────────────────────────────────────────────────────────────────────────


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(token: str, **changes: Any) -> tuple[str, str]:
    """The signing input of `token` with a changed header, and its signature as it was."""
    header, payload, signature = token.split(".")
    old = json.loads(base64.urlsafe_b64decode(header + "=="))
    new = {name: value for name, value in (old | changes).items() if value is not None}
    return f"{b64(json.dumps(new).encode())}.{payload}", signature


def unsigned(token: str) -> str:
    return with_header(token, alg="none")[0] + "."


def still_signed(token: str) -> str:
    return ".".join(with_header(token, alg="none"))


def confused(key: RSAKey) -> Callable[[str], str]:
    """Signed with the client's public key as if it were a shared secret."""

    def make(token: str) -> str:
        text = with_header(token, alg="HS256")[0]
        return f"{text}.{b64(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"

    return make


def altered(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{b64(json.dumps(claims | {'exp': NOW + 9999}).encode())}.{signature}"


def half_signed(token: str) -> str:
    return token[:-40]


async def own_key_in_header(case: Case) -> httpx.Response:
    jwk = STRANGER.as_dict(private=False)
    return await case.redeemed(key=STRANGER, header={"alg": "RS256", "typ": "JWT", "jwk": jwk})


async def key_of_another_kind(case: Case) -> httpx.Response:
    return await case.redeemed(key=ECKey.generate_key("P-256"), alg="ES256")


async def key_for_encryption(case: Case) -> httpx.Response:
    """The client's other key, registered to open userinfo with, may not sign for it."""
    key = RSAKey.generate_key(2048, {"kid": "enc-1", "use": "enc", "alg": "RSA-OAEP-256"})
    answer = await case.rp.manage({"encPublicKey": key.as_dict(private=False)}, patch=True)
    assert codes(answer) == [], answer.text
    bare = RSAKey.import_key({n: v for n, v in key.as_dict(private=True).items() if n not in ("use", "alg")})
    return await case.redeemed(key=bare, header={"alg": "RS256", "typ": "JWT", "kid": "enc-1"})


async def replayed_jti(case: Case) -> httpx.Response:
    assertion = await case.rp.assertion()
    assert (await case.rp.redeem(await case.wire.code(), client_assertion=assertion)).status_code == 200
    return await case.rp.redeem(await case.wire.code(), client_assertion=assertion)


async def assertion_of_another(case: Case) -> httpx.Response:
    """Another client's good assertion for this client's code."""
    return await case.rp.redeem(await case.wire.code(), client_assertion=await case.other.assertion())


async def not_named(case: Case) -> httpx.Response:
    return await case.rp.redeem(await case.wire.code(), client_assertion_type=None)


ASSERTIONS: dict[str, Do] = {
    "wrong alg": lambda it: it.shown(lambda token: ".".join(with_header(token, alg="RS384"))),
    "alg none": lambda it: it.shown(unsigned),
    "alg none, signature kept": lambda it: it.shown(still_signed),
    "HS256 with the public key": lambda it: it.shown(confused(it.rp.key)),
    "bad signature": lambda it: it.redeemed(key=STRANGER),
    "altered after signing": lambda it: it.shown(altered),
    "half a signature": lambda it: it.shown(half_signed),
    "unknown kid": lambda it: it.redeemed(header={"alg": "RS256", "typ": "JWT", "kid": "unknown"}),
    "another typ": lambda it: it.redeemed(header={"alg": "RS256", "typ": "at+jwt"}),
    "a key in the header": own_key_in_header,
    "key of another kind": key_of_another_kind,
    "key of another use": key_for_encryption,
    "wrong iss": lambda it: it.redeemed(iss="another"),
    "wrong sub": lambda it: it.redeemed(sub="another"),
    "wrong aud": lambda it: it.redeemed(aud="https://other.example/token"),
    "aud only begins alike": lambda it: it.redeemed(aud=f"{URL}{API}/oauth/v2/token.example.com"),
    "no aud": lambda it: it.redeemed(aud=None),
    "expired": lambda it: it.redeemed(iat=NOW - 900, exp=NOW - 600),
    "never expires": lambda it: it.redeemed(exp=None),
    "not yet valid": lambda it: it.redeemed(nbf=NOW + 86400),
    "no jti": lambda it: it.redeemed(jti=None),
    "replayed jti": replayed_jti,
    "assertion of another client": assertion_of_another,
    "no assertion": lambda it: it.shown(lambda _token: " "),
    "not named an assertion": not_named,
    "not a token": lambda it: it.shown(lambda _token: "a.b.c"),
    "oversized": lambda it: it.shown(lambda token: token + "A" * 300_000),
}


@pytest.mark.parametrize("row", ASSERTIONS)
async def test_a_client_that_does_not_prove_itself_gets_no_token(case: Case, row: str) -> None:
    answer = await ASSERTIONS[row](case)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    await audited(case, "tokens_refused", "invalid_client")


# ── Codes and PKCE at the token endpoint ────────────────────────────────────────────────────────────────────────────


async def replayed_code(case: Case) -> httpx.Response:
    code = await case.wire.code()
    assert (await case.rp.redeem(code)).status_code == 200
    return await case.rp.redeem(code)


async def code_of_another(case: Case) -> httpx.Response:
    return await case.other.redeem(await case.wire.code())


async def code_of_another_unnamed(case: Case) -> httpx.Response:
    """Without client_id in the form, the assertion alone says who asks."""
    return await case.other.redeem(await case.wire.code(), client_id=None)


async def with_pkce(case: Case, **redeem: Any) -> httpx.Response:
    challenge = pkce()[1]
    code = await case.wire.code(codeChallenge=challenge, codeChallengeMethod="S256")
    return await case.rp.redeem(code, **{"code_verifier": None, **redeem})


async def challenge_as_verifier(case: Case) -> httpx.Response:
    """Downgrade to `plain`: the challenge, which travelled in the open, sent as the verifier."""
    challenge = pkce()[1]
    code = await case.wire.code(codeChallenge=challenge, codeChallengeMethod="S256")
    return await case.rp.redeem(code, code_verifier=challenge)


async def challenge_taken_out(case: Case) -> httpx.Response:
    """Downgrade to none: the challenge was lost on the way, so the code is somebody else's (RFC 9700 §4.8.2)."""
    return await case.rp.redeem(await case.wire.code(), code_verifier=pkce()[0])


CODES: dict[str, tuple[Do, str]] = {
    "replayed code": (replayed_code, "invalid_grant"),
    "unknown code": (lambda it: it.rp.redeem(secrets.token_urlsafe(32)), "invalid_grant"),
    "code of another client": (code_of_another, "invalid_client_id"),
    "code of another client, unnamed": (code_of_another_unnamed, "invalid_client"),
    "PKCE missing": (with_pkce, "invalid_grant"),
    "PKCE wrong": (lambda it: with_pkce(it, code_verifier=pkce()[0]), "invalid_grant"),
    "PKCE too short": (lambda it: with_pkce(it, code_verifier="short"), "invalid_grant"),
    "PKCE downgraded": (challenge_as_verifier, "invalid_grant"),
    "PKCE taken out of the request": (challenge_taken_out, "invalid_grant"),
}


@pytest.mark.parametrize("row", CODES)
async def test_a_code_in_the_wrong_hands_gives_no_token(case: Case, row: str) -> None:
    do, code = CODES[row]
    answer = await do(case)
    error = code if code in ("invalid_grant", "invalid_client") else "invalid_request"
    assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": code})
    await audited(case, "tokens_refused", code)


@pytest.mark.parametrize("redirect", [f"{REDIRECT}/", "https://evil.example/callback", f"{REDIRECT}?a=b", None])
async def test_a_code_for_another_page_gives_no_token(case: Case, redirect: str | None) -> None:
    answer = await case.rp.redeem(await case.wire.code(), redirect_uri=redirect)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "invalid_redirect_uri")
    await audited(case, "tokens_refused", "invalid_redirect_uri")


# ── Beginning: redirects and PKCE ───────────────────────────────────────────────────────────────────────────────────

BEGINNINGS: dict[str, tuple[dict[str, Any], str]] = {
    "open redirect": ({"redirectUri": "https://evil.example/callback"}, "invalid_redirect_uri"),
    "redirect to a longer host": (
        {"redirectUri": "https://portal.example.evil.example/callback"},
        "invalid_redirect_uri",
    ),
    "redirect with a user": ({"redirectUri": "https://portal.example@evil.example/callback"}, "invalid_redirect_uri"),
    "redirect up the path": ({"redirectUri": f"{REDIRECT}/../evil"}, "invalid_redirect_uri"),
    "redirect to a script": ({"redirectUri": "javascript:alert(1)"}, "invalid_redirect_uri"),
    "PKCE plain": (
        {"codeChallenge": "a" * 43, "codeChallengeMethod": "plain"},
        "unsupported_pkce_challenge_method",
    ),
    "PKCE without its method": ({"codeChallenge": "a" * 43}, "invalid_pkce_challenge"),
    "unknown client": ({"clientId": "nobody"}, "invalid_client_id"),
    "implicit flow": ({"responseType": "token"}, "invalid_response_type"),
    "way of signing in that is not registered": (
        {"acrValues": "", "claims": {"id_token": {"acr": 5}}},
        "invalid_claim",
    ),
    "id_token_hint": ({"idTokenHint": "a.b.c"}, "invalid_id_token_hint"),
}


@pytest.mark.parametrize("row", BEGINNINGS)
async def test_a_request_that_must_not_be_does_not_begin(case: Case, row: str) -> None:
    request, code = BEGINNINGS[row]
    before = await case.pool.fetchval("select count(*) from transaction")
    answer = await case.wire.oauth_details(**request)
    assert codes(answer) == [code]
    assert "evil" not in answer.headers.get("location", "")
    assert await case.pool.fetchval("select count(*) from transaction") == before
    await audited(case, "sign_in_refused", code)


async def test_a_nonce_serves_once(case: Case) -> None:
    nonce = secrets.token_urlsafe(16)
    assert codes(await case.wire.oauth_details(nonce=nonce)) == []
    assert codes(await case.wire.oauth_details(nonce=nonce)) == ["invalid_request"]
    await audited(case, "sign_in_refused", "invalid_request")


# ── The browser's session: CSRF, the hash of what was shown, fixation ───────────────────────────────────────────────


async def csrf_missing(case: Case) -> httpx.Response:
    headers = {name: value for name, value in case.wire.headers().items() if name != "x-xsrf-token"}
    return await send(case, headers)


async def csrf_of_another(case: Case) -> httpx.Response:
    return await send(case, case.wire.headers() | {"x-xsrf-token": secrets.token_urlsafe(32)})


async def csrf_without_cookie(case: Case) -> httpx.Response:
    case.http.cookies.clear()
    return await send(case, case.wire.headers())


async def send(case: Case, headers: dict[str, str]) -> httpx.Response:
    request = {"transactionId": case.wire.details["transactionId"], "individualId": MOTHER, "otpChannels": ["phone"]}
    return await case.wire.post("send-otp", request, headers)


@pytest.mark.parametrize("do", [csrf_missing, csrf_of_another, csrf_without_cookie])
async def test_a_call_from_another_site_is_forbidden(case: Case, do: Do) -> None:
    await case.wire.oauth_details()
    answer = await do(case)
    assert answer.status_code == 403
    await audited(case, "otp_refused", "Forbidden")


async def test_details_that_were_altered_on_the_way_to_the_page_end_it(case: Case) -> None:
    """What the page shows is what was asked: it sends back the hash of all it was told."""
    await case.wire.oauth_details(scope="openid profile")
    case.wire.details["voluntaryClaims"] = []
    assert codes(await case.wire.send_otp()) == ["invalid_request"]
    await audited(case, "otp_refused", "invalid_request")


async def test_a_transaction_of_another_browser_is_not_taken_over(case: Case, world: World) -> None:
    """Fixation: the attacker's key in the headers, the victim's transaction in the body, and the other way round."""
    await case.wire.oauth_details()
    async with httpx.AsyncClient(transport=world.transport("127.0.2.1"), base_url=URL) as theirs:
        attacker = Wire(theirs)
        await attacker.oauth_details()
        mine, case.wire.details = case.wire.details, attacker.details
        request = {"transactionId": mine["transactionId"], "individualId": MOTHER, "otpChannels": ["phone"]}
        assert codes(await case.wire.post("send-otp", request)) == ["invalid_transaction"]
    await audited(case, "otp_refused", "invalid_transaction")


async def test_a_transaction_changes_its_stage_and_never_goes_back(case: Case) -> None:
    await case.wire.oauth_details()
    await case.wire.send_otp()
    assert codes(await case.wire.auth_code()) == ["invalid_transaction"]  # not signed in yet
    await audited(case, "consent_refused", "invalid_transaction")
    assert codes(await case.wire.authenticate()) == []
    assert codes(await case.wire.send_otp()) == ["invalid_transaction"]
    assert codes(await case.wire.authenticate()) == ["invalid_transaction"]
    await audited(case, "authentication_refused", "invalid_transaction")
    assert codes(await case.wire.auth_code()) == []
    assert codes(await case.wire.auth_code()) == ["invalid_transaction"]


async def test_consent_can_not_leave_out_what_is_essential_nor_add_what_was_not_asked(case: Case) -> None:
    claims = {"userinfo": {"name": {"essential": True}, "email": None}}
    await case.wire.oauth_details(claims=claims, prompt="consent")
    await case.wire.send_otp()
    await case.wire.authenticate()
    for agreed in ((), ("email",), ("name", "birthdate")):
        assert codes(await case.wire.auth_code(*agreed)) == ["invalid_accepted_claim"]
        await audited(case, "consent_refused", "invalid_accepted_claim")
    assert codes(await case.wire.auth_code("name")) == []


# ── One-time codes ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_one_time_code_serves_once(case: Case) -> None:
    await case.wire.oauth_details()
    await case.wire.send_otp()
    assert codes(await case.wire.authenticate()) == []
    await case.wire.oauth_details()
    assert codes(await case.wire.authenticate()) == ["invalid_transaction"]  # none was sent in this sign-in
    await audited(case, "authentication_refused", "invalid_transaction")


async def test_a_code_sent_for_one_person_does_not_sign_in_another(case: Case) -> None:
    await case.wire.oauth_details()
    await case.wire.send_otp(MOTHER)
    assert codes(await case.wire.authenticate(NEIGHBOUR)) == ["auth_failed"]
    await audited(case, "authentication_refused", "auth_failed")


async def test_trying_codes_ends_with_a_lock(case: Case) -> None:
    person = "3000000003"
    await case.wire.oauth_details()
    await case.wire.send_otp(person)
    outcomes = [codes(await case.wire.authenticate(person, f"{number:06d}"))[0] for number in range(7)]
    assert outcomes[:5] == ["auth_failed"] * 5
    assert set(outcomes[5:]) <= {"no_attempts_left", "individual_id_blocked"}
    await case.wire.oauth_details()
    assert codes(await case.wire.send_otp(person)) == ["individual_id_blocked"]
    await audited(case, "otp_refused", "individual_id_blocked")


# ── Userinfo ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer unknown", "Basic dXNlcjpwYXNz", "DPoP {token}", "Bearer {token}x", "Bearer {id_token}"],
)
async def test_userinfo_is_for_the_bearer_of_the_token_only(case: Case, authorization: str | None) -> None:
    tokens = (await case.rp.redeem(await case.wire.code())).json()
    shown = (authorization or "").format(token=tokens["access_token"], id_token=tokens["id_token"])
    headers = {"authorization": shown} if authorization else {}
    answer = await case.http.get(f"{API}/oidc/userinfo", headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    await audited(case, "userinfo_refused", "invalid_token")


# ── Oversized and malformed everything ──────────────────────────────────────────────────────────────────────────────

BODIES = {
    "nothing": b"",
    "not JSON": b"{",
    "an array": b"[]",
    "a number": b"7",
    "not UTF-8": b'{"request": "\xff\xfe"}',
    "a NUL": b'{"requestTime": "\\u0000", "request": {}}',
    "nested deeply": b'{"request":' * 5000,
    "an unknown member": b'{"requestTime": null, "request": {}, "admin": true}',
    "a text for a list": b'{"requestTime": null, "request": {"otpChannels": "phone", "acceptedClaims": "name"}}',
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", ["v3/oauth-details", "send-otp", "v3/authenticate", "auth-code", "par-oauth-details"])
async def test_a_malformed_body_is_refused_in_the_envelope(case: Case, path: str, body: str) -> None:
    await case.wire.oauth_details()
    if path == "auth-code":
        await case.wire.send_otp()
        await case.wire.authenticate()
    before = await given(case.pool)
    headers = case.wire.headers() | {"content-type": "application/json"}
    answer = await case.http.post(f"{API}/authorization/{path}", content=BODIES[body], headers=headers)
    found = codes(answer)
    assert found
    assert set(found) <= {"unknown_error", "invalid_request"} or body.startswith("a text")
    assert await given(case.pool) == before


@pytest.mark.parametrize("path", ["authorization/v3/oauth-details", "oauth/v2/token", "oauth/par"])
async def test_more_than_a_mebibyte_is_not_read(case: Case, path: str) -> None:
    await case.wire.fetch_csrf()
    answer = await case.http.post(
        f"{API}/{path}",
        content=b"a=" + b"x" * (1024 * 1024 + 1),
        headers=case.wire.headers() | {"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413 or codes(answer)


# ── The trail ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def audited(case: Case, event: str, outcome: str) -> None:
    """The newest row of the trail is this refusal. What is given is noted with it (`flow.sql`): so nothing was."""
    row = await case.pool.fetchrow("select event, outcome from audit order by id desc limit 1")
    assert tuple(row) == (event, outcome)
