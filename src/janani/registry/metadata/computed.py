"""What DHIS2 shows of an object beyond what is stored: names, org-unit paths, the other side of a link. Pure."""

from typing import Any

Objects = dict[str, dict[str, dict[str, Any]]]


def complete(objects: Objects) -> Objects:
    """`objects` with their computed members filled in, in place."""
    for kind in objects.values():
        for one in kind.values():
            _display_names(one)
    _org_units(objects.get("organisationUnits", {}))
    _options(objects)
    _owners(objects)
    return objects


def _display_names(one: dict[str, Any]) -> None:
    name = one.get("name") or " ".join(filter(None, (one.get("firstName"), one.get("surname"))))
    one["displayName"] = name
    if "name" not in one and name:
        one["name"] = name
    if "shortName" in one:
        one["displayShortName"] = one["shortName"]
    if "valueType" in one or "formName" in one:
        one["displayFormName"] = one.get("formName") or name
    if "optionSet" in one and "valueType" in one:
        one["optionSetValue"] = True
    if one.get("description"):
        one["displayDescription"] = one["description"]


def _org_units(units: dict[str, dict[str, Any]]) -> None:
    for unit in units.values():
        unit["path"] = _path(unit, units)
        unit["level"] = unit["path"].count("/")
        unit["ancestors"] = [{"id": uid} for uid in unit["path"].split("/")[1:-1]]
        unit.setdefault("children", [])
    for unit in units.values():
        parent = units.get(unit.get("parent", {}).get("id", ""))
        if parent is not None:
            parent["children"] = [*parent["children"], {"id": unit["id"]}]
    for unit in units.values():
        unit["leaf"] = not unit["children"]


def _path(unit: dict[str, Any], units: dict[str, dict[str, Any]]) -> str:
    steps, seen = [unit["id"]], {unit["id"]}
    while (parent := units.get(unit.get("parent", {}).get("id", ""))) is not None and parent["id"] not in seen:
        steps.append(parent["id"])
        seen.add(parent["id"])
        unit = parent
    return "/" + "/".join(reversed(steps))


def _options(objects: Objects) -> None:
    """An option set lists its options in order, whichever side of the link was sent."""
    listed: dict[str, list[dict[str, Any]]] = {}
    for option in objects.get("options", {}).values():
        if owner := option.get("optionSet", {}).get("id"):
            listed.setdefault(owner, []).append(option)
    for uid, option_set in objects.get("optionSets", {}).items():
        own = [one["id"] for one in option_set.get("options", []) if "id" in one]
        others = sorted(listed.get(uid, []), key=lambda one: one.get("sortOrder", 0))
        own += [one["id"] for one in others if one["id"] not in own]
        option_set["options"] = [{"id": each} for each in own]


def _owners(objects: Objects) -> None:
    """Stages and sections name what they belong to, even when only the owner named them."""
    for owners, member, back, kind in (
        ("programs", "programStages", "program", "programStages"),
        ("programStages", "programStageSections", "programStage", "programStageSections"),
        ("programs", "programSections", "program", "programSections"),
    ):
        for owner in objects.get(owners, {}).values():
            for reference in owner.get(member, []):
                if (one := objects.get(kind, {}).get(reference.get("id", ""))) is not None:
                    one.setdefault(back, {"id": owner["id"]})
