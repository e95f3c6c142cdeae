"""What goes into the mapper and what comes out of it, and the tracked entity as the mapper reads it."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from hashlib import sha256
from typing import Any, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from janani.sync.mapping.table import Table
from janani.sync.mapping.values import Json, Unfit, condition_on, quoted, token

_SHORT = slice(24)  # digits of a digest
_HEAD = '{"fullUrl":"urn:uuid:********-****-5***-V***-************","resource":'
_URL = slice(_HEAD.index("urn:"), _HEAD.index('","resource"'))
_MARKS = "".join(sorted({*_HEAD, *"89ab"}))


def _head(variant: str) -> bytes:
    """The place of each letter of `_HEAD`: among the 40 digits of a SHA-1 hash, or in `_MARKS` after these."""
    digits = iter([*range(12), *range(13, 16), *range(17, 32)])  # version and variant take the place of two
    return bytes(next(digits) if one == "*" else 40 + _MARKS.index(variant if one == "V" else one) for one in _HEAD)


# The digits of a hash are set in by one `translate`: with `_AFTER_DIGITS` they are the table, places become letters.
_HEADS = {ord(digit): _head("89ab"[number % 4]) for number, digit in enumerate("0123456789abcdef")}
_AFTER_DIGITS = _MARKS.encode().ljust(256 - 40)


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


class Entry(Struct, frozen=True, gc=False):
    """One resource to be written under its conditional URL `key`.

    Attributes:
        head: the start of the entry in a transaction, up to the resource; the full URL stands in it.
        body: the resource as JSON.
        digest: a short digest of `body`.
        shared: it belongs to no one person (Device, Organization, Location, Practitioner).
    """

    key: str
    head: bytes
    body: bytes
    digest: str
    shared: bool = False

    @property
    def full_url(self) -> str:
        """The URL by which others of the bundle refer to it."""
        return url_of(self.head)

    @property
    def kind(self) -> str:
        """The resource type."""
        return self.key.partition("?")[0]

    @property
    def resource(self) -> Json:
        """The resource, read anew each time."""
        return dict(msgspec.json.decode(self.body))


def entry(key: str, head: bytes, body: str, *, shared: bool = False) -> Entry:
    """The entry of a resource's JSON text."""
    held = body.encode()
    return Entry(key, head, held, sha256(held).hexdigest()[_SHORT], shared)


def digest_of(body: bytes) -> str:
    """A short digest of a resource's JSON."""
    return sha256(body).hexdigest()[_SHORT]


class NotMapped(Exception):
    """A programme's own script could not map a person.

    Its text is a reason without personal data; `detail` may quote hers.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class LeftOut(Struct, frozen=True, gc=False):
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


class Digests(Struct, frozen=True):
    """One person for the record, by digests alone: "digest Type system value" of each of her own resources.

    Her Patient stands under the tracked entity's UID.
    """

    person: str
    lines: list[str]


class Held(Struct, gc=False):
    """An attribute of a tracked entity or enrolment."""

    attribute: str
    value: Any = None


class Value(Struct, gc=False):
    """A data value of an event."""

    dataElement: str
    value: Any = None


class Event(Struct, gc=False):
    """An event, as far as the mapper reads it. Whatever else the registry says is not even kept."""

    event: str | None = None
    status: str | None = None
    programStage: str | None = None
    orgUnit: str | None = None
    occurredAt: str | None = None
    scheduledAt: str | None = None
    completedAt: str | None = None
    createdAt: str | None = None
    updatedAt: str | None = None
    deleted: Any = False
    createdBy: Any = None
    updatedBy: Any = None
    dataValues: list[Value] | None = None


class Enrollment(Struct, gc=False):
    """An enrolment, as far as the mapper reads it."""

    enrollment: str | None = None
    program: str | None = None
    status: str | None = None
    orgUnit: str | None = None
    enrolledAt: str | None = None
    completedAt: str | None = None
    createdAt: str | None = None
    deleted: Any = False
    createdBy: Any = None
    attributes: list[Held] | None = None
    events: list[Event] | None = None


class Owner(Struct, gc=False):
    """Which unit holds a tracked entity for a program."""

    program: str | None = None
    orgUnit: str | None = None


class Person(Struct, gc=False):
    """A tracked entity, as far as the mapper reads it."""

    trackedEntity: str
    orgUnit: str | None = None
    updatedAt: str | None = None
    updatedBy: Any = None
    attributes: list[Held] | None = None
    enrollments: list[Enrollment] | None = None
    programOwners: list[Owner] | None = None


_USER_FIELDS = "uid,username,firstName,surname"


def fields_of(kind: type[Struct]) -> str:
    """What of a tracked entity `kind` holds, as `fields` of the Web API: nothing else need be asked for."""
    said = []
    for one in msgspec.structs.fields(kind):
        inner = next((each for part in get_args(one.type) for each in (part, *get_args(part)) if _holds(each)), None)
        if inner is not None:
            said.append(f"{one.name}[{fields_of(inner)}]")
        else:
            said.append(f"{one.name}[{_USER_FIELDS}]" if one.name.endswith("By") else one.name)
    return ",".join(said)


def _holds(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


class Names:
    """Makes identifiers, keys and full URLs for the registry `system_id`."""

    def __init__(self, namespace: UUID, system_id: str) -> None:
        self._start = hashlib.sha1(namespace.bytes + f"{system_id}/".encode(), usedforsecurity=False)

    def entry(self, resource: Json, system: str, value: str, *, first: bool = True) -> Entry:
        """The shared entry of `resource` under the identifier `system|value`, its first (or last) one."""
        kind = resource["resourceType"]
        own = {"system": system, "value": value}
        others = resource.get("identifier", [])
        resource["identifier"] = [own, *others] if first else [*others, own]
        body = msgspec.json.encode(resource).decode()
        return entry(condition_on(kind, system, value), self.head(kind, value), body, shared=True)

    def full_url(self, kind: str, value: str) -> str:
        """The `urn:uuid:` that always belongs to `value` of this registry: a version 5 UUID (RFC 9562 §5.5)."""
        return url_of(self.head(kind, value))

    def head(self, kind: str, value: str) -> bytes:
        """The start of an entry with this full URL."""
        made = self._start.copy()
        made.update(f"{kind}/{value}".encode())
        digits = made.hexdigest().encode()
        return _HEADS[digits[16]].translate(digits + _AFTER_DIGITS)

    def keep(self, found: Iterable[tuple[str, str, str]], query: str, value: str, into: dict[str, Entry]) -> None:
        """Puts `into` what was found of one event: resources by type, name and JSON.

        Key and full URL are of `query` and `value`, each with the name after it. As `entry` and `head` do it, with what
        many share done once.
        """
        last, start = "", self._start
        for kind, name, body in found:
            if kind != last:
                last, start = kind, self._start.copy()
                start.update(f"{kind}/{value}".encode())
            made = start.copy()
            made.update(name.encode())
            digits, held, key = made.hexdigest().encode(), body.encode(), f"{kind}{query}{name}"
            head = _HEADS[digits[16]].translate(digits + _AFTER_DIGITS)
            into[key] = Entry(key, head, held, sha256(held).hexdigest()[_SHORT])


def url_of(head: bytes) -> str:
    """The full URL in the start of an entry."""
    return head[_URL].decode()


class Uid(Struct, gc=False):
    """The UID of what becomes a resource: as it is, as a search token in a URL, and as JSON."""

    text: str
    token: str
    json: str


def read_uid(text: str) -> Uid:
    """A UID as the registry writes it."""
    if text.isascii() and text.isalnum():
        return Uid(text, text, f'"{text}"')
    return Uid(text, token(text), quoted(text))


class Visit(Struct, gc=False):
    """An event on its way: JSON texts that its resources share.

    Attributes:
        uid, stage, enrollment, values: as DHIS2 keeps them; `plain` is the uid as it stands inside a JSON text.
        subject, encounter, performer, effective, recorded: JSON texts; `recorder` may be "".
        observed, diagnosed, stated: members with a comma before each, of Observation, of Condition and
            AllergyIntolerance, and of MedicationStatement.
    """

    uid: str
    plain: str
    stage: str
    enrollment: str
    values: dict[str, str]
    subject: str
    encounter: str
    performer: str
    recorder: str
    effective: str
    recorded: str
    observed: str
    diagnosed: str
    stated: str


def reference(full_url: str) -> Json:
    """A Reference to an entry of the same bundle."""
    return {"reference": full_url}


def profiled(profile: str, table: Table) -> dict[str, Any]:
    """`meta` that claims `profile`; nothing when it is ""."""
    return {"meta": {"profile": [table.profiles + profile]}} if profile else {}


__all__ = ["Context", "Entry", "LeftOut", "Mapped", "Names", "NotMapped", "Unfit", "Unit", "User", "Visit"]
