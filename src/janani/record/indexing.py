"""What of a resource can be searched: its search parameters' values as index rows. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from janani.record import dates, definitions, json_text
from janani.record.definitions import Parameter

Resource = dict[str, Any]
Steps = tuple[tuple[str, str], ...]
_LOCAL = re.compile(r"^(?:https?://.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.+)?$")
_MAX_STRING = 200
_NEVER = ("resourceType", "id")  # are no rows: they stand in the resource's own


Token = tuple[str, str | None, str]
"""Name, system and code; the system is None for a bare code, whose system its binding gives."""
Reference = tuple[str, str, str]
"""Name, type and id within the store; with an empty type the id is a URL elsewhere."""
Date = tuple[str, datetime, datetime]
"""Name and a time span [low, high)."""
String = tuple[str, str, str]
"""Name, the text folded (lower case, without accents) for search, and as written."""
Quantity = tuple[str, Decimal, str, str]
"""Name, number, and its unit's system and code or, without system, its text where that is another."""


class Rows(Struct):
    """All index rows of one resource."""

    tokens: list[Token] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    dates: list[Date] = field(default_factory=list)
    strings: list[String] = field(default_factory=list)
    quantities: list[Quantity] = field(default_factory=list)


def rows(resource: Resource, said: Mapping[str, bytes], base_url: str) -> Rows:
    """The index rows of `resource`; absolute references below `base_url` are to this store.

    `said` is the JSON of those of its elements (but for meta's version and time) that may say what others said before.
    """
    kind = resource["resourceType"]
    found: tuple[list[Any], ...] = ([], [], [], [], [])
    for place, rows in _whole(kind, resource, base_url) if _places(kind).always else ():
        found[place].extend(rows)
    for name, value in resource.items():
        if name in _NEVER:
            continue
        body = said.get(name)
        for place, rows in _element(kind, name, value, base_url) if body is None else _said(kind, name, body, base_url):
            found[place].extend(rows)
    return Rows(*(list(dict.fromkeys(rows)) for rows in found))


def compartment(resource: Resource, said: Mapping[str, bytes], base_url: str) -> list[str]:
    """Logical ids of the Patients that `resource` is about; for a Patient, her own. `said` as of `rows`."""
    kind = resource["resourceType"]
    if kind == "Patient":
        return [resource["id"]]
    found: set[str] = set()
    for name in _about(kind):
        body = said.get(name)
        if body is not None:
            found |= _said_patients(kind, name, body, base_url)
        elif name in resource:
            found |= _patients(kind, name, resource[name], base_url)
    return sorted(found)


def local_reference(value: Any, base_url: str) -> tuple[str, str] | None:
    """Type and id of a Reference within this store; None for a logical, contained or foreign one."""
    text = value.get("reference") if isinstance(value, dict) else None
    return _local(text, base_url) if isinstance(text, str) else None


@lru_cache(maxsize=1024)  # the resources of one person name her again and again
def _local(text: str, base_url: str) -> tuple[str, str] | None:
    text = text.removeprefix(f"{base_url}/")
    found = None if "://" in text else _LOCAL.match(text)
    return (found[1], found[2]) if found else None


def folded(text: str) -> str:
    """`text` as string search compares it: no accents, one case, single blanks."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not "\u0300" <= letter <= "\u036f")
    return " ".join(plain.casefold().split())[:_MAX_STRING]


Writer = Callable[[Rows, list[Parameter], list[Any], str], None]
Path = tuple[Writer, list[Parameter], str, Steps]
Part = list[tuple[int, list[Any]]]
"""Rows by the place of their kind in `Rows`."""
_One = tuple[Parameter, Steps]


class _Places(NamedTuple):
    """The search parameters' paths of a type by their first element, so that absent elements cost nothing."""

    always: list[_One]
    named: dict[str, list[_One]]
    choices: list[tuple[str, _One]]


@cache
def _places(resource_type: str) -> _Places:
    places = _Places([], {}, [])
    for parameter in definitions.parameters(resource_type).values():
        if parameter.kind not in _WRITERS or parameter.rows != (parameter.key,):
            continue
        for steps in parameter.steps:
            name, bracket = steps[0]
            path = (parameter, steps)
            if bracket == "exists":
                places.always.append(path)
            elif bracket == "x":
                places.choices.append((name, path))
            else:
                typed = bracket and "=" not in bracket
                element = name + bracket[0].upper() + bracket[1:] if typed else name
                places.named.setdefault(element, []).append(path)
    return places


@lru_cache(maxsize=2048)  # a programme's resources have few elements
def _paths(resource_type: str, element: str) -> list[Path]:
    """The paths that lead somewhere in `element`, each with its parameters and the filter of its first step."""
    places = _places(resource_type)
    found = list(places.named.get(element, ()))
    found += [path for name, path in places.choices if element.startswith(name) and element[len(name) :][:1].isupper()]
    paths: dict[tuple[Writer, str, Steps], list[Parameter]] = {}
    for parameter, ((_, bracket), *rest) in found:
        filter_ = bracket if "=" in bracket else ""
        paths.setdefault((_WRITERS[parameter.kind], filter_, tuple(rest)), []).append(parameter)
    return [(write, parameters, filter_, rest) for (write, filter_, rest), parameters in paths.items()]


def _element(resource_type: str, name: str, value: Any, base_url: str) -> Part:
    """The rows of one element."""
    found = Rows([], [], [], [], [])
    given = [item for item in (value if isinstance(value, list) else [value]) if item is not None]
    for write, parameters, filter_, steps in _paths(resource_type, name):
        values = _at([item for item in given if _is(item, filter_)] if filter_ else given, steps)
        if values:
            write(found, parameters, values, base_url)
    return _part(found)


def _whole(resource_type: str, resource: Resource, base_url: str) -> Part:
    """The rows that follow from a resource as a whole, from what it has not, too."""
    found = Rows([], [], [], [], [])
    for parameter, steps in _places(resource_type).always:
        _WRITERS[parameter.kind](found, [parameter], _at([resource], steps), base_url)
    return _part(found)


def _part(found: Rows) -> Part:
    return [(place, rows) for place, rows in enumerate(msgspec.structs.astuple(found)) if rows]


def _patients(resource_type: str, name: str, value: Any, base_url: str) -> frozenset[str]:
    """Logical ids of the Patients that an element says a resource is about."""
    values = [one for steps in _about(resource_type)[name] for one in _at([{name: value}], steps)]
    found = [local_reference(one, base_url) for one in values]
    return frozenset(one[1] for one in found if one is not None and one[0] == "Patient")


# Elements say the same again and again: what follows from an element's JSON alone is remembered.
@lru_cache(maxsize=4096)
def _said(resource_type: str, name: str, body: bytes, base_url: str) -> Part:
    return _element(resource_type, name, json_text.value(body), base_url)


@lru_cache(maxsize=1024)
def _said_patients(resource_type: str, name: str, body: bytes, base_url: str) -> frozenset[str]:
    return _patients(resource_type, name, json_text.value(body), base_url)


@cache
def _about(resource_type: str) -> dict[str, list[Steps]]:
    """The paths to whom a resource is about, by their first element."""
    found: dict[str, list[Steps]] = {}
    for steps in (steps for parameter in definitions.about(resource_type) for steps in parameter.steps):
        found.setdefault(steps[0][0], []).append(steps)
    return found


def _at(values: list[Any], steps: Steps) -> list[Any]:
    """The values at the end of a path from `values`."""
    for name, bracket in steps:
        if bracket:
            values = [child for value in values for child in _children(value, name, bracket)]
            continue
        found: list[Any] = []
        for value in values:
            child = value.get(name) if isinstance(value, dict) else None
            if isinstance(child, list):
                found += [item for item in child if item is not None]
            elif child is not None:
                found.append(child)
        values = found
    return values


def _children(value: Any, name: str, bracket: str) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    if bracket == "exists":
        keys = [key for key in value if key.startswith(name) and key[len(name) :][:1].isupper()]
        yield any(value[key] is not False for key in keys)
        return
    if bracket == "x":
        found = [value[key] for key in value if key.startswith(name) and key[len(name) :][:1].isupper()]
    elif "=" in bracket:
        found = [value[name]] if name in value else []
    else:
        key = name + bracket[0].upper() + bracket[1:]
        found = [value[key]] if key in value else []
    filter_ = bracket if "=" in bracket else ""
    for child in found:
        for item in child if isinstance(child, list) else (child,):
            if item is not None and (not filter_ or _is(item, filter_)):
                yield item


def _is(item: Any, filter_: str) -> bool:
    """Whether `item` has the member with the value that a bracket names."""
    member, _, wanted = filter_.partition("=")
    return isinstance(item, dict) and item.get(member) == wanted


def _tokens(found: Rows, parameters: list[Parameter], values: list[Any], _base_url: str) -> None:
    codes = [code for value in values for code in _codes(value)]
    for parameter in parameters:
        name = parameter.key
        found.tokens += [(name, system, code) for system, code in codes]


def _codes(value: Any) -> list[tuple[str | None, str]]:
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    if isinstance(value, str):
        return [(None, value)]
    if not isinstance(value, dict):
        return []
    found: list[tuple[str | None, str]] = []
    if isinstance(value.get("coding"), list):
        for coding in value["coding"]:
            found += _codes(coding)
    code = value.get("code") or value.get("value")
    if isinstance(code, str):
        found.append((value.get("system") or "", code))
    return found


def _references(found: Rows, parameters: list[Parameter], values: list[Any], base_url: str) -> None:
    for value in values:
        local = local_reference(value, base_url)
        url = value if isinstance(value, str) else value.get("reference") if isinstance(value, dict) else None
        if local is not None:
            found.references += [(one.key, *local) for one in parameters if not one.targets or local[0] in one.targets]
        elif isinstance(url, str) and not url.startswith("#"):
            found.references += [(one.key, "", url) for one in parameters]
        if isinstance(value, dict) and isinstance(value.get("identifier"), dict):
            codes = _codes(value["identifier"])
            found.tokens += [(f"{one.key}:identifier", *code) for one in parameters for code in codes]


def _dates(found: Rows, parameters: list[Parameter], values: list[Any], _base_url: str) -> None:
    spans = [span for value in values for span in _spans(value)]
    found.dates += [(one.key, *span) for one in parameters for span in spans]


def _spans(value: Any) -> Iterator[dates.Range]:
    if isinstance(value, str):
        span = dates.span(value)
        if span is not None:
            yield span
    elif isinstance(value, dict) and ("start" in value or "end" in value):
        start, end = dates.span(str(value.get("start", ""))), dates.span(str(value.get("end", "")))
        yield start[0] if start else dates.BEGINNING, end[1] if end else dates.END
    elif isinstance(value, dict):
        for event in value.get("event") or ():
            yield from _spans(event)
        yield from _spans((value.get("repeat") or {}).get("boundsPeriod"))


def _strings(found: Rows, parameters: list[Parameter], values: list[Any], _base_url: str) -> None:
    texts = [(folded(text), text[:_MAX_STRING]) for value in values for text in _texts(value) if text.strip()]
    found.strings += [(one.key, *text) for one in parameters for text in texts]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, child in value.items():
            if name not in ("use", "period", "extension", "id", "type"):
                yield from _texts(child)


def _quantities(found: Rows, parameters: list[Parameter], values: list[Any], _base_url: str) -> None:
    for value in values:
        number = value.get("value") if isinstance(value, dict) else value
        if isinstance(number, (int, float, Decimal)) and not isinstance(number, bool):
            said = value if isinstance(value, dict) else {}
            amount, unit = Decimal(number), str(said.get("unit") or "")
            code = str(said.get("code") or said.get("currency") or unit)
            entries = [(amount, str(said.get("system") or ""), code)]
            if unit not in ("", code):  # who names no system means either (R4 §search, quantity)
                entries.append((amount, "", unit))
            found.quantities += [(one.key, *row) for one in parameters for row in entries]


def _uris(found: Rows, parameters: list[Parameter], values: list[Any], _base_url: str) -> None:
    found.tokens += [(one.key, None, value) for one in parameters for value in values if isinstance(value, str)]


_WRITERS: dict[str, Writer] = {
    "token": _tokens,
    "reference": _references,
    "date": _dates,
    "string": _strings,
    "quantity": _quantities,
    "number": _quantities,
    "uri": _uris,
}
