"""What organisation units understand beyond `filter`: whose tree, how deep (Web API §4.6). Pure."""

from collections.abc import Mapping
from typing import Any

from janani.registry.metadata.snapshot import Snapshot
from janani.registry.numbers import whole_number
from janani.registry.problems import Refusal
from janani.registry.users import User

Json = dict[str, Any]


def within(units: list[Json], user: User, parameters: Mapping[str, str]) -> list[Json]:
    """`units` that the list's own parameters leave."""
    roots, below = _scope(user, parameters)
    if roots is not None:
        members = set(roots)
        units = [
            one for one in units if one["id"] in members or (below and not members.isdisjoint(one["path"].split("/")))
        ]
    if (level := _number(parameters, "level")) is not None:
        units = [one for one in units if one["level"] == level]
    if (deepest := _number(parameters, "maxLevel")) is not None:
        units = [one for one in units if one["level"] <= deepest]
    return sorted(units, key=lambda one: one["level"]) if parameters.get("levelSorted") == "true" else units


def _scope(user: User, parameters: Mapping[str, str]) -> tuple[tuple[str, ...] | None, bool]:
    """The units that are roots, and whether those below count; None: all there are."""

    def asked(name: str) -> bool:
        return parameters.get(name) == "true"

    if asked("userOnly"):
        return user.org_units, False
    if asked("userDataViewOnly"):
        return user.view_units, False
    if asked("userDataViewFallback"):
        return user.view_units or user.org_units, False
    if asked("withinUserHierarchy"):
        return user.org_units, True
    if asked("withinUserSearchHierarchy"):
        return user.search_units or user.org_units, True
    return None, False


def around(unit: Json, snapshot: Snapshot, parameters: Mapping[str, str]) -> list[Json] | None:
    """The units that `includeDescendants`, `includeChildren` or `includeAncestors` add; None when none was asked."""
    units = list(snapshot.objects("organisationUnits"))
    if parameters.get("includeDescendants") == "true":
        return [one for one in units if unit["id"] in one["path"].split("/")]
    if parameters.get("includeChildren") == "true":
        return [one for one in units if one["id"] == unit["id"] or one.get("parent", {}).get("id") == unit["id"]]
    if parameters.get("includeAncestors") == "true":
        return [one for one in units if one["id"] in unit["path"].split("/")]
    return None


def of_programs(snapshot: Snapshot, user: User, programs: list[str]) -> dict[str, list[str]]:
    """The units of each of `programs` that the user may see (`/api/programs/orgUnits`)."""
    found = (snapshot.get("programs", uid) for uid in programs)
    return {
        one["id"]: [unit["id"] for unit in one.get("organisationUnits", [])]
        for one in found
        if one is not None and user.may_read(one)
    }


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    number = whole_number(text)
    if number is None:
        raise Refusal(400, f"Value {text!r} is not valid for parameter {name}; a whole number is expected.")
    return number
