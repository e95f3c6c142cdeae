"""Whatever a provider says of a person: claims become typed values or nothing, always the same, and the rest is named.

The mapping under test has every kind and every source; the oracle knows only what each line does alone.
"""

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet
from msgspec.structs import replace

from janani import programmes
from janani.clients.oidc import OidcError
from janani.clients.oidc_provider import Metadata, Provider
from janani.programmes.sri_lanka import parse_nic
from janani.relying import claims, filling
from janani.relying.claims import Line, at
from oidc_provider import new_key

TODAY = date(2026, 11, 21)
OURS = claims.load(programmes.load("anc_lk"))
PLAIN = [
    Line(claim="name"),
    Line(claim="name#ta"),
    Line(first=["nickname", "given_name", "name"]),
    Line(template="{family_name}, {given_name}"),
    Line(constant="LK"),
    Line(claim="birthdate", kind="date"),
    Line(claim="birthdate", kind="age"),
    Line(claim="gender", kind="option"),
    Line(claim="phone_number", kind="phone"),
    Line(first=["address", "address.formatted"], kind="address"),
    Line(claim="address.locality"),
    Line(claim="individual_id", kind="nic"),
    Line(claim="sub", kind="exact"),
    Line(template="{given_name}", kind="nic"),
]
LINES = [replace(line, attribute=f"{number}") for number, line in enumerate(PLAIN)]
ASKED = replace(
    OURS.request,
    voluntary=[*OURS.request.voluntary, "nickname", "given_name#si"],
    parameters={"claims_locales": "si ta"},
)
MAPPING = replace(OURS, attributes=LINES, request=ASKED)

ODD = st.sampled_from(["", " ", "\ud800", "\x00", "a\x00b", "\u200d", "{name}", "{", "١٩٩٦-٠٣-١٤", "1" * 400])
TEXTS = st.text(max_size=20) | ODD
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
DATES = st.dates().map(lambda it: it.isoformat().replace("-", "/")) | st.dates().map(str) | TEXTS
PLACES = st.sampled_from(["Kandy", "western", "Colombo district", "Sri Lanka", "LKA", "ශ්‍රී ලංකාව", "Oslo"]) | TEXTS
ADDRESS = st.fixed_dictionaries(
    {},
    optional={
        name: PLACES | st.integers() | JSON
        for name in ("street_address", "locality", "region", "postal_code", "country", "formatted")
    },
)
DIGITS = st.text("0123456789", max_size=14)
PHONES = DIGITS.map("+94{}".format) | st.text("+0123456789 ()-", max_size=25) | TEXTS
NICS = DIGITS.map("96574{:.4}V".format) | DIGITS.map("19965740{:.4}".format) | TEXTS
GENDERS = st.sampled_from(["female", "F", "ස්ත්‍රී", "ஆண்", "3", "Straße"]) | TEXTS
PLAUSIBLE = {
    "sub": TEXTS,
    "name": TEXTS,
    "nickname": TEXTS,
    "given_name": TEXTS | NICS,
    "family_name": TEXTS,
    "birthdate": DATES,
    "gender": GENDERS,
    "phone_number": PHONES,
    "address": ADDRESS | TEXTS,
    "individual_id": NICS,
}
TAGGED = {f"{name}#{tag}": values for name, values in PLAUSIBLE.items() for tag in ("si", "ta", "en")}
ONE = st.one_of([st.tuples(st.just(name), values) for name, values in (PLAUSIBLE | TAGGED).items()])
ODD_ONE = st.tuples(st.sampled_from([*PLAUSIBLE, *TAGGED, "address#", "#si"]), JSON)
PERSON = st.lists(ONE | ODD_ONE, max_size=10).map(dict)

LOOKS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text == " ".join(text.split()),
    "exact": bool,
    "date": lambda text: date.fromisoformat(text).isoformat() == text,
    "age": lambda text: 1 <= int(text) <= 150 and str(int(text)) == text,
    "option": lambda text: text in OURS.options,
    "phone": lambda text: re.fullmatch(r"\+[0-9]{4,20}", text, re.ASCII),
    "nic": lambda text: (nic := parse_nic(text)) is not None and nic.number == text,
    "address": lambda text: text == " ".join(text.split()) and not text.startswith((",", " ")),
}


def filled(person: dict[str, Any], lines: list[Line] = LINES) -> list[filling.Attribute]:
    return filling.attributes_of(replace(MAPPING, attributes=lines), person, today=TODAY, region="LK")


def values_are_what_their_kind_says(person: dict[str, Any]) -> None:
    found = filled(person)
    kinds = {line.attribute: line for line in LINES}
    for one in found:
        line = kinds[one.attribute]
        assert LOOKS[line.kind](one.value), one
        assert one.claim in line.paths or (line.constant and one.claim == "")
        assert one.claim == "" or at(person, one.claim, ASKED.locales) is not None
    numbers = [int(one.attribute) for one in found]
    assert numbers == sorted(set(numbers))  # in the file's order, each once
    msgspec.json.encode(found)  # can always be written


def the_patient_is_as_well_formed(person: dict[str, Any]) -> None:
    patient = filling.patient_of(OURS, person, today=TODAY, region="LK")
    msgspec.json.encode(patient)
    assert patient.get("gender", "other") in ("female", "male", "other")
    date.fromisoformat(patient.get("birthDate", "2000-01-01"))
    assert all(one["value"] for one in patient.get("identifier", ()))


def the_same_person_gives_the_same_answer_in_whatever_order_her_claims_come(person: dict[str, Any]) -> None:
    names = list(person)
    random.Random(0).shuffle(names)
    shuffled = {name: person[name] for name in names}
    found = filled(person)
    assert filled(shuffled) == found
    assert filling.unreadable(MAPPING, shuffled, found) == filling.unreadable(MAPPING, person, found)
    assert claims.withheld(MAPPING, shuffled) == claims.withheld(MAPPING, person)


def withheld_is_what_was_asked_for_and_came_in_no_language(person: dict[str, Any]) -> None:
    came = {name.split("#")[0] for name, value in person.items() if not (value is None or value == "")}
    expected = [name for name in ASKED.names if name.split("#")[0] not in came]
    assert claims.withheld(MAPPING, person) == expected


def unreadable_is_what_was_given_and_fills_nothing_of_what_it_should(person: dict[str, Any]) -> None:
    found = filled(person)
    alone = {line.attribute: filled(person, [line]) for line in LINES}
    assert [one for line in LINES for one in alone[line.attribute]] == found  # no line knows of another
    sources = {one.claim for one in found}
    expected = []
    for line in LINES:
        for path in line.paths if not alone[line.attribute] else ():
            if at(person, path, ASKED.locales) is not None and path not in (*sources, *expected):
                expected.append(path)
    assert filling.unreadable(MAPPING, person, found) == expected


@given(PERSON)
@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_said_of_a_person(person: dict[str, Any]) -> None:
    values_are_what_their_kind_says(person)
    the_patient_is_as_well_formed(person)
    the_same_person_gives_the_same_answer_in_whatever_order_her_claims_come(person)
    withheld_is_what_was_asked_for_and_came_in_no_language(person)
    unreadable_is_what_was_given_and_fills_nothing_of_what_it_should(person)


def test_null_and_empty_are_not_given() -> None:
    person = {"sub": "s", "name": None, "gender": "", "name#si": "", "birthdate": "long ago"}
    assert claims.withheld(OURS, person) == ["name", "gender", "phone_number", "address", "individual_id"]
    assert filling.unreadable(OURS, person, []) == ["birthdate", "sub"]


def test_a_number_no_text_can_hold_is_unreadable() -> None:
    assert filled({"name": 10**5000, "address": {"locality": 10**5000}}) == filled({})


def test_a_template_names_the_claim_that_was_there() -> None:
    found = filled({"given_name": "Nimali"}, [LINES[3]])
    assert [(one.value, one.claim) for one in found] == [("Nimali", "given_name")]


KEY = new_key()
NOBODY = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
SIGNED = st.dictionaries(st.sampled_from(["name", "sub", "aud"]), JSON).map(json.dumps).map(str.encode)


@given(SIGNED | st.binary(max_size=40))
@example(b'{"name": "\\ud800"}')
@example(b'{"name": ' + b"[" * 3000 + b"]" * 3000 + b"}")
@example(b'{"name": ' + b"9" * 5000 + b"}")
@settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
async def test_what_a_provider_signs_can_be_passed_on_or_is_refused(payload: bytes) -> None:
    now = datetime.now(UTC)
    provider = Provider(Metadata("i", "a", "t", "j"))
    provider._keys, provider._fetched_at = KeySet([KEY]), now  # so that no key has to be fetched
    token = jws.serialize_compact({"alg": "RS256", "kid": KEY.kid}, payload, KEY)
    try:
        found = await provider.verified(NOBODY, token, now)
    except OidcError as error:
        found = {"error": error.code}
    assert found.get("error", "bad_signature") in ("bad_signature", "provider_invalid")
    msgspec.json.encode(found)
