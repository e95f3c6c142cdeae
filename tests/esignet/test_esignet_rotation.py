"""The provider's key is rotated while it runs: nobody meets a token by a key they cannot know."""

from datetime import UTC, datetime

import httpx
from joserfc import jws

from esignet_wire import RelyingParty, Wire, claims_in
from janani.esignet.provider import signing_keys
from janani.settings import Settings


async def kids(http: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]


async def test_the_new_key_is_published_before_it_signs_and_the_old_one_after(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient, settings: Settings
) -> None:
    ring = signing_keys(settings)
    asked = {"claims": {"userinfo": {"name": None}}}
    [old] = await kids(http)
    before = (await rp.redeem(await wire.code("name", **asked))).json()

    new = str(ring.prepare(datetime.now(UTC)).kid)
    assert await kids(http) == [old, new]
    between = (await rp.redeem(await wire.code("name", **asked))).json()
    assert kid_of(between["id_token"]) == old

    ring.switch()
    assert await kids(http) == [new, old]
    after = (await rp.redeem(await wire.code("name", **asked))).json()
    assert kid_of(after["id_token"]) == new
    keys = await rp.keys()
    for tokens in (before, between, after):
        assert claims_in(tokens["id_token"], keys)["sub"]
        assert claims_in((await rp.userinfo(tokens["access_token"])).text, keys)["name"] == "Kumari Dissanayake"

    ring.finish()
    assert await kids(http) == [new]


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])
