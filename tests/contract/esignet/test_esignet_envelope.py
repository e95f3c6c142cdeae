"""Envelope, CSRF, transaction headers, client management (reference §1, §2 and the E rows of §13)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from esignet_wire import ACR, API, RelyingParty, Wire, codes

pytestmark = pytest.mark.contract


def stamp(seconds: float = 0, *, pattern: str = "%Y-%m-%dT%H:%M:%S.000Z") -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime(pattern)


@pytest.mark.parametrize(
    "request_time",
    [None, "", "yesterday", stamp(-900), stamp(900), stamp(pattern="%Y-%m-%dT%H:%M:%SZ"), stamp(pattern="%s")],
    ids=["none", "empty", "a word", "a quarter past", "a quarter to come", "without milliseconds", "an epoch"],
)
async def test_a_request_time_that_is_missing_malformed_or_stale_is_refused(
    http: httpx.AsyncClient, wire: Wire, request_time: str | None
) -> None:
    await wire.fetch_csrf()
    body = {"requestTime": request_time, "request": {"clientId": "x"}}
    answer = await http.post(f"{API}/authorization/v3/oauth-details", json=body, headers=wire.headers())
    assert "invalid_request" in codes(answer)
    assert answer.json()["response"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "unknown_error"),
        (b'{"requestTime": "x", "request": {"unknownMember": 1}}', "unknown_error"),
        (b'{"requestTime": "NOW"}', "invalid_request"),
    ],
)
async def test_malformed_json_unknown_members_and_a_missing_request(
    http: httpx.AsyncClient, wire: Wire, body: bytes, code: str
) -> None:
    await wire.fetch_csrf()
    headers = wire.headers() | {"content-type": "application/json"}
    assert codes(
        await http.post(
            f"{API}/authorization/v3/oauth-details", content=body.replace(b"NOW", stamp().encode()), headers=headers
        )
    ) == [code]


async def test_an_error_of_a_field_names_the_field(wire: Wire, rp: RelyingParty) -> None:
    answer = await wire.oauth_details(redirectUri="not a url")
    assert answer.json()["errors"] == [
        {"errorCode": "invalid_redirect_uri", "errorMessage": "request.redirectUri: invalid_redirect_uri"}
    ]


async def test_csrf_needs_header_and_cookie(http: httpx.AsyncClient, wire: Wire, rp: RelyingParty) -> None:
    token = await wire.fetch_csrf()
    assert (token["headerName"], token["parameterName"]) == ("X-XSRF-TOKEN", "_csrf")
    path, body = f"{API}/authorization/v3/oauth-details", {"requestTime": wire.now(), "request": {}}
    assert (await http.post(path, json=body)).status_code == 403
    assert (await http.post(path, json=body, headers={"x-xsrf-token": "another"})).status_code == 403
    http.cookies.clear()
    assert (await http.post(path, json=body, headers=wire.headers())).status_code == 403


async def test_discovery_says_one_issuer_and_only_what_there_is(http: httpx.AsyncClient) -> None:
    documents = [
        (await http.get(path)).json()
        for path in (f"{API}/oidc/.well-known/openid-configuration", "/.well-known/openid-configuration")
    ]
    assert documents[0] == documents[1]
    found = documents[0]
    assert found["token_endpoint"] == found["issuer"] + f"{API}/oauth/v2/token"
    assert found["subject_types_supported"] == ["pairwise"]
    assert "end_session_endpoint" not in found
    keys = (await http.get(f"{API}/oauth/.well-known/jwks.json")).json()["keys"]
    assert all({"kid", "kty", "n", "e", "x5c", "x5t#S256", "exp"} <= set(key) and "d" not in key for key in keys)
    server = (await http.get(f"{API}/oauth/.well-known/oauth-authorization-server")).json()
    assert {name: found[name] for name in server} == server


# --- client management ------------------------------------------------------------------------------------------


async def test_client_management_needs_its_token(rp: RelyingParty) -> None:
    for authorization in ("", "Bearer wrong", "Basic YTpi"):
        answer = await rp.manage(rp.registration(), authorization=authorization)
        assert answer.status_code == 401


async def test_a_client_is_created_once_and_its_key_serves_it_alone(rp: RelyingParty) -> None:
    other = RSAKey.generate_key(2048).as_dict(private=False)
    assert codes(await rp.manage(rp.registration(publicKey=other))) == ["duplicate_client_id"]
    assert codes(await rp.manage(rp.registration(clientId="another"))) == ["duplicate_public_key"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clientId": "has blank"}, "invalid_client_id"),
        ({"clientName": " "}, "invalid_client_name"),
        ({"clientNameLangMap": {"en": "x"}}, "invalid_language_code"),
        ({"clientNameLangMap": {"eng": " "}}, "invalid_client_name_value"),
        ({"clientNameLangMap": {"eng": "x" * 51}}, "invalid_client_name_length"),
        ({"relyingPartyId": ""}, "invalid_rp_id"),
        ({"publicKey": {}}, "invalid_public_key"),
        ({"publicKey": {"kty": "oct", "k": "c2VjcmV0"}}, "invalid_public_key"),
        ({"publicKey": {"kty": "RSA", "n": "?", "e": "AQAB"}}, "invalid_public_key"),
        ({"userClaims": ["shoe_size"]}, "invalid_claim"),
        ({"authContextRefs": ["made:up"]}, "invalid_acr"),
        ({"authContextRefs": []}, "invalid_acr"),
        ({"logoUri": "nope"}, "invalid_uri"),
        ({"redirectUris": []}, "invalid_redirect_uri"),
        ({"redirectUris": ["https://a.example/"] * 6}, "invalid_redirect_uri"),
        ({"redirectUris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"grantTypes": ["client_credentials"]}, "unsupported_grant_type"),
        ({"clientAuthMethods": ["client_secret_post"]}, "invalid_client_auth"),
        ({"additionalConfig": {"colour": "red"}}, "invalid_additional_config"),
        ({"additionalConfig": {"consent_expire_in_mins": 9}}, "invalid_additional_config"),
        ({"additionalConfig": {"purpose": {"type": "spy"}}}, "invalid_additional_config"),
    ],
)
async def test_a_registration_with_a_fault(rp: RelyingParty, change: dict[str, Any], code: str) -> None:
    fresh = {"clientId": "fresh", "publicKey": RSAKey.generate_key(2048).as_dict(private=False)}
    assert codes(await rp.manage(rp.registration(**fresh | change))) == [code]


async def test_create_knows_no_status_and_update_neither_key_nor_party(rp: RelyingParty) -> None:
    assert codes(await rp.manage(rp.registration(status="ACTIVE"))) == ["unknown_error"]
    assert codes(await rp.manage(rp.registration(status="ACTIVE"), put=True)) == ["unknown_error"]


async def test_an_elliptic_curve_key_is_taken(rp: RelyingParty) -> None:
    key = ECKey.generate_key("P-256").as_dict(private=False)
    answer = await rp.manage(rp.registration(clientId="ec", publicKey=key))
    assert answer.json()["response"] == {"clientId": "ec", "status": "ACTIVE"}


async def test_put_replaces_and_an_inactive_client_is_unknown(wire: Wire, rp: RelyingParty) -> None:
    update = {
        name: value
        for name, value in rp.registration().items()
        if name not in ("clientId", "publicKey", "relyingPartyId")
    }
    assert codes(await rp.manage(update, put=True)) == ["invalid_status"]
    answer = await rp.manage(update | {"status": "INACTIVE"}, put=True)
    assert answer.json()["response"] == {"clientId": rp.client_id, "status": "INACTIVE"}
    assert codes(await wire.oauth_details()) == ["invalid_client_id"]
    assert codes(await rp.manage(update | {"status": "ACTIVE", "clientName": "New"}, put=True)) == []
    assert (await wire.oauth_details()).json()["response"]["clientName"]["@none"] == "New"
    rp.client_id = "nobody"
    assert codes(await rp.manage(update | {"status": "ACTIVE"}, put=True)) == ["invalid_client_id"]


async def test_older_versions_know_fewer_members(rp: RelyingParty) -> None:
    assert codes(await rp.manage(rp.registration(clientId="v1"), path="oidc-client")) == ["unknown_error"]
    key = RSAKey.generate_key(2048).as_dict(private=False)
    v1 = rp.registration(clientId="v1", publicKey=key)
    del v1["clientNameLangMap"], v1["additionalConfig"]
    assert codes(await rp.manage(v1, path="oidc-client")) == []
    assert ACR in v1["authContextRefs"]
