"""The relying party over eSignet's wire: our identity provider, or any other given a person who signs in there."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from esignet_wire import ACR, MOTHER, NIC, RelyingParty, Wire, codes
from janani import programmes
from janani.esignet.app import create_app as create_esignet
from janani.kernel import http
from janani.kernel.jose import jwks, signing_key
from janani.kernel.secrets import secret
from janani.relying.app import create_app
from janani.settings import Esignet, Settings
from oidc_provider import free_listener, serving

pytestmark = pytest.mark.contract
CALLBACK = "http://localhost:8000/midwife/identity/callback"
ASKED = ["name", "birthdate", "gender", "phone_number", "address", "individual_id"]
ROLES = programmes.load("anc_lk").registry.attributes


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of the relying party (as the Route) and of eSignet (as a browser)."""
    listener = free_listener()
    issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = msgspec.structs.replace(settings, esignet=Esignet(url=issuer))
    key = signing_key(settings.secrets / "relying.pem", create=True)
    async with (
        serving(create_esignet(settings), listener),
        serving(create_app(settings)) as url,
        http.client(base_url=issuer) as browser,
        http.client(base_url=url) as route,
    ):
        management = RelyingParty(
            browser, secret(settings.secrets, "esignet-clients-token", create=False), "janani-verify"
        )
        [public] = jwks(key)["keys"]
        answer = await management.manage(
            management.registration(publicKey=public, redirectUris=[CALLBACK], userClaims=ASKED)
        )
        assert not codes(answer)
        token = secret(settings.secrets, "relying-token", create=False)
        route.headers.update({"authorization": f"ApiToken {token}", "x-forwarded-user": "nirmala"})
        yield route, browser


async def signed_in(begun: dict[str, Any], browser: httpx.AsyncClient, person: str, *shared: str) -> str:
    """What eSignet's page does with the authorization request, for a person who shares these claims; the code."""
    asked = dict(parse_qsl(urlsplit(begun["authorization_url"]).query))
    wire = Wire(browser)
    answer = await wire.par_oauth_details(asked["client_id"], asked["request_uri"])  # our eSignet offers PAR
    assert not codes(answer), answer.text
    return await wire.finish(*shared, person=person)


async def fetched(route: httpx.AsyncClient, **body: Any) -> httpx.Response:
    headers = {"accept": "application/vnd.dhis2.attributes+json"}
    return await route.post("/fetchUserInfo", json=body, headers=headers)


async def test_a_mother_verifies_and_the_form_is_filled(both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    route, browser = both
    begun = (await route.post("/authorizations", json={})).json()
    code = await signed_in(begun, browser, NIC, *ASKED)
    answer = await fetched(route, code=code, state=begun["state"], iss=str(browser.base_url).rstrip("/"))
    assert answer.status_code == 200, answer.text
    verified = answer.json()
    values = {one["attribute"]: one["value"] for one in verified["attributes"]}
    assert values[ROLES["birth_date"]] == "1996-03-14"
    assert values[ROLES["gender"]] == "Female"
    assert values[ROLES["nic"]] == NIC
    assert values[ROLES["phone"]].startswith("+94")
    assert values[ROLES["address"]].endswith(", Kandy, Central Province, LK")
    assert verified["acr"] == ACR
    assert verified["withheld"] == verified["unreadable"] == []

    replayed = await fetched(route, code=code)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "code_refused")


async def test_who_withholds_her_number_is_known_by_the_same_subject(
    both: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    route, browser = both
    subjects = []
    for shared in (ASKED, ["name", "birthdate", "gender"]):
        begun = (await route.post("/authorizations", json={})).json()
        code = await signed_in(begun, browser, MOTHER, *shared)
        issuer = str(browser.base_url).rstrip("/")  # our eSignet promises `iss` on the redirect (RFC 9207)
        verified = (await fetched(route, code=code, state=begun["state"], iss=issuer)).json()
        subjects.append(verified["subject"])
    assert subjects[0] == subjects[1]
    assert verified["withheld"] == ["phone_number", "address", "individual_id"]
    assert ROLES["nic"] not in {one["attribute"] for one in verified["attributes"]}


async def test_a_code_without_its_verifier_is_refused(both: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    route, browser = both
    begun = (await route.post("/authorizations", json={})).json()
    code = await signed_in(begun, browser, MOTHER, "name", "birthdate", "gender")
    answer = await fetched(route, code=code)
    assert (answer.status_code, answer.json()["error"]) == (400, "code_refused")
