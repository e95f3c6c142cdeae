"""Clients come from a file: ours, or DHIS2's; a mistake names the place and the word meant."""

from pathlib import Path

import httpx
import msgspec
import pytest

from janani import programmes
from janani.clients import dhis_conf
from janani.kernel import http
from janani.kernel.jose import jwks
from janani.kernel.keyfiles import new_pem
from janani.kernel.problems import RefusesToStart
from janani.relying import clients
from janani.settings import Settings
from relying_world import World

TWO = """
[clients.anc]
provider = "https://esignet.example"
client_id = "janani-verify"
redirect_uris = ["https://portal.example/callback", "https://portal.example/other"]
key = "secrets/relying.pem"

[clients.capture]
provider = "https://another.example/.well-known/openid-configuration"
client_id = "capture-plugin"
redirect_uris = ["https://dhis2.example/api/apps/capture/plugin.html"]
key = "secrets/capture.pem"
alg = "PS256"
userinfo = "json"
pushed = "never"
"""
CONF = """
# DHIS2's own file
oidc.oauth2.login.enabled = on
oidc.provider.esignet.client_id = dhis2-moh
oidc.provider.esignet.client_secret = unused
oidc.provider.esignet.issuer_uri = https://esignet.example/v1/esignet
oidc.provider.esignet.authorization_uri = https://esignet.example/authorize
oidc.provider.esignet.token_uri = https://esignet.example/v1/esignet/oauth/v2/token
oidc.provider.esignet.user_info_uri = https://esignet.example/v1/esignet/oidc/userinfo
oidc.provider.esignet.jwk_uri = https://esignet.example/.well-known/jwks.json
oidc.provider.esignet.client_authentication_method = private_key_jwt
oidc.provider.esignet.keystore_path = dhis2.pem
oidc.provider.esignet.key_alias = dhis2-key
oidc.provider.esignet.user_info_response_type = jwt
oidc.provider.esignet.extra_request_parameters = acr_values mosip:idp:acr:generated-code, prompt consent
oidc.provider.google.client_id = x
"""


def written(settings: Settings, **files: str) -> Settings:
    for name, text in files.items():
        (settings.folder / name.replace("_", ".")).write_text(text)
    return settings


async def loaded(settings: Settings) -> dict[str, clients.RelyingClient]:
    async with http.client() as web:
        return clients.load(settings, programmes.load("anc_lk"), web)


async def test_without_a_file_there_is_the_one_of_the_settings(settings: Settings) -> None:
    [one] = (await loaded(settings)).values()
    assert (one.name, one.conf.client_id) == ("verify", "janani-verify")
    assert one.at().redirect_uri == "http://localhost:8000/midwife/identity/callback"
    assert one.accepts("http://localhost:8090/phone/callback")


async def test_each_client_has_its_own_provider_key_and_pages(settings: Settings) -> None:
    found = await loaded(written(settings, relying_toml=TWO))
    assert list(found) == ["anc", "capture"]
    capture = found["capture"].at()
    assert (capture.client_id, capture.pushed, capture.signed_userinfo) == ("capture-plugin", "never", False)
    assert capture.key.as_dict()["alg"] == "PS256"
    assert capture.key.kid != found["anc"].at().key.kid
    assert found["anc"].accepts("https://portal.example/other")
    for other in ("https://portal.example/callback/", "https://portal.example/Callback", "https://portal.example"):
        assert not found["anc"].accepts(other)


async def test_one_dhis_conf_serves_dhis2_and_this(settings: Settings, tmp_path: Path) -> None:
    (settings.folder / "dhis2.pem").write_bytes(new_pem("dhis2"))
    found = await loaded(written(settings, dhis_conf=CONF))
    assert list(found) == ["verify", "esignet"]
    one = found["esignet"]
    assert one.fixed is not None
    assert one.fixed.token_endpoint == "https://esignet.example/v1/esignet/oauth/v2/token"
    assert one.fixed.issuers == {"https://esignet.example/v1/esignet"}
    client = one.at()
    assert (client.client_id, client.key.kid) == ("dhis2-moh", "dhis2-key")  # DHIS2 publishes the alias as kid
    assert client.redirect_uri == "http://localhost:8080/oauth2/code/esignet"
    assert client.extra["acr_values"] == "mosip:idp:acr:generated-code"
    assert {"kid", "use", "alg", "x5c", "x5t#S256"} <= set(jwks(*one.public_keys)["keys"][0])


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("pushed = ", "pushd = ", "did you mean 'pushed'?"),
        ('"never"', '"sometimes"', "pushed"),
        ('"PS256"', '"HS256"', "alg"),
        ("capture-plugin", 'x"y', "relying.toml"),
        ('["https://dhis2.example/api/apps/capture/plugin.html"]', "[]", "redirect_uris is empty"),
        ("https://portal.example/other", "https://portal.example/**", "exact"),
        ('provider = "https://esignet.example"', "", "neither provider nor endpoints"),
    ],
)
async def test_a_mistake_in_our_file_stops_the_start(settings: Settings, right: str, wrong: str, words: str) -> None:
    with pytest.raises(RefusesToStart) as caught:
        await loaded(written(settings, relying_toml=TWO.replace(right, wrong, 1)))
    assert "relying.toml" in str(caught.value)
    assert words in str(caught.value)


def test_a_key_dhis2_does_not_know_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dhis.conf"
    path.write_text(CONF.replace("jwk_uri", "jwks_uri"))
    with pytest.raises(dhis_conf.InvalidConf, match=r"dhis\.conf:10  .*did you mean 'jwk_uri'"):
        dhis_conf.read(path)
    assert dhis_conf.read(tmp_path / "none.conf") == {}


async def test_both_keys_of_a_rotation_are_published(world: World) -> None:
    ring = clients.KeyRing(world.settings.secrets / "relying.pem", create=False)
    old, new = ring.current.kid, ring.prepare(world.clock.now).kid
    for path in (
        "/jwks.json",
        "/.well-known/jwks.json",
        "/clients/verify/jwks.json",
        "/api/publicKeys/verify/jwks.json",
    ):
        answer = await world.route.get(path, headers={"authorization": ""})
        assert [key["kid"] for key in answer.json()["keys"]] == [old, new]
    missing = await world.route.get("/clients/none/jwks.json")
    assert (missing.status_code, missing.json()["error"]) == (404, "unknown_client")
    ring.switch()
    world.provider.client_keys = (await world.route.get("/jwks.json")).json()
    begun = await world.begin()
    assert (await world.fetch(code="the-code", state=begun["state"])).status_code == 200
    assert world.provider.assertions[-1].header["kid"] == new


async def test_a_code_is_redeemed_by_the_client_that_began(world: World) -> None:
    wrong = await world.route.post("/authorizations", json={"client": "nobody"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "other_client")
    begun = await world.begin(client="verify")
    answer: httpx.Response = await world.fetch(code="the-code", state=begun["state"], client="verify")
    assert answer.status_code == 200
    assert msgspec.json.decode(answer.content)["aud"] == "janani-verify"
