"""The OpenID Connect client against a provider on real HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from janani.clients.oidc import (
    AuthorizationRequest,
    Client,
    Identity,
    OidcError,
    Provider,
    ProviderSource,
    authorization_request,
    discover,
    redeem,
    requested,
)
from janani.kernel import http
from janani.kernel.jose import jwks, signing_key
from oidc_provider import TestProvider, new_key, serving


def at_this_moment() -> datetime:
    """The present; the run began long ago."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    key = signing_key(tmp_path_factory.mktemp("keys") / "client.pem", create=True)
    return Client(
        client_id="a-client",
        key=key,
        redirect_uri="http://localhost/callback",
        scope="openid",
        claims=requested(["name"], ["phone_number"]),
        acr_values="mosip:idp:acr:generated-code",
        extra={"prompt": "consent"},
    )


@pytest.fixture
async def provider(client: Client) -> AsyncIterator[TestProvider]:
    fake = TestProvider(client_keys=jwks(client.key))
    async with serving(fake.app()) as url:
        fake.url = url
        yield fake


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with http.client(timeout=30) as pooled:
        yield pooled


async def start(web: httpx.AsyncClient, fake: TestProvider, client: Client) -> tuple[Provider, AuthorizationRequest]:
    provider = await discover(web, fake.url)
    request = authorization_request(provider, client, at_this_moment())
    fake.expect(dict(parse_qsl(urlsplit(request.url).query)))
    return provider, request


async def signed_in(web: httpx.AsyncClient, fake: TestProvider, client: Client, **changes: str | None) -> Identity:
    provider, request = await start(web, fake, client)
    values = {"code": "the-code", "nonce": request.nonce, "code_verifier": request.code_verifier} | changes
    return await redeem(web, provider, client, now=datetime.now(UTC), **values)  # type: ignore[arg-type]


async def fault(web: httpx.AsyncClient, fake: TestProvider, client: Client, **changes: str | None) -> str:
    with pytest.raises(OidcError) as caught:
        await signed_in(web, fake, client, **changes)
    return caught.value.code


async def test_an_authorization_request_is_bound_to_this_browser(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    found, request = await start(web, provider, client)
    again = authorization_request(found, client, at_this_moment())
    parameters = dict(parse_qsl(urlsplit(request.url).query))
    assert request.url.startswith(f"{provider.url}/authorize?")
    assert parameters["response_type"] == "code"
    assert parameters["code_challenge_method"] == "S256"
    assert parameters["prompt"] == "consent"
    assert parameters["acr_values"] == "mosip:idp:acr:generated-code"
    asked = msgspec.json.decode(parameters["claims"])
    assert asked == {"userinfo": {"name": {"essential": True}, "phone_number": {"essential": False}}}
    assert request.code_verifier not in request.url
    assert min(len(request.state), len(request.nonce), len(request.code_verifier)) >= 43
    assert not {request.state, request.nonce, request.code_verifier} & {again.state, again.nonce, again.code_verifier}


async def test_a_code_becomes_an_identity(web: httpx.AsyncClient, provider: TestProvider, client: Client) -> None:
    identity = await signed_in(web, provider, client, issuer=provider.url)
    assert identity.sub == "subject-1"
    assert identity.claims["name"] == "Nimali Perera"
    assert identity.acr == "mosip:idp:acr:generated-code"
    assert identity.auth_time is not None
    assert abs(identity.auth_time - datetime.now(UTC).timestamp()) < 60
    assert "aud" not in identity.claims
    assert provider.token_calls == 1


async def test_the_client_proves_itself_with_a_signed_assertion(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    await signed_in(web, provider, client)
    [assertion] = provider.assertions
    assert assertion.header["kid"] == client.key.kid
    assert assertion.header["x5t#S256"] == client.key.as_dict()["x5t#S256"]
    assert assertion.header["alg"] == "RS256"
    claims = assertion.claims
    assert claims["iss"] == claims["sub"] == "a-client"
    assert claims["aud"] == f"{provider.url}/v1/esignet/oauth/v2/token"
    assert claims["exp"] - claims["iat"] == 60
    assert len(claims["jti"]) >= 22


async def test_a_code_is_good_once_and_is_never_sent_twice(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    await signed_in(web, provider, client)
    assert await fault(web, provider, client) == "code_refused"
    assert provider.token_calls == 2


async def test_a_code_stolen_from_another_browser_is_useless(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    assert await fault(web, provider, client, code_verifier="another") == "code_refused"
    assert await fault(web, provider, client, nonce="another") == "bad_nonce"


async def test_an_answer_of_another_issuer_stops_before_the_code_is_sent(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    assert await fault(web, provider, client, issuer="https://evil.example") == "bad_issuer"
    assert provider.token_calls == 0


async def test_signatures_are_checked(web: httpx.AsyncClient, provider: TestProvider, client: Client) -> None:
    stranger = new_key()
    provider.id_token_key = stranger
    assert await fault(web, provider, client) == "unknown_key"  # a kid that is not there
    provider.code = "the-code"
    provider.id_token_key = type(stranger).import_key(stranger.as_dict(private=True) | {"kid": provider.key.kid})
    assert await fault(web, provider, client) == "bad_signature"  # the provider's kid, another's key


async def test_unsigned_and_symmetric_tokens_are_refused(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    found = await discover(web, provider.url)
    for token in (
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
        jwt.encode(
            {"alg": "HS256", "kid": provider.key.kid},
            {"sub": "x"},
            OctKey.import_key("a secret of no meaning, long enough to sign with"),
        ),
        "no.token",
        "a.b.c",
        "",
    ):
        with pytest.raises(OidcError, match="bad_signature"):
            await found.verified(web, token, at_this_moment())


async def test_keys_are_kept_and_fetched_again_once_for_a_new_kid(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    found = await discover(web, provider.url)
    old = provider.signed({"sub": "x"}, {}, provider.key)
    assert (await found.verified(web, old, at_this_moment()))["sub"] == "x"
    await found.verified(web, old, at_this_moment())
    assert provider.key_fetches == 1
    provider.key = new_key()
    new, later = provider.signed({"sub": "y"}, {}, provider.key), at_this_moment() + timedelta(minutes=1)
    assert (await found.verified(web, new, later))["sub"] == "y"
    assert provider.key_fetches == 2
    stranger = provider.signed({"sub": "z"}, {}, new_key())
    for seconds in (1, 2, 3):  # whoever sends unknown keys does not make us fetch each time
        with pytest.raises(OidcError, match="unknown_key"):
            await found.verified(web, stranger, later + timedelta(seconds=seconds))
    assert provider.key_fetches == 2
    with pytest.raises(OidcError, match="unknown_key"):
        await found.verified(web, stranger, later + timedelta(seconds=30))
    assert provider.key_fetches == 3
    await found.verified(web, new, at_this_moment() + timedelta(hours=2))
    assert provider.key_fetches == 4


async def test_a_key_set_may_hold_keys_we_do_not_use(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.extra_keys = [
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "other"},
        {"kty": "PQ", "kid": "new"},
        {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "broken"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {**jwks(new_key())["keys"][0], "use": "enc"},
    ]
    assert (await signed_in(web, provider, client)).sub == "subject-1"


async def test_both_tokens_speak_of_the_same_person(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.userinfo = {"sub": "subject-2"}
    assert await fault(web, provider, client) == "bad_subject"


async def test_plain_userinfo_is_taken_only_when_agreed(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.userinfo_plain = True
    assert await fault(web, provider, client) == "unsigned_userinfo"
    provider.code = "the-code"
    loose = msgspec.structs.replace(client, signed_userinfo=False)
    assert (await signed_in(web, provider, loose)).claims["name"] == "Nimali Perera"


async def test_the_way_of_proving_identity_is_the_one_asked_for(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.id_token = {"acr": "mosip:idp:acr:knowledge"}
    assert await fault(web, provider, client) == "bad_acr"


async def test_an_issuer_that_signs_under_two_names_is_taken_when_told(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.id_token = {"iss": f"{provider.url}/v1/esignet"}  # eSignet 1.6.1
    assert await fault(web, provider, client) == "bad_issuer"
    provider.code = "the-code"
    found = await discover(web, provider.url, token_issuers=[f"{provider.url}/v1/esignet"])
    request = authorization_request(found, client, at_this_moment())
    provider.expect(dict(parse_qsl(urlsplit(request.url).query)))
    identity = await redeem(
        web,
        found,
        client,
        code="the-code",
        nonce=request.nonce,
        code_verifier=request.code_verifier,
        now=datetime.now(UTC),
    )
    assert identity.sub == "subject-1"


async def test_discovery_finds_the_metadata_where_it_is(web: httpx.AsyncClient, provider: TestProvider) -> None:
    places = (provider.url, provider.url + "/", f"{provider.url}/v1/esignet/oidc/.well-known/openid-configuration")
    for place in places:
        assert (await discover(web, place)).issuer == provider.url
    provider.standard_place = True
    assert (await discover(web, provider.url)).issuer == provider.url


async def test_metadata_of_another_issuer_is_refused(web: httpx.AsyncClient, provider: TestProvider) -> None:
    place, provider.url = provider.url, "https://evil.example"
    with pytest.raises(OidcError, match="bad_issuer"):
        await discover(web, place)


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        ((400, {"error": "invalid_grant"}), "code_refused", False),
        ((400, {"error": "invalid_client"}), "client_refused", False),
        ((502, "bad gateway"), "provider_failed", True),
        ((200, {"access_token": "only"}), "provider_invalid", False),
    ],
)
async def test_what_the_provider_refuses_has_a_code(
    web: httpx.AsyncClient,
    provider: TestProvider,
    client: Client,
    answer: tuple[int, object],
    code: str,
    retryable: bool,
) -> None:
    provider.token_error = answer
    with pytest.raises(OidcError) as caught:
        await signed_in(web, provider, client)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert provider.token_calls == 1


async def test_a_provider_that_is_away_is_said_to_be(web: httpx.AsyncClient, client: Client) -> None:
    with pytest.raises(OidcError) as caught:
        await discover(web, "http://127.0.0.1:9")
    assert (caught.value.code, caught.value.retryable) == ("provider_unreachable", True)


async def test_the_last_known_provider_serves_while_metadata_is_away(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    source = ProviderSource(web, provider.url)
    first = await source.provider(at_this_moment())
    assert await source.provider(at_this_moment() + timedelta(minutes=1)) is first
    assert await source.provider(at_this_moment() + timedelta(hours=2)) is not first
    elsewhere = ProviderSource(web, "http://127.0.0.1:9")
    with pytest.raises(OidcError):
        await elsewhere.provider(at_this_moment())
