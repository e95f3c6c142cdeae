"""The relying party on real HTTP and PostgreSQL, with a small OpenID provider behind it."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from janani.kernel import http
from janani.kernel.jose import jwks, signing_key
from janani.kernel.secrets import secret, write_private
from janani.relying.app import create_app
from janani.settings import Esignet, Settings
from oidc_provider import TestProvider, serving
from relying_world import Clock, World


@pytest.fixture(scope="session")
def relying_pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A key, made once a run."""
    path = tmp_path_factory.mktemp("relying") / "relying.pem"
    signing_key(path, create=True)
    return path.read_bytes()


@pytest.fixture
async def world(settings: Settings, relying_pem: bytes) -> AsyncIterator[World]:
    write_private(settings.secrets / "relying.pem", relying_pem)
    key = signing_key(settings.secrets / "relying.pem", create=False)
    provider = TestProvider(client_keys=jwks(key), client_id="janani-verify")
    clock = Clock()
    async with serving(provider.app()) as issuer:
        provider.url = issuer
        settings = msgspec.structs.replace(settings, esignet=Esignet(url=issuer))
        async with serving(create_app(settings, clock)) as url:
            token = secret(settings.secrets, "relying-token", create=False)
            headers = {"authorization": f"ApiToken {token}", "x-forwarded-user": "midwife"}
            async with http.client(base_url=url) as route:
                route.headers.update(headers)
                yield World(route, provider, clock, settings)
