"""Search parameters of a request as values (R4 §search). Pure; `matching.py` compiles them to SQL.

Query
├─ filters    all must hold; the values of one are alternatives
├─ sort       (parameter, descending)
├─ includes   _include and _revinclude
└─ result     count, summary, elements
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from msgspec import Struct, field

from janani.record import definitions, preferences
from janani.record.definitions import Parameter
from janani.record.problems import FhirProblem

DEFAULT_COUNT = 20
MAX_COUNT = 500
Pairs = Sequence[tuple[str, str]]

_MODIFIERS = {
    "string": {"exact", "contains"},
    "token": {"not", "text"},
    "reference": {"identifier"},
    "uri": {"below"},
}
_EXACT = re.compile(r"([A-Z][A-Za-z]+)\?(identifier|_tag)=([^|,\\&]*)\|([^|,\\&]*[^|,\\&\s][^|,\\&]*)")
_IGNORED = {"_format", "_pretty", "_total", "_summary", "_elements", "_count", "_sort", "_include", "_revinclude"}


class Filter(Struct, frozen=True):
    """One condition. With `chain` it holds when a referenced resource (of one of `targets`) fulfils that."""

    parameter: Parameter
    modifier: str
    values: tuple[str, ...]
    targets: tuple[str, ...] = ()
    chain: "Filter | None" = None

    @property
    def looked_into(self) -> frozenset[str]:
        """The types whose contents a chain tests, all along it."""
        return frozenset(self.targets) | (self.chain.looked_into if self.chain else frozenset())


class Include(Struct, frozen=True):
    """`_include` or `_revinclude` of references: `links` are index names, each with a type of target ("" for any)."""

    links: tuple[tuple[str, str], ...]
    reverse: bool = False
    iterate: bool = False


class Query(Struct, frozen=True):
    """A search within one resource type."""

    type: str
    filters: tuple[Filter, ...] = ()
    sort: tuple[tuple[Parameter, bool], ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = DEFAULT_COUNT
    elements: frozenset[str] = field(default_factory=frozenset)

    @property
    def types(self) -> frozenset[str]:
        """Every type whose contents the search tests: its own, and those along its chains."""
        return frozenset({self.type}).union(*(part.looked_into for part in self.filters))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the search parameters used, for audit."""
        return tuple(sorted({part.parameter.name for part in self.filters}))


def parse(resource_type: str, pairs: Pairs) -> Query:
    """The search that `pairs` (decoded, in order) describe. Raises FhirProblem 400 on what is not supported."""
    definitions.parameters(resource_type)
    _refuse_formats(pairs)
    filters = tuple(_filter(resource_type, name, value) for name, value in pairs if _is_filter(name, value))
    return Query(
        type=resource_type,
        filters=filters,
        sort=tuple(_sorts(resource_type, (value for name, value in pairs if name == "_sort"))),
        includes=tuple(_includes(resource_type, pairs)),
        count=_count(pairs),
        elements=frozenset(
            element.strip() for name, value in pairs if name == "_elements" for element in value.split(",") if element
        ),
    )


def criteria(url: str) -> Query:
    """The search of a conditional interaction, "Type?parameter=value". Raises FhirProblem 400 when it says nothing."""
    resource_type, _, text = url.partition("?")
    query = parse(resource_type, parse_qsl(text, keep_blank_values=True))
    if not query.filters or any(not any(part.values) for part in query.filters):
        raise FhirProblem(
            400, "invalid", f"HAPI-0929: Invalid match URL[{resource_type}?] - URL has no search parameters"
        )
    return query


def identifier_of(query: Query) -> tuple[str, str] | None:
    """System and value when the whole query is one exact identifier, else None."""
    if len(query.filters) != 1:
        return None
    only = query.filters[0]
    if only.parameter.name != "identifier" or only.modifier or only.chain or len(only.values) != 1:
        return None
    system, bar, code = split_token(only.values[0])
    return (system, code) if bar and code else None


def exact_token(criterion: str) -> tuple[str, str, str] | None:
    """Index name, system and code of a canonical criterion "Type?identifier=system|value" (or `_tag`); else None.

    What has escapes or several values in it is left to `criteria` and `identifier_of`.
    """
    found = _EXACT.fullmatch(criterion)
    known = definitions.types().get(found[1], {}) if found else {}
    return (f"{found[1]}.{found[2]}", found[3], found[4]) if found and found[2] in known else None


def split_token(value: str) -> tuple[str, bool, str]:
    """System, whether there was a bar, and code of a token value; escapes removed."""
    parts = re.split(r"(?<!\\)\|", value, maxsplit=1)
    if len(parts) == 1:
        return "", False, unescaped(parts[0])
    return unescaped(parts[0]), True, unescaped(parts[1])


def unescaped(value: str) -> str:
    r"""`value` with `\,` `\|` `\$` `\\` made plain."""
    return re.sub(r"\\([,|$\\])", r"\1", value)


def _is_filter(name: str, value: str) -> bool:
    plain = name.partition(":")[0]
    return plain not in _IGNORED and bool(value.strip())


def _filter(resource_type: str, name: str, value: str) -> Filter:
    head, dot, rest = name.partition(".")
    plain, _, modifier = head.partition(":")
    known = definitions.parameters(resource_type)
    parameter = known.get(plain)
    if parameter is None:
        raise FhirProblem(400, "processing", _unknown(resource_type, plain, known))
    if parameter.kind == "reference" and (dot or modifier in definitions.types()):
        return _reference(parameter, modifier, rest, value)
    if dot:
        raise FhirProblem(400, "processing", f"HAPI-1223: {plain} is not a reference: it can't be chained")
    if modifier and modifier != "missing" and modifier not in _MODIFIERS.get(parameter.kind, ()):
        raise FhirProblem(400, "not-supported", f"The modifier :{modifier} is not supported on {resource_type}.{plain}")
    values = (value,) if modifier == "missing" else tuple(re.split(r"(?<!\\),", value))
    return Filter(parameter, modifier, values)


def _reference(parameter: Parameter, modifier: str, rest: str, value: str) -> Filter:
    values = tuple(re.split(r"(?<!\\),", value))
    if modifier and modifier not in definitions.types():
        raise FhirProblem(400, "not-supported", f"The modifier :{modifier} is not supported in a chain")
    if not rest:
        return Filter(parameter, "", tuple(f"{modifier}/{one.rpartition('/')[2]}" for one in values))
    plain = rest.partition(".")[0].partition(":")[0]
    candidates = (modifier,) if modifier else tuple(sorted(parameter.targets or definitions.types().keys()))
    targets = tuple(kind for kind in candidates if plain in definitions.parameters(kind))
    if not targets:
        raise FhirProblem(
            400, "processing", f"HAPI-1222: No target of {parameter.key} has the search parameter {plain}"
        )
    # The parameter is looked up again for each target when compiled: same name, another index.
    return Filter(parameter, "", values, targets, _filter(targets[0], rest, value))


def _unknown(resource_type: str, name: str, known: Iterable[str]) -> str:
    return (
        f'HAPI-0524: Unknown search parameter "{name}" for resource type "{resource_type}". '
        f"Valid search parameters for this search are: [{', '.join(sorted(known))}]"
    )


def _sorts(resource_type: str, values: Iterable[str]) -> Iterable[tuple[Parameter, bool]]:
    known = definitions.parameters(resource_type)
    for name in (part.strip() for value in values for part in value.split(",")):
        parameter = known.get(name.lstrip("-"))
        if parameter is None:
            text = f'HAPI-1194: Unknown _sort parameter value "{name}" for resource type "{resource_type}"'
            raise FhirProblem(400, "processing", text)
        yield parameter, name.startswith("-")


def _includes(resource_type: str, pairs: Pairs) -> Iterable[Include]:
    for name, value in pairs:
        plain, _, modifier = name.partition(":")
        if plain not in ("_include", "_revinclude"):
            continue
        if modifier not in ("", "iterate", "recurse"):
            raise FhirProblem(400, "not-supported", f"{plain}:{modifier} is not supported")
        yield _include(resource_type, value, reverse=plain == "_revinclude", iterate=bool(modifier))


def _include(resource_type: str, value: str, *, reverse: bool, iterate: bool) -> Include:
    if value == "*" and not reverse:
        value = f"{resource_type}:*"
    source, _, rest = value.partition(":")
    name, _, target = rest.partition(":")
    known = definitions.types().get(source, {})
    references = {key: parameter for key, parameter in known.items() if parameter.kind == "reference"}
    if name != "*" and name not in references:
        which = "_revinclude" if reverse else "_include"
        raise FhirProblem(400, "processing", f'HAPI-2015: Invalid {which} parameter value: "{value}"')
    chosen = references.values() if name == "*" else (references[name],)
    links = (link for parameter in chosen for link in _links(parameter, target))
    return Include(tuple(dict.fromkeys(links)), reverse, iterate)


def _links(parameter: Parameter, target: str) -> Iterable[tuple[str, str]]:
    """Where the references of `parameter` are indexed, with each type of target that counts ("" for any)."""
    wanted = {target}
    if parameter.narrower:
        wanted = wanted & parameter.targets if target else set(parameter.targets)
    return ((key, kind) for key in parameter.rows for kind in sorted(wanted))


def _count(pairs: Pairs) -> int:
    given = dict(pairs)
    if given.get("_summary") == "count":
        return 0
    return preferences.number(given.get("_count", str(DEFAULT_COUNT)), "_count", most=MAX_COUNT)


def _refuse_formats(pairs: Pairs) -> None:
    summary = dict(pairs).get("_summary", "false")
    if summary not in ("count", "false"):
        raise FhirProblem(400, "not-supported", "_summary is supported with the values count and false")
