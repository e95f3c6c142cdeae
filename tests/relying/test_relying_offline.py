"""A person by the signed code of her card: what is taken, and everything that is not."""

import contextlib
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from cards import ISSUER, KAMALA, NOW, Card, jwk, wrapped
from janani.esignet.card import base45
from janani.relying.offline import CardError, ProviderKeys, keys_of, read

ED = ed25519.Ed25519PrivateKey.generate()
OTHER_ED = ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)

# Made by another implementation of the specification (PyPI `claim169` 0.3.0): Ed25519 and ES256, without a kid.
VECTOR_ED = (
    "6BFIA0/00FFWJWG.FKJ05U8BV%K-$EMWEW9E0G7 :514E$ED.%5$9FQ$DTVDFN073F/VI1T0J C1LUWY0J C1LUD5335LMUDOA7F%6*96DL6WW6"
    ":.6Y DBECAECOCCG7AZKEVKE*211A6LA73W5NW6*96B61JE1*96X349ECDZC/IA2ECPD1CECQVC0K16PDB$CBECP9ERZC04EA1DGUDJA75:6*96"
    "DL6WW6%:6H88XBROPIP/P+88:-M1TJHMO3Z0RN1T+372F COA4MJ0W4/GX775.A+R9AAACNK:6ABAT2$PZ+P$VTP7V%U6FVJ0/Q+2TDL98$1DKE"
    "03"
)
VECTOR_ES = (
    "6BFIA0/00FFWJWG.FKX*4U8BV%K-$EMWEW9E0G7 :514E$ED.%5$9FQ$DTVDFN073F/VI1T0J C1LUWY0J C1LUD5335LMUDOA7F%6*96DL6WW6"
    ":.6Y DBECAECOCCG7AZKEVKE*211A6LA73W5NW6*96B61JE1*96X349ECDZC/IA2ECPD1CECQVC0K16PDB$CBECP9ERZC04EA1DGUDJA75:6*96"
    "DL6WW6%:6W68WLMTDP*F1*XRF5NF-I9K5U8H EDP0W3.TSXMBJPS2IYL3V89DJEMVAOJDVSQAFRCUNIRCDLA-2HJT2:KQ58G2S6VV58-D%W0KBJ"
    "95"
)
VECTOR_ED_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg", "kid": "a"}
VECTOR_ES_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "UVw9brnjlrkE0_7Kf1T9zQzB6Ze_N13KUVrQpsO0A18",
    "y": "RTa-OlDzGPv5pUdZAqIhUCvvDVfgjFOyzApW8X2fk1Q",
    "kid": "a",
}


def keys(*jwks: dict[str, Any]) -> ProviderKeys:
    return ProviderKeys((ISSUER, ISSUER + "/other"), list(jwks) or [jwk(ED)], NOW)


def refused(text: str, kept: ProviderKeys | None = None, now: datetime = NOW) -> str:
    with pytest.raises(CardError) as error:
        read(text, kept or keys(), now)
    return error.value.code


@pytest.mark.parametrize(("text", "key"), [(VECTOR_ED, VECTOR_ED_KEY), (VECTOR_ES, VECTOR_ES_KEY)])
def test_cards_of_another_implementation_are_read(text: str, key: dict[str, Any]) -> None:
    found = read(text, keys(key), NOW)
    assert found.claims == {
        "individual_id": "199631234567",
        "name": "Kamala Perera",
        "birthdate": "1996-05-12",
        "gender": "Female",
        "address": {"formatted": "12 Lake Road\nKandy"},
        "email": "k@example.org",
        "phone_number": "+94771234567",
    }
    assert (found.issuer, found.subject) == (ISSUER, "")
    assert found.expires_at == datetime.fromtimestamp(2_000_000_000, UTC)


@pytest.mark.parametrize(("key", "alg"), [(ED, -8), (P256, -7), (RSA, -37), (RSA, -257)])
def test_these_signatures_are_taken(key: Any, alg: int) -> None:
    assert read(Card(key, alg=alg).text(), keys(jwk(key)), NOW).claims["name"] == "Kamala Perera"


@pytest.mark.parametrize("alg", [None, 0, 5, -35, -36, -65535, "EdDSA", True])
def test_no_other_is(alg: Any) -> None:
    assert refused(Card(ED, alg=alg).text()) == "card_forged"


@pytest.mark.parametrize(("key", "alg"), [(ED, -257), (P256, -8), (RSA, -7)])
def test_a_signature_is_of_its_keys_kind(key: Any, alg: int) -> None:
    assert refused(Card(key, alg=alg).text(), keys(jwk(key))) == "card_forged"


def test_the_algorithm_counts_only_where_it_is_signed() -> None:
    assert refused(Card(ED, alg=None, unprotected={1: -8}).text()) == "card_forged"


def test_short_rsa_keys_are_not_taken() -> None:
    short = rsa.generate_private_key(65537, 1024)
    assert refused(Card(short, alg=-257).text(), keys(jwk(short))) == "card_forged"


def test_another_key_under_the_same_name_is_a_forgery() -> None:
    assert refused(Card(OTHER_ED).text()) == "card_forged"


def test_the_key_is_the_one_named_in_either_header() -> None:
    both = keys(jwk(OTHER_ED, "key-0"), jwk(ED, "key-1"))
    assert read(Card(ED).text(), both, NOW)
    assert read(Card(ED, kid=None, unprotected={4: b"key-1"}).text(), both, NOW)
    assert refused(Card(ED, kid=b"key-2").text(), both) == "card_unknown_key"
    assert refused(Card(ED, kid=None).text(), both) == "card_unknown_key"
    assert refused(Card(ED, header={4: "key-1"}).text(), both) == "card_unknown_key"


def test_keys_for_encryption_sign_nothing() -> None:
    assert refused(Card(ED).text(), keys(jwk(ED) | {"use": "enc"})) == "card_unknown_key"


def test_a_critical_extension_is_refused() -> None:
    assert refused(Card(ED, header={2: [99], 99: 1}).text()) == "card_unreadable"


@pytest.mark.parametrize("issuer", ["https://other.example", ISSUER + "/", "", None, 7])
def test_another_issuer_is_refused(issuer: Any) -> None:
    assert refused(Card(ED, claims={1: issuer}).text()) == "card_other_issuer"


def test_every_name_of_the_issuer_is_taken_and_told_as_the_first() -> None:
    assert read(Card(ED, claims={1: ISSUER + "/other"}).text(), keys(), NOW).issuer == ISSUER


def test_it_is_valid_between_its_times_with_a_minute_either_way() -> None:
    text = Card(ED, claims={5: int(NOW.timestamp()), 6: None}).text()
    assert read(text, keys(), NOW - timedelta(seconds=59))
    assert refused(text, now=NOW - timedelta(seconds=61)) == "card_not_yet_valid"
    assert read(text, keys(), NOW + timedelta(seconds=3659))
    assert refused(text, now=NOW + timedelta(seconds=3660)) == "card_expired"


def test_one_that_never_ends_is_refused() -> None:
    assert refused(Card(ED, claims={4: None}).text()) == "card_unreadable"


@pytest.mark.parametrize("bad", [10**30, float("nan"), float("inf"), -(10**18), "2030", True])
@pytest.mark.parametrize("name", [4, 5])
def test_times_are_times(name: int, bad: Any) -> None:
    assert refused(Card(ED, claims={name: bad}).text()) == "card_unreadable"


@pytest.mark.parametrize("identity", [None, 7, "text", [1], b"\xff", cbor2.dumps([])])
def test_without_the_identity_there_is_nothing(identity: Any) -> None:
    assert refused(Card(ED, identity=identity).text()) == "card_unreadable"


def test_the_identity_may_be_in_bytes_and_the_token_tagged_or_bare() -> None:
    assert read(Card(ED, identity=cbor2.dumps(KAMALA)).text(), keys(), NOW)
    assert read(Card(ED, tag=None).text(), keys(), NOW)
    assert refused(Card(ED, tag=98).text()) == "card_unreadable"  # COSE_Sign, several signers


def test_names_in_parts_and_what_is_not_text() -> None:
    said = {5: " Kamala ", 7: "Perera", 8: "12 May", 9: "3", 11: ["x"], 12: b"\x00", 16: b"photo"}
    claims = read(Card(ED, identity=said).text(), keys(), NOW).claims
    assert claims == {
        "name": "Kamala Perera",
        "given_name": "Kamala",
        "family_name": "Perera",
        "birthdate": "12 May",
        "gender": "Others",
    }


def test_a_bomb_is_not_inflated() -> None:
    assert refused(base45(zlib.compress(bytes(1_500_000), 9))) == "card_unreadable"


@pytest.mark.parametrize(
    "text",
    ["", "a", "::: ", ":::", "00", "A" * 5000, base45(b"no zlib"), base45(zlib.compress(b"")), wrapped({1: 2})],
)
def test_what_is_no_card_is_unreadable(text: str) -> None:
    assert refused(text) == "card_unreadable"


def test_what_follows_the_packed_data_is_refused() -> None:
    assert refused(base45(zlib.compress(cbor2.dumps([])) + b"more")) == "card_unreadable"


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    refused(text)


@given(st.binary(max_size=400))
def test_no_cbor_breaks_it(data: bytes) -> None:
    refused(base45(zlib.compress(data)))


_ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 9) | st.text(max_size=2), inner),
    max_leaves=12,
)


@given(st.lists(_ITEMS, min_size=3, max_size=5))
def test_no_parts_break_it(parts: list[Any]) -> None:
    refused(wrapped(cbor2.CBORTag(18, parts)))


@given(st.dictionaries(st.sampled_from([1, 2, 5, 6, 169]), _ITEMS))
def test_nothing_that_is_signed_breaks_it(claims: dict[int, Any]) -> None:
    with contextlib.suppress(CardError):
        read(Card(ED, claims=claims).text(), keys(), NOW)


@given(st.integers(0, 299), st.integers(1, 255))
def test_every_changed_byte_is_noticed(at: int, change: int) -> None:
    text = Card(ED).text()
    place = at % len(text)
    other = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"[(change + ord(text[place])) % 45]
    if other != text[place]:
        refused(text[:place] + other + text[place + 1 :])


def test_the_kept_keys_hold_nothing_secret() -> None:
    document = msgspec.json.encode({"keys": [jwk(ED) | {"d": "secret", "x5c": ["…"]}, {"kty": "oct", "k": "x"}, 7]})
    assert keys_of(document) == [{name: jwk(ED)[name] for name in ("kty", "kid", "crv", "x", "use")}]
