"""What resources of one shape have in common, so that what was found good before is not checked again.

Of a shape are resources of one type that claim the same profiles and have elements of the same names. Once one of them
was without any finding, nothing is missing in the others, and nothing there that may not be: what is left are the
elements, each by itself, and the invariants. Elements say the same again and again, and are remembered by their JSON.
"""

from typing import Any

from msgspec import Struct

from janani.record.validation.conformance import Owner
from janani.record.validation.context import Check, Context, Path

MOST_SHAPES, MOST_ELEMENTS = 256, 8192
"""How many are remembered; in memory only."""


class Element(Struct, frozen=True, eq=False):
    """What an element is checked for, by its type and profiles. `path` is the resource's."""

    name: str
    path: Path
    checks: list[Owner]

    def good(self, value: Any, context: Context) -> bool:
        """Whether `value` is good by itself; False also when that hangs on what is around it."""
        for check in self.checks:
            check({self.name: value}, self.path, context)
        return not context.issues and not context.looked_around


class Shape(Struct, frozen=True, eq=False):
    """The checks that tell good resources of one shape from others: of their elements, and of several at once."""

    elements: list[Element]
    rules: list[Check]

    def hold(self, resource: dict[str, Any], context: Context) -> bool:
        """Whether the invariants of a resource with good elements hold."""
        for rule in self.rules:
            rule(resource, (None, resource["resourceType"], -1), context)
        return not context.issues
