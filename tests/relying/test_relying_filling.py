"""What a claim can become: first-of, templates, constants, languages; attributes or a FHIR Patient."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janani import programmes
from janani.programmes import Programme, ProgrammeFault
from janani.relying import claims, filling
from relying_world import World

TODAY = date(2026, 11, 21)
PROGRAMME = programmes.load("anc_lk")
ROLES = PROGRAMME.registry.attributes
HEAD = "request: {scope: openid, parameters: {claims_locales: si en}}\n"


def mapping(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> claims.ClaimMapping:
    (folder / "claims.yaml").write_text(HEAD + text)
    monkeypatch.setattr(Programme, "folder", property(lambda _: folder))
    return claims.load(PROGRAMME)


def value(found: claims.ClaimMapping, person: dict[str, Any]) -> list[str]:
    return [one.value for one in filling.attributes_of(found, person, today=TODAY, region="LK")]


@pytest.mark.parametrize(
    ("source", "person", "expected"),
    [
        ("claim: name", {"name": "A"}, ["A"]),
        ("claim: name", {"name#en": "A", "name#si": "අ"}, ["අ"]),  # the language asked for first
        ("claim: name", {"name#en": "A", "name#ta": "அ"}, ["A"]),
        ("claim: name", {"name#ta": "அ"}, ["அ"]),
        ("claim: name#en", {"name#en": "A", "name#si": "අ"}, ["A"]),
        ("claim: name#en", {"name": "B"}, []),
        ("claim: address.locality", {"address#si": {"locality": "මහනුවර"}}, ["මහනුවර"]),
        ("first: [nickname, given_name, name]", {"given_name": " ", "name": "C"}, ["C"]),
        ("first: [nickname, name]", {}, []),
        (
            'template: "{given_name} {family_name}"',
            {"given_name": "Nimali", "family_name": "Perera"},
            ["Nimali Perera"],
        ),
        ('template: "{given_name} {family_name}"', {"family_name": "Perera"}, ["Perera"]),
        ('template: "{family_name}, {given_name}"', {"family_name": "Perera"}, ["Perera"]),
        ('template: "{given_name}"', {}, []),
        ("constant: LK", {}, ["LK"]),
    ],
)
def test_where_a_value_comes_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, person: dict[str, Any], expected: list[str]
) -> None:
    found = mapping(monkeypatch, tmp_path, f"attributes:\n  - {{{source}, attribute: full_name}}\n")
    assert value(found, person) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{attribute: full_name}", "has none"),
        ("{claim: name, constant: x, attribute: full_name}", "has claim and constant"),
        ("{first: [name, nikname], attribute: full_name}", "did you mean 'nickname'?"),
        ('{template: "no braces", attribute: full_name}', "names claims in braces"),
        ('{template: "{givn_name}", attribute: full_name}', "did you mean 'given_name'?"),
        ("{claim: gender, attribute: gender, as: option}", "needs `options`"),
        ("{claim: name, attribute: full_name, element: name.text}", "belongs below `patient`"),
        ("{clam: name, attribute: full_name}", "did you mean 'claim'?"),
    ],
)
def test_a_mistake_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ProgrammeFault) as caught:
        mapping(monkeypatch, tmp_path, f"attributes:\n  - {line}\n")
    assert "claims.yaml:3  " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{claim: name, element: name.txt}", "did you mean 'name.text'?"),
        ("{claim: sub, element: identifier.subjct}", "did you mean 'subject'?"),
        ("{claim: name, attribute: full_name}", "belongs below `attributes`"),
    ],
)
def test_a_mistake_in_a_patient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ProgrammeFault, match=r"claims\.yaml:3  ") as caught:
        mapping(monkeypatch, tmp_path, f"patient:\n  - {line}\n")
    assert words in str(caught.value)


async def test_a_person_is_a_fhir_patient_when_asked_for(world: World) -> None:
    world.provider.claims = {
        "name": "Nimali Perera",
        "birthdate": "1996/03/14",
        "gender": "Female",
        "phone_number": "077 123 4567",
        "address": {"locality": "Akurana", "region": "Kandy", "postal_code": "20850"},
    }
    begun = await world.begin()
    body = {"code": "the-code", "state": begun["state"]}
    answer = await world.route.post("/fetchUserInfo", json=body, headers={"accept": "application/fhir+json"})
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.json() == {
        "resourceType": "Patient",
        "meta": {"source": world.provider.url},
        "identifier": [{"system": PROGRAMME.record.systems["subject"], "value": "subject-1"}],
        "name": [{"text": "Nimali Perera"}],
        "birthDate": "1996-03-14",
        "gender": "female",
        "telecom": [{"system": "phone", "value": "+94771234567"}],
        "address": [
            {"text": "20850 Akurana, Kandy, Central Province", "city": "Akurana", "postalCode": "20850"},
        ],
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from([*claims.load(PROGRAMME).request.names, "sub", "name#si", "address#en", "", "#", "a.b"])
LOADED = claims.load(PROGRAMME)


@given(st.dictionaries(_NAMES | st.text(max_size=8), _JSON, max_size=10))
def test_whatever_a_provider_says_fills_with_text_or_not_at_all(person: dict[str, Any]) -> None:
    found = filling.attributes_of(LOADED, person, today=TODAY, region="LK")
    assert all(one.value and isinstance(one.value, str) for one in found)
    assert len({one.attribute for one in found}) == len(found)
    filling.unreadable(LOADED, person, found)
    claims.withheld(LOADED, person)
    patient = filling.patient_of(LOADED, person, today=TODAY, region="LK")
    assert patient.get("gender", "other") in ("female", "male", "other")
