"""The `filter` and `order` parameters (Web API, "Metadata object filter"). Pure."""

from collections.abc import Callable
from typing import Any

from janani.registry.metadata.types import REFERENCES
from janani.registry.problems import Refusal

Json = dict[str, Any]
Resolve = Callable[[str, str], Json | None]
Test = Callable[[Json], bool]


def compile_filter(text: str, resolve: Resolve) -> Test:
    """The test that `filter=property:operator:value` stands for. Raises Refusal (400)."""
    path, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    if not path or not operator:
        raise Refusal(400, f"Filter is invalid: {text!r}. Write property:operator:value.")
    if path in ("identifiable", "query"):
        words = value.lower().split()
        return lambda one: all(
            any(word in str(one.get(name, "")).lower() for name in ("id", "code", "name")) for word in words
        )
    negated = operator.startswith("!") and operator != "!null"
    test = _operator(operator.removeprefix("!") if negated else operator, value)
    steps = path.split(".")
    return lambda one: test(_values(one, steps, resolve)) != negated


def compile_filters(texts: list[str], junction: str, resolve: Resolve) -> Test:
    """All of `texts` together (AND), or any of them (`rootJunction=OR`)."""
    tests = [compile_filter(text, resolve) for text in texts]
    if not tests:
        return lambda _: True
    if junction.upper() == "OR":
        return lambda one: any(test(one) for test in tests)
    return lambda one: all(test(one) for test in tests)


def sorted_by(objects: list[Json], orders: list[str]) -> list[Json]:
    """`objects` in the order of `order=property:direction` (each i-direction ignores case); by default by name."""
    for order in reversed(orders or ["displayName:iasc"]):
        name, _, direction = order.partition(":")
        if direction not in ("", "asc", "desc", "iasc", "idesc"):
            raise Refusal(400, f"Order direction {direction!r} is invalid; use asc, desc, iasc or idesc.")
        fold = direction.startswith("i")
        objects = sorted(objects, key=lambda one: _sort_key(one.get(name), fold), reverse=direction.endswith("desc"))
    return objects


def _sort_key(value: Any, fold: bool) -> tuple[int, float, str]:
    if value is None:
        return (2, 0.0, "")
    if isinstance(value, int | float):
        return (0, float(value), "")
    text = str(value)
    return (1, 0.0, text.lower() if fold else text)


def _values(one: Json, steps: list[str], resolve: Resolve) -> list[Any]:
    """Every value at the dotted path; references are followed."""
    current: list[Any] = [one]
    for step in steps:
        found: list[Any] = []
        for each in current:
            if isinstance(each, dict) and step in each:
                value = each[step]
                found += value if isinstance(value, list) else [value]
        kind = REFERENCES.get(step)
        current = [_followed(each, kind, resolve) for each in found]
    return current


def _followed(value: Any, kind: str | None, resolve: Resolve) -> Any:
    if kind and isinstance(value, dict) and "id" in value:
        return resolve(kind, value["id"]) or value
    return value


def _operator(operator: str, value: str) -> Callable[[list[Any]], bool]:
    low = value.lower()
    members = {each.strip() for each in value.strip("[]").split(",")}
    tests: dict[str, Callable[[Any], bool]] = {
        "eq": lambda found: _text(found) == value,
        "ieq": lambda found: _text(found).lower() == low,
        "ne": lambda found: _text(found) != value,
        "neq": lambda found: _text(found) != value,
        "like": lambda found: value in _text(found),
        "ilike": lambda found: low in _text(found).lower(),
        "$like": lambda found: _text(found).startswith(value),
        "$ilike": lambda found: _text(found).lower().startswith(low),
        "like$": lambda found: _text(found).endswith(value),
        "ilike$": lambda found: _text(found).lower().endswith(low),
        "startsWith": lambda found: _text(found).startswith(value),
        "endsWith": lambda found: _text(found).endswith(value),
        "in": lambda found: _text(found) in members,
        "token": lambda found: all(word in _text(found).lower() for word in low.split()),
        "gt": lambda found: _comparable(found) > _comparable(value),
        "ge": lambda found: _comparable(found) >= _comparable(value),
        "lt": lambda found: _comparable(found) < _comparable(value),
        "le": lambda found: _comparable(found) <= _comparable(value),
    }
    if operator == "null":
        return lambda found: not found
    if operator == "!null":
        return lambda found: bool(found)
    if operator == "empty":
        return lambda found: not found
    if operator not in tests:
        raise Refusal(400, f"Filter operator {operator!r} is not supported.")
    test = tests[operator]
    return lambda found: any(test(each) for each in found)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return str(value.get("id", ""))
    return "" if value is None else str(value)


def _comparable(value: Any) -> tuple[int, float, str]:
    try:
        return (0, float(value), "")
    except (TypeError, ValueError):
        return (1, 0.0, str(value))
