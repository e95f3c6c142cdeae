"""The trail of who accessed a person's record, as AuditEvents that she can read (FHIR R4 AuditEvent, IHE BALP).

An access is first a row in `audit`, written with one insert; `settle` turns rows into resources as a set, so that
search, paging and compartments treat an AuditEvent as any other resource. A crash between the two loses nothing.
"""

import asyncio
import base64
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg

from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.record import indexing, json_text, store
from janani.record.access import Access
from janani.record.actor import Actor
from janani.record.changes import instant, stamped
from janani.record.store import Version

SETTLE_SECONDS = 5.0
_GATHER_SECONDS = 1.0  # a transaction for those of a second, not one for each
_MOST_EVENTS = 500
_MOST_ENTITIES = 200
_SYSTEMS = "http://terminology.hl7.org/CodeSystem/"

queries = postgres.queries("janani.record.authorization")


class AuditLog:
    """The `Auditor` of `record.access`.

    Args:
        base_url: the FHIR base, as others see it.
    """

    def __init__(self, clock: Clock, base_url: str) -> None:
        self._clock, self._base_url = clock, base_url
        self._written = asyncio.Event()

    async def record(self, connection: asyncpg.Connection, actor: Actor, accesses: Sequence[Access]) -> None:
        """Writes what `actor` did; an access that touches no patient leaves nothing."""
        events = audit_events(actor, accesses, self._clock())
        if not events:
            return
        await queries.write_audit(
            connection,
            ids=[event["id"] for _, event in events],
            patients=[patient for patient, _ in events],
            events=[json_text.encode(event).decode() for _, event in events],
        )
        self._written.set()

    async def settle(self, connection: asyncpg.Connection) -> int:
        """Makes AuditEvent resources of the oldest accesses (500 at most); their number."""
        async with connection.transaction():
            rows = [row async for row in queries.take_audit(connection, most=_MOST_EVENTS)]
            now = self._clock()
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
            await store.save(connection, [self._version(row, now) for row in rows], now)
        return len(rows)

    async def settle_for_ever(self, pool: asyncpg.Pool) -> None:
        """Settles what is written, soon after it is; and what another process left, every few seconds."""
        while True:
            try:
                async with pool.acquire() as connection:
                    while await self.settle(connection) == _MOST_EVENTS:
                        pass
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:  # tried again below
                log("record").warning("audit_waits", reason=type(error).__name__)
            try:
                await asyncio.wait_for(self._written.wait(), SETTLE_SECONDS)
                await asyncio.sleep(_GATHER_SECONDS)
            except TimeoutError:
                continue
            self._written.clear()

    def _version(self, row: Any, now: datetime) -> Version:
        text = row["event"].encode()
        event, said = json_text.decode(text), json_text.elements(text)
        for name in ("id", "recorded", "entity"):  # of each event its own
            said.pop(name, None)
        body = stamped(event | {"meta": {}}, 1, now)
        return Version(
            "AuditEvent",
            row["id"],
            1,
            "POST",
            json_text.encode(body),
            [row["patient"]],
            indexing.rows(event, said, self._base_url),
        )


def audit_events(actor: Actor, accesses: Sequence[Access], at: datetime) -> list[tuple[str, dict[str, Any]]]:
    """(patient id, AuditEvent) for each patient and interaction among `accesses`.

    One event a patient, so that none says anything of another person; resources accessed by the same interaction
    share an event, 200 of them at most.
    """
    groups: dict[tuple[str, str, str], list[Access]] = {}
    for access in accesses:
        if access.type != "AuditEvent" or access.action != "E":
            for patient in access.patients:
                groups.setdefault((patient, access.interaction, access.action), []).append(access)
    return [
        (patient, _event(actor, patient, group[start : start + _MOST_ENTITIES], at))
        for (patient, _, _), group in groups.items()
        for start in range(0, len(group), _MOST_ENTITIES)
    ]


def _event(actor: Actor, patient: str, accesses: Sequence[Access], at: datetime) -> dict[str, Any]:
    first = accesses[0]
    return {
        "resourceType": "AuditEvent",
        "id": str(uuid.uuid4()),
        "type": _coding("audit-event-type", "rest", "RESTful Operation"),
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": first.interaction}],
        "action": first.action,
        "recorded": instant(at),
        "outcome": "0",
        "agent": _agents(actor),
        "source": {"observer": {"display": "Shared health record"}, "type": [_coding("security-source-type", "4")]},
        "entity": _entities(patient, accesses),
    }


def _agents(actor: Actor) -> list[dict[str, Any]]:
    who: dict[str, Any] = {"display": actor.display or actor.id}
    if actor.kind in ("staff", "patient"):
        who["reference"] = actor.id
    person = {"type": _concept("v3-ParticipationType", "IRCP"), "who": who, "requestor": True}
    if actor.kind == "system" or not actor.client or actor.client == actor.id:
        return [person]
    # ITI BALP: the application through which she came is an agent of its own.
    dicom = {"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110150"}]}
    return [person, {"type": dicom, "who": {"display": actor.client}, "requestor": False}]


def _entities(patient: str, accesses: Sequence[Access]) -> list[dict[str, Any]]:
    entities = [_entity(f"Patient/{patient}", "1", "1")]
    for access in accesses:
        if access.id and (access.type, access.id) != ("Patient", patient):
            version = f"/_history/{access.version}" if access.version else ""
            entities.append(_entity(f"{access.type}/{access.id}{version}", "2", "4"))
        elif access.action == "E":
            asked = f"{access.type}?{'&'.join(access.query)}"
            query = base64.b64encode(asked.encode()).decode()
            entities.append({"role": _coding("object-role", "24", "Query"), "description": asked, "query": query})
    return entities


def _entity(reference: str, kind: str, role: str) -> dict[str, Any]:
    what = {"reference": reference}
    return {"what": what, "type": _code("audit-entity-type", kind), "role": _code("object-role", role)}


def _coding(system: str, code: str, display: str = "") -> dict[str, Any]:
    return {"system": _SYSTEMS + system, "code": code} | ({"display": display} if display else {})


_code = cache(_coding)  # the same few for each entity; nobody changes them


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [_coding(system, code)]}
