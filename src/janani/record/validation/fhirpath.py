"""The part of FHIRPath that R4's and the programme's invariants use, compiled to closures.

`invariant(expression, choices)` gives a function on (node, environment) that is False only when the expression is
false. A value is a list of plain JSON values, as FHIRPath has it; types of choices are told by their JSON name.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Protocol

from janani.record.validation.fhirpath_syntax import NotUnderstood, Tree, parse

Items = list[Any]


class Environment(Protocol):
    """What an expression may ask beyond its node."""

    resource: Any
    root: Any

    def resolve(self, reference: str) -> Any:
        """The resource a reference points at, when it is within reach; else None."""

    def member_of(self, value: Any, url: str) -> bool | None:
        """Whether a code, Coding or CodeableConcept is in the value set; None: can't be known."""


Run = Callable[[Items, Any], Items]
Test = Callable[[Any, Any], bool]
Choices = Mapping[str, list[str]]


def invariant(expression: str, choices: Choices) -> Test:
    """The test of an invariant: False only when `expression` is false of the node; empty counts as not false.

    Raises NotUnderstood.
    """
    run = _Compiler(choices).compile(parse(expression))

    def test(node: Any, environment: Any) -> bool:
        result = run([node], environment)
        return not result or result[0] is not False

    return test


_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'")
_WHOLE = re.compile(r"\$this|(?:children|descendants|resolve)\(|%(?:resource|context|rootResource)\b(?!\.[a-z])")
_WORD = re.compile(r"[A-Za-z_]\w*")


def mentioned(expression: str) -> frozenset[str] | None:
    """Words among which are the names of all elements that `expression` may look at; None when that can't be told."""
    plain = _TEXT.sub("", expression)
    return None if _WHOLE.search(plain) else frozenset(_WORD.findall(plain))


def truth(items: Items) -> bool | None:
    """FHIRPath's singleton evaluation as Boolean: None when empty, True for one value that is no Boolean."""
    if not items:
        return None
    return items[0] if isinstance(items[0], bool) else True


class _Compiler:
    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def compile(self, tree: Tree) -> Run:
        made: Run = getattr(self, "_" + tree[0])(*tree[1:])
        return made

    def _literal(self, value: Any) -> Run:
        items = [value]
        return lambda _this, _env: items

    def _empty(self) -> Run:
        return lambda _this, _env: []

    def _this(self) -> Run:
        return lambda this, _env: this

    def _variable(self, name: str) -> Run:
        if name in ("resource", "context", "rootResource"):
            return (lambda _this, env: [env.root]) if name == "rootResource" else (lambda _this, env: [env.resource])
        fixed = {"ucum": "http://unitsofmeasure.org", "sct": "http://snomed.info/sct", "loinc": "http://loinc.org"}
        if name not in fixed:
            raise NotUnderstood(f"%{name}")
        return self._literal(fixed[name])

    def _member(self, of: Tree, name: str) -> Run:
        source = self.compile(of)
        if of == ("this",) and name[0].isupper():  # a type name at the start of a path names the node itself
            return source
        names, shadow, direct = frozenset(self._choices.get(name, ())), "_" + name, of == ("this",)

        def run(this: Items, env: Any) -> Items:
            found: Items = []
            for item in this if direct else source(this, env):
                if type(item) is dict:
                    value = item.get(name)
                    if value is None:
                        given = names.intersection(item) if names else names
                        value = item.get(next(key for key in item if key in given) if given else shadow)
                    if type(value) is list:
                        found += value
                    elif value is not None:
                        found.append(value)
            return found

        return run

    def _index(self, of: Tree, place: Tree) -> Run:
        source, index = self.compile(of), self.compile(place)

        def run(this: Items, env: Any) -> Items:
            items, at = source(this, env), index(this, env)
            return items[at[0] : at[0] + 1] if at else []

        return run

    def _negative(self, tree: Tree) -> Run:
        source = self.compile(tree)
        return lambda this, env: [-item for item in source(this, env)]

    def _binary(self, operator: str, left: Tree, right: Tree) -> Run:
        first, second = self.compile(left), self.compile(right)
        if operator in _LOGIC:
            decide = _LOGIC[operator]
            return lambda this, env: decide(truth(first(this, env)), lambda: truth(second(this, env)))
        if operator not in _OPERATORS:
            raise NotUnderstood(operator)
        apply = _OPERATORS[operator]
        return lambda this, env: apply(first(this, env), second(this, env))

    def _call(self, of: Tree, name: str, arguments: list[Tree]) -> Run:
        if name in ("is", "as", "ofType"):
            return self._typed(of, name, str(arguments[0][1]))
        source = self.compile(of)
        given = [self.compile(argument) for argument in arguments]
        if name == "exists" and given:
            name = "any"
        if name in _EACH:
            each, criterion = _EACH[name], given[0]
            return lambda this, env: each(source(this, env), lambda item: criterion([item], env))
        if name == "iif":
            no: Run = given[2] if len(given) > 2 else self._empty()
            return lambda this, env: (given[1] if truth(given[0](this, env)) else no)(this, env)
        if name == "resolve":
            return lambda this, env: [r for i in source(this, env) if (r := env.resolve(_reference(i))) is not None]
        if name == "memberOf":
            return lambda this, env: _member_of(source(this, env), given[0](this, env)[0], env)
        if name not in _FUNCTIONS:
            raise NotUnderstood(f"{name}()")
        function = _FUNCTIONS[name]
        if not given:
            return lambda this, env: function(source(this, env))
        # `combine`, `in` and their like take a collection seen from the outer focus, not from each item.
        return lambda this, env: function(source(this, env), *(argument(this, env) for argument in given))

    def _typed(self, of: Tree, name: str, kind: str) -> Run:
        if of[0] == "member" and of[2] in self._choices:
            key = of[2] + kind[0].upper() + kind[1:]
            whole, one = self.compile(of), self._member(of[1], key)
            if name != "is":
                return one
            return lambda this, env: [bool(one(this, env))] if whole(this, env) else []
        source = self.compile(of)
        if name == "is":
            return lambda this, env: [_is(item, kind) for item in source(this, env)]
        return lambda this, env: [item for item in source(this, env) if _is(item, kind)]


_SYSTEM_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "decimal": (int, float, Decimal),
}


def _is(item: Any, kind: str) -> bool:
    if isinstance(item, dict):
        return "resourceType" not in item or item["resourceType"] == kind or kind == "Resource"
    expected = _SYSTEM_TYPES.get(kind[0].lower() + kind[1:])
    return isinstance(item, expected) if expected else isinstance(item, str)


def _reference(item: Any) -> str:
    return str(item.get("reference", "")) if isinstance(item, dict) else str(item)


def _member_of(items: Items, url: str, env: Environment) -> Items:
    found = [env.member_of(item, url) for item in items]
    return [] if not found or None in found else [all(found)]


def _implies(left: bool | None, right: Callable[[], bool | None]) -> Items:
    if left is False:
        return [True]
    other = right()
    if other or left is None:
        return [True] if other else []
    return [] if other is None else [False]


def _and(left: bool | None, right: Callable[[], bool | None]) -> Items:
    if left is False:
        return [False]
    other = right()
    if other is False:
        return [False]
    return [True] if left and other else []


def _or(left: bool | None, right: Callable[[], bool | None]) -> Items:
    if left:
        return [True]
    other = right()
    if other:
        return [True]
    return [] if left is None or other is None else [False]


def _xor(left: bool | None, right: Callable[[], bool | None]) -> Items:
    other = right()
    return [] if left is None or other is None else [left != other]


_LOGIC: dict[str, Callable[[bool | None, Callable[[], bool | None]], Items]] = {
    "implies": _implies, "and": _and, "or": _or, "xor": _xor,
}  # fmt: skip


def _equal(left: Items, right: Items) -> Items:
    return [left == right] if left and right else []


def _unequal(left: Items, right: Items) -> Items:
    return [left != right] if left and right else []


def _compare(decide: Callable[[Any, Any], bool]) -> Callable[[Items, Items], Items]:
    def run(left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        first, second = left[0], right[0]
        if isinstance(first, dict) and isinstance(second, dict):  # quantities compare when their units do
            if first.get("code") != second.get("code") or first.get("system") != second.get("system"):
                return []
            first, second = first.get("value"), second.get("value")
        if isinstance(first, str) and isinstance(second, str):
            first, second = _instant(first), _instant(second)
        if first is None or second is None or isinstance(first, dict) or isinstance(second, dict):
            return []
        try:
            return [decide(first, second)]
        except TypeError:  # a date against an instant: FHIRPath says neither true nor false
            return []

    return run


def _instant(text: str) -> Any:
    """A moment with an offset as datetime, anything else as it is; a date against a moment can't be compared."""
    if "T" not in text:
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _union(left: Items, right: Items) -> Items:
    found: Items = []
    for item in chain(left, right):
        if item not in found:
            found.append(item)
    return found


def _plus(left: Items, right: Items) -> Items:
    return [left[0] + right[0]] if left and right else []


def _minus(left: Items, right: Items) -> Items:
    return [left[0] - right[0]] if left and right else []


def _joined(left: Items, right: Items) -> Items:
    return [_text(left) + _text(right)]


def _text(items: Items) -> str:
    return str(items[0]) if items else ""


_OPERATORS: dict[str, Callable[[Items, Items], Items]] = {
    "=": _equal, "~": _equal, "!=": _unequal, "!~": _unequal,
    "<": _compare(lambda a, b: a < b), ">": _compare(lambda a, b: a > b),
    "<=": _compare(lambda a, b: a <= b), ">=": _compare(lambda a, b: a >= b),
    "*": lambda left, right: [left[0] * right[0]] if left and right else [],
    "|": _union, "+": _plus, "-": _minus, "&": _joined,
    "in": lambda left, right: [left[0] in right] if left else [],
    "contains": lambda left, right: [right[0] in left] if right else [],
}  # fmt: skip

Criterion = Callable[[Any], Items]
_EACH: dict[str, Callable[[Items, Criterion], Items]] = {
    "where": lambda items, test: [item for item in items if truth(test(item))],
    "any": lambda items, test: [any(truth(test(item)) for item in items)],
    "all": lambda items, test: [all(truth(test(item)) for item in items)],
    "select": lambda items, test: [found for item in items for found in test(item)],
}


def _children(items: Items) -> Items:
    found: Items = []
    for item in items:
        if isinstance(item, dict):
            for key, value in item.items():
                if key != "resourceType":
                    found += value if isinstance(value, list) else [value]
    return found


def _descendants(items: Items) -> Items:
    found: Items = []
    level = _children(items)
    while level:
        found += level
        level = _children(level)
    return found


def _number(items: Items) -> Items:
    return [int(_text(items))] if re.fullmatch(r"[+-]?\d+", _text(items)) else []


def _substring(items: Items, start: Items, length: Items | None = None) -> Items:
    if not items:
        return []
    end = start[0] + length[0] if length else None
    return [_text(items)[start[0] : end]]


def _on_text(decide: Callable[[str, str], Any]) -> Callable[[Items, Items], Items]:
    return lambda items, given: [decide(_text(items), _text(given))] if items and given else []


def _distinct(items: Items) -> bool:
    return len({repr(item) for item in items}) == len(items)


_FUNCTIONS: dict[str, Callable[..., Items]] = {
    "exists": lambda items: [bool(items)],
    "empty": lambda items: [not items],
    "not": lambda items: [not truth(items)] if items else [],
    "hasValue": lambda items: [len(items) == 1 and not isinstance(items[0], dict)],
    "count": lambda items: [len(items)],
    "first": lambda items: items[:1],
    "last": lambda items: items[-1:],
    "tail": lambda items: items[1:],
    "distinct": lambda items: _union(items, []),
    "isDistinct": lambda items: [_distinct(items)],
    "allFalse": lambda items: [all(item is False for item in items)],
    "allTrue": lambda items: [all(item is True for item in items)],
    "anyTrue": lambda items: [any(item is True for item in items)],
    "children": _children,
    "descendants": _descendants,
    "combine": lambda items, other: [*items, *other],
    "union": _union,
    "intersect": lambda items, other: [item for item in _union(items, []) if item in other],
    "trace": lambda items, *_: items,
    "toInteger": _number,
    "toString": lambda items: [_text(items)] if items else [],
    "length": lambda items: [len(_text(items))] if items else [],
    "lower": lambda items: [_text(items).lower()] if items else [],
    "upper": lambda items: [_text(items).upper()] if items else [],
    "substring": _substring,
    "startsWith": _on_text(str.startswith),
    "endsWith": _on_text(str.endswith),
    "contains": _on_text(lambda text, given: given in text),
    "matches": _on_text(lambda text, given: re.search(given, text) is not None),
    "replace": lambda items, old, new: [_text(items).replace(_text(old), _text(new))] if items else [],
    "replaceMatches": lambda items, old, new: [re.sub(_text(old), _text(new), _text(items))] if items else [],
    "htmlChecks": lambda _items: [True],
}
