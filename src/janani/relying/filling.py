"""The mapping applied: a verified person's claims as attributes of the registry, or as a FHIR Patient. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from janani.relying import converters
from janani.relying.claims import ClaimMapping, Line, at

_BRACES = re.compile(r"\{([^{}]*)\}")
_Read = Callable[[Any], str | None]


class Attribute(Struct, frozen=True):
    """A value for an attribute (UID), and the claim it comes from (empty: a constant)."""

    attribute: str
    value: str
    claim: str


def attributes_of(mapping: ClaimMapping, claims: Mapping[str, Any], *, today: date, region: str) -> list[Attribute]:
    """The attributes that `claims` fill, in the file's order. What is absent or can't be read fills none.

    Args:
        today: for ages.
        region: whose telephone numbers need no country code (ISO 3166, two letters).
    """
    found = _filled(mapping, mapping.attributes, claims, today, region)
    return [Attribute(line.attribute, value, claim) for line, value, claim in found]


def patient_of(mapping: ClaimMapping, claims: Mapping[str, Any], *, today: date, region: str) -> dict[str, Any]:
    """The FHIR R4 Patient that `claims` fill by the lines under `patient`. Arguments as `attributes_of`."""
    patient: dict[str, Any] = {"resourceType": "Patient"}
    for line, value, _claim in _filled(mapping, mapping.patient, claims, today, region):
        _put(patient, line.element, value)
    return patient


def unreadable(mapping: ClaimMapping, claims: Mapping[str, Any], filled: list[Attribute]) -> list[str]:
    """The claims that were given and fill none of the attributes they should."""
    used = {attribute.claim for attribute in filled}
    done = {attribute.attribute for attribute in filled}
    wanted = dict.fromkeys(path for line in mapping.attributes if line.attribute not in done for path in line.paths)
    locales = mapping.request.locales
    return [claim for claim in wanted if claim not in used and at(claims, claim, locales) is not None]


def _filled(
    mapping: ClaimMapping, lines: list[Line], claims: Mapping[str, Any], today: date, region: str
) -> Iterator[tuple[Line, str, str]]:
    """Each line that has a value, its value, and the claim it comes from."""
    for line in lines:
        read = _reader(mapping, line, today, region)
        if line.constant:
            yield line, line.constant, ""
        elif line.template:
            text, first = _composed(line, claims, mapping.request.locales)
            value = read(text)
            if value is not None:
                yield line, value, first
        else:
            values = ((path, read(at(claims, path, mapping.request.locales))) for path in line.paths)
            found = next(((path, value) for path, value in values if value is not None), None)
            if found is not None:
                yield line, found[1], found[0]


def _composed(line: Line, claims: Mapping[str, Any], locales: list[str]) -> tuple[str | None, str]:
    """The template with its claims, and the first that is there; None when none is. What is missing leaves no blank."""
    texts = {path: converters.as_text(at(claims, path, locales)) for path in line.paths}
    there = [path for path, text in texts.items() if text]
    if not there:
        return None, ""
    return _BRACES.sub(lambda found: texts[found[1]] or "", line.template).strip(" ,;"), there[0]


def _reader(mapping: ClaimMapping, line: Line, today: date, region: str) -> _Read:
    options, places = line.options or mapping.options, mapping.places
    readers: dict[str, _Read] = {
        "text": converters.as_text,
        "exact": converters.as_exact,
        "date": converters.as_date,
        "age": lambda value: converters.as_age(value, today),
        "option": lambda value: converters.as_option(value, options),
        "phone": lambda value: converters.as_phone(value, region),
        "nic": converters.as_nic,
        "address": lambda value: converters.as_address(value, places.provinces, places.countries),
    }
    return readers[line.kind]


def _put(patient: dict[str, Any], element: str, value: str) -> None:
    head, _dot, rest = element.partition(".")
    if head == "identifier":
        patient.setdefault("identifier", []).append({"system": rest, "value": value})
    elif head == "telecom":
        patient.setdefault("telecom", []).append({"system": rest, "value": value})
    elif head == "communication":
        patient.setdefault("communication", []).append({"language": {"text": value}})
    elif head in ("name", "address"):
        first = patient.setdefault(head, [{}])[0]
        first[rest] = [*first.get(rest, []), value] if rest in ("given", "line") else value
    elif rest:
        patient.setdefault(head, {})[rest] = value
    else:
        patient[head] = value
