"""Beyond the plain code flow: pushed requests, sealed userinfo, other signatures, codes that never left."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from joserfc.jwk import RSAKey

from janani.clients.oidc import Client, Identity, OidcError, begin, discover, redeem
from janani.kernel import http
from janani.kernel.jose import jwks
from janani.kernel.keyfiles import new_pem, read_key
from oidc_provider import TestProvider, new_key, serving


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "rsa.pem").write_bytes(new_pem("rsa"))
    (folder / "ec.pem").write_bytes(new_pem("ec", curve=True))
    return folder


@pytest.fixture
def client(keys: Path) -> Client:
    return Client(client_id="a-client", key=read_key(keys / "rsa.pem"), redirect_uri="http://localhost/callback")


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


async def signed_in(web: httpx.AsyncClient, fake: TestProvider, client: Client) -> Identity:
    now = datetime.now(UTC)
    provider = await discover(web, fake.url)
    request = await begin(web, provider, client, now)
    parameters = dict(parse_qsl(urlsplit(request.url).query))
    fake.expect(fake.pushed.get(parameters.get("request_uri", ""), parameters))
    return await redeem(
        web, provider, client, code="the-code", nonce=request.nonce, code_verifier=request.code_verifier, now=now
    )


async def fault(web: httpx.AsyncClient, fake: TestProvider, client: Client) -> OidcError:
    with pytest.raises(OidcError) as caught:
        await signed_in(web, fake, client)
    return caught.value


@pytest.mark.parametrize(("file", "alg"), [("rsa.pem", "RS256"), ("rsa.pem", "PS256"), ("ec.pem", "ES256")])
async def test_the_client_signs_as_its_key_says(
    web: httpx.AsyncClient, provider: TestProvider, client: Client, keys: Path, file: str, alg: str
) -> None:
    key = read_key(keys / file, alg=alg)
    provider.client_keys = jwks(key)
    assert (await signed_in(web, provider, msgspec.structs.replace(client, key=key))).sub == "subject-1"
    assert provider.assertions[0].header["alg"] == alg


async def test_where_it_is_offered_the_request_is_pushed_and_its_address_says_nothing(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.metadata_changes = {"pushed_authorization_request_endpoint": f"{provider.url}/par"}
    request = await begin(web, await discover(web, provider.url), client, datetime.now(UTC))
    assert set(dict(parse_qsl(urlsplit(request.url).query))) == {"client_id", "request_uri"}
    [pushed] = provider.pushed.values()
    assert (pushed["state"], pushed["nonce"], pushed["code_challenge_method"]) == (request.state, request.nonce, "S256")
    assert request.code_verifier not in str(pushed)
    assert (await signed_in(web, provider, client)).sub == "subject-1"


async def test_pushing_can_be_left_out_or_asked_for(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    always = msgspec.structs.replace(client, pushed="always")
    assert (await fault(web, provider, always)).code == "provider_invalid"
    provider.metadata_changes = {"pushed_authorization_request_endpoint": f"{provider.url}/par"}
    await signed_in(web, provider, msgspec.structs.replace(client, pushed="never"))
    assert not provider.pushed
    provider.par_error = (401, {"error": "invalid_client"})
    assert (await fault(web, provider, always)).code == "client_refused"
    provider.par_error = (200, {"no": "uri"})
    assert (await fault(web, provider, always)).code == "provider_invalid"


async def test_sealed_userinfo_is_opened_and_its_signature_checked(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    mine = RSAKey.generate_key(2048, {"use": "enc"})
    provider.sealing_key = RSAKey.import_key(mine.as_dict(private=False))
    assert (await fault(web, provider, client)).code == "undecryptable_userinfo"
    able = msgspec.structs.replace(client, decryption_keys=(mine,))
    provider.code = "the-code"
    assert (await signed_in(web, provider, able)).claims["name"] == "Nimali Perera"
    provider.code, provider.userinfo = "the-code", {"sub": "another"}
    assert (await fault(web, provider, able)).code == "bad_subject"
    stranger = new_key()
    provider.code, provider.userinfo, provider.published = "the-code", {}, [provider.key]
    honest, provider.key = (
        provider.key,
        type(stranger).import_key(stranger.as_dict(private=True) | {"kid": provider.key.kid}),
    )
    provider.id_token_key = honest
    assert (await fault(web, provider, able)).code == "bad_signature"


async def test_only_signatures_the_provider_announces_are_taken(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.metadata_changes = {"id_token_signing_alg_values_supported": ["PS256"]}
    assert (await fault(web, provider, client)).code == "bad_signature"
    provider.algorithm, provider.code = "PS256", "the-code"
    assert (await signed_in(web, provider, client)).sub == "subject-1"
    strict = msgspec.structs.replace(client, algorithms=("ES256",))
    provider.code = "the-code"
    assert (await fault(web, provider, strict)).code == "bad_signature"


async def test_only_a_code_that_never_left_may_be_sent_again(
    web: httpx.AsyncClient, provider: TestProvider, client: Client
) -> None:
    provider.token_error = (503, "")
    assert not (await fault(web, provider, client)).code_kept
    provider.metadata_changes = {"token_endpoint": "http://127.0.0.1:9/token"}
    away = await fault(web, provider, client)
    assert (away.code, away.code_kept, away.retryable) == ("provider_unreachable", True, True)
