"""Numbers of people in Sri Lanka: National Identity Card (NIC), Patient Health Number (PHN), telephone.

Plain functions on text. A number that fits no layout is nobody's error to correct: it is kept as entered and
shown with a warning (docs/reference, "Identifiers").
"""

import re
import unicodedata
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

PHN_ALPHABET = "BCDFGHJKMPQRTVWXY23456789"
"""Characters of the random part of a version 2 PHN: no vowels, nothing that reads as another."""

_OLD_NIC = re.compile(r"^(\d{2})(\d{3})(\d{3})(\d)[VX]$", re.ASCII)
_NEW_NIC = re.compile(r"^(\d{4})(\d{3})(\d{4})(\d)$", re.ASCII)
_PHN_1 = re.compile(r"^(\d{4})(\d{6})(\d)$", re.ASCII)
_PHN_2 = re.compile(rf"^([A-Z0-9]{{8}})([{PHN_ALPHABET}]{{6}})(\d)$", re.ASCII)
_WOMEN_FROM = 500
_LEAP_YEAR = 2000


class Nic(Struct, frozen=True):
    """What a NIC number says. `number` is upper-case without spaces; `day` counts February as 29 days."""

    number: str
    year: int
    day: int
    female: bool
    serial: str
    check: str

    @property
    def birth_date(self) -> date | None:
        """The day of birth; None for 29 February of a year that has none."""
        counted = date(_LEAP_YEAR, 1, 1) + timedelta(days=self.day - 1)
        try:
            return counted.replace(year=self.year)
        except ValueError:
            return None

    @property
    def gender(self) -> str:
        """`female` or `male`."""
        return "female" if self.female else "male"

    @property
    def new_form(self) -> str:
        """The 12 digits of the same person's new card."""
        day = self.day + (_WOMEN_FROM if self.female else 0)
        return f"{self.year:04}{day:03}{self.serial}{self.check}"


def parse_nic(text: str) -> Nic | None:
    """The NIC in `text` (old: 9 digits and V or X; new: 12 digits), or None when it has the form of neither."""
    number = "".join(_latin(text).split()).upper()
    if old := _OLD_NIC.match(number):
        year, day, serial, check = 1900 + int(old[1]), int(old[2]), f"0{old[3]}", old[4]
    elif new := _NEW_NIC.match(number):
        year, day, serial, check = int(new[1]), int(new[2]), new[3], new[4]
    else:
        return None
    female = day > _WOMEN_FROM
    day -= _WOMEN_FROM if female else 0
    if not 1 <= day <= 366 or year < 1900:
        return None
    return Nic(number, year, day, female, serial, check)


def _latin(text: str) -> str:
    """`text` with the digits of any script as 0 to 9, and full-width letters as plain ones."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one, one)) for one in unicodedata.normalize("NFKC", text))


def same_nic(one: str, other: str) -> bool:
    """Whether both are the same person's NIC, in old or new form. V and X mean the same."""
    first, second = parse_nic(one), parse_nic(other)
    return first is not None and second is not None and first.new_form == second.new_form


def nic_differences(nic: Nic, *, birth_date: date | None, gender: str | None) -> list[str]:
    """What the number says otherwise than the person: "birth_date", "gender". A warning, never a refusal.

    `gender` is `female`, `male` or anything else in any case; only the two are compared.
    """
    faults = []
    if birth_date is not None and nic.birth_date != birth_date:
        faults.append("birth_date")
    if gender is not None and gender.lower() in ("female", "male") and gender.lower() != nic.gender:
        faults.append("gender")
    return faults


def check_digit(payload: str) -> str:
    """The check digit of a PHN's characters before it (both versions: Luhn with A=10 … Z=35).

    Raises ValueError for characters other than ASCII letters and digits.
    """
    total = 0
    for place, character in enumerate(reversed(payload.upper())):
        value = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(character)
        if place % 2 == 0:
            value *= 2
            if value >= 10:
                value -= 9
        total += value
    return str(total * 9 % 10)


class Phn(Struct, frozen=True):
    """A PHN as it is kept.

    Args:
        number: upper-case without spaces when it has a national layout, else as entered (trimmed).
        version: 1 or 2; None when it has neither layout.
        point_of_issue: code of the institution that issued it; empty without version.
        valid: its check digit is right; None without version.
    """

    number: str
    version: int | None = None
    point_of_issue: str = ""
    valid: bool | None = None


def parse_phn(text: str) -> Phn:
    """What `text` is as a PHN. Older and foreign numbers come back as entered, without a version."""
    number = re.sub(r"[\s-]", "", _latin(text)).upper()
    for version, layout in ((1, _PHN_1), (2, _PHN_2)):
        if found := layout.match(number):
            return Phn(number, version, found[1], check_digit(found[1] + found[2]) == found[3])
    return Phn(text.strip())


def first_phn(point_of_issue: str, serial: int) -> str:
    """The version 1 PHN with this serial (0–999999) of a point of issue (4 digits). Raises ValueError."""
    payload = f"{point_of_issue}{serial:06}"
    if not re.fullmatch(r"\d{4}", point_of_issue) or not 0 <= serial <= 999_999:
        raise ValueError("a version 1 PHN has 4 digits of its point of issue and a serial of at most 6")
    return payload + check_digit(payload)


def second_phn(point_of_issue: str, middle: str) -> str:
    """The version 2 PHN with this random part (6 of PHN_ALPHABET) of a point of issue (8 characters).

    Raises ValueError.
    """
    payload = point_of_issue + middle
    if not _PHN_2.match(payload + "0"):
        raise ValueError("a version 2 PHN has 8 characters of its point of issue and 6 of its own alphabet")
    return payload + check_digit(payload)


@lru_cache(maxsize=4096)  # a bundle and its comparison ask again; people are many
def e164(text: str, region: str) -> str | None:
    """The telephone number in `text` in E.164 form (+94…), read as in `region`; None when it can't be one."""
    import phonenumbers  # its tables are large and only some processes need them

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
