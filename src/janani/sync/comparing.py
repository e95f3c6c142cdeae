"""What the record should hold of a person beside what it holds. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from janani.sync.mapping.values import condition_on

_encode = msgspec.json.Encoder(order="sorted").encode

Key = tuple[str, str, str]
"""Type, and system and value of the identifier (or tag) under which a resource was sent."""


class Row(Struct, frozen=True):
    """A resource in the record: under which key, its id there, and the digest of what was sent."""

    key: Key
    id: str
    digest: str


class Difference(Struct, frozen=True):
    """How a person differs: keys of resources that are not there, are otherwise, are too many, or are there twice."""

    missing: list[str]
    different: list[str]
    extra: list[str]
    doubled: list[str]


def key_of(url: str) -> Key:
    """The key in a conditional URL "Type?identifier=system|value"."""
    head, bar, value = url.partition("%7C")
    if not bar:
        head, _, value = url.partition("|")
    return *_start(head), unquote(value) if "%" in value else value


@lru_cache(maxsize=1000)
def _start(head: str) -> tuple[str, str]:
    """Type and system of a conditional URL up to its bar; there are few."""
    kind, _, query = head.partition("?")
    return kind, unquote(query.partition("=")[2])


def compared(wanted: Mapping[Key, str], rows: Sequence[Row], held: Iterable[Key] = ()) -> Difference | None:
    """How `rows` differ from `wanted`; None when they agree.

    What is in `held` may be otherwise: the record's word counts there.
    """
    there: dict[Key, list[Row]] = {}
    for row in rows:
        there.setdefault(row.key, []).append(row)
    open_to_them = set(held)
    checked = [key for key in wanted if key not in open_to_them]
    found = Difference(
        missing=[_text(key) for key in checked if key not in there],
        different=[_text(key) for key in checked if key in there and there[key][0].digest != wanted[key]],
        extra=[_text(key) for key in surplus(wanted, rows, open_to_them)],
        doubled=[_text(key) for key, same in there.items() if len({row.id for row in same}) > 1],
    )
    return found if found.missing or found.different or found.extra or found.doubled else None


def surplus(wanted: Mapping[Key, str], rows: Sequence[Row], held: Container[Key] = ()) -> list[Key]:
    """The keys of `rows` whose resource has none of the `wanted` keys, without those `held`."""
    matched = {row.id for row in rows if row.key in wanted}
    return sorted({row.key for row in rows if row.id not in matched and row.key not in held})


def url_of(key: Key) -> str:
    """The conditional URL of a key; what has no identifiers (Provenance) bears it as a tag."""
    url = condition_on(*key)
    return url.replace("?identifier=", "?_tag=", 1) if key[0] == "Provenance" else url


def rows_of(
    resources: Sequence[Mapping[str, Any]],
    systems: Container[str],
    own_system: str,
    shared: Mapping[str, str],
    base_url: str,
) -> dict[str, list[Row]]:
    """What of `resources` a sender named, by person: a row for each name of one of `systems`, with a canonical digest.

    Args:
        resources: as the server gave them, each once or more; the Patients among them.
        own_system: the identifier system under which a Patient bears the person.
        shared: names of resources of no one person, by "Type/id".
        base_url: of the server; references below it are to it.
    """
    once = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    keys = {place: keys_of(one, systems) for place, one in once.items()}
    names = dict(shared) | {place: " ".join(some[0]) for place, some in keys.items() if some}
    names |= {f"{base_url}/{place}": name for place, name in list(names.items())}
    people = {
        place: key[2] for place, some in keys.items() for key in some if key[0] == "Patient" and key[1] == own_system
    }
    found: dict[str, list[Row]] = {}
    for place, resource in once.items():
        about = {people[one] for one in (place, *referred(resource, base_url)) if one in people}
        digest = canonical(resource, names)
        for person in about:
            found.setdefault(person, []).extend(Row(key, place, digest) for key in keys[place])
    return found


def canonical(resource: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A digest of what a resource says, whoever wrote it down.

    The server's own (`id`, `meta`, `text`) does not count, nor the order of lists, nor how a number is written;
    references are compared by the `names` of what they refer to.
    """
    said = {name: value for name, value in resource.items() if name not in ("id", "meta", "text")}
    return sha256(_encode(_plain(said, names))).hexdigest()[:24]


def _plain(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {
            name: names.get(_unversioned(value), value) if name == "reference" and isinstance(value, str) else plain
            for name, value in sorted(node.items())
            if (plain := _plain(value, names)) is not None
        }
    if isinstance(node, list):
        return sorted((_plain(one, names) for one in node), key=_encode)
    return float(node) if isinstance(node, int) and not isinstance(node, bool) else node


def _unversioned(reference: str) -> str:
    return reference.partition("/_history/")[0]


def keys_of(resource: Mapping[str, Any], systems: Container[str]) -> list[Key]:
    """The keys of `systems` that a resource bears, as identifiers or tags."""
    kind = resource["resourceType"]
    held = resource.get("identifier") or ()
    named = [held] if isinstance(held, Mapping) else held
    keys = [(kind, str(one["system"]), str(one["value"])) for one in named if one.get("system") in systems]
    tags = (resource.get("meta") or {}).get("tag") or ()
    return keys + [(kind, str(one["system"]), str(one["code"])) for one in tags if one.get("system") in systems]


def referred(node: Any, base_url: str) -> Iterator[str]:
    """Where a resource refers to, "Type/id" each."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "reference" and isinstance(value, str):
                yield _unversioned(value).removeprefix(f"{base_url}/")
            else:
                yield from referred(value, base_url)
    elif isinstance(node, list):
        for one in node:
            yield from referred(one, base_url)


def by_key(lines: Iterable[str]) -> dict[Key, str]:
    """The lines of Digests by their keys."""
    parts = (line.split(" ", 3) for line in lines)
    return {(kind, system, value): digest for digest, kind, system, value in parts}


def fingerprint(lines: Iterable[str]) -> bytes:
    """32 bytes that stand for all of a person's resources, whatever the order of the lines of her Digests."""
    return sha256("\n".join(sorted(lines)).encode()).digest()


def _text(key: Key) -> str:
    return f"{key[0]} {key[2]}"
