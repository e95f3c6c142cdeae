"""What of a resource can be searched: its search parameters' values as index rows. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NamedTuple

from msgspec import Struct, field

from janani.record import dates, definitions, json_text
from janani.record.definitions import Parameter
from janani.record.remembered import Remembered

Resource = dict[str, Any]
Steps = tuple[tuple[str, str], ...]
_LOCAL = re.compile(r"^(?:https?://.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.+)?$")
_MAX_STRING = 200
_MOST_REMEMBERED = 512


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
    known = _known(kind, base_url)
    found: tuple[list[Any], ...] = ([], [], [], [], [])
    for part in map(dict.__getitem__, map(known.__getitem__, said), said.values()):
        for place, rows in part:
            found[place].extend(rows)
    if len(said) < len(resource) - 1 or _places(kind).always:  # more than the id is not among `said`
        for place, rows in _others(resource, said, base_url):
            found[place].extend(rows)
    return Rows(*[list(dict.fromkeys(rows)) if len(rows) > 1 else rows for rows in found])


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


Part = list[tuple[int, list[Any]]]
"""Rows of one element, each list with the place of its kind in `Rows`."""
Writer = Callable[[list[Parameter], list[Any], str], Part]
Path = tuple[Writer, list[Parameter], str, Steps]
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


def _others(resource: Resource, said: Mapping[str, bytes], base_url: str) -> Part:
    """The rows of the elements of which there is no JSON, and those that follow from the resource as a whole."""
    kind = resource["resourceType"]
    parts = [_element(kind, name, value, base_url) for name, value in resource.items() if name not in said]
    for parameter, steps in _places(kind).always:
        parts.append(_WRITERS[parameter.kind]([parameter], _at([resource], steps), base_url))
    return list(chain.from_iterable(parts))


def _element(resource_type: str, name: str, value: Any, base_url: str) -> Part:
    """The rows of one element."""
    paths = _paths(resource_type, name)
    if not paths:
        return []
    found: Part = []
    given = [item for item in (value if isinstance(value, list) else [value]) if item is not None]
    for write, parameters, filter_, steps in paths:
        values = [item for item in given if _is(item, filter_)] if filter_ else given
        values = _at(values, steps) if steps else values
        if values:
            found += write(parameters, values, base_url)
    return found


def _patients(resource_type: str, name: str, value: Any, base_url: str) -> frozenset[str]:
    """Logical ids of the Patients that an element says a resource is about."""
    values = [one for steps in _about(resource_type)[name] for one in _at([{name: value}], steps)]
    found = [local_reference(one, base_url) for one in values]
    return frozenset(one[1] for one in found if one is not None and one[0] == "Patient")


class _Known(dict[str, Remembered[Part]]):
    """The rows of each element of a type, by its JSON."""

    def __init__(self, resource_type: str, base_url: str) -> None:
        super().__init__()
        self._given = resource_type, base_url

    def __missing__(self, name: str) -> Remembered[Part]:
        kind, base_url = self._given
        most = _MOST_REMEMBERED if _paths(kind, name) else 1  # of what nobody searches there are no rows
        found = self[name] = Remembered(lambda body: _element(kind, name, json_text.value(body), base_url), most)
        return found


@lru_cache(maxsize=256)
def _known(resource_type: str, base_url: str) -> _Known:
    return _Known(resource_type, base_url)


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


def _tokens(parameters: list[Parameter], values: list[Any], _base_url: str) -> Part:
    codes = [code for value in json_text.unique(values) for code in _codes(value)]
    return [(_TOKENS, [(one.key, system, code) for one in parameters for system, code in codes])]


def _codes(value: Any) -> list[tuple[str | None, str]]:
    if isinstance(value, dict):
        coding, code = value.get("coding"), value.get("code") or value.get("value")
        found = [code for one in coding for code in _codes(one)] if isinstance(coding, list) else []
        if isinstance(code, str):
            found.append((value.get("system") or "", code))
        return found
    if isinstance(value, bool):
        return [(None, "true" if value else "false")]
    return [(None, value)] if isinstance(value, str) else []


def _references(parameters: list[Parameter], values: list[Any], base_url: str) -> Part:
    found: list[Reference] = []
    tokens: list[Token] = []
    for value in values:
        said = value if isinstance(value, dict) else {}
        url = value if isinstance(value, str) else said.get("reference")
        local = _local(url, base_url) if said and isinstance(url, str) else None
        if local is not None:
            kind, target = local
            found += [(one.key, kind, target) for one in parameters if not one.targets or kind in one.targets]
        elif isinstance(url, str) and not url.startswith("#"):
            found += [(one.key, "", url) for one in parameters]
        if isinstance(said.get("identifier"), dict):
            codes = _codes(said["identifier"])
            tokens += [(f"{one.key}:identifier", *code) for one in parameters for code in codes]
    return [(_REFERENCES, found), (_TOKENS, tokens)] if tokens else [(_REFERENCES, found)]


def _dates(parameters: list[Parameter], values: list[Any], _base_url: str) -> Part:
    spans = [span for value in values for span in _spans(value)]
    return [(_DATES, [(one.key, *span) for one in parameters for span in spans])]


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


def _strings(parameters: list[Parameter], values: list[Any], _base_url: str) -> Part:
    texts = [(folded(text), text[:_MAX_STRING]) for value in values for text in _texts(value) if text.strip()]
    return [(_STRINGS, [(one.key, *text) for one in parameters for text in texts])]


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


def _quantities(parameters: list[Parameter], values: list[Any], _base_url: str) -> Part:
    found: list[Quantity] = []
    for value in values:
        number = value.get("value") if isinstance(value, dict) else value
        if isinstance(number, (int, float, Decimal)) and not isinstance(number, bool):
            said = value if isinstance(value, dict) else {}
            amount, unit = Decimal(number), str(said.get("unit") or "")
            code = str(said.get("code") or said.get("currency") or unit)
            entries = [(amount, str(said.get("system") or ""), code)]
            if unit not in ("", code):  # who names no system means either (R4 §search, quantity)
                entries.append((amount, "", unit))
            found += [(one.key, *row) for one in parameters for row in entries]
    return [(_QUANTITIES, found)]


def _uris(parameters: list[Parameter], values: list[Any], _base_url: str) -> Part:
    return [(_TOKENS, [(one.key, None, value) for one in parameters for value in values if isinstance(value, str)])]


_TOKENS, _REFERENCES, _DATES, _STRINGS, _QUANTITIES = range(5)  # the places in `Rows`
_WRITERS: dict[str, Writer] = {
    "token": _tokens,
    "reference": _references,
    "date": _dates,
    "string": _strings,
    "quantity": _quantities,
    "number": _quantities,
    "uri": _uris,
}
