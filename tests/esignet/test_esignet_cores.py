"""The pure cores: envelope, masks, subjects, claims, redirect patterns, requests, consent, codes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from janani.esignet import consent, identity, otp, people, tokens
from janani.esignet.authorization import AuthorizationRequest, redirect_allowed, resolve
from janani.esignet.envelope import details_hash, instant, sha3, time_fault
from janani.esignet.problems import Refused
from janani.esignet.vocabulary import three_letters

NOW = datetime(2026, 1, 15, 9, 30, 0, 412_900, tzinfo=UTC)
ACR = "mosip:idp:acr:generated-code"


def test_the_vectors_of_the_reference() -> None:
    shown = {
        "transactionId": "abc",
        "clientName": {"@none": "Clinique Élan"},
        "configs": {"otp.length": 6},
        "credentialScopes": [],
        "x": None,
    }
    assert details_hash(msgspec.json.encode(shown)) == "ZPUS2qzbzr0xqYUmpzeG63fnoLkyzu9ZZOP0GkJUUaM"
    assert tokens.at_hash("example-access-token") == "Z1P3Ll-e0JrOBqzfbrTXjQ"
    assert sha3("example-code") == "KUlc9Nw3U9in6w1IK1uB88uJyta0yuGJynvx7gWr62Q"
    assert tokens.pkce_holds(
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert people.masked_phone("+919427357934") == "XXXXXXX357934"
    assert people.masked_email("siddhartha.km@example.org") == "XXdXXaXXhXXkX@example.org"


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        ("2026-01-15T09:30:00.000Z", True),
        ("2026-01-15T09:28:00.413Z", True),
        ("2026-01-15T09:28:00.412Z", False),  # 2 min and 0.9 ms ago
        ("2026-01-15T09:32:00.400Z", True),  # ahead by 119.987 s
        ("2026-01-15T09:32:00.913Z", False),
        ("2026-01-15T09:30:00Z", False),
        ("2026-01-15T09:30:00.000+00:00", False),
        ("2026-02-30T09:30:00.000Z", False),
        (None, False),
    ],
)
def test_request_times(sent: str | None, good: bool) -> None:
    assert (time_fault(sent, NOW) == []) is good


def test_an_instant_has_three_digits_and_z() -> None:
    assert instant(NOW) == "2026-01-15T09:30:00.412Z"


def test_the_subject_is_stable_and_pairwise() -> None:
    mine = people.pairwise_subject(b"key", "moh-lk", "3000000001")
    assert mine == people.pairwise_subject(b"key", "moh-lk", "3000000001")
    assert len(mine) == 43
    others = {
        people.pairwise_subject(b"key", "shop", "3000000001"),
        people.pairwise_subject(b"key", "moh-lk", "3000000002"),
        people.pairwise_subject(b"other", "moh-lk", "3000000001"),
        people.pairwise_subject(b"key", "moh-lk3", "000000001"),  # no separator to play with
    }
    assert mine not in others
    assert len(others) == 4


@pytest.mark.parametrize(
    ("candidate", "pattern", "good"),
    [
        ("https://a.example/cb", "https://a.example/cb", True),
        ("https://a.example/cb/", "https://a.example/cb", False),
        ("http://localhost:8080/**", "http://localhost:8080/**", True),
        ("http://localhost:8080/a/b.html#userInfo", "http://localhost:8080/**", True),
        ("http://localhost:8080", "http://localhost:8080/**", True),
        ("http://localhost:80801/a", "http://localhost:8080/**", False),
        ("http://localhost:8080.evil.example/a", "http://localhost:8080/**", False),
        ("http://localhost:8080@evil.example/a", "http://localhost:8080/**", False),
        ("http://a.example/x/cb", "http://a.example/*/cb", True),
        ("http://a.example/x/y/cb", "http://a.example/*/cb", False),
        ("http://a.example/x/y/cb", "http://a.example/**/cb", True),
    ],
)
def test_redirect_uris(candidate: str, pattern: str, good: bool) -> None:
    assert redirect_allowed(candidate, [pattern], wildcards=True) is good
    assert redirect_allowed(candidate, [pattern], wildcards=False) is (candidate == pattern)


def asked(scope: str = "openid", acr_values: str | None = None, **claims: Any) -> AuthorizationRequest:
    return AuthorizationRequest(scope=scope, acr_values=acr_values, claims=claims or None)


def test_claims_come_from_the_parameter_and_from_scopes() -> None:
    registered = ["name", "email", "gender", "phone_number"]
    wishes = {"name": {"essential": True}, "gender": None, "birthdate": {"essential": True}, "shoe_size": None}
    found = resolve(asked("openid phone", userinfo=wishes), registered, [ACR])
    assert (found.essential, found.voluntary) == (["name"], ["gender", "phone_number"])
    everything = resolve(asked("openid profile resident-service"), registered, [ACR])
    assert (everything.essential, everything.voluntary) == ([], registered)


@pytest.mark.parametrize(
    ("request_", "registered", "offered"),
    [
        (asked(), [ACR], [ACR]),
        (asked(acr_values=f"made:up {ACR}"), [ACR], [ACR]),
        (asked(acr_values="made:up"), [ACR], [ACR]),
        (asked(id_token={"acr": {"values": [ACR]}}), [ACR, "mosip:idp:acr:password"], [ACR]),
        (asked(), ["mosip:idp:acr:password", ACR], [ACR]),
        (asked(acr_values="mosip:idp:acr:password"), ["mosip:idp:acr:password", ACR], None),  # no weaker factor instead
        (asked(), ["mosip:idp:acr:biometrics"], None),
    ],
)
def test_the_contexts_offered(request_: AuthorizationRequest, registered: list[str], offered: list[str] | None) -> None:
    if offered is None:
        with pytest.raises(Refused, match="no_acr_registered"):
            resolve(request_, [], registered)
    else:
        assert resolve(request_, [], registered).acrs == offered


@pytest.mark.parametrize("values", [5, "mosip", {}, False])
def test_wished_contexts_that_are_no_list_are_an_invalid_claim(values: Any) -> None:
    with pytest.raises(Refused, match="invalid_claim"):
        resolve(asked(id_token={"acr": {"values": values}}), [], [ACR])


KUMARI = {
    "fullName": {"eng": "Kumari Dissanayake", "sin": "කුමාරි දිසානායක"},
    "gender": "Female",
    "dateOfBirth": "1996/03/14",
    "streetAddress": "12 Temple Road",
    "locality": "Akurana",
    "region": "Kandy",
    "country": "Sri Lanka",
    "postalCode": "20850",
    "phone": "+94771234501",
}


@pytest.mark.parametrize(
    ("accepted", "wishes", "locales", "claims"),
    [
        (["name", "birthdate"], {}, [], {"name": "Kumari Dissanayake", "birthdate": "1996/03/14"}),
        (["name"], {}, ["si-LK"], {"name": "කුමාරි දිසානායක"}),
        (["name"], {}, ["ta"], {}),
        (["gender"], {}, ["en", "si"], {"gender#eng": "Female"}),
        (["email", "picture"], {}, [], {}),  # not on record
        (["individual_id"], {}, [], {"individual_id": "199657401234"}),
        (["gender"], {"gender": {"value": "Male"}}, [], {}),
        (["gender"], {"gender": {"values": ["Male", "Female"]}}, [], {"gender": "Female"}),
        (["address"], {}, ["ta"], {"address": {"postal_code": "20850"}}),
    ],
)
def test_what_a_claim_says(
    accepted: list[str], wishes: dict[str, Any], locales: list[str], claims: dict[str, Any]
) -> None:
    assert people.claims_of(KUMARI, "199657401234", accepted, wishes, locales) == claims


def test_language_tags() -> None:
    assert [three_letters(tag) for tag in ("en", "si-LK", "tam", "xx")] == ["eng", "sin", "tam", "xx"]


def test_a_number_is_read_as_people_write_it() -> None:
    assert identity.normal_number(" 90 684-5678v ") == "906845678V"


@pytest.mark.parametrize(
    ("accepted", "permitted", "code"),
    [
        (["name"], [], None),
        (["name", "email"], [], None),
        ([], [], "invalid_accepted_claim"),
        (["name", "phone_number"], [], "invalid_accepted_claim"),
        (["name"], ["Manage-VID"], "invalid_permitted_scope"),
    ],
)
def test_acceptance(accepted: list[str], permitted: list[str], code: str | None) -> None:
    def check() -> None:
        consent.check_acceptance(accepted, permitted, essential=["name"], voluntary=["email"], scopes=[])

    if code is None:
        check()
    else:
        with pytest.raises(Refused, match=code):
            check()


def test_a_consent_holds_for_the_same_request_whatever_its_order() -> None:
    one = consent.request_hash(["name"], ["email", "gender"], [], {"userinfo": {"a": 1, "b": 2}})
    assert one == consent.request_hash(["name"], ["gender", "email"], [], {"userinfo": {"b": 2, "a": 1}})
    assert one != consent.request_hash(["name", "email"], ["gender"], [], {})


class TestCodes:
    """A one-time code holds for one transaction, one person, and a while."""

    def row(self, code: str = "246810") -> dict[str, Any]:
        return {
            "id": "t-1",
            "otp_person_id": 7,
            "otp_hash": otp.hashed(b"key", "t-1", 7, code),
            "otp_expires_at": NOW + timedelta(seconds=180),
        }

    @pytest.mark.parametrize(
        ("entered", "person", "after", "sandbox", "verdict"),
        [
            ("246810", 7, 0, False, otp.Verdict.RIGHT),
            ("246810", 7, 179, False, otp.Verdict.RIGHT),
            ("246810", 7, 180, False, otp.Verdict.EXPIRED),
            ("246811", 7, 0, False, otp.Verdict.WRONG),
            ("246810", 8, 0, False, otp.Verdict.WRONG),
            ("111111", 7, 0, False, otp.Verdict.WRONG),
            ("111111", 7, 0, True, otp.Verdict.RIGHT),
            ("111111", 8, 0, True, otp.Verdict.WRONG),
            ("111111", 7, 180, True, otp.Verdict.EXPIRED),
            ("１１１１１１", 7, 0, True, otp.Verdict.WRONG),
        ],
    )
    def test_verdicts(self, entered: str, person: int, after: int, sandbox: bool, verdict: otp.Verdict) -> None:
        now = NOW + timedelta(seconds=after)
        assert otp.judge(b"key", self.row(), person, entered, now=now, sandbox=sandbox) is verdict

    def test_the_code_is_kept_as_a_hash_of_its_transaction(self) -> None:
        assert otp.hashed(b"key", "t-1", 7, "246810") != otp.hashed(b"key", "t-2", 7, "246810")

    def test_codes_are_digits_as_many_as_asked(self) -> None:
        drawn = {otp.draw(8) for _ in range(200)}
        assert all(len(code) == 8 and code.isdecimal() for code in drawn)
        assert len(drawn) > 190
