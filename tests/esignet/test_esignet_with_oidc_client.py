"""Our own strict OpenID Connect client at our own provider: the two agree about everything."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from esignet_wire import REDIRECT, RelyingParty, Wire
from janani.clients import oidc


async def test_the_strict_client_gets_a_verified_identity(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient
) -> None:
    provider = await oidc.discover(http, str(http.base_url))
    client = oidc.Client("anc-portal", rp.key, REDIRECT, claims=oidc.requested(["name"], ["email"]))
    request = oidc.authorization_request(provider, client)
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    code = await wire.code(
        "name",
        scope=query["scope"],
        state=query["state"],
        nonce=query["nonce"],
        prompt=query.get("prompt"),
        display=query.get("display"),
        claims=msgspec.json.decode(query["claims"]),
        codeChallenge=query["code_challenge"],
        codeChallengeMethod=query["code_challenge_method"],
    )
    identity = await oidc.redeem(
        http,
        provider,
        client,
        code=code,
        nonce=request.nonce,
        code_verifier=request.code_verifier,
        now=datetime.now(UTC),
        issuer=provider.issuer,
    )
    assert identity.claims["name"] == "Kumari Dissanayake"
    assert "email" not in identity.claims
    assert (identity.acr, len(identity.sub)) == ("mosip:idp:acr:generated-code", 43)
