"""Import of metadata packages (`POST /api/metadata`): checked whole first, then stored in one statement. Pure core.

The order is that of DHIS2's own importer: what was sent → faults (E codes) → what to create, update and delete.
"""

from typing import Any, Literal

from msgspec import Struct, field

from janani.kernel.ids import is_uid, uid
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.metadata.types import CLASSES, NAMELESS, REFERENCES, REQUIRED, UNCHECKED, klass, singular
from janani.registry.problems import Refusal

Json = dict[str, Any]
Strategy = Literal["CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"]
_COMPUTED = frozenset(
    """created lastUpdated createdBy lastUpdatedBy displayName displayShortName displayFormName displayDescription
    access href optionSetValue favorite favorites""".split()  # noqa: SIM905
)
_NOT_STORED = {
    "users": frozenset(("password", "lastLogin")),
    "organisationUnits": frozenset(("children", "leaf", "ancestors", "path", "level")),
}
_VERSIONED = ("programs", "optionSets")
_OLD_SHARING = ("publicAccess", "externalAccess", "userAccesses", "userGroupAccesses")


class Fault(Struct, frozen=True):
    """One thing wrong with one object of a package."""

    kind: str
    uid: str
    code: str
    text: str
    property: str = ""


class Plan(Struct):
    """What an import would do; `places` says where an object stood in its list."""

    created: list[tuple[str, Json]] = field(default_factory=list)
    updated: list[tuple[str, Json]] = field(default_factory=list)
    deleted: list[tuple[str, Json]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def written(self) -> list[tuple[str, Json]]:
        """Every object that is stored."""
        return self.created + self.updated


def plan(package: Json, snapshot: Snapshot, strategy: Strategy) -> Plan:
    """What importing `package` (by `with_uids`) means, and everything that is wrong with it."""
    found = Plan()
    sent = _sent(package, found)
    known = {(kind, one["id"]) for kind, one in sent}
    seen: set[tuple[str, str]] = set()
    for kind, one in sent:
        exists = snapshot.get(kind, one["id"]) is not None
        if (kind, one["id"]) in seen:
            found.faults.append(Fault(kind, one["id"], "E5004", f"Id `{one['id']}` stands more than once."))
        seen.add((kind, one["id"]))
        if strategy == "DELETE":
            _plan_delete(kind, one, exists, found)
        elif exists and strategy == "CREATE":
            words = "Found matching object for given reference, but import mode is CREATE."
            found.faults.append(Fault(kind, one["id"], "E5000", _reference_words(words, kind, one)))
        elif not exists and strategy == "UPDATE":
            words = "No matching object for given reference."
            found.faults.append(Fault(kind, one["id"], "E5001", _reference_words(words, kind, one)))
        else:
            found.faults += _faults(kind, one, known, snapshot)
            kept = _after(kind, stored(kind, one), snapshot.get(kind, one["id"]))
            (found.updated if exists else found.created).append((kind, kept))
    if strategy == "DELETE":
        found.faults += _still_used(found.deleted, snapshot)
    else:
        found.faults += _duplicate_codes(found.written, snapshot)
    return found


def _after(kind: str, one: Json, old: Json | None) -> Json:
    """`one` as it follows `old`: sharing that was not sent stays; what clients cache by version gets the next."""
    if old is None:
        return one | ({"version": one.get("version", 0)} if kind in _VERSIONED else {})
    if "sharing" not in one and old.get("sharing"):
        one = one | {"sharing": old["sharing"]}  # never open to everybody because it was left away
    if kind in _VERSIONED:
        before = old.get("version", 0)
        same = {**one, "version": before} == {**stored(kind, old), "version": before}
        one = one | {"version": before if same else max(before + 1, one.get("version", 0))}
    return one


def _reference_words(words: str, kind: str, one: Json) -> str:
    return f"{words} Identifier was {one['id']}, and object was {singular(kind)}."


def stored(kind: str, one: Json) -> Json:
    """`one` as it is kept: without what is computed and without what proves who someone is."""
    left_out = _COMPUTED | _NOT_STORED.get(kind, frozenset()) | frozenset(_OLD_SHARING)
    kept = {name: value for name, value in one.items() if name not in left_out and value is not None}
    if kept.get("sharing") is None and any(name in one for name in _OLD_SHARING):
        kept["sharing"] = _sharing_of_old(one)
    return kept


def _sharing_of_old(one: Json) -> Json:
    """`sharing` from the members that older clients send instead (Web API §9)."""

    def by_uid(rows: list[Json]) -> Json:
        return {
            row["id"]: {"id": row["id"], "access": row["access"]} for row in rows if "id" in row and "access" in row
        }

    return {
        "public": one.get("publicAccess") or "--------",
        "external": bool(one.get("externalAccess")),
        "users": by_uid(one.get("userAccesses") or []),
        "userGroups": by_uid(one.get("userGroupAccesses") or []),
    }


def report(found: Plan, *, stored_any: bool) -> Json:
    """The ImportReport of the Web API (§4.3): stats and faults by type."""
    kinds = sorted({kind for kind, _ in found.written + found.deleted} | {fault.kind for fault in found.faults})
    failed = bool(found.faults)
    types = [_type_report(kind, found, stored_any) for kind in kinds]
    totals = {
        name: sum(each["stats"][name] for each in types)
        for name in ("created", "updated", "deleted", "ignored", "total")
    }
    return {
        "responseType": "ImportReport",
        "status": "ERROR" if failed else "OK",
        "stats": totals,
        "typeReports": types,
    }


def errors(found: Plan) -> list[Json]:
    """The faults as `errorReports` of an ObjectReport."""
    return [_error(fault) for fault in found.faults]


def _type_report(kind: str, found: Plan, stored_any: bool) -> Json:
    counts = {
        "created": sum(1 for each, _ in found.created if each == kind),
        "updated": sum(1 for each, _ in found.updated if each == kind),
        "deleted": sum(1 for each, _ in found.deleted if each == kind),
    }
    faults = [fault for fault in found.faults if fault.kind == kind]
    total = max(sum(counts.values()), len({fault.uid for fault in faults}))
    if not stored_any:
        counts = dict.fromkeys(counts, 0)
    stats = counts | {"ignored": total - sum(counts.values()), "total": total}
    objects = [
        {
            "klass": klass(kind),
            "index": found.places.get((kind, uid_), 0),
            "uid": uid_,
            "errorReports": [_error(each) for each in faults if each.uid == uid_],
        }
        for uid_ in dict.fromkeys(fault.uid for fault in faults)
    ]
    return {"klass": klass(kind), "stats": stats, "objectReports": objects}


def _error(fault: Fault) -> Json:
    body = {"message": fault.text, "mainKlass": klass(fault.kind), "errorCode": fault.code}
    return body | ({"errorProperty": fault.property} if fault.property else {})


def with_uids(package: Json) -> Json:
    """The lists of objects in `package`; those without a uid get one. Raises Refusal (400) for what is no object."""
    lists = {kind: objects for kind, objects in package.items() if kind in CLASSES and isinstance(objects, list)}
    if not all(isinstance(one, dict) for objects in lists.values() for one in objects):
        raise Refusal(400, "Every member of a list of metadata must be an object.")
    return {kind: [one | {"id": str(one.get("id") or uid())} for one in objects] for kind, objects in lists.items()}


def _sent(package: Json, found: Plan) -> list[tuple[str, Json]]:
    """The package's objects with their types."""
    sent = [(kind, one) for kind, objects in package.items() for one in objects]
    for kind, objects in package.items():
        found.places |= {(kind, one["id"]): place for place, one in enumerate(objects)}
    for kind, one in sent:
        if not is_uid(one["id"]):
            found.faults.append(Fault(kind, one["id"], "E4014", f"Invalid UID `{one['id']}` for property `id`.", "id"))
    return sent


def unknown_types(package: Json) -> list[str]:
    """The members of `package` that are lists of objects of a type this registry does not keep."""
    return [name for name, value in package.items() if isinstance(value, list) and value and name not in CLASSES]


def _plan_delete(kind: str, one: Json, exists: bool, found: Plan) -> None:
    if exists:
        found.deleted.append((kind, one))
    else:
        found.faults.append(
            Fault(
                kind,
                one["id"],
                "E5001",
                _reference_words("No matching object for given reference.", kind, one),
            )
        )


def _faults(kind: str, one: Json, known: set[tuple[str, str]], snapshot: Snapshot) -> list[Fault]:
    required = REQUIRED.get(kind, ()) if kind in NAMELESS else ("name", *REQUIRED.get(kind, ()))
    faults = [
        Fault(kind, one["id"], "E4000", f"Missing required property `{name}`.", name)
        for name in required
        if one.get(name) in (None, "")
    ]
    for place, target, uid_ in references(one):
        if (target, uid_) not in known and snapshot.get(target, uid_) is None:
            reference = f"[{uid_}] ({singular(target)})"
            text = f"Invalid reference {reference} on object {_named(kind, one)} for association `{place}`."
            faults.append(Fault(kind, one["id"], "E5002", text, place))
    return faults


def references(value: Any, place: str = "") -> list[tuple[str, str, str]]:
    """Every reference inside an object: (member, type it refers to, uid)."""
    found: list[tuple[str, str, str]] = []
    if not isinstance(value, dict):
        return found
    for name, member in value.items():
        if name == "sharing":
            continue
        for each in member if isinstance(member, list) else [member]:
            if not isinstance(each, dict):
                continue
            if name in UNCHECKED:
                continue
            if name in REFERENCES and "id" in each:
                found.append((name, REFERENCES[name], str(each["id"])))
            else:
                found += references(each, name)
    return found


def _named(kind: str, one: Json) -> str:
    return f"{one.get('name', '')} [{one['id']}] ({singular(kind)})"


def _duplicate_codes(written: list[tuple[str, Json]], snapshot: Snapshot) -> list[Fault]:
    taken: dict[tuple[str, str], str] = {}
    faults = []
    for kind in {kind for kind, _ in written} - {"options"}:
        taken |= {(kind, one["code"]): one["id"] for one in snapshot.objects(kind) if one.get("code")}
    for kind, one in written:
        if kind == "options" or not one.get("code"):
            continue
        owner = taken.setdefault((kind, one["code"]), one["id"])
        if owner != one["id"]:
            text = f"Property `code` on object {_named(kind, one)} already exists on object {owner}."
            faults.append(Fault(kind, one["id"], "E5003", text, "code"))
    return faults


def _still_used(deleted: list[tuple[str, Json]], snapshot: Snapshot) -> list[Fault]:
    gone = {(kind, one["id"]) for kind, one in deleted}
    faults = []
    for kind in CLASSES:
        for one in snapshot.objects(kind):
            if (kind, one["id"]) in gone:
                continue
            for _, target, uid_ in references(one):
                if (target, uid_) in gone and not (target == "organisationUnits" and kind == "organisationUnits"):
                    other = f"{singular(kind)} {one['id']}"
                    text = f"Object could not be deleted because it is associated with another object: {other}."
                    faults.append(Fault(target, uid_, "E4030", text))
    return faults
