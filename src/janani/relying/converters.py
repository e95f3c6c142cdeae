"""How the value of a claim becomes the text of an attribute. Plain functions; None: it can't, so it is left out."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from janani.programmes.sri_lanka import e164, parse_nic

# Half a surrogate pair and control characters: no registry keeps them. What joins letters (ZWJ) is none of them.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LARGEST = 10**30
_DATE = re.compile(r"^(\d{4})[-/](\d{2})[-/](\d{2})$")


def as_exact(value: Any) -> str | None:
    """A text as it is."""
    return value if isinstance(value, str) and value and not _UNWRITABLE.search(value) else None


def as_text(value: Any) -> str | None:
    """A text with its blanks tidied; numbers become text, objects and lists don't."""
    text = _text(value)
    return " ".join(text.split()) or None if text else None


def as_date(value: Any) -> str | None:
    """ISO 8601 of `YYYY-MM-DD` or eSignet's `YYYY/MM/DD`. A year alone, or none (`0000`), is no date."""
    found = _DATE.match(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return None


def as_age(value: Any, today: date) -> str | None:
    """Complete years from the birth date `value` to `today`; at least 1, as the attribute is a positive number."""
    text = as_date(value)
    if text is None:
        return None
    born = date.fromisoformat(text)
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return str(years) if 1 <= years <= 150 else None


def as_option(value: Any, options: Mapping[str, Sequence[str]]) -> str | None:
    """The code of the option that knows this word (in any case); its own code is such a word too."""
    text = as_text(value)
    return _named(text, options) if text else None


def as_phone(value: Any, region: str) -> str | None:
    """The number in E.164 form, read as in `region` when it has no country code."""
    return e164(value, region) if isinstance(value, str) else None


def as_nic(value: Any) -> str | None:
    """A NIC; other numbers a person may sign in with (UIN, VID) are not."""
    nic = parse_nic(value) if isinstance(value, str) else None
    return nic.number if nic else None


def as_address(
    value: Any, provinces: Mapping[str, Sequence[str]], countries: Mapping[str, Sequence[str]]
) -> str | None:
    """One line, `street, postcode town, district, province, country`, of an address claim (Core §5.1.1).

    Parts that are missing are left out, never written as blanks. eSignet's `region` is a district or a province: a
    district brings its province. With `formatted` alone, its lines; where the last names a country, it and the region
    above it are written the same way, so that a card and a sign-in of one person read alike.
    """
    if isinstance(value, str):
        value = {"formatted": value}
    if not isinstance(value, Mapping):
        return None
    part = {name: _part(value.get(name)) for name in ("street_address", "locality", "region", "postal_code", "country")}
    town = " ".join(text for text in (part["postal_code"], part["locality"]) if text)
    lines = [part["street_address"], town, *_region(part["region"], provinces)]
    if not any(lines):
        return _formatted(value.get("formatted"), provinces, countries)
    country = part["country"]
    lines.append((_named(country, countries) or country) if country else None)
    return ", ".join(text for text in lines if text)


def _formatted(
    value: Any, provinces: Mapping[str, Sequence[str]], countries: Mapping[str, Sequence[str]]
) -> str | None:
    lines = [line for line in map(_part, value.splitlines()) if line] if isinstance(value, str) else []
    code = _named(lines[-1], countries) if len(lines) > 1 else None
    if code:
        lines[-2:] = [*_region(lines[-2], provinces), code]
    return ", ".join(lines) or None


def _region(text: str | None, provinces: Mapping[str, Sequence[str]]) -> list[str]:
    if text is None:
        return []
    for province, districts in provinces.items():
        if text.casefold() in (province.casefold(), province.casefold().removesuffix(" province")):
            return [province]
        for district in districts:
            if text.casefold() in (district.casefold(), f"{district.casefold()} district"):
                return [district, province]
    return [text]


def _named(word: str, names: Mapping[str, Sequence[str]]) -> str | None:
    wanted = word.casefold()
    return next(
        (code for code, words in names.items() if wanted in (one.casefold() for one in (code, *words))),
        None,
    )


def _part(value: Any) -> str | None:
    """A part of an address on one line, without a comma at either end."""
    lines = (line.strip(" ,;") for line in (_text(value) or "").splitlines())
    return " ".join(", ".join(line for line in lines if line).split()) or None


def _text(value: Any) -> str | None:
    """A text, or a number as text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return str(value)
    return as_exact(value)
