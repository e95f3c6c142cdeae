"""What of a resource can be searched: its search parameters' values as index rows. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from janani.record import dates, definitions
from janani.record.definitions import Parameter

Resource = dict[str, Any]
Steps = tuple[tuple[str, str], ...]
_LOCAL = re.compile(r"^(?:https?://.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/.+)?$")
_MAX_STRING = 200


class Token(NamedTuple):
    """A coded value. `system` is None for a bare code, whose system its binding gives."""

    name: str
    system: str | None
    code: str


class Reference(NamedTuple):
    """A reference within the store, or (with an empty `type`) a URL elsewhere."""

    name: str
    type: str
    id: str


class Date(NamedTuple):
    """A time span [low, high)."""

    name: str
    low: datetime
    high: datetime


class String(NamedTuple):
    """A text as written, and folded (lower case, without accents) for search."""

    name: str
    folded: str
    exact: str


class Quantity(NamedTuple):
    """A number, with its unit's system and code or else its text."""

    name: str
    value: Decimal
    system: str
    code: str


class Rows(Struct):
    """All index rows of one resource."""

    tokens: list[Token] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    dates: list[Date] = field(default_factory=list)
    strings: list[String] = field(default_factory=list)
    quantities: list[Quantity] = field(default_factory=list)


def rows(resource: Resource, base_url: str) -> Rows:
    """The index rows of `resource`; absolute references below `base_url` are to this store."""
    found = Rows()
    for write, parameter, steps in _present(resource["resourceType"], tuple(resource)):
        values = _at(resource, steps)
        if values:
            write(found, parameter, values, base_url)
    return Rows(*(list(dict.fromkeys(rows)) for rows in msgspec.structs.astuple(found)))


def compartment(resource: Resource, base_url: str) -> list[str]:
    """Logical ids of the Patients that `resource` is about; for a Patient, her own."""
    if resource["resourceType"] == "Patient":
        return [resource["id"]]
    found = (
        local_reference(value, base_url)
        for parameter in definitions.about(resource["resourceType"])
        for steps in parameter.steps
        for value in _at(resource, steps)
    )
    return sorted({reference[1] for reference in found if reference is not None and reference[0] == "Patient"})


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


Writer = Callable[[Rows, Parameter, list[Any], str], None]
Path = tuple[Writer, Parameter, Steps]


class _Places(NamedTuple):
    """The search parameters' paths of a type by their first element, so that absent elements cost nothing."""

    always: list[Path]
    named: dict[str, list[Path]]
    choices: list[tuple[str, Path]]


@cache
def _places(resource_type: str) -> _Places:
    places = _Places([], {}, [])
    for parameter in definitions.parameters(resource_type).values():
        if parameter.kind not in _WRITERS:
            continue
        for steps in parameter.steps:
            name, bracket = steps[0]
            path = (_WRITERS[parameter.kind], parameter, steps)
            if bracket == "exists":
                places.always.append(path)
            elif bracket == "x":
                places.choices.append((name, path))
            else:
                typed = bracket and "=" not in bracket
                element = name + bracket[0].upper() + bracket[1:] if typed else name
                places.named.setdefault(element, []).append(path)
    return places


@lru_cache(maxsize=2048)  # a programme's resources have few shapes
def _present(resource_type: str, elements: tuple[str, ...]) -> list[Path]:
    """The paths that may lead somewhere in a resource with these elements."""
    places = _places(resource_type)
    found = list(places.always)
    for element in elements:
        found += places.named.get(element, ())
    found += [path for name, path in places.choices if any(element.startswith(name) for element in elements)]
    return found


def _at(resource: Resource, steps: Steps) -> list[Any]:
    """The values at the end of a path."""
    values: list[Any] = [resource]
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
    member, _, wanted = bracket.partition("=")
    for child in found:
        for item in child if isinstance(child, list) else (child,):
            if item is not None and (not wanted or (isinstance(item, dict) and item.get(member) == wanted)):
                yield item


def _tokens(found: Rows, parameter: Parameter, values: list[Any], _base_url: str) -> None:
    name = parameter.key
    for value in values:
        found.tokens += [Token(name, system, code) for system, code in _codes(value)]


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


def _references(found: Rows, parameter: Parameter, values: list[Any], base_url: str) -> None:
    for value in values:
        local = local_reference(value, base_url)
        url = value if isinstance(value, str) else value.get("reference") if isinstance(value, dict) else None
        if local is not None:
            if not parameter.targets or local[0] in parameter.targets:
                found.references.append(Reference(parameter.key, *local))
        elif isinstance(url, str) and not url.startswith("#"):
            found.references.append(Reference(parameter.key, "", url))
        if isinstance(value, dict) and isinstance(value.get("identifier"), dict):
            name = f"{parameter.key}:identifier"
            found.tokens += [Token(name, system, code) for system, code in _codes(value["identifier"])]


def _dates(found: Rows, parameter: Parameter, values: list[Any], _base_url: str) -> None:
    for value in values:
        found.dates.extend(Date(parameter.key, low, high) for low, high in _spans(value))


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


def _strings(found: Rows, parameter: Parameter, values: list[Any], _base_url: str) -> None:
    texts = (text for value in values for text in _texts(value))
    found.strings.extend(String(parameter.key, folded(text), text[:_MAX_STRING]) for text in texts if text.strip())


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


def _quantities(found: Rows, parameter: Parameter, values: list[Any], _base_url: str) -> None:
    for value in values:
        number = value.get("value") if isinstance(value, dict) else value
        if isinstance(number, (int, float, Decimal)) and not isinstance(number, bool):
            unit = value if isinstance(value, dict) else {}
            code = str(unit.get("code") or unit.get("currency") or unit.get("unit") or "")
            found.quantities.append(Quantity(parameter.key, Decimal(number), str(unit.get("system") or ""), code))


def _uris(found: Rows, parameter: Parameter, values: list[Any], _base_url: str) -> None:
    found.tokens.extend(Token(parameter.key, None, value) for value in values if isinstance(value, str))


_WRITERS: dict[str, Writer] = {
    "token": _tokens,
    "reference": _references,
    "date": _dates,
    "string": _strings,
    "quantity": _quantities,
    "number": _quantities,
    "uri": _uris,
}
