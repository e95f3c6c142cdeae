"""The metadata that tracker rules need, typed and indexed by uid. Pure: built from objects as DHIS2 writes them.

`build(objects)` takes a function that gives all objects of a type ("programs" → their JSON objects).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

Json = Mapping[str, Any]
Objects = Callable[[str], Iterable[Json]]
Right = Literal["data-read", "data-write"]


class Sharing(Struct, frozen=True):
    """Who may do what with an object: access strings of eight characters (reference §9)."""

    owner: str
    public: str
    users: dict[str, str]
    groups: dict[str, str]

    def allows(self, right: Right, user: str, groups: frozenset[str]) -> bool:
        """Whether this user, a member of `groups`, has `right`. Nobody has it unless somebody gave it."""
        place, letter = (2, "r") if right == "data-read" else (3, "w")
        granted = [self.public, self.users.get(user, ""), *(self.groups.get(group, "") for group in groups)]
        return (bool(user) and user == self.owner) or any(access[place : place + 1] == letter for access in granted)


class Attribute(Struct, frozen=True):
    """A tracked entity attribute."""

    uid: str
    name: str
    code: str | None
    value_type: str
    unique: bool
    org_unit_scope: bool
    pattern: str | None
    options: frozenset[str] | None


class Element(Struct, frozen=True):
    """A data element."""

    uid: str
    value_type: str
    options: frozenset[str] | None


class EntityType(Struct, frozen=True):
    """A tracked entity type; `attributes` says which are mandatory."""

    uid: str
    attributes: dict[str, bool]
    feature_type: str | None
    sharing: Sharing


class Stage(Struct, frozen=True):
    """A programme stage; `elements` says which are compulsory."""

    uid: str
    program: str
    repeatable: bool
    elements: dict[str, bool]
    fill_on_complete_only: bool
    assignable: bool
    feature_type: str | None
    sharing: Sharing


class Programme(Struct, frozen=True):
    """A programme; `attributes` says which are mandatory."""

    uid: str
    entity_type: str | None
    with_registration: bool
    org_units: frozenset[str]
    attributes: dict[str, bool]
    category_combo: str | None
    closed: bool
    once: bool
    incident_date: bool
    future_enrolment: bool
    future_incident: bool
    feature_type: str | None
    complete_events_expiry_days: int
    sharing: Sharing


class Catalogue(Struct, frozen=True):
    """Everything by uid. `org_units` gives a unit's path from the root to itself."""

    attributes: dict[str, Attribute]
    elements: dict[str, Element]
    types: dict[str, EntityType]
    programs: dict[str, Programme]
    stages: dict[str, Stage]
    org_units: dict[str, tuple[str, ...]]
    option_combos: dict[str, str]
    default_option_combo: str | None
    default_category_option: str | None

    def unique_in_unit(self, uid: str) -> bool:
        """Whether a value of the attribute `uid` is one person's alone within her unit."""
        attribute = self.attributes.get(uid)
        return attribute is not None and attribute.unique and attribute.org_unit_scope

    def below(self, units: Iterable[str]) -> frozenset[str]:
        """`units` with all their descendants."""
        roots = frozenset(units)
        return frozenset(uid for uid, path in self.org_units.items() if not roots.isdisjoint(path))

    def children(self, units: Iterable[str]) -> frozenset[str]:
        """`units` with their immediate children."""
        roots = frozenset(units)
        return frozenset(uid for uid, path in self.org_units.items() if not roots.isdisjoint(path[-2:]))


def build(objects: Objects) -> Catalogue:
    """The catalogue of all metadata that `objects` gives."""
    options = _options(objects)
    combos = {row["id"]: row for row in objects("categoryOptionCombos")}
    default = next((uid for uid, row in combos.items() if row.get("name") == "default"), None)
    return Catalogue(
        attributes={row["id"]: _attribute(row, options) for row in objects("trackedEntityAttributes")},
        elements={
            row["id"]: Element(row["id"], row.get("valueType", "TEXT"), _option_codes(row, options))
            for row in objects("dataElements")
        },
        types={row["id"]: _entity_type(row) for row in objects("trackedEntityTypes")},
        programs={row["id"]: _program(row) for row in objects("programs")},
        stages=_stages(objects),
        org_units={row["id"]: tuple(row.get("path", row["id"]).strip("/").split("/")) for row in _units(objects)},
        option_combos={uid: _id(row.get("categoryCombo")) or "" for uid, row in combos.items()},
        default_option_combo=default,
        default_category_option=next(
            (row["id"] for row in objects("categoryOptions") if row.get("name") == "default"), None
        ),
    )


def _units(objects: Objects) -> Iterable[Json]:
    return objects("organisationUnits")


def _id(reference: Any) -> str | None:
    return reference.get("id") if isinstance(reference, Mapping) else None


def _options(objects: Objects) -> dict[str, frozenset[str]]:
    """Option codes by option set; an option may stand in the set or name the set it is in."""
    codes = {row["id"]: row.get("code", "") for row in objects("options")}
    found: dict[str, set[str]] = {}
    for row in objects("optionSets"):
        members = row.get("options", ())
        found[row["id"]] = {option.get("code") or codes.get(option.get("id"), "") for option in members}
    for row in objects("options"):
        if owner := _id(row.get("optionSet")):
            found.setdefault(owner, set()).add(row.get("code", ""))
    return {uid: frozenset(members - {""}) for uid, members in found.items()}


def _option_codes(row: Json, options: dict[str, frozenset[str]]) -> frozenset[str] | None:
    owner = _id(row.get("optionSet"))
    return options.get(owner, frozenset()) if owner else None


def _attribute(row: Json, options: dict[str, frozenset[str]]) -> Attribute:
    return Attribute(
        uid=row["id"],
        name=row.get("displayName") or row.get("name", ""),
        code=row.get("code"),
        value_type=row.get("valueType", "TEXT"),
        unique=bool(row.get("unique")),
        org_unit_scope=bool(row.get("orgunitScope")),
        pattern=(row.get("pattern") or None) if row.get("generated") else None,
        options=_option_codes(row, options),
    )


def _entity_type(row: Json) -> EntityType:
    return EntityType(
        uid=row["id"],
        attributes=_members(row.get("trackedEntityTypeAttributes", ()), "trackedEntityAttribute", "mandatory"),
        feature_type=row.get("featureType"),
        sharing=_sharing(row),
    )


def _program(row: Json) -> Programme:
    return Programme(
        uid=row["id"],
        entity_type=_id(row.get("trackedEntityType")),
        with_registration=row.get("programType", "WITH_REGISTRATION") == "WITH_REGISTRATION",
        org_units=frozenset(unit["id"] for unit in row.get("organisationUnits", ())),
        attributes=_members(row.get("programTrackedEntityAttributes", ()), "trackedEntityAttribute", "mandatory"),
        category_combo=_id(row.get("categoryCombo")),
        closed=row.get("accessLevel") in ("PROTECTED", "CLOSED"),
        once=bool(row.get("onlyEnrollOnce")),
        incident_date=bool(row.get("displayIncidentDate")),
        future_enrolment=bool(row.get("selectEnrollmentDatesInFuture")),
        future_incident=bool(row.get("selectIncidentDatesInFuture")),
        feature_type=row.get("featureType"),
        complete_events_expiry_days=int(row.get("completeEventsExpiryDays") or 0),
        sharing=_sharing(row),
    )


def _stages(objects: Objects) -> dict[str, Stage]:
    owners = {stage["id"]: row["id"] for row in objects("programs") for stage in row.get("programStages", ())}
    return {
        row["id"]: Stage(
            uid=row["id"],
            program=_id(row.get("program")) or owners.get(row["id"], ""),
            repeatable=bool(row.get("repeatable")),
            elements=_members(row.get("programStageDataElements", ()), "dataElement", "compulsory"),
            fill_on_complete_only=row.get("validationStrategy", "ON_COMPLETE") == "ON_COMPLETE",
            assignable=bool(row.get("enableUserAssignment")),
            feature_type=row.get("featureType"),
            sharing=_sharing(row),
        )
        for row in objects("programStages")
    }


def _members(rows: Iterable[Json], reference: str, flag: str) -> dict[str, bool]:
    return {uid: bool(row.get(flag)) for row in rows if (uid := _id(row.get(reference)))}


def _sharing(row: Json) -> Sharing:
    sharing = row.get("sharing") or {}
    return Sharing(
        owner=sharing.get("owner") or "",
        public=sharing.get("public") or "",
        users={uid: entry.get("access", "") for uid, entry in (sharing.get("users") or {}).items()},
        groups={uid: entry.get("access", "") for uid, entry in (sharing.get("userGroups") or {}).items()},
    )
