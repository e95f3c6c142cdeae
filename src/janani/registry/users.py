"""Who is asking: a user with rights and organisation units, and what that allows. Pure."""

from typing import Any

from msgspec import Struct

from janani.registry.metadata.snapshot import Snapshot
from janani.registry.problems import Refusal

Json = dict[str, Any]


class User(Struct, frozen=True):
    """A user of the registry. Units are uids; rights count for their descendants too."""

    uid: str
    username: str
    first_name: str
    surname: str
    authorities: frozenset[str]
    groups: frozenset[str]
    org_units: tuple[str, ...]
    search_units: tuple[str, ...]
    view_units: tuple[str, ...]

    def has(self, authority: str) -> bool:
        """Whether the user has `authority`, by name or through ALL."""
        return "ALL" in self.authorities or authority in self.authorities

    def require(self, authority: str) -> None:
        """Raises Refusal (403) without `authority`."""
        if not self.has(authority):
            raise Refusal(403, f"You don't have the required authority {authority} for this.")

    def may_read(self, one: Json) -> bool:
        """Whether sharing lets the user see the object (Web API §9); objects without sharing are everybody's."""
        return not one.get("sharing") or self.granted(one, 0, "r")

    def may_write(self, one: Json) -> bool:
        """Whether sharing lets the user change the object; without sharing their authorities decide alone."""
        return not one.get("sharing") or self.granted(one, 1, "w")

    def granted(self, one: Json, place: int, letter: str) -> bool:
        """Whether any access string that holds for the user has `letter` at `place` (0, 1 object; 2, 3 its data)."""
        sharing = one.get("sharing") or {}
        groups = sharing.get("userGroups") or {}
        strings = [
            sharing.get("public") or "",
            (sharing.get("users") or {}).get(self.uid, {}).get("access", ""),
            *(groups.get(group, {}).get("access", "") for group in self.groups),
        ]
        owns = "ALL" in self.authorities or sharing.get("owner") == self.uid
        return owns or any(access[place : place + 1] == letter for access in strings)

    def access(self, one: Json) -> Json:
        """The read-only `access` member of the object, as this user sees it (Web API §4.5)."""
        write = self.may_write(one)
        data = {"read": self.granted(one, 2, "r"), "write": self.granted(one, 3, "w")}
        rights = {"read": self.may_read(one), "update": write, "write": write, "delete": write, "manage": write}
        return rights | {"externalize": False, "data": data}


def user(snapshot: Snapshot, uid: str) -> User | None:
    """The user `uid` with the rights of all their roles; worked out once a snapshot."""
    known: User | None = snapshot.memo.get(uid)
    if known is None and (one := snapshot.get("users", uid)) is not None:
        known = snapshot.memo[uid] = _user(snapshot, one)
    return known


def _user(snapshot: Snapshot, one: Json) -> User:
    uid = one["id"]
    roles = (snapshot.get("userRoles", each["id"]) or {} for each in one.get("userRoles", ()))
    own_groups = {each["id"] for each in one.get("userGroups", ())}
    groups = {
        group["id"]
        for group in snapshot.objects("userGroups")
        if group["id"] in own_groups or any(each.get("id") == uid for each in group.get("users", ()))
    }
    return User(
        uid=uid,
        username=one["username"],
        first_name=one.get("firstName", ""),
        surname=one.get("surname", ""),
        authorities=frozenset(name for role in roles for name in role.get("authorities", ())),
        groups=frozenset(groups),
        org_units=_ids(one, "organisationUnits"),
        search_units=_ids(one, "teiSearchOrganisationUnits"),
        view_units=_ids(one, "dataViewOrganisationUnits"),
    )


def _ids(one: Json, member: str) -> tuple[str, ...]:
    return tuple(each["id"] for each in one.get(member, ()))
