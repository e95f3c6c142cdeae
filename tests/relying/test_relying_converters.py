"""How the value of a claim becomes the text of an attribute."""

from datetime import date
from typing import Any

import pytest

from janani import programmes
from janani.relying import claims, converters

TODAY = date(2026, 11, 21)
MAPPING = claims.load(programmes.load("anc_lk"))


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("1987/11/25", "1987-11-25"),
        ("1987-11-25", "1987-11-25"),
        ("1987", None),
        ("0000-11-25", None),
        ("1987/02/30", None),
        ("25/11/1987", None),
        (19871125, None),
        (None, None),
    ],
)
def test_dates(value: Any, iso: str | None) -> None:
    assert converters.as_date(value) == iso


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1987/11/21", "39"),
        ("1987/11/22", "38"),
        ("2004/02/29", "22"),
        ("2026/01/01", None),  # the attribute is a positive number
        ("2030/01/01", None),
        ("", None),  # never the text "NaN" of the reference
        (None, None),
    ],
)
def test_ages(born: Any, age: str | None) -> None:
    assert converters.as_age(born, TODAY) == age


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("Female", "Female"),
        ("FEMALE", "Female"),
        ("பெண்", "Female"),
        ("ස්ත්‍රී", "Female"),
        ("male", "Male"),
        ("Others", "Other"),
        ("unknown word", None),
        ("", None),
        (None, None),
    ],
)
def test_options_are_found_in_any_language(word: Any, code: str | None) -> None:
    assert converters.as_option(word, MAPPING.options) == code


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            {
                "street_address": "12 Temple Road",
                "locality": "Akurana",
                "region": "Kandy",
                "postal_code": "20850",
                "country": "Sri Lanka",
            },
            "12 Temple Road, 20850 Akurana, Kandy, Central Province, LK",
        ),
        (
            {"street_address": "No. 5,\nLake View,", "locality": "Galle", "region": "Southern", "country": "LK"},
            "No. 5, Lake View, Galle, Southern Province, LK",
        ),
        (
            {"locality": "Example Town", "region": "Example Region", "country": "India"},
            "Example Town, Example Region, India",
        ),
        ({"postal_code": 20850, "region": "kandy district"}, "20850, Kandy, Central Province"),
        ({"formatted": "1 Road\n20850 Akurana"}, "1 Road, 20850 Akurana"),
        (
            {"formatted": "9 Road\n60200 Kuliyapitiya\nKandy\nSri Lanka"},
            "9 Road, 60200 Kuliyapitiya, Kandy, Central Province, LK",
        ),
        ({"formatted": "1 Road\nCentral Province\nSri Lanka"}, "1 Road, Central Province, LK"),
        ({"formatted": "1 Road\nPune\nIndia"}, "1 Road, Pune, India"),
        ("1 Road\r\nAkurana", "1 Road, Akurana"),
        ({"country": "Sri Lanka"}, None),  # a country alone is no address
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_an_address_is_one_line(address: Any, line: str | None) -> None:
    assert converters.as_address(address, MAPPING.places.provinces, MAPPING.places.countries) == line


@pytest.mark.parametrize(
    ("number", "nic"),
    [("867712345v", "867712345V"), ("1986 7712 3450", "198677123450"), ("8267411571", None), (None, None)],
)
def test_only_what_has_the_form_of_a_nic_is_one(number: Any, nic: str | None) -> None:
    assert converters.as_nic(number) == nic


def test_texts_are_tidied_and_phones_normalised() -> None:
    assert converters.as_text("  Nimali \n Perera ") == "Nimali Perera"
    assert converters.as_text({"a": 1}) is None
    assert converters.as_text("  ") is None
    assert converters.as_phone("0771234567", "LK") == "+94771234567"
    assert converters.as_phone(771234567, "LK") is None
