"""How likely two descriptions are of one person, and why."""

from datetime import date

import pytest

from janani.phn import names
from janani.phn.matching import Match, Person, compared

MALINI = Person(
    phn="1",
    subject="s",
    nic="199068405678",
    name="malini jayawardena",
    gender="female",
    birth_date=date(1990, 7, 2),
    phones=("+94771234502",),
)


def like(**changes: object) -> Match:
    """Malini compared with someone who shares nothing but what is given."""
    return compared(MALINI, Person(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "fold"),
    [
        ("  Malini   JAYAWARDENA ", "malini jayawardena"),
        ("M. Jayawardena", "m jayawardena"),
        ("W.M.Malini Jayawardena", "w m malini jayawardena"),
        ("D'Silva-Fernando", "dsilva fernando"),
        ("José Müller", "jose muller"),
        ("මාලිනී ජයවර්ධන", "මාලිනී ජයවර්ධන"),
        ("செல்வி", "செல்வி"),
    ],
)
def test_names_are_folded_and_other_scripts_kept(name: str, fold: str) -> None:
    assert names.folded(name) == fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Malini Jayawardena", "Malani Jayawardhana"),
        ("Wijesinghe", "Vijesingha"),
        ("Fathima Nazeer", "Fatima Nazir"),
        ("Selvi Rajaratnam", "Rajarathnam Selvi"),
        ("Chithra", "Chitra"),
        ("W.M.Kumari Perera", "W. M. Kumari Perera"),
        ("W.M.Kumari Perera", "Kumari Perera"),
    ],
)
def test_names_that_sound_alike_have_the_same_keys(one: str, other: str) -> None:
    assert names.keys(one) == names.keys(other)
    assert names.similarity(names.folded(one), names.folded(other)) >= 0.9


@pytest.mark.parametrize(("one", "other"), [("Malini", "Kumari"), ("Perera", "Silva"), ("", "Perera")])
def test_other_names_stay_apart(one: str, other: str) -> None:
    assert names.similarity(names.folded(one), names.folded(other)) < 0.8


def test_one_identity_is_certain_whatever_else_is_written() -> None:
    assert like(subject="s", name="someone else") == Match(0.99, ["same-subject"])
    assert like(nic="199068405678").grade == "certain"
    assert like(phn="1").score == 1.0


def test_name_and_birth_date_make_it_probable_the_phone_certain() -> None:
    both = like(name="malini jayawardena", birth_date=date(1990, 7, 2))
    assert both == Match(0.85, ["same-name", "same-birth-date"])
    assert both.grade == "probable"
    all_three = like(name="malini jayawardena", birth_date=date(1990, 7, 2), phones=("+94771234502",))
    assert all_three.grade == "certain"


def test_a_similar_woman_is_shown_as_possible() -> None:
    found = like(name="malani jayawardhana", birth_date=date(1989, 7, 2), phones=("+94770000000",))
    assert found.reasons == ["similar-name", "similar-birth-date"]
    assert found.grade == "possible"


def test_name_alone_or_birthday_alone_is_little() -> None:
    assert like(name="malini jayawardena").score == 0.5
    assert like(birth_date=date(1990, 7, 2)).grade == "certainly-not"
    assert like() == Match(0.0, [])


def test_day_and_month_exchanged_is_a_slip_of_the_pen() -> None:
    assert like(birth_date=date(1990, 2, 7)).reasons == ["similar-birth-date"]
    assert like(birth_date=date(1991, 2, 7)).reasons == []


def test_what_speaks_against_it_is_said() -> None:
    found = like(name="malini jayawardena", birth_date=date(1990, 7, 2), nic="199068409999", gender="male")
    assert found.reasons == ["same-name", "same-birth-date", "different-nic", "different-gender"]
    assert found.grade == "certainly-not"
