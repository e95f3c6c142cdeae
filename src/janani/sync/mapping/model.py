"""What goes into the mapper and what comes out of it, besides the tracked entity itself."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from msgspec import Struct

from janani.kernel.ids import uuid_of
from janani.sync.mapping.table import Table
from janani.sync.mapping.values import Json, Unfit, condition_on


class Unit(Struct, frozen=True):
    """An organisation unit; `path` is the UIDs from the root to itself."""

    uid: str
    name: str
    code: str = ""
    path: tuple[str, ...] = ()


class User(Struct, frozen=True):
    """A user of the registry, as a Practitioner needs them."""

    uid: str
    username: str = ""
    first: str = ""
    surname: str = ""
    phone: str = ""
    email: str = ""


class Context(Struct, frozen=True):
    """What the registry says about itself: the zone of its times, its system id and version, where it is, its units
    and users by UID."""

    zone: tzinfo
    system_id: str
    version: str
    name: str
    url: str
    units: Mapping[str, Unit]
    users: Mapping[str, User]


class Entry(Struct, frozen=True):
    """One resource to be written under its conditional URL `key`.

    `shared`: it belongs to no one person (Device, Organization, Location, Practitioner).
    """

    key: str
    full_url: str
    resource: Json
    shared: bool = False


class LeftOut(Struct, frozen=True):
    """A value that was not carried, and why; the value itself is not kept."""

    object: str
    field: str
    reason: str


class Mapped(Struct, frozen=True):
    """One person for the record.

    Attributes:
        person: UID of the tracked entity.
        patient: key of the Patient; its strongest identifier.
        patient_own: key of the Patient by the tracked entity's UID, which her Patient always carries.
        entries: in the order of the bundle, each key once; the Patient first.
        timestamp: instant of the last change, or "".
        left_out: what could not be carried.
    """

    person: str
    patient: str
    patient_own: str
    entries: list[Entry]
    timestamp: str
    left_out: list[LeftOut]


class Names(Struct, frozen=True):
    """Makes identifiers, keys and full URLs for the registry `system_id`."""

    table: Table
    system_id: str

    def entry(self, resource: Json, system: str, value: str, *, shared: bool = False, first: bool = True) -> Entry:
        """The entry of `resource` under the identifier `system|value`, which becomes its first (or last) one."""
        kind = resource["resourceType"]
        own = {"system": system, "value": value}
        others = resource.get("identifier", [])
        resource["identifier"] = [own, *others] if first else [*others, own]
        return Entry(condition_on(kind, system, value), self.full_url(kind, value), resource, shared)

    def full_url(self, kind: str, value: str) -> str:
        """The `urn:uuid:` that always belongs to `value` of this registry."""
        return f"urn:uuid:{uuid_of(self.table.namespace, f'{self.system_id}/{kind}/{value}')}"


class Frame(Struct):
    """What the clinical resources of one event share. References are full URLs within the bundle."""

    event: str
    stage: str
    subject: Json
    encounter: Json
    device: Json
    performer: Json
    recorder: Json | None
    effective: str
    recorded: str
    values: Mapping[str, str]


class Piece(Struct, frozen=True):
    """One compiled row: `build` gives its resource for an event, or None when there is nothing to say.

    `name` ends the identifier `{event}-{name}`; `build` raises Unfit when the value can't be carried.
    """

    name: str
    field: str
    build: Callable[[Frame], Json | None]


def reference(full_url: str) -> Json:
    """A Reference to an entry of the same bundle."""
    return {"reference": full_url}


def profiled(profile: str, table: Table) -> dict[str, Any]:
    """`meta` that claims `profile`; nothing when it is ""."""
    return {"meta": {"profile": [table.profiles + profile]}} if profile else {}


__all__ = ["Context", "Entry", "Frame", "LeftOut", "Mapped", "Names", "Piece", "Unfit", "Unit", "User"]
