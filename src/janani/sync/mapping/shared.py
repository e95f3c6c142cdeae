"""Entries that many people share, made once: Device, Organizations, Locations, Practitioners."""

from collections.abc import Mapping
from typing import Any

from janani.sync.mapping.model import Context, Entry, Names, User
from janani.sync.mapping.places import Places
from janani.sync.mapping.table import Table


class Shared:
    """Entries that many people share, by what they are made of. References are JSON texts."""

    _MOST = 20_000

    def __init__(self, places: Places, table: Table, context: Context) -> None:
        self.context = context
        self.names = Names(table.namespace, context.system_id)
        self._places = places
        self._units: dict[str, tuple[list[Entry], str, str]] = {}
        self._users: dict[tuple[str, str, str, str], tuple[Entry, str]] = {}
        self._last: tuple[Mapping[str, Any], tuple[Entry, str] | None] = {}, None
        self.device = self._places.device(self.names, context)
        self.device_reference = reference_to(self.device[0].full_url)
        self.unit_of_code = {unit.code: unit.uid for unit in reversed([*context.units.values()]) if unit.code}

    def unit(self, uid: str) -> tuple[list[Entry], str, str]:
        """Organization and Location of a unit (of the registry itself when none is known), and references to them."""
        found = self._units.get(uid)
        if found is None:
            entries = self._places.unit(self.names, self.context, uid or self.context.system_id)
            if len(self._units) > self._MOST:
                self._units.clear()
            owner, place = (reference_to(one.full_url) for one in entries)
            found = self._units[uid] = (entries, owner, place)
        return found

    def user(self, one: Mapping[str, Any]) -> tuple[Entry, str]:
        """The Practitioner of a user, and a reference to it."""
        last, found = self._last
        if one == last and found:  # one user often entered all that there is of a person
            return found
        get = one.get
        key = (one["uid"], get("username") or "", get("firstName") or "", get("surname") or "")
        found = self._users.get(key)
        if found is None:
            made = self._places.practitioner(self.names, self.context, User(*key))
            if len(self._users) > self._MOST:
                self._users.clear()
            found = self._users[key] = (made, reference_to(made.full_url))
        self._last = dict(one), found
        return found


def reference_to(full_url: str) -> str:
    """The JSON text of a Reference."""
    return f'{{"reference":"{full_url}"}}'
