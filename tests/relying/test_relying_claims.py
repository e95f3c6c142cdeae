"""The programme's claims.yaml: what it asks, what it fills, how its mistakes are reported."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.programmes import Programme, ProgrammeFault
from janani.relying import claims, filling

TODAY = date(2026, 11, 21)
PROGRAMME = programmes.load("anc_lk")
ROLES = PROGRAMME.registry.attributes
MAPPING = claims.load(PROGRAMME)
PERSON: dict[str, Any] = {
    "sub": "pairwise",
    "name": "Nimali Perera",
    "birthdate": "1996/03/14",
    "gender": "Female",
    "phone_number": "+94771234567",
    "individual_id": "965741234V",
    "address": {"locality": "Akurana", "region": "Kandy", "postal_code": "20850", "country": "Sri Lanka"},
}


def filled(person: dict[str, Any]) -> dict[str, str]:
    found = filling.attributes_of(MAPPING, person, today=TODAY, region="LK")
    return {one.attribute: one.value for one in found}


def test_a_person_fills_the_form() -> None:
    assert filled(PERSON) == {
        ROLES["full_name"]: "Nimali Perera",
        ROLES["birth_date"]: "1996-03-14",
        ROLES["age"]: "30",
        ROLES["gender"]: "Female",
        ROLES["phone"]: "+94771234567",
        ROLES["address"]: "20850 Akurana, Kandy, Central Province, LK",
        ROLES["nic"]: "965741234V",
        ROLES["subject"]: "pairwise",
    }


def test_what_she_withholds_stays_empty_and_her_subject_is_kept() -> None:
    person = {"sub": "pairwise", "name": "Nimali Perera"}
    assert filled(person) == {ROLES["full_name"]: "Nimali Perera", ROLES["subject"]: "pairwise"}
    assert claims.withheld(MAPPING, person) == ["birthdate", "gender", "phone_number", "address", "individual_id"]


def test_what_can_not_be_read_is_said() -> None:
    person = PERSON | {"birthdate": "long ago", "individual_id": "8267411571"}
    found = filling.attributes_of(MAPPING, person, today=TODAY, region="LK")
    assert filling.unreadable(MAPPING, person, found) == ["birthdate", "individual_id"]


def test_only_what_the_form_needs_is_asked_for() -> None:
    asked = MAPPING.request.claims["userinfo"]
    assert set(asked) == {"name", "birthdate", "gender", "phone_number", "address", "individual_id"}
    assert not asked["individual_id"]["essential"]
    assert MAPPING.request.scope == "openid"


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("attribute: full_name", "attribute: ful_name", "did you mean 'full_name'?"),
        ("claim: birthdate, attribute: birth_date", "claim: birtdate, attribute: birth_date", "'birthdate'"),
        ("attribute: phone, as: phone", "attribute: phone, as: fone", "did you mean 'phone'?"),
        ("voluntary: [phone_number", "voluntary: [fone_number", "did you mean 'phone_number'?"),
        ("  scope: openid", "  scop: openid", "scop"),
        ("  scope: openid", "  scope: {openid]", ""),
    ],
)
def test_a_mistake_has_its_line_and_the_word_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, words: str
) -> None:
    shutil.copytree(PROGRAMME.folder, tmp_path / "anc_lk")
    file = tmp_path / "anc_lk" / "claims.yaml"
    text = file.read_text()
    line = text[: text.index(right)].count("\n") + 1
    file.write_text(text.replace(right, wrong, 1))
    monkeypatch.setattr(Programme, "folder", property(lambda _: tmp_path / "anc_lk"))
    with pytest.raises(ProgrammeFault) as caught:
        claims.load(PROGRAMME)
    assert f"claims.yaml:{line}  " in str(caught.value)
    assert words in str(caught.value)


def test_a_uid_stands_for_an_attribute_without_a_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_text(
        "request: {scope: openid}\nattributes:\n  - {claim: address.locality, attribute: cJRtEIOYL0k}\n"
    )
    monkeypatch.setattr(Programme, "folder", property(lambda _: tmp_path))
    mapping = claims.load(PROGRAMME)
    [found] = filling.attributes_of(mapping, PERSON, today=TODAY, region="LK")
    assert msgspec.structs.asdict(found) == {
        "attribute": "cJRtEIOYL0k",
        "value": "Akurana",
        "claim": "address.locality",
    }
