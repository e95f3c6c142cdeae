"""The NIC, PHN and telephone numbers of Sri Lanka."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janani.programmes.sri_lanka import (
    PHN_ALPHABET,
    check_digit,
    e164,
    first_phn,
    nic_differences,
    parse_nic,
    parse_phn,
    same_nic,
    second_phn,
)


@pytest.mark.parametrize(
    ("number", "born", "gender"),
    [
        ("867712345V", date(1986, 9, 27), "female"),  # day 771 - 500 = 271; leap count: 1 Sep is day 245
        ("198677123450", date(1986, 9, 27), "female"),  # shape of the reference: 1986 771 2345 0
        ("900610001x", date(1990, 3, 1), "male"),  # 1 March is day 61 in every year
        ("200000100010", date(2000, 1, 1), "male"),
        ("900600001V", None, "male"),  # 29 February of a year without one
        ("2000 866 0001 0", date(2000, 12, 31), "female"),
    ],
)
def test_a_nic_tells_birthday_and_sex(number: str, born: date | None, gender: str) -> None:
    nic = parse_nic(number)
    assert nic is not None
    assert (nic.birth_date, nic.gender) == (born, gender)


@pytest.mark.parametrize(
    "text", ["", "8267411571", "867712345A", "860002345V", "863672345V", "865002345V", "868672345V", "19867712345"]
)
def test_other_numbers_are_no_nic(text: str) -> None:
    assert parse_nic(text) is None


def test_an_old_number_maps_to_the_new_one() -> None:
    nic = parse_nic("867712345V")
    assert nic is not None
    assert nic.new_form == "198677102345"
    assert same_nic("867712345V", "198677102345")
    assert same_nic("867712345v", "867712345X")
    assert not same_nic("867712345V", "867712346V")
    assert not same_nic("8267411571", "8267411571")


def test_a_difference_between_card_and_person_is_named() -> None:
    nic = parse_nic("867712345V")
    assert nic is not None
    assert nic_differences(nic, birth_date=date(1986, 9, 27), gender="Female") == []
    assert nic_differences(nic, birth_date=date(1986, 9, 26), gender="male") == ["birth_date", "gender"]
    assert nic_differences(nic, birth_date=None, gender=None) == []
    assert nic_differences(nic, birth_date=None, gender="Others") == []


@pytest.mark.parametrize(
    ("payload", "digit"),
    [
        ("7992739871", "3"),  # the textbook Luhn number
        # from the right: 1·2, five zeros, 4·2, 3, 2·2, 1 = 18; 18·9 = 162
        ("1234000001", "2"),
        ("0000000000", "0"),
        # B = 11, doubled 22, less 9: 13; 13·9 = 117
        ("B", "7"),
        # from the right: B 13 11 13 11 13 11, 2·2, 2, I 27, N 23, A 11, N 23, A 11, J 19 = 192; 192·9 = 1728
        ("JANANI22BBBBBB", "8"),
    ],
)
def test_check_digits_computed_by_hand(payload: str, digit: str) -> None:
    assert check_digit(payload) == digit


def test_a_number_of_each_version_is_known_by_its_layout() -> None:
    first, second = parse_phn("1234 000001 2"), parse_phn("janani22bbbbbb8")
    assert (first.number, first.version, first.point_of_issue, first.valid) == ("12340000012", 1, "1234", True)
    assert (second.number, second.version, second.point_of_issue, second.valid) == (
        "JANANI22BBBBBB8",
        2,
        "JANANI22",
        True,
    )
    assert parse_phn("12340000013").valid is False


@pytest.mark.parametrize("text", ["12345678", "abc-12", "JANANI22BBBBAB8", "JANANI22BBBBBBX", "123456789012"])
def test_other_numbers_are_kept_as_entered(text: str) -> None:
    phn = parse_phn(f" {text} ")
    assert (phn.number, phn.version, phn.valid) == (text, None, None)


@given(st.integers(0, 999_999), st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(serial: int, place: int, change: int) -> None:
    number = first_phn("1234", serial)
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert parse_phn(number).valid
    assert parse_phn(wrong).valid is False


@given(st.text(PHN_ALPHABET, min_size=6, max_size=6))
def test_what_is_issued_is_valid(middle: str) -> None:
    assert parse_phn(second_phn("JANANI22", middle)).valid


def test_what_has_no_layout_is_not_issued() -> None:
    for issue in (
        lambda: first_phn("12A4", 1),
        lambda: first_phn("1234", 1_000_000),
        lambda: second_phn("SHORT", "BBBBBB"),
        lambda: second_phn("JANANI22", "BBBBBO"),
    ):
        with pytest.raises(ValueError):
            issue()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("077 123 4567", "+94771234567"),
        ("+94771234567", "+94771234567"),
        ("0094 77 123 4567", "+94771234567"),
        ("+919427357934", "+919427357934"),
        ("12", None),
        ("no phone", None),
    ],
)
def test_telephone_numbers_become_e164(text: str, number: str | None) -> None:
    assert e164(text, "LK") == number


def test_digits_of_any_script_are_digits() -> None:
    nic = parse_nic("௧௯௯௦௬௮௪௦௫௬௭௮")
    assert nic is not None
    assert nic.number == "199068405678"
    assert same_nic("90684567８Ｖ", "906845678V")
    payload = "0001000001"
    tamil = "".join(chr(ord("௦") + int(digit)) for digit in payload + check_digit(payload))
    assert parse_phn(tamil) == parse_phn(payload + check_digit(payload))
    assert parse_phn("²²²²²²²²²²²").version is None or parse_phn("²²²²²²²²²²²").number.isascii()
