"""FHIR resources with holes, as the source of an f-string that makes their JSON text.

A template is written as the resource itself; `Hole` stands for a JSON value that is known later, `Splice` for members
that may be absent.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct


class Hole(Struct, frozen=True):
    """A Python expression that gives the JSON text of a value. In a dict or list."""

    expression: str


class Splice(Struct, frozen=True):
    """A Python expression that gives JSON members with a comma before each, or "". A dict's value; its key is not used.

    As the first member (`lead`) the comma comes after each.
    """

    expression: str
    lead: bool = False


class Inside(Struct, frozen=True):
    """A JSON string: a Python expression that gives its start, escaped already, and `rest`. In a dict or list."""

    expression: str
    rest: str = ""


def expression(resource: dict[str, Any], indent: str = "        ") -> str:
    """The source of an expression for the JSON text of `resource`: one line for each of its members."""
    lines = [*_members(resource)]
    lines[0], lines[-1] = "{{" + lines[0], lines[-1] + "}}"
    return "(\n" + "".join(f"{indent}f'{line}'\n" for line in lines) + indent[4:] + ")"


def constant(value: Any) -> str:
    """The source of a string literal with the JSON text of `value`, which has no holes."""
    return repr(msgspec.json.encode(value).decode())


def _members(node: dict[str, Any]) -> Iterator[str]:
    comma = ""
    for key, value in node.items():
        if isinstance(value, Splice):
            yield "{" + value.expression + "}"
            comma = "" if value.lead else ","
        else:
            yield f"{comma}{_literal(key)}:{_text(value)}"
            comma = ","


def _text(node: Any) -> str:
    if isinstance(node, Hole):
        return "{" + node.expression + "}"
    if isinstance(node, Inside):
        return f'"{{{node.expression}}}{_literal(node.rest)[1:]}'
    if isinstance(node, dict):
        return "{{" + "".join(_members(node)) + "}}"
    if isinstance(node, list):
        return "[" + ",".join(_text(one) for one in node) + "]"
    return _literal(node)


def _literal(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("{", "{{").replace("}", "}}")
