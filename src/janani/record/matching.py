"""Compiles a `Query` to SQL: a condition a filter, every value a parameter. Pure.

Only table, column and alias names of this module stand in the text; what came from outside is a parameter.
"""

# ruff: noqa: S608

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from janani.record import dates, definitions, indexing
from janani.record.definitions import Parameter
from janani.record.problems import FhirProblem
from janani.record.query import Filter, Query, split_token, unescaped

_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_MAX_EXPONENT = 300
_LAST = "\U0010ffff"  # the greatest character: `text || _LAST` ends the range of all texts that begin with `text`

# Target range [low, high) against the searched range [{a}, {b}) (§search 3.1.1.4.5).
_DATE_RULES = {
    "eq": "{low} >= {a} and {high} <= {b}",
    "ne": "{low} < {a} or {high} > {b}",
    "gt": "{high} > {b}",
    "lt": "{low} < {a}",
    "ge": "{high} > {b} or ({low} >= {a} and {high} <= {b})",
    "le": "{low} < {a} or ({low} >= {a} and {high} <= {b})",
    "sa": "{low} >= {b}",
    "eb": "{high} <= {a}",
    "ap": "{low} < {b} and {high} > {a}",
}


class Statement:
    """SQL conditions on a resource row, and the values of their parameters ($1, $2 …)."""

    def __init__(self, patient: str | None, base_url: str) -> None:
        self.values: list[Any] = []
        self._patient, self._base_url, self._aliases = patient, base_url, 0

    def give(self, value: Any) -> str:
        """The placeholder of a new parameter."""
        self.values.append(value)
        return f"${len(self.values)}"

    def visible(self, row: str) -> str:
        """The condition that the actor may see `row` (an alias of `resource`)."""
        if self._patient is None:
            return f"not {row}.deleted"
        mine = f"{row}.compartment @> array[{self.give(self._patient)}::text]"
        shared = (
            f"{row}.compartment = '{{}}' and {row}.type = any({self.give(sorted(definitions.SHARED_TYPES))}::text[])"
        )
        return f"not {row}.deleted and ({mine} or ({shared}))"

    def matches(self, query: Query, row: str = "r") -> str:
        """The condition that `row` is a visible match of `query`."""
        conditions = [f"{row}.type = {self.give(query.type)}", self.visible(row)]
        conditions += [self._condition(part, row) for part in query.filters]
        return " and ".join(conditions)

    def order(self, query: Query, row: str = "r") -> str:
        """The sort expression; equals stand in the order they came to the store."""
        terms = []
        for parameter, descending in query.sort:
            value = self._sort_value(parameter, row, "max" if descending else "min")
            terms.append(f"{value} {'desc' if descending else 'asc'} nulls last")
        return ", ".join([*terms, f"{row}.key"])

    def _sort_value(self, parameter: Parameter, row: str, most: str) -> str:
        if parameter.kind in ("id", "updated"):
            return f"{row}.id" if parameter.kind == "id" else f"{row}.last_updated"
        table, column = _SORTS[parameter.kind]
        return f"(select {most}({column}) from {table} x where x.key = {row}.key and {self._rows(parameter)})"

    def _rows(self, parameter: Parameter, alias: str = "x", part: str = "") -> str:
        """The condition that index row `alias` holds a value of `parameter`, or with ":identifier" a logical one."""
        names = [f"{key}{part}" for key in parameter.rows]
        named = f"= {self.give(names[0])}" if len(names) == 1 else f"= any({self.give(names)}::text[])"
        text = f"{alias}.name {named}"
        if parameter.narrower and not part:  # of what is elsewhere the type isn't known
            text += f" and {alias}.target_type = any({self.give(['', *sorted(parameter.targets)])}::text[])"
        return text

    def _condition(self, part: Filter, row: str) -> str:
        if part.chain is not None:
            return self._chained(part, row)
        if part.modifier == "missing":
            return self._missing(part, row)
        if part.parameter.kind == "id":
            return f"{row}.id = any({self.give([value.rpartition('/')[2] for value in part.values])}::text[])"
        if part.parameter.kind == "updated":
            return self._any(part, lambda value: self._date(value, f"{row}.last_updated", f"{row}.last_updated"))
        negated = part.modifier == "not"
        table, test = self._test(part)
        rows = self._rows(part.parameter, part=":identifier" if part.modifier == "identifier" else "")
        found = f"x.key = {row}.key and {rows} and {self._any(part, test)}"
        inner = f"select 1 from {table} x where {found}"
        return f"{'not ' if negated else ''}exists ({inner})"

    def _any(self, part: Filter, test: Callable[[str], str]) -> str:
        return "(" + " or ".join(f"({test(value)})" for value in part.values) + ")"

    def _test(self, part: Filter) -> tuple[str, Callable[[str], str]]:
        """The index table of a filter, and the condition of one value on its row `x`."""
        kind = "token" if part.modifier == "identifier" else part.parameter.kind
        if kind == "token":
            return "token", self._token
        if kind == "reference":
            return "reference", lambda value: self._reference(part.parameter, value)
        if kind == "date":
            return "date_span", lambda value: self._date(value, "x.low", "x.high")
        if kind == "string":
            return "string", lambda value: self._string(part.modifier, value)
        if kind == "uri":
            return "token", lambda value: self._uri(part.modifier, value)
        return "quantity", self._quantity

    def _token(self, value: str) -> str:
        system, has_system, code = split_token(value)
        if not has_system:
            return f"x.code = {self.give(code)}"
        if not code:
            return f"x.system = {self.give(system)}"
        # A bare code has no system of its own: its binding gives it.
        same = f"x.system = {self.give(system)}" if system else "x.system = ''"
        return f"x.code = {self.give(code)} and ({same} or x.system is null)"

    def _uri(self, modifier: str, value: str) -> str:
        text = unescaped(value)
        if modifier == "below":
            return f"x.code >= {self.give(text)} and x.code < {self.give(text + _LAST)}"
        return f"x.code = {self.give(text)}"

    def _string(self, modifier: str, value: str) -> str:
        text = unescaped(value)
        if modifier == "exact":
            return f"x.exact = {self.give(text)}"
        folded = indexing.folded(text)
        if modifier == "contains":
            return f"strpos(x.folded, {self.give(folded)}) > 0"
        return f"x.folded >= {self.give(folded)} and x.folded < {self.give(folded + _LAST)}"

    def _reference(self, parameter: Parameter, value: str) -> str:
        text = unescaped(value)
        local = indexing.local_reference({"reference": text}, self._base_url)
        if local is not None:
            return f"x.target_type = {self.give(local[0])} and x.target_id = {self.give(local[1])}"
        if "://" in text or text.startswith("urn:"):
            return f"x.target_type = '' and x.target_id = {self.give(text)}"
        kinds = sorted(parameter.targets) or sorted(definitions.types())
        return f"x.target_id = {self.give(text)} and x.target_type = any({self.give(kinds)}::text[])"

    def _date(self, value: str, low: str, high: str) -> str:
        prefix, text = _split_prefix(value)
        span = dates.span(text)
        if span is None:
            raise FhirProblem(400, "invalid", "HAPI-1882: Invalid date/time format in a date search parameter")
        if prefix == "ap":
            span = dates.widened(span, timedelta(days=1))
        # The end of an instant is itself, and the half-open end of the searched range is not in it.
        rules = _INSTANT_RULES if low == high else _DATE_RULES
        return self._fill(rules[prefix], {"low": low, "high": high}, {"a": span[0], "b": span[1]})

    def _quantity(self, value: str) -> str:
        number, *unit = value.split("|")
        prefix, text = _split_prefix(number)
        try:
            amount = Decimal(text)
        except InvalidOperation as error:
            raise FhirProblem(400, "invalid", "HAPI-1882: Invalid number in a quantity search parameter") from error
        exponent = amount.as_tuple().exponent
        if not isinstance(exponent, int) or abs(amount.adjusted()) > _MAX_EXPONENT:
            raise FhirProblem(400, "invalid", "HAPI-1882: Number out of range in a quantity search parameter")
        half = Decimal(5).scaleb(exponent - 1)  # what is not written may be rounded
        if prefix == "ap":
            half = abs(amount) / 10
        rule = self._fill(_NUMBER_RULES[prefix], {}, {"low": amount - half, "high": amount + half, "mid": amount})
        rule = f"({rule})"
        if len(unit) == 2 and unit[0]:
            rule += f" and x.system = {self.give(unit[0])}"
        return f"{rule} and x.code = {self.give(unit[-1])}" if unit and unit[-1] else rule

    def _fill(self, rule: str, names: Mapping[str, str], values: Mapping[str, datetime | Decimal]) -> str:
        """`rule` with column `names` and, of `values`, the parameters that it uses."""
        given = {name: self.give(value) for name, value in values.items() if f"{{{name}}}" in rule}
        return rule.format(**names, **given)

    def _missing(self, part: Filter, row: str) -> str:
        if part.values[0] not in ("true", "false"):
            raise FhirProblem(400, "invalid", "HAPI-0460: :missing takes true or false")
        if part.parameter.kind in ("id", "updated"):
            return "false" if part.values[0] == "true" else "true"
        table = _TABLES[part.parameter.kind]
        found = f"exists (select 1 from {table} x where x.key = {row}.key and {self._rows(part.parameter)})"
        return f"not {found}" if part.values[0] == "true" else found

    def _chained(self, part: Filter, row: str) -> str:
        self._aliases += 1
        link, target = f"f{self._aliases}", f"t{self._aliases}"
        options = []
        for kind in part.targets:
            condition = self._condition(_for_type(part.chain, kind), target)  # type: ignore[arg-type]
            options.append(f"({target}.type = {self.give(kind)} and {condition})")
        return (
            f"exists (select 1 from reference {link} join resource {target}"
            f" on {target}.type = {link}.target_type and {target}.id = {link}.target_id and {self.visible(target)}"
            f" where {link}.key = {row}.key and {self._rows(part.parameter, link)}"
            f" and ({' or '.join(options)}))"
        )


def _for_type(chain: Filter, resource_type: str) -> Filter:
    """`chain` with its parameter as `resource_type` defines it."""
    parameter = definitions.parameters(resource_type)[chain.parameter.name]
    return Filter(parameter, chain.modifier, chain.values, chain.targets, chain.chain)


def _split_prefix(value: str) -> tuple[str, str]:
    return (value[:2], value[2:]) if value[:2] in _PREFIXES else ("eq", value)


_INSTANT_RULES = {
    "eq": "{low} >= {a} and {low} < {b}",
    "ne": "{low} < {a} or {low} >= {b}",
    "gt": "{low} >= {b}",
    "lt": "{low} < {a}",
    "ge": "{low} >= {a}",
    "le": "{low} < {b}",
    "sa": "{low} >= {b}",
    "eb": "{low} < {a}",
    "ap": "{low} >= {a} and {low} < {b}",
}
_NUMBER_RULES = {
    "eq": "x.value >= {low} and x.value < {high}",
    "ne": "x.value < {low} or x.value >= {high}",
    "gt": "x.value > {mid}",
    "lt": "x.value < {mid}",
    "ge": "x.value >= {mid}",
    "le": "x.value <= {mid}",
    "sa": "x.value > {mid}",
    "eb": "x.value < {mid}",
    "ap": "x.value >= {low} and x.value <= {high}",
}
_TABLES = {
    "token": "token",
    "uri": "token",
    "reference": "reference",
    "date": "date_span",
    "string": "string",
    "quantity": "quantity",
    "number": "quantity",
}
_SORTS = {
    "token": ("token", "code"),
    "uri": ("token", "code"),
    "reference": ("reference", "target_id"),
    "date": ("date_span", "low"),
    "string": ("string", "folded"),
    "quantity": ("quantity", "value"),
    "number": ("quantity", "value"),
}
