"""Doctor and mother sign in at the record through eSignet, each part on a port of its own."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import msgspec
import pytest
from joserfc.jwk import RSAKey

from esignet_wire import MOTHER, RelyingParty, Wire, codes
from janani.clients.oidc_checks import code_challenge
from janani.esignet.app import create_app as create_esignet
from janani.kernel import http, ids
from janani.kernel.jose import jwks, sign, signing_key
from janani.kernel.secrets import secret
from janani.record.app import create_app
from janani.settings import Esignet, Record, Settings
from oidc_provider import free_listener, serving
from record_smart import SUBJECT, claims_of, patient

pytestmark = pytest.mark.contract
PORTALS = "http://localhost:8000"
DOCTOR = "2000000001"
VERIFIER = "v" * 43


class Pair(msgspec.Struct):
    """Both parts as they run, and the portals' key."""

    record: httpx.AsyncClient
    esignet: httpx.AsyncClient
    url: str
    keys: dict[str, RSAKey]
    bearer: str

    async def token(self, client: str, **form: str) -> dict[str, Any]:
        claims = {"iss": client, "sub": client, "aud": f"{self.url}/auth/token", "jti": ids.token()}
        proof = sign(claims | {"exp": int(time.time()) + 60}, self.keys[client])
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        answer = await self.record.post(
            "/auth/token", data={"client_assertion_type": kind, "client_assertion": proof, **form}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def sign_in(self, scope: str, person: str, *shared: str) -> httpx.Response:
        """The callback's answer after number, one-time code and consent at eSignet."""
        door = "doctor" if "user/" in scope else "mother"
        asked = {
            "response_type": "code",
            "client_id": "portals",
            "redirect_uri": f"{PORTALS}/{door}/callback",
            "scope": scope,
            "state": "s",
            "aud": f"{self.url}/fhir",
            "code_challenge": code_challenge(VERIFIER),
            "code_challenge_method": "S256",
        }
        began = await self.record.get(f"/auth/authorize?{urlencode(asked)}")
        assert began.status_code == 302, began.text
        upstream = dict(parse_qsl(urlsplit(began.headers["location"]).query))
        code = await Wire(self.esignet).code(
            *shared,
            person=person,
            clientId=upstream["client_id"],
            scope=upstream["scope"],
            redirectUri=upstream["redirect_uri"],
            acrValues=upstream["acr_values"],
            claims=msgspec.json.decode(upstream["claims"]),
            nonce=upstream["nonce"],
            state=upstream["state"],
            codeChallenge=upstream["code_challenge"],
            codeChallengeMethod=upstream["code_challenge_method"],
        )
        answer = {"state": upstream["state"], "code": code, "iss": str(self.esignet.base_url).rstrip("/")}
        return await self.record.get(f"/auth/callback?{urlencode(answer)}")

    async def person(self, scope: str, person: str, *shared: str) -> dict[str, Any]:
        back = await self.sign_in(scope, person, *shared)
        assert back.status_code == 302, back.text
        url, _, query = back.headers["location"].partition("?")
        return await self.token(
            "portals",
            grant_type="authorization_code",
            code=parse_qs(query)["code"][0],
            redirect_uri=url,
            code_verifier=VERIFIER,
        )


@pytest.fixture
async def pair(settings: Settings) -> AsyncIterator[Pair]:
    one, two = free_listener(), free_listener()
    issuer, url = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (one, two))
    settings = msgspec.structs.replace(
        settings, esignet=Esignet(url=issuer), record=Record(url=url, port=two.getsockname()[1])
    )
    keys = {name: signing_key(settings.secrets / f"{name}.pem", create=True) for name in ("portals", "janani-sync")}
    (settings.folder / "clients").mkdir(parents=True)
    for name, key in keys.items():
        (settings.folder / "clients" / f"{name}.jwks.json").write_bytes(msgspec.json.encode(jwks(key)))
    own = signing_key(settings.secrets / "record.pem", create=True)
    async with (
        serving(create_esignet(settings), one),
        serving(create_app(settings), two),
        http.client(base_url=issuer) as browser,
        http.client(base_url=url) as record,
    ):
        bearer = secret(settings.secrets, "esignet-clients-token", create=False)
        management = RelyingParty(browser, bearer, "janani-record")
        [public] = jwks(own)["keys"]
        registration = management.registration(
            publicKey=public, redirectUris=[f"{url}/auth/callback"], userClaims=["name", "email"]
        )
        assert not codes(await management.manage(registration))
        yield Pair(record, browser, url, keys, bearer)


async def test_a_doctor_with_his_national_id(pair: Pair) -> None:
    said = await pair.person("openid fhirUser user/*.cruds", DOCTOR, "name", "email")
    claims = claims_of(said["access_token"])
    assert (claims["kind"], claims["name"]) == ("staff", "Dr Anura Perera")
    answer = await pair.record.get(
        f"/fhir/{claims['sub']}", headers={"authorization": f"Bearer {said['access_token']}"}
    )
    assert answer.json()["resourceType"] == "Practitioner"


async def test_a_doctor_who_withholds_his_e_mail_is_told_what_to_do(pair: Pair) -> None:
    answer = await pair.sign_in("user/*.cruds", DOCTOR, "name")
    assert (answer.status_code, "e-mail address is needed" in answer.text) == (403, True)


async def test_a_mother_who_withholds_everything_is_known_by_her_pairwise_id(pair: Pair) -> None:
    scope = "openid fhirUser launch/patient patient/*.rs"
    answer = await pair.sign_in(scope, MOTHER)
    assert (answer.status_code, "no record for you yet" in answer.text) == (403, True)
    sync = await pair.token("janani-sync", grant_type="client_credentials", scope="system/*.cruds")
    headers = {"authorization": f"Bearer {sync['access_token']}"}
    subject = await _subject(pair)
    made = await pair.record.post("/fhir/Patient", json=patient(subject), headers=headers)
    assert made.status_code == 201, made.text
    said = await pair.person(scope, MOTHER)
    assert said["patient"] == made.json()["id"]
    hers = {"authorization": f"Bearer {said['access_token']}"}
    found = (await pair.record.get("/fhir/Patient", headers=hers)).json()
    assert [entry["resource"]["identifier"][0]["system"] for entry in found["entry"]] == [SUBJECT]


async def _subject(pair: Pair) -> str:
    """Her pairwise id, as any other client of the ministry (the same relying-party id) gets it."""
    other = RelyingParty(pair.esignet, pair.bearer)
    assert not codes(await other.manage(other.registration()))
    tokens = await other.redeem(await Wire(pair.esignet).code())
    return str(claims_of(tokens.json()["id_token"])["sub"])
