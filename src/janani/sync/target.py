"""One server as the agent sees it: transactions out, and the entries that many people share kept up to date."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import asyncpg

from janani.clients.fhir import FhirClient, Resource
from janani.kernel import postgres
from janani.sync import delivery
from janani.sync.mapping import Entry, Mapped

_queries = postgres.queries("janani.sync")


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

    async def _found(self, key: str) -> list[Resource]:
        kind, _, query = key.partition("?")
        return await self._record.search(kind, parse_qsl(query))

    async def _stale(self, entries: Sequence[Entry]) -> list[Entry]:
        if self._shared is None:
            rows: Any = [row async for row in _queries.shared(self._pool, target=self.name)]
            self._shared = {row["key"]: row["digest"] for row in rows}
        return [entry for entry in entries if self._shared.get(entry.key) != entry.digest]
