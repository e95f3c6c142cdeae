"""The compact form of definitions, as the build writes it and the validator reads it.

`Definitions` is the R4 base: a type for every resource, data type and backbone element ("Patient.contact").
`Profiles` holds of each profile only what it adds to the base, because the base is always checked first.
"""

from typing import Any, Literal

from msgspec import Raw, Struct

MANY = -1
"""`max` of an element that may repeat without limit ("*")."""


class Rule(Struct, frozen=True, omit_defaults=True):
    """An invariant: a FHIRPath expression that must not be false."""

    key: str
    expression: str
    text: str
    severity: Literal["error", "warning"] = "error"


class Element(Struct, frozen=True, omit_defaults=True):
    """An element of a type.

    Args:
        repeats: it is a list in JSON, whatever `max` says.
        types: data types by name; "@Patient.contact" is a backbone element; a choice "value[x]" has several.
        binding: the value set of a required binding.
        targets: resource types a reference may point at; empty: any.
    """

    types: list[str]
    min: int = 0
    max: int = 1
    repeats: bool = False
    binding: str = ""
    targets: list[str] = []
    rules: list[Rule] = []


class Type(Struct, frozen=True, omit_defaults=True):
    """A type and its elements by name, choices as "value[x]"."""

    kind: Literal["resource", "complex", "backbone"]
    elements: dict[str, Element]
    rules: list[Rule] = []


class Values(Struct, frozen=True, omit_defaults=True):
    """A value set that can be checked without a terminology server.

    Args:
        codes: code system → its codes, one a line.
        matches: code system → regular expression of its codes.
    """

    codes: dict[str, str] = {}
    matches: dict[str, str] = {}


class Definitions(Struct, frozen=True):
    """The R4 base; types stay undecoded until they are met."""

    version: str
    types: dict[str, Raw]
    values: dict[str, Values]
    choices: dict[str, list[str]]


class Binding(Struct, frozen=True, omit_defaults=True):
    """A binding stronger than the base's, to one or more (additional bindings) value sets."""

    values: list[str]
    strength: Literal["required", "extensible"]


class Slicing(Struct, omit_defaults=True):
    """Slices of a list: `by` are discriminators (type, path) of ElementDefinition.slicing."""

    by: list[tuple[str, str]] = []
    closed: bool = False
    slices: "dict[str, Node]" = {}


class Node(Struct, omit_defaults=True):
    """What a profile adds to one element (or slice); None: nothing.

    Args:
        types: allowed types of a choice.
        targets: resource types a reference may point at.
        meets: canonical URLs of the profiles that the target of a reference meets (one of them).
        profiles: canonical URLs of profiles of which each value must meet one (an extension's, a resource's).
        children: by element name; "value[x]" holds what concerns the choice, "valueQuantity" what concerns that type.
    """

    min: int | None = None
    max: int | None = None
    types: list[str] | None = None
    targets: list[str] | None = None
    meets: list[str] | None = None
    profiles: list[str] | None = None
    fixed: Any = None
    pattern: Any = None
    binding: Binding | None = None
    rules: list[Rule] | None = None
    slicing: Slicing | None = None
    children: "dict[str, Node]" = {}


class Profile(Struct, frozen=True):
    """A profile: the type it constrains and what it adds."""

    type: str
    root: Node


class Profiles(Struct, frozen=True):
    """A programme's profiles by canonical URL, undecoded until they are met, with the value sets they bind."""

    package: str
    profiles: dict[str, Raw]
    extensions: list[str]
    values: dict[str, Values]


def choice_name(name: str, kind: str) -> str:
    """The JSON name of choice element `name` ("value[x]") with a value of type `kind`."""
    code = "Quantity" if kind in ("SimpleQuantity", "MoneyQuantity") else kind
    return name.removesuffix("[x]") + code[0].upper() + code[1:]
