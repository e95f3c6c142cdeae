"""Our own strict OpenID Connect client at our own provider: the two agree about everything."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import msgspec
import pytest
from joserfc.jwk import RSAKey

from esignet_wire import MOTHER, REDIRECT, RelyingParty, Wire
from janani.clients import oidc
from janani.settings import Settings


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


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_large_photo_arrives_signed_and_sealed(
    wire: Wire, rp: RelyingParty, http: httpx.AsyncClient, settings: Settings, *, sealed: bool
) -> None:
    """300 kB: more than the JOSE library takes by itself, of a signed token as of an encrypted one."""
    photo = "data:image/jpeg;base64," + "A" * 400_000
    connection = await asyncpg.connect(settings.database.dsn)
    changed = "update esignet.person set identity = identity || jsonb_build_object('encodedPhoto', $1::text)"
    await connection.execute(changed + " where individual_id = $2", photo, MOTHER)
    await connection.close()
    key = RSAKey.generate_key(2048, {"kid": "sealing", "use": "enc", "alg": "RSA-OAEP-256"})
    sealing = {"encPublicKey": key.as_dict(private=False), "additionalConfig": {"userinfo_response_type": "JWE"}}
    answer = await rp.manage({"userClaims": ["picture"]} | (sealing if sealed else {}), patch=True)
    assert answer.json()["errors"] == [], answer.text
    provider = await oidc.discover(http, str(http.base_url))
    client = oidc.Client(
        "anc-portal", rp.key, REDIRECT, claims=oidc.requested(["picture"]), decryption_keys=(key,) if sealed else ()
    )
    code = await wire.code("picture", claims=client.claims)
    identity = await oidc.redeem(
        http, provider, client, code=code, nonce=None, code_verifier=None, now=datetime.now(UTC)
    )
    assert identity.claims["picture"] == photo
