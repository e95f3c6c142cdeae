"""One server as the agent sees it: transactions out, and the entries that many people share kept up to date."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import asyncpg

from janani.clients.fhir import FhirClient, Resource
from janani.kernel import postgres
from janani.sync import delivery
from janani.sync.comparing import key_of, keys_of, referred
from janani.sync.mapping import Entry, Mapped

_queries = postgres.queries("janani.sync")
_AT_ONCE = 20  # keys in one search: a URL of some 2 kB


class Target:
    """Writes to the record `name`. Raises FhirError."""

    def __init__(self, name: str, record: FhirClient, pool: asyncpg.Pool, bundle_system: str) -> None:
        self.name = name
        self._record, self._pool, self._system = record, pool, bundle_system
        self._shared: dict[str, str] | None = None
        self._lock = asyncio.Lock()

    async def send(self, bundle: bytes) -> None:
        """One transaction, whole or not at all."""
        await self._record.transaction(bundle)

    async def holds(self, key: str) -> bool:
        """Whether a resource answers to the conditional URL `key`."""
        return bool(await self._found(key))

    async def standing(self, keys: Sequence[str], patients: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """What of `keys` stands here as a certain woman's: places and versions by key.

        `patients` are keys of her Patient; if there is none any more, all counts as hers. What another's Patient has by
        now is not hers, whoever sent it: DHIS2 moves an event with its UID when it merges two people.
        """
        hers = {f"Patient/{one['id']}" for key in dict.fromkeys(patients) for one in await self._found(key)}
        found: dict[str, list[tuple[str, str]]] = {}
        for (_, system), asked in _grouped(keys).items():
            by_key = {key_of(key): key for key in asked}
            for resource in await self._any_of(asked):
                about = set(referred(resource, self._record.base_url))
                if not hers or about & hers or not any("Patient/" in place for place in about):
                    place = f"{resource['resourceType']}/{resource['id']}"
                    for key in {by_key[one] for one in keys_of(resource, {system}) if one in by_key}:
                        found.setdefault(key, []).append((place, resource.get("meta", {}).get("versionId", "")))
        return found

    async def second(self, mapped: Mapped) -> Resource | None:
        """Her Patient under her own identifier where another one has her present key: one woman, two Patients.

        None when there are not two, which is nearly always.
        """
        strongest = {one["id"] for one in await self._found(mapped.patient)}
        return next((one for one in await self._found(mapped.patient_own) if strongest - {one["id"]}), None)

    async def share(self, entries: Sequence[Entry]) -> None:
        """Writes those shared entries that are new or changed since they were last written."""
        if not await self._stale(entries):
            return
        async with self._lock:
            fresh = await self._stale(entries)
            if not fresh:
                return
            sent = delivery.with_references(fresh, list(entries))
            await self._record.transaction(delivery.directory(sent, self._system))
            digests = {entry.key: entry.digest for entry in sent}
            await _queries.remember_shared(
                self._pool, target=self.name, keys=list(digests), digests=list(digests.values())
            )
            assert self._shared is not None
            self._shared |= digests

    async def retire(self, patient: str) -> None:
        """Marks the Patient with the key `patient` as no longer in use (`active` false)."""
        for resource in await self._found(patient):
            if resource.get("active") is not False:
                version = resource.get("meta", {}).get("versionId", "")
                await self._record.update(resource | {"active": False}, if_match=version)

    async def _any_of(self, keys: Sequence[str]) -> list[Resource]:
        """The resources under any of `keys`, which are of one type and system."""
        kind, _, _ = keys[0].partition("?")
        asked = [parse_qsl(key.partition("?")[2])[0] for key in keys]
        found = []
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            found += await self._record.search(kind, {some[0][0]: ",".join(token for _, token in some)})
        return found

    async def _found(self, key: str) -> list[Resource]:
        kind, _, query = key.partition("?")
        return await self._record.search(kind, parse_qsl(query))

    async def _stale(self, entries: Sequence[Entry]) -> list[Entry]:
        if self._shared is None:
            rows: Any = [row async for row in _queries.shared(self._pool, target=self.name)]
            self._shared = {row["key"]: row["digest"] for row in rows}
        return [entry for entry in entries if self._shared.get(entry.key) != entry.digest]


def _grouped(keys: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Keys by their type and system."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        found.setdefault(key_of(key)[:2], []).append(key)
    return found
