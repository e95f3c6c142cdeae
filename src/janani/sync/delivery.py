"""What of a mapped person has to be sent, given what was delivered before. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from janani.sync.mapping import Entry, Mapped
from janani.sync.mapping.model import digest_of

_encode = msgspec.json.Encoder().encode
_REFERENCE = re.compile(rb'"reference":"([^"\\\\]*)"')  # a text can't look like it: its quotation marks are escaped

_PUT = b',"request":{"method":"PUT","url":"'  # a key is percent-encoded: it may stand in JSON as it is

UNCERTAIN = "?"
"""In place of a digest: it was sent, and whether it arrived is not known."""

PATIENT = "Patient"
"""Stands for her Patient among the digests, whatever its key at the time."""


class Delivered(Struct, frozen=True):
    """What the record took of a person last: the Patient's key then, and a digest of each entry by key.

    `standing` are the keys of what stands in the record as others left it. `certain`: the target said at
    least once that it took something of hers.
    """

    patient: str
    digests: Mapping[str, str]
    standing: frozenset[str] = frozenset()
    certain: bool = True


Standing = Mapping[str, Sequence[tuple[str, str]]]
"""What there is under a key: places ("Type/id") with their versions."""


class Plan(Struct, frozen=True):
    """What is to be sent (nothing: nothing changed) and what will have been delivered once it is taken.

    Attributes:
        content: keys and digests of the entries, of which the bundle's identifier is made.
        entries: what the transaction writes as JSON, by key; shared ones may also be those of others.
        removals: what it takes back, by key.
        shared: the entries that must be up to date in the record before.
    """

    person: str
    timestamp: str
    content: list[str]
    entries: Mapping[str, bytes]
    removals: Mapping[str, bytes]
    delivered: Delivered
    shared: list[Entry]
    system: str

    @property
    def size(self) -> int:
        """How many entries are sent of her."""
        return len(self.entries) + len(self.removals)

    @property
    def bundle(self) -> bytes | None:
        """The transaction of her alone; None when nothing changed."""
        return together([self]) if self.content else None


def plan(
    mapped: Mapped,
    before: Delivered | None,
    bundle_system: str,
    *,
    whole: bool = False,
    second: Mapping[str, Any] | None = None,
    gone: Standing | None = None,
) -> Plan:
    """The transaction that brings the record from `before` to `mapped`.

    Only entries that changed are sent, with all that they refer to; what is no longer there is deleted, as far as it
    stands in the record as hers: `gone` is what of `no_longer` does. With `whole`
    everything is sent. What is standing is written only if it is gone. The Patient is found by her strongest
    identifier; if that changed since, by the tracked entity's own, which the record holds already. A `second` Patient
    of hers, found under the own identifier beside one under the strongest, is replaced by it: everything is sent again,
    to refer to the one that stays.
    """
    own = [entry for entry in mapped.entries if not entry.shared]
    her = own[0]
    digests = {(PATIENT if entry is her else entry.key): entry.digest for entry in own}
    known = {} if whole or second or before is None else before.digests
    changed = [entry for entry in own if known.get(_place(entry.key)) != entry.digest] if known else own
    removals = {key: _removals(places) for key, places in (gone or {}).items()}
    delivered = Delivered(mapped.patient, digests)
    if not changed and not removals:
        return Plan(mapped.person, mapped.timestamp, [], {}, {}, delivered, [], bundle_system)
    same = second is not None or before is None or before.patient == mapped.patient
    patient = mapped.patient if same else mapped.patient_own
    sent = mapped.entries if len(changed) == len(own) else with_references(changed, mapped.entries)
    content = [patient, *[f"{entry.key} {entry.digest}" for entry in sent], *_named(gone or {})]
    standing = before.standing if before and second is None else frozenset()  # of the second, all is written anew
    entries = {
        entry.key: _creation(entry)
        if entry.shared or entry.key in standing
        else b"".join((entry.head, entry.body, _PUT, (patient if entry is her else entry.key).encode(), b'"}}'))
        for entry in sent
    }
    if second is not None:
        content.append(f"Patient/{second['id']}")
        entries[f"Patient/{second['id']}"] = _encode(_replaced(second, mapped))
    shared = [entry for entry in sent if entry.shared]
    return Plan(mapped.person, mapped.timestamp, content, entries, removals, delivered, shared, bundle_system)


def no_longer(mapped: Mapped, before: Delivered) -> list[str]:
    """Keys of what was delivered and is no more."""
    return sorted(set(before.digests) - {_place(entry.key) for entry in mapped.entries})


def together(plans: Sequence[Plan]) -> bytes:
    """One transaction of all that `plans` send; what several share is in it once.

    What one of them takes back and another writes (an event that went from one person to the other) is written.
    """
    if len(plans) == 1 and not plans[0].removals:
        [one] = plans
        return _transaction(one.person, one.timestamp, [*one.entries.values()], one.content, one.system)
    entries = {key: entry for plan in plans for key, entry in plan.removals.items()}
    entries |= {key: entry for plan in plans for key, entry in plan.entries.items()}
    timestamp = max(plan.timestamp for plan in plans)
    name = plans[0].person if len(plans) == 1 else "people"
    content = [line for plan in plans for line in plan.content]
    return _transaction(name, timestamp, list(entries.values()), content, plans[0].system)


def removal(person: str, gone: Standing, bundle_system: str) -> bytes | None:
    """The transaction that takes back what there is of a person, but for her Patient; None when there is nothing."""
    if not gone:
        return None
    return _transaction(person, "", [_removals(places) for places in gone.values()], _named(gone), bundle_system)


def directory(entries: Iterable[Entry], bundle_system: str) -> bytes:
    """The transaction that writes shared entries, for example the Device of the registry."""
    sent = list(entries)
    requests = [b"".join((entry.head, entry.body, _PUT, entry.key.encode(), b'"}}')) for entry in sent]
    content = [f"{entry.key} {entry.digest}" for entry in sent]
    return _transaction("directory", "", requests, content, bundle_system)


def digest(resource: Any) -> str:
    """A short digest of a resource's bytes."""
    return digest_of(msgspec.json.encode(resource))


def _place(key: str) -> str:
    return PATIENT if key[:8] == "Patient?" else key


def with_references(changed: list[Entry], entries: list[Entry]) -> list[Entry]:
    """`changed` and every entry that these refer to, in the order of `entries`."""
    by_url = {entry.full_url: entry for entry in entries}
    wanted: set[str] = set()
    waiting = [entry.full_url for entry in changed]
    while waiting:
        url = waiting.pop()
        if url not in wanted and url in by_url:
            wanted.add(url)
            waiting += [found.decode() for found in _REFERENCE.findall(by_url[url].body)]
    return [entry for entry in entries if entry.full_url in wanted]


@lru_cache(maxsize=1024)  # units and users come with every person
def _creation(entry: Entry) -> bytes:
    """The entry of a transaction that writes a resource only if there is none yet."""
    kind, _, query = entry.key.partition("?")
    request = f',"request":{{"method":"POST","url":"{kind}","ifNoneExist":"{query}"}}}}'.encode()
    return b"".join((entry.head, entry.body, request))


def _removals(places: Sequence[tuple[str, str]]) -> bytes:
    """Not by what identifies them: somebody else's may bear that by now."""
    asked = [
        {"method": "DELETE", "url": place} | ({"ifMatch": f'W/"{version}"'} if version else {})
        for place, version in places
    ]
    return b",".join(_encode({"request": one}) for one in asked)


def _named(gone: Standing) -> list[str]:
    return [f"{place}/_history/{version}" for places in gone.values() for place, version in places]


def _replaced(second: Mapping[str, Any], mapped: Mapped) -> dict[str, Any]:
    """The update that retires `second` in favour of her Patient, without the identifiers that name that one now."""
    her = next(entry for entry in mapped.entries if entry.kind == PATIENT)
    taken = {(one.get("system"), one.get("value")) for one in her.resource.get("identifier", ())}
    left = [one for one in second.get("identifier", ()) if (one.get("system"), one.get("value")) not in taken]
    resource = {name: value for name, value in second.items() if name not in ("meta", "identifier", "link")}
    resource |= {"active": False, "link": [{"other": {"reference": her.full_url}, "type": "replaced-by"}]}
    if left:
        resource["identifier"] = left
    return {"resource": resource, "request": {"method": "PUT", "url": f"Patient/{second['id']}"}}


def _transaction(person: str, timestamp: str, entries: Sequence[bytes], content: Sequence[str], system: str) -> bytes:
    """A transaction Bundle; its identifier is of `content`, so that the same content has the same one."""
    value = f"{person}-{digest_of(chr(10).join(content).encode())}"
    head: dict[str, Any] = {
        "resourceType": "Bundle",
        "identifier": {"system": system, "value": value},
        "type": "transaction",
    }
    if timestamp:
        head["timestamp"] = timestamp
    return b"".join((_encode(head)[:-1], b',"entry":[', b",".join(entries), b"]}"))
