"""A certified relying party (`idpyoidc`, unmodified, its own HTTP client) signs in at our provider.

It discovers the provider, makes the request with PKCE, proves itself by `private_key_jwt`, and verifies the id_token
and the signed userinfo by the provider's published keys. She shares no birthdate: eSignet writes it `YYYY/MM/DD`,
and so do we, which OpenID Connect Core §5.1 does not know and a strict relying party refuses.
"""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
from idpyoidc.client.exception import OidcServiceError
from idpyoidc.client.rp_handler import RPHandler

from esignet_wire import REDIRECT, RelyingParty, Wire


def relying_party(issuer: str, key: Path) -> RPHandler:
    """idpyoidc as its documentation has it configured; `key` is a JWK Set file."""
    keys = {"private_path": str(key), "key_defs": [], "read_only": True}
    client = {
        "issuer": issuer,
        "client_id": "anc-portal",
        "client_type": "oidc",
        "redirect_uris": [REDIRECT],
        "key_conf": keys,
        "client_authn_methods": ["private_key_jwt", "bearer_header"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile"],
        "id_token_signed_response_alg": "RS256",
        "userinfo_signed_response_alg": "RS256",
        "add_ons": {
            "pkce": {
                "function": "idpyoidc.client.oauth2.add_on.pkce.add_support",
                "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
            }
        },
    }
    return RPHandler("https://portal.example", client_configs={issuer: client}, key_conf=keys)


@pytest.fixture
def issuer(http: httpx.AsyncClient) -> str:
    return str(http.base_url).rstrip("/")


@pytest.fixture
def key(tmp_path: Path, rp: RelyingParty) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(msgspec.json.encode({"keys": [rp.key.as_dict(private=True)]}))
    return path


async def signed_in(wire: Wire, url: str) -> dict[str, Any]:
    """What the browser brings back, after she signed in and agreed at the provider's page."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    code = await wire.code(
        "name",
        "gender",
        scope=query["scope"],
        state=query["state"],
        nonce=query["nonce"],
        redirectUri=query["redirect_uri"],
        codeChallenge=query["code_challenge"],
        codeChallengeMethod=query["code_challenge_method"],
    )
    return {"code": code, "state": query["state"], "iss": str(wire.http.base_url).rstrip("/")}


async def test_it_completes_the_code_flow_and_everything_holds(wire: Wire, issuer: str, key: Path) -> None:
    party = relying_party(issuer, key)
    url = await asyncio.to_thread(party.begin, issuer)
    back = await signed_in(wire, url)
    done = await asyncio.to_thread(party.finalize, issuer, back)
    assert "error" not in done, done
    assert done["userinfo"]["name"] == "Kumari Dissanayake"
    assert done["userinfo"]["gender"] == "Female"
    assert done["userinfo"]["sub"] == done["id_token"]["sub"]
    assert done["id_token"]["aud"] == ["anc-portal"]
    assert done["issuer"] == issuer


async def test_a_code_it_shows_twice_is_refused_in_words_it_reads(wire: Wire, issuer: str, key: Path) -> None:
    party = relying_party(issuer, key)
    back = await signed_in(wire, await asyncio.to_thread(party.begin, issuer))
    await asyncio.to_thread(party.finalize, issuer, back)
    with pytest.raises(OidcServiceError, match="invalid_grant"):
        await asyncio.to_thread(party.finalize, issuer, back)
