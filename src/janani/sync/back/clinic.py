"""Brings what someone wrote in the record: a visit with all that belongs to it, an appointment, or one resource."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.clients.fhir import FhirClient, FhirError
from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.sync.back import event as events
from janani.sync.back.definition import Definition
from janani.sync.back.event import Care
from janani.sync.back.sorting import OF_ENCOUNTER, Sorter, digest
from janani.sync.mapping.back import Back

_queries = postgres.queries("janani.sync.back")
_TIMES = 10  # that one thing can be said and taken back
Json = dict[str, Any]


class Refused(Exception):
    """The registry or the record will never take this. `reason` is codes alone, without values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spent(Refused):
    """The event's UID was that of an event that is deleted: DHIS2 takes it no more (E1082)."""


class Wires(Struct, frozen=True):
    """Both servers and what is known of the programme.

    Attributes:
        identifiers: systems of the table.
        roles: {UID of a stage: role}.
        zone: where the clinics are.
    """

    registry: Dhis2Client
    record: FhirClient
    pool: asyncpg.Pool
    back: Back
    definition: Definition
    sorter: Sorter
    identifiers: Mapping[str, str]
    roles: Mapping[str, str]
    zone: ZoneInfo
    clock: Clock


class Clinic:
    """Writes events of the stage that write-back has. Raises Dhis2Error, FhirError, Refused."""

    def __init__(self, wires: Wires) -> None:
        self._ = wires

    async def bring(self, source: str) -> str:
        """Brings `source` as it is now; says what became of it."""
        kind, _, id_ = source.partition("/")
        root = await self._read(kind, id_)
        if root is None or root.get("status") == "entered-in-error":
            return await self.take_back(source)
        if kind == "Appointment":
            return await self._plan(source, root)
        resources = await self._belonging(id_, root) if kind == "Encounter" else [root]
        if kind == "Encounter" and root.get("status") in ("planned", "cancelled"):
            return await self.take_back(source)
        if not resources and self._.sorter.delivered_as(root):
            return await self.take_back(source)  # a visit of the registry's own, to which nobody adds any more
        found = events.read(resources, self._.back, self._.definition)
        if kind == "Encounter" and self._.definition.answer:
            answers = [await self._referred_on(one) for one in root.get("basedOn") or ()]
            if any(answers):
                found.texts[self._.definition.answer] = "\n".join(filter(None, answers))
        if resources and not found.texts and not found.unread:
            return await self.take_back(source)  # all of it was entered in error
        await _queries.unread(self._.pool, source=source, whats=found.unread)
        references = [f"{one['resourceType']}/{one['id']}" for one in (root, *resources)]
        patient = (root.get("subject") or root.get("patient") or {}).get("reference", "")
        return await self.write(source, patient, events.day_of(root, self._.zone), found.texts, references)

    async def write(
        self, source: str, patient: str, on: str, texts: Mapping[str, str], references: Sequence[str], person: str = ""
    ) -> str:
        """Writes `texts` as the event of `source`. `person` is her UID, when it is known already."""
        care = await self._care(patient, on, person)
        if care is None:
            return "elsewhere"
        before = await _queries.brought(self._.pool, source=source)
        elements = list(before["elements"]) if before else []
        event = events.payload(source, care, self._.definition, on, texts, elements)
        return await self._import(source, care, event, sorted({*texts, self._.definition.origin}), references)

    async def _plan(self, source: str, appointment: Json) -> str:
        status = self._.definition.appointment.get(appointment.get("status", ""))
        on = events.day_of(appointment, self._.zone)
        if status is None or not on:
            return await self.take_back(source)
        actors = [(one.get("actor") or {}).get("reference", "") for one in appointment.get("participant") or ()]
        patient = next((one for one in actors if one.startswith("Patient/")), "")
        care = await self._care(patient, on)
        if care is None:
            return "elsewhere"
        event = events.planned(source, care, self._.definition, on, status)
        return await self._import(source, care, event, [], [source])

    async def _import(
        self, source: str, care: Care, event: Json, elements: Sequence[str], references: Sequence[str]
    ) -> str:
        before = await _queries.brought(self._.pool, source=source)
        if before is not None:
            event["event"] = before["event"]
        kept = event | {"dataValues": [one for one in event.get("dataValues", ()) if one["value"] is not None]}
        mark = digest("", "", msgspec.json.encode(kept).decode())
        if before is not None and before["digest"] == mark:
            return "unchanged"
        await self._write(source, care, event, fresh=before is None)
        await _queries.bring(
            self._.pool,
            source=source,
            event=event["event"],
            person=care.person,
            elements=list(elements),
            digest=mark,
            resources=list(references),
            now=self._.clock(),
        )
        return "brought"

    async def _write(self, source: str, care: Care, event: Json, *, fresh: bool) -> None:
        """Imports the event; what was taken back before and is said again comes under another UID, put into `event`."""
        for again in range(1, _TIMES):
            try:
                return await imported(self._.registry, event)
            except Spent:
                if not fresh:
                    raise
                event["event"] = events.event_of(source, care.person, again)
        await imported(self._.registry, event)

    async def take_back(self, source: str) -> str:
        """Deletes the event that `source` became, if it did."""
        before = await _queries.brought(self._.pool, source=source)
        if before is None:
            return "nothing"
        await imported(self._.registry, {"event": before["event"]}, strategy="DELETE")
        await _queries.forget_brought(self._.pool, source=source)
        return "taken_back"

    async def _belonging(self, encounter: str, root: Json) -> list[Json]:
        """What belongs to an Encounter and did not come from the registry."""
        found = []
        for kind, parameter in OF_ENCOUNTER.items():
            found += await self._.record.search(kind, {parameter: f"Encounter/{encounter}", "_count": "200"})
        return [one for one in found if not self._.sorter.delivered_as(one)]

    async def _referred_on(self, reference: Json) -> str:
        kind, _, id_ = str(reference.get("reference", "")).partition("/")
        request = await self._read(kind, id_) if kind == "ServiceRequest" else None
        on = events.day_of(request, self._.zone) if request else ""
        return f"Seen on the referral of {on}" if on else ""

    async def _care(self, patient: str, on: str, person: str = "") -> Care | None:
        """Where her event belongs; None for someone whom the registry does not know, or has not in care."""
        person = person or await self._person(patient)
        if not person or not on:
            return None
        try:
            found = await self._.registry.tracked_entity(person)
        except Dhis2Error as error:
            if error.gone:
                return None
            raise
        return None if found.get("deleted") else events.care_of(found, self._.definition.program, on)

    async def _person(self, patient: str) -> str:
        kind, _, id_ = patient.partition("/")
        found = await self._read(kind, id_) if kind == "Patient" else None
        system = self._.identifiers["tracked_entity"]
        given = (one for one in (found or {}).get("identifier") or () if one.get("system") == system)
        return next((str(one.get("value", "")) for one in given), "")

    async def _read(self, kind: str, id_: str) -> Json | None:
        try:
            return await self._.record.read(kind, id_)
        except FhirError as error:
            if error.gone:
                return None
            raise


async def imported(registry: Dhis2Client, event: Json, *, strategy: str = "CREATE_AND_UPDATE") -> None:
    """Imports one event. Raises Refused with the codes; an event that is to go and is gone is no fault."""
    report = await registry.import_tracker({"events": [event]}, importStrategy=strategy)
    if report.get("status") != "ERROR":
        return
    faults = (report.get("validationReport") or {}).get("errorReports") or []
    codes = sorted({str(one.get("errorCode", "")) for one in faults})
    if strategy == "DELETE" and set(codes) <= {"E1032", "E1082"} and codes:
        return
    refusal = Spent if codes == ["E1082"] else Refused
    raise refusal(f"the registry refused it: {', '.join(codes) or 'no reason given'}")
