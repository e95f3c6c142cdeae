"""Mappers that a programme writes itself: their entries, checked and made into what the table's mapper gives.

A script gives entries of a transaction as FHIR writes them: `{resource, request: {method, url}}`, the URL being
`Type?identifier=system|value`. Full URLs, digests and the Patient's own identifier are made here, and references to
another entry, by its URL or by the full URL that the script gave it, become references to its full URL.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from janani.programmes import Programme, fault
from janani.sync.mapping import values
from janani.sync.mapping.model import Context, Entry, Mapped, Names, NotMapped, entry, url_of
from janani.sync.mapping.values import Json, Unfit

_SHARED = {"Device", "Organization", "Location", "Practitioner"}  # of no one person
_NEEDED = ("tracked_entity", "bundle")


class Script(Protocol):
    """Code of a programme. Its two functions raise NotMapped, with a reason without personal data."""

    def entries(self, person: Json, context: Context) -> Any:
        """The entries of one person, or a Bundle of them."""
        ...

    def device(self, context: Context) -> Any:
        """The entries of the Device that stands for the registry; none when the script has no such function."""
        ...


class _Made(Struct, frozen=True):
    """An entry of a script, by its parts."""

    kind: str
    system: str
    value: str
    given: Any
    resource: Json

    @property
    def key(self) -> str:
        return values.condition_on(self.kind, self.system, self.value)


class ScriptedMapper:
    """Maps whole tracked entities of one programme by a script in its folder, which may read all there is."""

    reads: type[Json] = dict
    fields = "*"

    def __init__(self, programme: Programme, script: Script, file: str) -> None:
        """Raises ProgrammeFault for systems that programme.yaml lacks, and for files that need the table."""
        self.programme, self._script, self._file = programme, script, file
        systems = programme.record.systems
        for name in _NEEDED:
            if name not in systems:
                raise _fault(programme, "$.record.systems", f"the system {name!r} is missing; {file} needs it")
        if (programme.folder / "write_back.yaml").is_file():
            raise _fault(programme, "$.mapper", "write_back.yaml reads rows backwards: it needs `mapper: table`")
        self.bundles = systems["bundle"]
        self._own = systems["tracked_entity"]
        self._namespace = uuid5(NAMESPACE_URL, self._own)

    def map(self, person: Any, context: Context) -> Mapped:
        """Everything the record should hold of `person`. Raises NotMapped: one entry that is wrong is all of them."""
        raw = person if isinstance(person, bytes) else msgspec.json.encode(person)
        own: Json = msgspec.json.decode(raw)  # a copy: a script may change what it is given
        uid, changed = str(own.get("trackedEntity") or ""), own.get("updatedAt")
        if not uid:
            raise NotMapped("it is no tracked entity")
        made = self._made(self._script.entries(own, context))
        hers = [one for one in made if one.kind == "Patient"]
        if len(hers) != 1:
            raise NotMapped(f"{self._file} gave {len(hers)} Patients, and must give one")
        self._identify(hers[0], uid)
        made.sort(key=lambda one: one.kind != "Patient")
        entries = self._entries(made, context)
        own_key = values.condition_on("Patient", self._own, uid)
        return Mapped(uid, entries[0].key, own_key, entries, _instant(changed, context), [])

    def concerns(self, person: Json) -> bool:
        """Whether the tracked entity is enrolled in this programme."""
        return enrolled(self.programme, person)

    def device(self, context: Context) -> list[Entry]:
        """The Device of the registry and what it refers to. Raises NotMapped."""
        return self._entries(self._made(self._script.device(context)), context)

    def _made(self, given: Any) -> list[_Made]:
        listed = given.get("entry") if isinstance(given, dict) else given
        if not isinstance(listed, list):
            raise NotMapped(f"{self._file} gave neither a list of entries nor a Bundle")
        found: dict[str, _Made] = {}
        for number, one in enumerate(listed):
            if one is None:
                continue
            made = self._read(one, number)
            if made.key in found and found[made.key].resource != made.resource:
                raise NotMapped(f"{self._file} gave two different entries of one URL ({made.kind}, entry {number + 1})")
            found.setdefault(made.key, made)
        return list(found.values())

    def _read(self, one: Any, number: int) -> _Made:
        """One entry. Raises NotMapped that names its place, not its values."""
        place = f"entry {number + 1} of {self._file}"
        resource = one.get("resource") if isinstance(one, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not isinstance(resource, dict) or not isinstance(kind, str):
            raise NotMapped(f"{place} has no resource")
        request = one.get("request")
        method = request.get("method") if isinstance(request, dict) else None
        if method not in ("PUT", "POST"):
            raise NotMapped(f"{place} ({kind}): its request must be PUT or POST")
        url = request.get("url") if method == "PUT" else f"{kind}?{request.get('ifNoneExist')}"
        found = _condition(str(url))
        if found is None or found[0] != kind:
            raise NotMapped(f"{place} ({kind}): its URL must be {kind}?identifier=system|value")
        _, system, value = found
        if not any(held.get("system") == system and held.get("value") == value for held in _identifiers(resource)):
            raise NotMapped(f"{place} ({kind}): the resource lacks the identifier of its URL")
        return _Made(kind, system, value, one.get("fullUrl"), resource)

    def _identify(self, patient: _Made, uid: str) -> None:
        """Her Patient always carries the tracked entity's UID."""
        own = {"system": self._own, "value": uid}
        if own not in patient.resource["identifier"]:
            patient.resource["identifier"] = [*patient.resource["identifier"], own]

    def _entries(self, made: list[_Made], context: Context) -> list[Entry]:
        names = Names(self._namespace, context.system_id)
        heads = {one.key: names.head(one.kind, f"{one.system}|{one.value}") for one in made}
        urls = {key: url_of(head) for key, head in heads.items()}
        known = urls | {one.given: urls[one.key] for one in made if isinstance(one.given, str)}
        return [
            entry(one.key, heads[one.key], self._text(_referring(one.resource, known)), shared=one.kind in _SHARED)
            for one in made
        ]

    def _text(self, resource: Json) -> str:
        try:
            return values.json_text(resource)
        except (TypeError, ValueError, OverflowError) as error:
            raise NotMapped(f"{self._file} gave a value that JSON can't hold ({type(error).__name__})") from error


def enrolled(programme: Programme, person: Json) -> bool:
    """Whether a tracked entity is enrolled in `programme`."""
    program = programme.registry.program
    return any(one.get("program") == program and not one.get("deleted") for one in person.get("enrollments") or ())


def script_of(programme: Programme, file: str) -> Path:
    """The path of a programme's script. Raises ProgrammeFault when there is none."""
    path = programme.folder / file
    if not path.is_file():
        raise _fault(programme, "$.mapper", f"{path} is missing")
    return path


def named(person: Any, context: Context) -> Json:
    """The context as JSON, with only those units and users that `person` names (units with all above them)."""
    units: set[str] = set()
    users: set[str] = set()
    _collect(person, units, users)
    for uid in list(units):
        units.update(context.units[uid].path if uid in context.units else ())
    return {
        "system_id": context.system_id,
        "version": context.version,
        "name": context.name,
        "url": context.url,
        "units": {uid: _plain(context.units[uid]) for uid in sorted(units & context.units.keys())},
        "users": {uid: _plain(context.users[uid]) for uid in sorted(users & context.users.keys())},
    }


def _collect(node: Any, units: set[str], users: set[str]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "orgUnit" and isinstance(value, str):
                units.add(value)
            elif key in ("createdBy", "updatedBy") and isinstance(value, dict):
                users.add(str(value.get("uid")))
            elif isinstance(value, list):
                _collect(value, units, users)
    elif isinstance(node, list):
        for one in node:
            _collect(one, units, users)


def _plain(one: Struct) -> Json:
    return dict(msgspec.to_builtins(one))


def _identifiers(resource: Json) -> list[Json]:
    held = resource.get("identifier")
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _condition(url: str) -> tuple[str, str, str] | None:
    """Type, system and value of `Type?identifier=system|value`, the bar as it is or percent-encoded."""
    kind, question, query = url.partition("?identifier=")
    system, bar, value = (query if "|" in query else unquote(query)).partition("|")
    return (kind, system, value) if question and bar and system and value else None


def _referring(node: Any, known: Mapping[str, str]) -> Any:
    """`node` with every reference to an entry as its full URL."""
    if isinstance(node, dict):
        return {
            key: _refer(value, known) if key == "reference" else _referring(value, known) for key, value in node.items()
        }
    return [_referring(one, known) for one in node] if isinstance(node, list) else node


def _refer(value: Any, known: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    found = _condition(value)
    return known.get(values.condition_on(*found) if found else value, known.get(value, value))


def _instant(changed: Any, context: Context) -> str:
    try:
        return values.instant(changed, context.zone) if isinstance(changed, str) else ""
    except Unfit:
        return ""


def _fault(programme: Programme, place: str, text: str) -> Exception:
    return fault(programme.folder / "programme.yaml", place, text)
