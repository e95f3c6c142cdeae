"""What of an object a user is shown: no secrets, of other people their names only, and `access` and `href`. Pure."""

from typing import Any

from janani.registry.metadata.fields import Resolve, Selection, select
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.users import User

Json = dict[str, Any]
# What anybody who is logged in may know of a colleague.
_OF_PEOPLE = ("id", "name", "displayName", "username", "firstName", "surname", "code")


def without_secrets(kind: str, one: Json, user: User) -> Json:
    """`one` as `user` may know it; filters and orders see no more than this."""
    if kind == "routes":
        auth = {"auth": {"type": one["auth"].get("type")}} if one.get("auth") else {}
        return {name: value for name, value in one.items() if name != "auth"} | auth
    if kind == "oAuth2Clients":
        return {name: value for name, value in one.items() if name != "clientSecret"}
    if kind == "users" and one["id"] != user.uid and not user.has("F_USER_VIEW"):
        return {name: one[name] for name in _OF_PEOPLE if name in one}
    return one


def visible(kind: str, one: Json, user: User) -> bool:
    """Whether `user` may see the object at all. A Route without sharing is for those who may run it only."""
    if kind == "routes" and not one.get("sharing"):
        return any(user.has(each) for each in one.get("authorities") or ["ALL"])
    return user.may_read(one)


class View:
    """One user's view of a snapshot; `base` is the URL of the registry."""

    def __init__(self, snapshot: Snapshot, user: User, base: str) -> None:
        self.snapshot, self.user, self.base = snapshot, user, base

    def objects(self, kind: str) -> list[Json]:
        """Every object of a type that the user may see."""
        found = self.snapshot.objects(kind)
        return [without_secrets(kind, one, self.user) for one in found if visible(kind, one, self.user)]

    def resolve(self, kind: str, uid: str) -> Json | None:
        """What a reference leads to, as far as the user may follow it."""
        one = self.snapshot.get(kind, uid)
        if one is None or not visible(kind, one, self.user):
            return None
        return self._complete(kind, without_secrets(kind, one, self.user))

    def shown(self, kind: str, one: Json, selection: Selection) -> Json:
        """What `selection` wants of `one`."""
        resolve: Resolve = self.resolve
        return select(self._complete(kind, without_secrets(kind, one, self.user)), selection, resolve)

    def _complete(self, kind: str, one: Json) -> Json:
        return one | {"access": self.user.access(one), "href": f"{self.base}/api/{kind}/{one['id']}"}
