"""What the record should hold of a person beside what it holds. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qsl

from msgspec import Struct

from janani.sync.mapping import Mapped

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


def expected(mapped: Mapped, own_system: str) -> dict[Key, str]:
    """The digest of each of a person's own resources by its key; her Patient under her own identifier."""
    found = {}
    for entry in mapped.entries:
        if not entry.shared:
            patient = entry.kind == "Patient"
            key = ("Patient", own_system, mapped.person) if patient else key_of(entry.key)
            found[key] = entry.digest
    return found


def key_of(url: str) -> Key:
    """The key in a conditional URL "Type?identifier=system|value"."""
    kind, _, query = url.partition("?")
    system, _, value = parse_qsl(query)[0][1].partition("|")
    return kind, system, value


def compared(wanted: Mapping[Key, str], rows: Sequence[Row], held: Iterable[Key] = ()) -> Difference | None:
    """How `rows` differ from `wanted`; None when they agree.

    What is in `held` may be otherwise: the record's word counts there.
    """
    there: dict[Key, list[Row]] = {}
    for row in rows:
        there.setdefault(row.key, []).append(row)
    matched = {row.id for row in rows if row.key in wanted}
    open_to_them = set(held)
    checked = [key for key in wanted if key not in open_to_them]
    found = Difference(
        missing=[_text(key) for key in checked if key not in there],
        different=[_text(key) for key in checked if key in there and there[key][0].digest != wanted[key]],
        extra=sorted({_text(row.key) for row in rows if row.id not in matched and row.key not in open_to_them}),
        doubled=[_text(key) for key, same in there.items() if len({row.id for row in same}) > 1],
    )
    return found if found.missing or found.different or found.extra or found.doubled else None


def fingerprint(wanted: Mapping[Key, str]) -> bytes:
    """32 bytes that stand for all of a person's resources, whatever their order."""
    return sha256("\n".join(sorted(f"{' '.join(key)} {digest}" for key, digest in wanted.items())).encode()).digest()


def _text(key: Key) -> str:
    return f"{key[0]} {key[2]}"
