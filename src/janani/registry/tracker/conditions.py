"""SQL conditions compiled from values to parameters; never from text (reference §3.3, filter operators). Pure."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from janani.registry.problems import Refusal

OPERATORS = frozenset(
    ("eq", "ieq", "ne", "neq", "nieq", "gt", "ge", "lt", "le", "in", "like", "ilike", "nlike", "nilike", "sw", "ew")
)
_COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
# A number to Python and to PostgreSQL, whose `numeric` takes whatever is so short.
_NUMBER, _MOST_DIGITS = r"^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{1,3})?$", 255
_INDEXED = 200  # the length of the index on attribute values


class Conditions:
    """Conditions joined with AND, and the parameters they name."""

    def __init__(self) -> None:
        self.clauses: list[str] = []
        self.parameters: list[Any] = []

    def parameter(self, value: Any, kind: str) -> str:
        """The placeholder of `value`, cast to the SQL type `kind`."""
        self.parameters.append(value)
        return f"${len(self.parameters)}::{kind}"

    def add(self, clause: str) -> None:
        """One more condition; values in it stand as placeholders from `parameter`."""
        self.clauses.append(clause)

    def within(self, column: str, values: Iterable[str] | None) -> None:
        """`column` is one of `values`; None means anything."""
        if values is not None:
            self.add(f"{column} = any({self.parameter(list(values), 'text[]')})")

    def at_least(self, column: str, value: Any) -> None:
        """`column` is not before `value`; None means whenever."""
        if value is not None:
            self.add(f"{column} >= {self.parameter(value, 'timestamptz')}")

    def at_most(self, column: str, value: Any) -> None:
        """`column` is not after `value`; None means whenever."""
        if value is not None:
            self.add(f"{column} <= {self.parameter(value, 'timestamptz')}")

    def equals(self, column: str, value: Any, kind: str = "text") -> None:
        """`column` is `value`; None means anything."""
        if value is not None:
            self.add(f"{column} = {self.parameter(value, kind)}")

    @property
    def text(self) -> str:
        """All conditions together."""
        return " and ".join(self.clauses) or "true"


class Filter:
    """One `filter=uid:op:value:op:value`: what is filtered, and its tests (operator, value)."""

    def __init__(self, uid: str, tests: list[tuple[str, str]]) -> None:
        self.uid, self.tests = uid, tests


def read_filters(texts: Iterable[str]) -> list[Filter]:
    """The filters in `texts` (each one or several with commas between). Raises Refusal (400)."""
    found = [_read_filter(part) for text in texts for part in _split(text, ",") if part]
    if len({one.uid for one in found}) < len(found):
        raise Refusal(400, "Filter for the same attribute or data element can only be given once; chain its operators.")
    return found


def _read_filter(text: str) -> Filter:
    uid, *rest = _split(text, ":")
    tests: list[tuple[str, str]] = []
    while rest:
        operator = rest.pop(0).lower()
        if operator in ("null", "!null"):
            tests.append((operator, ""))
        elif operator in OPERATORS and rest:
            tests.append((operator, _plain(rest.pop(0))))
        else:
            raise Refusal(400, f"Query item or filter is invalid: operator `{operator}` is unknown or has no value.")
    return Filter(_plain(uid), tests)


def _split(text: str, mark: str) -> list[str]:
    """`text` at each `mark` that no `/` escapes; escapes stay for the next split."""
    parts, current, escaped = [], "", False
    for letter in text:
        if letter == mark and not escaped:
            parts.append(current)
            current = ""
        else:
            current += letter
        escaped = letter == "/" and not escaped
    return [*parts, current]


def _plain(text: str) -> str:
    plain, escaped = "", False
    for letter in text:
        if letter == "/" and not escaped:
            escaped = True
            continue
        plain += letter
        escaped = False
    return plain


def comparison(
    conditions: Conditions, column: str, operator: str, value: str, *, numeric: bool, guard: str = "true"
) -> str:
    """The SQL for `column operator value` (§3.3): text ignores case, numbers compare as numbers.

    `guard` is a condition under which `column` holds a number at all. Raises Refusal (400) for no number.
    """
    if numeric and operator in ("eq", "ieq", "ne", "neq", "nieq", "in", *_COMPARISONS):
        # What was stored before this became a number need be none: it passes no test, and stops nobody.
        readable = f"length({column}) <= {_MOST_DIGITS} and {column} ~ '{_NUMBER}'"
        return _numeric_test(
            conditions, f"case when {guard} and {readable} then {column}::numeric end", operator, value
        )
    return _text_test(conditions, column, operator, value.lower())


def _numeric_test(conditions: Conditions, number: str, operator: str, value: str) -> str:
    values = [part.strip() for part in (value.split(";") if operator == "in" else [value])]
    if any(len(part) > _MOST_DIGITS or not re.match(_NUMBER, part) for part in values):
        raise Refusal(400, "Query item or filter is invalid: a number is needed.")
    if operator == "in":
        return f"{number} = any({conditions.parameter(values, 'text[]')}::numeric[])"
    sign = _COMPARISONS.get(operator) or ("<>" if operator.startswith("n") else "=")
    return f"{number} {sign} {conditions.parameter(values[0], 'text')}::numeric"


def _text_test(conditions: Conditions, column: str, operator: str, low: str) -> str:
    start = f"lower(left({column}, {_INDEXED}))"
    parameter: Callable[[Any], str] = lambda value: conditions.parameter(value, "text")  # noqa: E731
    match operator:
        case "eq" | "ieq":
            return f"({start} = {parameter(low[:_INDEXED])} and lower({column}) = {parameter(low)})"
        case "ne" | "neq" | "nieq":
            return f"lower({column}) <> {parameter(low)}"
        case "in":
            return f"lower({column}) = any({conditions.parameter(low.split(';'), 'text[]')})"
        case "like" | "ilike":
            return f"strpos(lower({column}), {parameter(low)}) > 0"
        case "nlike" | "nilike":
            return f"strpos(lower({column}), {parameter(low)}) = 0"
        case "sw":
            return f"{start} like {parameter(_like(low[:_INDEXED]) + '%')}"
        case "ew":
            return f"lower({column}) like {parameter('%' + _like(low))}"
        case _:
            return f"lower({column}) {_COMPARISONS[operator]} {parameter(low)}"


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
