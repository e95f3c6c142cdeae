"""Which planned changes a user may make (Web API §9): by type, by sharing, and never beyond their own rights. Pure."""

from janani.registry.metadata.importer import Fault, Json, Plan
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.metadata.types import singular
from janani.registry.users import User

_NAMES = {
    "constants": "CONSTANT",
    "oAuth2Clients": "OAUTH2_CLIENT",
    "organisationUnits": "ORGANISATIONUNIT",
    "programRuleActions": "PROGRAM_RULE",
    "programRuleVariables": "PROGRAM_RULE",
    "programRules": "PROGRAM_RULE",
    "trackedEntityAttributes": "TRACKED_ENTITY_ATTRIBUTE",
    "trackedEntityTypes": "TRACKED_ENTITY",
}
_WITHOUT_PUBLIC = ("organisationUnits", "users", "oAuth2Clients", "programRules")


def authorities(kind: str, *, deleting: bool) -> tuple[str, ...]:
    """The authorities of which one is needed to write objects of type `kind`."""
    name = _NAMES.get(kind, singular(kind).upper())
    if deleting:
        return (f"F_{name}_DELETE",)
    return (f"F_{name}_ADD",) if kind in _WITHOUT_PUBLIC else (f"F_{name}_PUBLIC_ADD", f"F_{name}_PRIVATE_ADD")


def faults(found: Plan, snapshot: Snapshot, user: User) -> list[Fault]:
    """What `user` may not do of what is planned: E3000 to E3003."""
    if "ALL" in user.authorities:
        return []
    refused = []
    for code, verb, changes in (
        ("E3000", "create", found.created),
        ("E3001", "update", found.updated),
        ("E3002", "delete", found.deleted),
    ):
        for kind, one in changes:
            old = snapshot.get(kind, one["id"])
            allowed = any(user.has(each) for each in authorities(kind, deleting=verb == "delete"))
            if not allowed or (old is not None and not user.may_write(old)):
                text = f"User `{user.username}` is not allowed to {verb} object of type {singular(kind)}."
                refused.append(Fault(kind, one["id"], code, text))
            refused += _beyond_own_rights(kind, one, old, found, snapshot, user)
    return refused


def _beyond_own_rights(
    kind: str, one: Json, old: Json | None, found: Plan, snapshot: Snapshot, user: User
) -> list[Fault]:
    """Nobody gives rights they lack, nor changes (and so takes over) a user who has more of them."""
    written = {uid: role for type_, role in found.written if type_ == "userRoles" for uid in (role["id"],)}
    given: set[str] = set()
    for state in filter(None, (one, old)):
        if kind == "userRoles":
            given |= set(state.get("authorities", ()))
        elif kind == "users":
            for each in state.get("userRoles", ()):
                role = written.get(each["id"]) or snapshot.get("userRoles", each["id"]) or {}
                given |= set(role.get("authorities", ()))
    if given <= user.authorities:
        return []
    text = f"User `{user.username}` does not have all the authorities that {singular(kind)} {one['id']} gives."
    return [Fault(kind, one["id"], "E3003", text)]
