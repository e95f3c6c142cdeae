"""Patterns, and which slice a value belongs to (ElementDefinition.pattern[x], .slicing.discriminator)."""

from collections.abc import Callable
from typing import Any

from janani.record.validation.context import Context
from janani.record.validation.model import Node

UNKNOWN = object()
"""A slice that hangs on a reference which is not within reach: neither in nor out."""
Matcher = Callable[[Any, Context], Any]
"""True, False or UNKNOWN."""
Test = Callable[[Any], bool]


def matches(pattern: Any, value: Any) -> bool:
    """Whether `value` holds all that `pattern` says; it may hold more (ElementDefinition.pattern[x])."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(k in value and matches(v, value[k]) for k, v in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(matches(one, item) for item in value) for one in pattern)
    return type(value) is type(pattern) and value == pattern


def matcher(node: Node, by: list[tuple[str, str]]) -> Matcher | None:
    """Tells whether a value belongs to the slice `node`; None when its discriminators can't be told."""
    tests = [_one(node, kind, path) for kind, path in by]
    found = [test for test in tests if test is not None]
    if not found or (tests[0] is None and by[0][0] != "profile"):
        return None

    def run(value: Any, context: Context) -> Any:
        for test in found:
            result = test(value, context)
            if result is not True:
                return result
        return True

    return run


def _one(node: Node, kind: str, path: str) -> Matcher | None:
    steps = [] if path == "$this" else path.split(".")
    at = _descend(node, [step for step in steps if step != "resolve()"])
    if kind == "type":
        return _by_type(steps, at)
    if kind == "profile":
        return _by_profile(steps, at)
    urls = (node.profiles or []) if path == "url" else []
    test = (lambda value: value in urls) if urls else _expected(at)
    if kind not in ("value", "pattern") or test is None:
        return None
    return _by_value(steps, test)


def _by_value(steps: list[str], test: Test) -> Matcher:
    def run(value: Any, context: Context) -> Any:
        found = _reach(value, steps, context)
        return UNKNOWN if found is UNKNOWN else any(test(item) for item in found)

    return run


def _by_type(steps: list[str], at: Node) -> Matcher | None:
    names = at.types or at.targets
    if not names:
        return None

    def run(value: Any, context: Context) -> Any:
        found = _reach(value, steps, context)
        if found is UNKNOWN:
            return UNKNOWN
        return any(isinstance(item, dict) and item.get("resourceType") in names for item in found)

    return run


def _by_profile(steps: list[str], at: Node) -> Matcher | None:
    urls = (at.meets if "resolve()" in steps else at.profiles) or []
    if not urls:
        return None

    def run(value: Any, context: Context) -> Any:
        found = _reach(value, steps, context)
        if found is UNKNOWN:
            return UNKNOWN
        return any(context.validator.claims_or_meets(item, url, context) for item in found for url in urls)

    return run


def _reach(value: Any, steps: list[str], context: Context) -> Any:
    """The values at `steps` below `value`; UNKNOWN when a reference on the way can't be followed."""
    items = [value]
    for step in steps:
        found = []
        for item in items:
            if not isinstance(item, dict):
                continue
            if step == "resolve()":
                target = context.resolve(str(item.get("reference", "")))
                if target is None:
                    return UNKNOWN
                found.append(target)
            elif step in item:
                inner = item[step]
                found += inner if isinstance(inner, list) else [inner]
        items = found
    return items


def _descend(node: Node, steps: list[str]) -> Node:
    """The node at `steps`; below a pattern, the part of the pattern that stands there."""
    for step in steps:
        child = node.children.get(step)
        part = node.pattern.get(step) if isinstance(node.pattern, dict) else None
        if child is None:
            child = Node(pattern=part[0] if isinstance(part, list) and part else part)
        node = child
    return node


def _expected(node: Node) -> Test | None:
    """What a value of `node` must hold, from its fixed value, pattern and those of its children; None: anything."""
    tests: list[Test] = []
    if node.fixed is not None:
        tests.append(lambda value: bool(value == node.fixed))
    if node.pattern is not None:
        tests.append(lambda value: matches(node.pattern, value))
    for name, child in node.children.items():
        inner = _expected(child)
        # A text beside a code describes the slice, it doesn't tell slices apart.
        if inner is not None and name != "text":
            tests.append(_inside(name, inner))
    return (lambda value: all(test(value) for test in tests)) if tests else None


def _inside(name: str, test: Test) -> Test:
    def run(value: Any) -> bool:
        inner = value.get(name) if isinstance(value, dict) else None
        return any(test(item) for item in inner) if isinstance(inner, list) else inner is not None and test(inner)

    return run
