"""The one door to the record, made for each request from who is asking.

Every read, search and write goes through it. It asks the actor's scopes, keeps a patient within her compartment
(what is not hers is not found), validates what is written and leaves an audit event of every access.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple

import asyncpg
import msgspec
from msgspec import Struct

from janani.kernel.clock import Clock
from janani.record import definitions, history
from janani.record.access import Access, Auditor, Validator
from janani.record.actor import Actor, Interaction
from janani.record.changes import Change, Done
from janani.record.history import HistoryRequest, Past
from janani.record.problems import FhirProblem, Issue
from janani.record.query import Query
from janani.record.searching import Page, Searcher
from janani.record.store import queries
from janani.record.writing import Writer

_INTERACTIONS: dict[str, tuple[Interaction, Literal["C", "U", "D"]]] = {
    "POST": ("create", "C"),
    "PUT": ("update", "U"),
    "PATCH": ("update", "U"),
    "DELETE": ("delete", "D"),
}


AUDIT = history.AUDIT
"""The type that can be added to and read, but not changed."""


class Read(NamedTuple):
    """One version of a resource."""

    version: int
    last_updated: datetime
    body: bytes


class Door(Struct):
    """What `actor` may do in the record.

    Args:
        base_url: the FHIR base as others see it, without a slash at the end.
        connection: set while `together` runs; then everything happens in its transaction.
    """

    pool: asyncpg.Pool
    actor: Actor
    validator: Validator
    auditor: Auditor
    clock: Clock
    base_url: str
    connection: asyncpg.Connection | None = None

    def now(self) -> datetime:
        """The present, in the precision that a FHIR instant shows (milliseconds)."""
        moment = self.clock()
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    async def read(self, resource_type: str, resource_id: str) -> Read:
        """The current version. Raises FhirProblem 404 (unknown, or not hers) and 410 (deleted)."""
        self._require("read", resource_type)
        async with self._connected() as connection:
            row = await queries.read_current(connection, type=resource_type, id=resource_id)
            if row is None or not self._sees(resource_type, row["compartment"]):
                raise _unknown(resource_type, resource_id)
            if row["deleted"]:
                raise _gone(resource_type, resource_id, row["last_updated"])
            await self._audit(connection, _access("R", "read", resource_type, resource_id, row))
            return Read(row["version"], row["last_updated"], row["body"])

    async def vread(self, resource_type: str, resource_id: str, version: int) -> Read:
        """A certain version. Raises FhirProblem 404 and 410 (that version is its deletion)."""
        self._require("read", resource_type)
        async with self._connected() as connection:
            row = await queries.read_version(connection, type=resource_type, id=resource_id, version=version)
            if row is None or not self._sees(resource_type, row["compartment"]):
                raise _unknown(resource_type, f"{resource_id}/_history/{version}")
            if row["body"] is None:
                raise _gone(resource_type, resource_id, row["last_updated"])
            await self._audit(connection, _access("R", "vread", resource_type, resource_id, row))
            return Read(row["version"], row["last_updated"], row["body"])

    async def history(self, wanted: HistoryRequest) -> tuple[int | None, Sequence[Past]]:
        """Total and page (with one more when there are more) of versions. Raises FhirProblem 404."""
        self._require("read", wanted.type or "*")
        async with self._connected() as connection:
            total, found = await history.read(connection, wanted, self.actor.patient)
            if wanted.id and total == 0 and wanted.since is None:
                raise _unknown(wanted.type, wanted.id)
            interaction = f"history-{'instance' if wanted.id else 'type' if wanted.type else 'system'}"
            accesses = [
                Access("R", interaction, past.type, past.id, past.version, tuple(past.compartment)) for past in found
            ]
            await self._audit(connection, *accesses)
            return total, found

    async def search(self, query: Query) -> Page:
        """The first page of a search."""
        self.actor.require_search(query.types)
        async with self._connected() as connection:
            if query.type == AUDIT:
                await self.auditor.settle(connection)
            page = await self._searcher(connection).search(query)
            await self._audit(connection, _searched(query.type, "search-type", page, query.names))
            return page

    async def everything(self, patient: str, types: Sequence[str], since: datetime | None, count: int) -> Page:
        """A Patient's whole record. Raises FhirProblem 404 when she is unknown or another."""
        self._require("read", "Patient")
        async with self._connected() as connection:
            row = await queries.read_current(connection, type="Patient", id=patient)
            if row is None or row["deleted"] or not self._sees("Patient", row["compartment"]):
                raise _unknown("Patient", patient)
            # Who looked at it is no part of the record itself: AuditEvents are given when `types` names them.
            wanted = types or [name for name in definitions.types() if name != AUDIT]
            allowed = [name for name in wanted if self.actor.may("read", name)]
            page = await self._searcher(connection).everything(patient, allowed, since, count)
            await self._audit(connection, _searched("Patient", "operation", page, ("$everything",)))
            return page

    async def sent_digests(
        self, patients: Sequence[tuple[str, str]], owned: Sequence[str], *, summary: bool
    ) -> list[tuple[str, ...]]:
        """(patient's identifier value, type, id, system, value, digest) of what was sent about these patients.

        With `summary` one (identifier value, fingerprint) a patient.

        Args:
            patients: system and value of their identifiers.
            owned: identifier (or tag) systems of the sender; what bears none of them is left out.

        Raises FhirProblem 403 unless the caller may read everything.
        """
        self._require("read", "*")
        if self.actor.patient is not None:
            raise FhirProblem(403, "forbidden", "$sent-digests is for services")
        systems, codes = [one[0] for one in patients], [one[1] for one in patients]
        async with self._connected() as connection, connection.transaction():
            if summary:
                await queries.join_whole_sets(connection)
            ask = queries.sent_fingerprints if summary else queries.sent_digests
            rows = ask(connection, systems=systems, codes=codes, owned=list(owned))
            return [tuple(text or "" for text in row) async for row in rows]

    async def page(self, result: str, offset: int, count: int) -> Page:
        """A further page of this actor's own search."""
        async with self._connected() as connection:
            page = await self._searcher(connection).page(result, offset, count)
            await self._audit(connection, _searched("", "search-type", page, ()))
            return page

    async def write(self, changes: Sequence[Change]) -> list[Done]:
        """All of `changes` or none of them, in one transaction. Raises FhirProblem (see `Writer.apply`), 409."""
        for change in changes:
            self._require(_INTERACTIONS[change.method][0], change.type)
            if change.type == AUDIT and change.method != "POST":
                raise FhirProblem(405, "not-supported", "The audit trail can't be changed")
        try:
            async with self.together() as door:
                assert door.connection is not None
                writer = Writer(door.connection, self.base_url, self.actor, self.now(), self.validator)
                done = await writer.apply(changes)
                accesses = [_written(change, one) for change, one in zip(changes, done, strict=True) if one.id]
                await self._audit(door.connection, *accesses)
                return [self._told(change, one) for change, one in zip(changes, done, strict=True)]
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
            text = "HAPI-0823: The operation has failed with a version conflict. Please try again."
            raise FhirProblem(409, "conflict", text) from error

    def validate(self, resource: dict[str, Any]) -> list[Issue]:
        """Every finding on `resource`, without storing it."""
        return self.validator.validate(resource)

    @asynccontextmanager
    async def together(self) -> AsyncIterator["Door"]:
        """This door with one transaction around all that is done through it."""
        if self.connection is not None:
            yield self
            return
        async with self.pool.acquire() as connection, connection.transaction():
            yield Door(
                self.pool, self.actor, self.validator, self.auditor, self.clock, self.base_url, connection=connection
            )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        if self.connection is not None:
            yield self.connection
            return
        async with self.pool.acquire() as connection:
            yield connection

    def _searcher(self, connection: asyncpg.Connection) -> Searcher:
        return Searcher(connection, self.base_url, self.actor, self.now())

    def _require(self, interaction: Interaction, resource_type: str) -> None:
        if resource_type != "*":
            definitions.parameters(resource_type)
        if not self.actor.may(interaction, resource_type):
            raise FhirProblem(403, "forbidden", f"The access token does not allow to {interaction} {resource_type}")

    def _told(self, change: Change, done: Done) -> Done:
        """`done` without the body when that says more than was sent, to one who may not read it."""
        more = change.method == "PATCH" or (change.method == "POST" and change.found)
        return msgspec.structs.replace(done, body=None) if more and not self.actor.may("read", done.type) else done

    def _sees(self, resource_type: str, compartment: Sequence[str]) -> bool:
        patient = self.actor.patient
        return (
            patient is None or patient in compartment or (not compartment and resource_type in definitions.SHARED_TYPES)
        )

    async def _audit(self, connection: asyncpg.Connection, *accesses: Access) -> None:
        if accesses:
            await self.auditor.record(connection, self.actor, accesses)


def _unknown(resource_type: str, resource_id: str) -> FhirProblem:
    return FhirProblem(404, "not-found", f"HAPI-2001: Resource {resource_type}/{resource_id} is not known")


def _gone(resource_type: str, resource_id: str, when: datetime) -> FhirProblem:
    text = f"Resource was deleted at {when.isoformat(timespec='milliseconds')}"
    return FhirProblem(410, "deleted", text, headers={"location": f"{resource_type}/{resource_id}"})


def _access(action: Literal["R"], interaction: str, resource_type: str, resource_id: str, row: Any) -> Access:
    return Access(action, interaction, resource_type, resource_id, row["version"], tuple(row["compartment"]))


def _searched(resource_type: str, interaction: str, page: Page, names: Sequence[str]) -> Access:
    patients = sorted({patient for found in page.all for patient in found.compartment} | set(page.counted))
    return Access("E", interaction, resource_type, patients=tuple(patients), query=tuple(names))


def _written(change: Change, done: Done) -> Access:
    interaction, action = _INTERACTIONS[change.method]
    name = "patch" if change.method == "PATCH" else interaction
    return Access(action, name, done.type, done.id, done.version, done.patients)
