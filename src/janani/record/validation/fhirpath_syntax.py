"""Reads FHIRPath expressions (normative grammar, FHIRPath N1) into trees.

A tree is a tuple whose first item says what it is:
("literal", value) · ("variable", name) · ("this",) · ("member", of, name) · ("call", of, name, arguments) ·
("binary", operator, left, right) · ("index", of, tree) · ("negative", tree) · ("empty",)
"""

import re
from typing import Any

Tree = tuple[Any, ...]


class NotUnderstood(Exception):
    """The expression is not FHIRPath, or uses what this subset lacks."""


_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<date>@[\dT:.+\-Z]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)|(?P<variable>%[A-Za-z0-9_\-]+|%`[^`]+`|\$[a-z]+)"
    r"|(?P<operator><=|>=|!=|!~|[-+*/=~<>|&.,()\[\]{}]))"
)
_BINDING = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, ">": 6, "<=": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "-": 9, "&": 9, "*": 10, "/": 10,
    "div": 10, "mod": 10,
}  # fmt: skip
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


def parse(expression: str) -> Tree:
    """The tree of `expression`. Raises NotUnderstood."""
    reader = _Reader(_tokens(expression))
    tree = reader.expression(0)
    if reader.peek() != ("end", ""):
        raise NotUnderstood(f"{expression!r}: {reader.peek()[1]!r} was not expected")
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise NotUnderstood(f"{text!r} at {place}")
        found.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
        place = match.end()
    return found


class _Reader:
    """Precedence climbing over tokens."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place = tokens, 0

    def peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self.peek()
        self._place += 1
        return token

    def _take(self, text: str) -> None:
        if self._next()[1] != text:
            raise NotUnderstood(f"{text!r} was expected")

    def expression(self, least: int) -> Tree:
        left = self._unary()
        while (strength := _BINDING.get(self.peek()[1], 0)) > least and self.peek()[0] in ("name", "operator"):
            operator = self._next()[1]
            if operator in ("is", "as"):
                left = ("call", left, operator, [self._type_name()])
            else:
                left = ("binary", operator, left, self.expression(strength))
        return left

    def _unary(self) -> Tree:
        if self.peek() == ("operator", "-"):
            self._next()
            return ("negative", self._unary())
        if self.peek() == ("operator", "+"):
            self._next()
        return self._steps(self._term())

    def _steps(self, tree: Tree) -> Tree:
        while self.peek()[1] in (".", "[") and self.peek()[0] == "operator":
            if self._next()[1] == "[":
                tree = ("index", tree, self.expression(0))
                self._take("]")
            else:
                tree = self._invocation(tree, self._next())
        return tree

    def _invocation(self, of: Tree, token: tuple[str, str]) -> Tree:
        if token[0] != "name":
            raise NotUnderstood(f"a name was expected, not {token[1]!r}")
        if self.peek() != ("operator", "("):
            return ("member", of, token[1].strip("`"))
        self._next()
        arguments: list[Tree] = []
        if token[1] in ("is", "as", "ofType"):
            arguments.append(self._type_name())
        while self.peek() != ("operator", ")"):
            if arguments:
                self._take(",")
            arguments.append(self.expression(0))
        self._take(")")
        return ("call", of, token[1], arguments)

    def _type_name(self) -> Tree:
        name = self._next()[1]
        while self.peek() == ("operator", "."):
            self._next()
            name = self._next()[1]
        return ("type", name.strip("`"))

    def _term(self) -> Tree:
        kind, text = self._next()
        if kind == "string":
            return ("literal", re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1]))
        if kind == "number":
            return ("literal", float(text) if "." in text else int(text))
        if kind == "date":
            return ("literal", text[1:].removeprefix("T"))
        if text in ("true", "false"):
            return ("literal", text == "true")
        if kind == "variable":
            return ("this",) if text == "$this" else ("variable", text.lstrip("%$").strip("`"))
        if text == "(":
            inner = self.expression(0)
            self._take(")")
            return inner
        if text == "{":
            self._take("}")
            return ("empty",)
        if kind == "name":
            return self._invocation(("this",), (kind, text))
        raise NotUnderstood(f"{text!r} was not expected")
