"""What resources of one shape have in common, so that what was found good before is not checked again.

Of a shape are resources of one type that claim the same profiles and have elements of the same names in one order.
Once one of them was without any finding, nothing is missing in the others, and nothing there that may not be: what is
left are the elements, each by itself, and the invariants. Elements say the same again and again, and are remembered by
their JSON.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from janani.record import json_text
from janani.record.remembered import Remembered
from janani.record.validation.conformance import Owner
from janani.record.validation.context import Check, Context, Path

if TYPE_CHECKING:
    from janani.record.validation.validator import Validator

MOST_SHAPES, MOST_VALUES = 256, 512
"""How many are remembered, and of how many values of an element; in memory only."""


class Element:
    """What an element is checked for, by its type and profiles.

    Args:
        path: where the resource stands.

    Attributes:
        known: by its JSON, whether a value is good by itself.
    """

    __slots__ = ("_checks", "_path", "_validator", "known", "name")

    def __init__(self, validator: "Validator", name: str, path: Path, checks: list[Owner]) -> None:
        self._validator, self._path, self._checks, self.name = validator, path, checks, name
        self.known = Remembered(lambda body: self.good(json_text.value(body)), MOST_VALUES)

    def good(self, value: Any) -> bool:
        """Whether `value` is good by itself; False also when that hangs on what is around it."""
        owner = {self.name: value}
        context = Context(self._validator, owner)
        for check in self._checks:
            check(owner, self._path, context)
        return not context.issues and not context.looked_around


class Shape:
    """The checks that tell good resources of one shape from others.

    Args:
        known: what is known of the elements of which there is JSON, in their order.
        others: the other elements.
        rules: the checks of several elements at once.
        named: the elements of which there is JSON that `rules` may look at; None when that can't be told.
    """

    __slots__ = ("_invariants", "_known", "_named", "_others", "_rules", "_validator")

    def __init__(
        self,
        validator: "Validator",
        known: list[Remembered[bool]],
        others: list[Element],
        rules: list[Check],
        named: tuple[str, list[str]] | None,
    ) -> None:
        self._validator, self._known, self._others, self._rules = validator, known, others, rules
        self._named = named
        self._invariants = Remembered(self._hold_of, MOST_VALUES)

    def good(self, resource: dict[str, Any], said: Mapping[str, bytes]) -> bool:
        """Whether a resource of this shape is good; False also when that can't be told from what is known."""
        if not all(map(dict.__getitem__, self._known, said.values())):
            return False
        for element in self._others:
            if not element.good(resource[element.name]):
                return False
        if self._named is None:
            return self._hold(resource)
        return self._invariants[b"\n".join([said[name] for name in self._named[1]])]

    def _hold_of(self, lines: bytes) -> bool:
        assert self._named is not None
        kind, names = self._named
        return self._hold(
            {"resourceType": kind, **dict(zip(names, map(json_text.value, lines.split(b"\n")), strict=False))}
        )

    def _hold(self, resource: dict[str, Any]) -> bool:
        context = Context(self._validator, resource)
        for rule in self._rules:
            rule(resource, (None, resource["resourceType"], -1), context)
        return not context.issues
