"""What a server holds of people, beside what it should: by digests of what was sent (our record), or by reading."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from janani.clients.fhir import FhirClient, FhirError, Resource
from janani.sync.comparing import Key, Row, by_key, canonical, fingerprint, key_of, rows_of
from janani.sync.mapping import Context, Digests, Entry, Mapped, Mapper

_UNKNOWN = {400, 404, 405, 501}


class Wanted(Struct, frozen=True):
    """What a server should hold of a person: the digest of each resource by its key, and all of them in one.

    `digests` is empty where the fingerprints were found to agree: nobody looks there.
    """

    person: str
    digests: Mapping[Key, str]
    fingerprint: bytes


class Holding(Protocol):
    """A way to ask a server.

    Attributes:
        name: "digests" or "resources".
        page: how many people at once.
    """

    name: str
    page: int

    def mapped(self, person: Any, context: Context) -> Any:
        """As much of what a server should hold of a tracked entity as `differing` needs. Raises NotMapped."""

    async def differing(self, people: Sequence[Any]) -> list[tuple[Wanted, list[Row] | None]]:
        """Each of `people` with the server's rows; None where these are known to be what is wanted."""


class ByDigest:
    """Our record: one fingerprint a person, and the digests of those alone who differ (`$sent-digests`)."""

    name, page = "digests", 200

    def __init__(self, record: FhirClient, mapper: Mapper) -> None:
        self._record, self._mapper = record, mapper
        systems = mapper.table.identifiers
        self._own = systems["tracked_entity"]
        self._owned = [{"name": "system", "valueUri": systems[name]} for name in _OWNED]

    def mapped(self, person: Any, context: Context) -> Digests:
        return self._mapper.digests(person, context)

    async def differing(self, people: Sequence[Digests]) -> list[tuple[Wanted, list[Row] | None]]:
        prints = {one.person: fingerprint(one.lines) for one in people}
        there = {}
        for text in await self._asked(list(prints), summary=True):
            person, _, told = text.partition("\t")
            there[person] = told
        unlike = {person for person, own in prints.items() if there.get(person) != own.hex()}
        rows = await self._rows(list(unlike)) if unlike else {}
        found: list[tuple[Wanted, list[Row] | None]] = []
        for one in people:
            if one.person in unlike:
                found.append((Wanted(one.person, by_key(one.lines), prints[one.person]), rows.get(one.person, [])))
            else:
                found.append((Wanted(one.person, {}, prints[one.person]), None))
        return found

    async def _rows(self, people: Sequence[str]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for text in await self._asked(people, summary=False):
            person, kind, id_, system, value, digest = text.split("\t")
            found.setdefault(person, []).append(Row((kind, system, value), f"{kind}/{id_}", digest))
        return found

    async def _asked(self, people: Sequence[str], *, summary: bool) -> list[str]:
        named = [{"name": "patient", "valueIdentifier": {"system": self._own, "value": uid}} for uid in people]
        parameters: list[Resource] = [*named, *self._owned, {"name": "summary", "valueBoolean": summary}]
        return await self._record.sent_digests(parameters)


class ByReading:
    """Any FHIR server: every resource of the people is read and put beside what would be sent.

    Compared is what is sent; `id`, `meta` and the narrative are the server's, the order of lists is nobody's.
    """

    name, page = "resources", 50
    _MOST_NAMES = 30

    def __init__(self, record: FhirClient, mapper: Mapper, kinds: Iterable[str]) -> None:
        """`kinds` are the types that were ever sent: of those something may be left over."""
        self._record, self._mapper, self._kinds = record, mapper, set(kinds) - {"Patient"}
        systems = mapper.table.identifiers
        self._own = systems["tracked_entity"]
        self._systems = {systems[name] for name in _OWNED}
        self._shared: dict[str, str] = {}  # "Type/id" of shared entries, as a text that both sides have

    def mapped(self, person: Any, context: Context) -> Mapped:
        return self._mapper.map(person, context)

    async def differing(self, people: Sequence[Mapped]) -> list[tuple[Wanted, list[Row] | None]]:
        entries = [entry for one in people for entry in one.entries]
        self._kinds |= {entry.kind for entry in entries if not entry.shared} - {"Patient"}
        await self._learn([entry for entry in entries if entry.shared])
        patients = await self._patients([one.person for one in people])
        resources = [*patients, *await self._about([one["id"] for one in patients])]
        found = rows_of(resources, self._systems, self._own, self._shared, self._record.base_url)
        return [(self._wants(one), found.get(one.person, [])) for one in people]

    def _wants(self, one: Mapped) -> Wanted:
        names = {entry.full_url: entry.key for entry in one.entries if entry.shared}
        for entry in one.entries:
            if not entry.shared:
                key = ("Patient", self._own, one.person) if entry.kind == "Patient" else key_of(entry.key)
                names[entry.full_url] = " ".join(key)
        digests = {}
        for entry in one.entries:
            if not entry.shared:
                key = ("Patient", self._own, one.person) if entry.kind == "Patient" else key_of(entry.key)
                digests[key] = canonical(entry.resource, names)
        lines = (f"{digest} {' '.join(key)}" for key, digest in digests.items())
        return Wanted(one.person, digests, fingerprint(lines))

    async def _learn(self, entries: Sequence[Entry]) -> None:
        """Under which ids the server has the entries that many share."""
        known = set(self._shared.values())
        unknown = {entry.key: key_of(entry.key) for entry in entries if entry.key not in known}
        for start in range(0, len(unknown), self._MOST_NAMES):
            some = dict(list(unknown.items())[start : start + self._MOST_NAMES])
            for kind in {key[0] for key in some.values()}:
                mine = {f"{system}|{value}": url for url, (of, system, value) in some.items() if of == kind}
                for resource in await self._search(kind, {"identifier": ",".join(map(_escaped, mine))}):
                    for one in resource.get("identifier", ()):
                        name = mine.get(f"{one.get('system')}|{one.get('value')}")
                        if name is not None:
                            self._shared[f"{kind}/{resource['id']}"] = name

    async def _patients(self, people: Sequence[str]) -> list[Resource]:
        names = [_escaped(f"{self._own}|{uid}") for uid in people]
        found = []
        for start in range(0, len(names), self._MOST_NAMES):
            some = ",".join(names[start : start + self._MOST_NAMES])
            found += await self._search("Patient", {"identifier": some})
        return found

    async def _about(self, patients: Sequence[str]) -> list[Resource]:
        """What refers to these Patients and bears a name that the sync gives."""
        if not patients:
            return []
        whose, found = ",".join(f"Patient/{one}" for one in patients), []
        for kind in sorted(self._kinds):
            found += await self._search(kind, {"patient": whose})
        return found

    async def _search(self, kind: str, query: Mapping[str, str]) -> list[Resource]:
        return await self._record.search(kind, {**query, "_count": "500"})


_OWNED = ("tracked_entity", "enrollment", "event", "value")


async def way_to(record: FhirClient, mapper: Mapper, kinds: Iterable[str]) -> Holding:
    """By digests where the server knows them, else by reading. Raises FhirError when it can't be asked at all."""
    quick = ByDigest(record, mapper)
    try:
        await quick.differing([])
    except FhirError as error:
        if error.status not in _UNKNOWN:
            raise
        return ByReading(record, mapper, kinds)
    return quick


def _escaped(token: str) -> str:
    """A token as one value of a search parameter (§search 3.1.1.4.0.1)."""
    return token.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")
