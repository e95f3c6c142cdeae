"""Whether objects have the shape that everything here relies on; nothing else is ever stored. Pure."""

import re
from typing import Any

from janani.registry.metadata.types import CLASSES, REFERENCES
from janani.registry.problems import Refusal

_ACCESS = re.compile(r"^[r-][w-][r-][w-]----$")
_TEXTS = frozenset(
    """name code shortName username firstName surname openId email password valueType url clientId formName
    description programType accessLevel pattern""".split()  # noqa: SIM905
)
_LISTS = frozenset(
    """authorities programTrackedEntityAttributes programStageDataElements trackedEntityTypeAttributes attributeValues
    translations dataViewOrganisationUnits teiSearchOrganisationUnits children ancestors""".split()  # noqa: SIM905
)
_OBJECTS = frozenset(("auth", "headers", "style", "renderType"))


def check(value: Any, place: str) -> None:
    """Raises Refusal (400) for the first member of `value`, an object, that is of the wrong kind."""
    for name, member in value.items():
        here = f"{place}.{name}"
        if member is None:
            continue
        if name == "version":
            _require(isinstance(member, int), here, "a whole number")
        elif name == "sharing":
            _sharing(member, here)
        elif name in _TEXTS:
            _require(isinstance(member, str), here, "text")
        elif name in _OBJECTS:
            _require(isinstance(member, dict), here, "an object")
        elif name in _LISTS or name in CLASSES:
            _list(name, member, here)
        elif name in REFERENCES:
            # A few types (eventFilters) refer by the bare uid.
            _require(isinstance(member, str) or _refers(member), here, "a reference {id}")
        elif isinstance(member, dict):
            check(member, here)
        elif isinstance(member, list):
            for each in member:
                if isinstance(each, dict):
                    check(each, here)


def _list(name: str, member: Any, here: str) -> None:
    _require(isinstance(member, list), here, "a list")
    for each in member:
        if name == "authorities":
            _require(isinstance(each, str), here, "a list of texts")
        elif name in REFERENCES:
            _require(_refers(each), here, "a list of references {id}")
        else:
            _require(isinstance(each, dict), here, "a list of objects")
            check(each, here)


def _sharing(value: Any, here: str) -> None:
    _require(isinstance(value, dict), here, "an object")
    strings = [value.get("public")]
    for name in ("users", "userGroups"):
        entries = value.get(name) or {}
        _require(isinstance(entries, dict), f"{here}.{name}", "an object by uid")
        for entry in entries.values():
            _require(isinstance(entry, dict), f"{here}.{name}", "an object by uid")
            strings.append(entry.get("access"))
    for text in strings:
        well = text is None or (isinstance(text, str) and _ACCESS.match(text))
        _require(bool(well), here, "access strings like rw-r----")


def _refers(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id", ""), str)


def _require(right: bool, here: str, expected: str) -> None:
    if not right:
        raise Refusal(400, f"Property {here} is not valid: {expected} was expected.")
