"""People by API, in the shape of MOSIP's mock identity system (reference §10).

By URL: `JANANI_CONTRACT_ESIGNET_IDENTITIES_TOKEN` is its bearer token; the original asks for none and ignores it.
"""

import os
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from esignet_wire import API, RelyingParty, Wire, claims_in, codes
from janani.kernel.secrets import secret

AT = "/v1/mock-identity-system/identity"


def texts(**by_language: str) -> list[dict[str, str]]:
    return [{"language": language, "value": value} for language, value in by_language.items()]


def identity(number: str, **changes: Any) -> dict[str, Any]:
    return {
        "individualId": number,
        "pin": "545411",
        "fullName": texts(eng="Anoma Silva", sin="අනෝමා සිල්වා"),
        "givenName": texts(eng="Anoma"),
        "familyName": texts(eng="Silva"),
        "gender": texts(eng="Female"),
        "dateOfBirth": "1994/02/28",
        "streetAddress": texts(eng="1 Temple Road"),
        "locality": texts(eng="Kegalle"),
        "region": texts(eng="Sabaragamuwa"),
        "country": texts(eng="Sri Lanka"),
        "postalCode": "71000",
        "encodedPhoto": "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "email": "anoma@mothers.example",
        "phone": "+94771234777",
        "preferredLang": "sin",
        "individualBiometrics": {"format": "cbeff", "version": 1.0, "value": "none"},
    } | changes


class Identities:
    """A client of the identity system's API."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http, self.token = http, token

    async def send(self, method: str, request: Any = None, path: str = "", **headers: str) -> httpx.Response:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "000Z"
        headers = {"authorization": f"Bearer {self.token}"} | headers
        body = None if method == "GET" else {"requestTime": now, "request": request}
        return await self.http.request(method, AT + path, json=body, headers=headers)


@pytest.fixture
def people(http: httpx.AsyncClient, request: pytest.FixtureRequest, tmp_path: Any) -> Identities:
    given = os.environ.get("JANANI_CONTRACT_ESIGNET_IDENTITIES_TOKEN")
    if "JANANI_CONTRACT_ESIGNET_URL" in os.environ and not given:
        pytest.skip("no JANANI_CONTRACT_ESIGNET_IDENTITIES_TOKEN: the identity system behind it is not tested")
    return Identities(http, given or secret(tmp_path / "secrets", "esignet-identities-token", create=True))


@pytest.fixture
def number() -> str:
    return str(random.randrange(10**9, 10**10))


async def test_a_person_is_made_read_and_changed(people: Identities, number: str) -> None:
    made = await people.send("POST", identity(number))
    assert made.status_code == 200
    assert made.json()["response"] == {"status": "mock identity data created successfully"}
    assert made.json()["errors"] == []

    record = (await people.send("GET", path=f"/{number}")).json()["response"]
    assert record["individualId"] == number
    assert record["fullName"] == texts(eng="Anoma Silva", sin="අනෝමා සිල්වා")
    assert record["middleName"] is None
    assert record["dateOfBirth"] == "1994/02/28"

    changed = await people.send("PUT", {"individualId": number, "phone": "+94771234888", "email": None})
    assert changed.json()["response"] == {"status": "mock Identity data updated successfully"}
    record = (await people.send("GET", path=f"/{number}")).json()["response"]
    assert (record["phone"], record["email"]) == ("+94771234888", "anoma@mothers.example")


async def test_a_number_is_taken_once(people: Identities, number: str) -> None:
    await people.send("POST", identity(number))
    assert codes(await people.send("POST", identity(number))) == ["duplicate_individual_id"]


async def test_who_is_not_there_is_neither_read_nor_changed(people: Identities, number: str) -> None:
    assert codes(await people.send("GET", path=f"/{number}")) == ["invalid_individual_id"]
    assert codes(await people.send("PUT", {"individualId": number, "phone": "+94771234888"})) == [
        "invalid_individual_id"
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"individualId": "12"}, "invalid_individualid"),
        ({"individualId": None}, "invalid_individualid"),
        ({"pin": " "}, "invalid_pin"),
        ({"fullName": None}, "invalid_fullname"),
        ({"fullName": [{"language": "eng", "value": " "}]}, "invalid_fullname"),
        ({"fullName": [{"language": "eng", "value": "A", "more": 1}]}, "invalid_fullname"),
        ({"gender": "Female"}, "invalid_gender"),
        ({"dateOfBirth": " "}, "invalid_dateofbirth"),
        ({"postalCode": ""}, "invalid_postalcode"),
        ({"email": "anoma"}, "invalid_email"),
        ({"phone": " "}, "invalid_phone"),
        ({"encodedPhoto": None}, "invalid_encodedphoto"),
        ({"givenName": None}, "invalid_givenname"),
    ],
)
async def test_a_wrong_field_is_named(people: Identities, number: str, change: dict[str, Any], code: str) -> None:
    assert codes(await people.send("POST", identity(number) | change)) == [code]


async def test_the_envelope_is_needed(people: Identities, number: str) -> None:
    answer = await people.http.post(
        AT, json={"request": identity(number)}, headers={"authorization": f"Bearer {people.token}"}
    )
    assert codes(answer) == ["invalid_request"]


class TestOurs:
    """What the original has not: a token, numbers beside the identity number, no secrets kept."""

    @pytest.mark.parametrize("token", ["none", "wrong"])
    async def test_the_token_is_needed(self, people: Identities, number: str, token: str) -> None:
        stranger = Identities(people.http, token)
        assert (await stranger.send("POST", identity(number))).status_code == 401
        assert (await stranger.send("GET", path=f"/{number}")).status_code == 401

    async def test_client_managements_token_does_not_serve(self, people: Identities, rp: RelyingParty) -> None:
        assert (await Identities(people.http, rp.bearer).send("GET", path="/3000000001")).status_code == 401

    async def test_pin_and_password_are_not_kept(self, people: Identities, number: str) -> None:
        await people.send("POST", identity(number, password="Mosip@123"))
        record = (await people.send("GET", path=f"/{number}")).json()["response"]
        assert record["pin"] is None
        assert record["password"] is None

    async def test_every_number_of_hers_is_the_same_person(
        self, people: Identities, number: str, wire: Wire, rp: RelyingParty
    ) -> None:
        vid = "V" + number
        aliases = [{"number": vid, "kind": "VID"}, {"number": "94 5594 - 123v", "kind": "NIC"}]
        assert codes(await people.send("POST", identity(number, aliases=aliases))) == []
        subjects = set()
        for typed in (number, vid, "945594123V"):
            tokens = (await rp.redeem(await wire.code(person=typed))).json()
            subjects.add(claims_in(tokens["id_token"], await rp.keys())["sub"])
        assert len(subjects) == 1

    async def test_a_vid_that_lapsed_or_was_revoked_opens_nothing(
        self, people: Identities, number: str, wire: Wire, rp: RelyingParty
    ) -> None:
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        lapsed, good = "5" + number, "6" + number
        aliases = [{"number": lapsed, "kind": "VID", "expires": yesterday}, {"number": good, "kind": "VID"}]
        await people.send("POST", identity(number, aliases=aliases))
        await wire.oauth_details()
        assert codes(await wire.send_otp(lapsed)) == ["invalid_individual_id"]
        assert codes(await wire.send_otp(good)) == []
        revoked = [{"number": good, "kind": "VID", "revoked": True}]
        await people.send("PUT", {"individualId": number, "aliases": revoked})
        assert codes(await wire.authenticate(good)) == ["invalid_individual_id"]
        revived = [{"number": good, "kind": "VID", "revoked": False}]
        await people.send("PUT", {"individualId": number, "aliases": revived})
        assert codes(await wire.send_otp(good)) == ["invalid_individual_id"]
        record = (await people.send("GET", path=f"/{number}")).json()["response"]
        assert [(it["number"], it["revoked"]) for it in record["aliases"]] == [(lapsed, False), (good, True)]

    async def test_the_number_of_another_is_no_alias(self, people: Identities, number: str) -> None:
        alias = [{"number": "3000000001"}]
        assert codes(await people.send("POST", identity(number, aliases=alias))) == ["duplicate_individual_id"]
        assert codes(await people.send("GET", path=f"/{number}")) == ["invalid_individual_id"]

    async def test_what_she_is_told_to_share_is_what_the_api_said(
        self, people: Identities, number: str, wire: Wire, rp: RelyingParty
    ) -> None:
        await people.send("POST", identity(number))
        wanted = {"userinfo": {"name": None, "address": None}}
        code = await wire.code("name", "address", person=number, claims=wanted, claimsLocales="si en")
        tokens = (await rp.redeem(code)).json()
        said = claims_in((await rp.userinfo(tokens["access_token"])).text, await rp.keys())
        assert said["name#sin"] == "අනෝමා සිල්වා"
        assert said["address"]["locality#eng"] == "Kegalle"


def test_the_path_is_the_originals() -> None:
    assert not AT.startswith(API)
