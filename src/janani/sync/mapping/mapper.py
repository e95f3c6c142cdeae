"""A tracked entity as the entries of a bundle, by the compiled table. Pure: no network, no clock."""

from collections.abc import Iterable, Mapping
from typing import Any

from janani.programmes import Programme
from janani.sync.mapping import checking, values
from janani.sync.mapping.clinical import compile_pieces
from janani.sync.mapping.model import Context, Entry, Frame, LeftOut, Mapped, Names, Piece, User, reference
from janani.sync.mapping.people import People
from janani.sync.mapping.places import Places
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.values import Json, Unfit, condition_on
from janani.sync.mapping.visits import Visits


class Mapper:
    """Maps whole tracked entities (`GET /api/tracker/trackedEntities/{uid}?fields=*`) of one programme."""

    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        stages = programme.registry.stages
        self.programme, self.table, self.catalogue = programme, table, catalogue
        self.people = People(programme, table, catalogue)
        self.places = Places(programme, table)
        self.visits = Visits(table, catalogue, stages)
        self.pieces: list[Piece] = compile_pieces(table, catalogue, stages)
        self.referrals = [(stages[one.stage], stages.get(one.answered_by, ""), one) for one in table.referrals]
        self.registration_number = catalogue.attributes[table.episode.registration_number].uid
        self._device: tuple[Context | None, list[Entry]] = (None, [])

    def map(self, person: Json, context: Context) -> Mapped:
        """Everything the record should hold of `person` (a tracked entity with all that hangs on it).

        A value, event or enrolment that can't be carried is left out and named in `left_out`.
        """
        return _Mapping(self, person, context).done()

    def concerns(self, person: Json) -> bool:
        """Whether the tracked entity is enrolled in this programme."""
        program = self.programme.registry.program
        return any(one.get("program") == program for one in _live(person.get("enrollments")))

    def device(self, context: Context) -> list[Entry]:
        """The Device of the registry and what it refers to."""
        if self._device[0] is not context:
            names = Names(self.table, context.system_id)
            self._device = (context, self.places.device(names, context))
        return self._device[1]


def compile(programme: Programme) -> Mapper:
    """The mapper of `programme`, its table checked and compiled. Raises ProgrammeFault with file and line."""
    table, catalogue = checking.read(programme)
    return Mapper(programme, table, catalogue)


class _Mapping:
    """One tracked entity on its way to being entries."""

    def __init__(self, mapper: Mapper, person: Json, context: Context) -> None:
        self.mapper, self.person, self.context = mapper, person, context
        self.names = Names(mapper.table, context.system_id)
        self.uid: str = person["trackedEntity"]
        self.left_out: list[LeftOut] = []
        self.shared: dict[str, Entry] = {}
        self.own: dict[str, Entry] = {}
        self.device = reference(self._shared(mapper.device(context)).full_url)
        self.subject = reference(self.names.full_url("Patient", self.uid))

    def done(self) -> Mapped:
        enrollments = self._enrollments()
        attributes = _attributes([self.person, *enrollments])
        unit = self._owner()
        patient, strongest = self._patient(attributes, unit)
        for enrollment in enrollments:
            self._enrollment(enrollment, attributes)
        entries = [patient, *self.shared.values(), *self.own.values()]
        return Mapped(self.uid, strongest, patient.key, entries, self._timestamp(), self.left_out)

    def _enrollments(self) -> list[Json]:
        program = self.mapper.programme.registry.program
        found = [one for one in _live(self.person.get("enrollments")) if one.get("program") == program]
        return sorted(found, key=lambda one: (one.get("enrolledAt") or "", one.get("enrollment") or ""))

    def _owner(self) -> str:
        program = self.mapper.programme.registry.program
        owners = self.person.get("programOwners") or []
        owner = next((one.get("orgUnit") for one in owners if one.get("program") == program), None)
        return owner or self.person.get("orgUnit") or ""

    def _patient(self, attributes: Mapping[str, str], unit: str) -> tuple[Entry, str]:
        """The Patient under her own UID, and the key of her strongest identifier."""
        identifiers = self.mapper.people.identifiers(attributes, self._refuse(self.uid))
        resource = self.mapper.people.patient(
            attributes, identifiers, self.device, unit, self.context, self._refuse(self.uid)
        )
        if unit:
            resource["managingOrganization"] = reference(self._unit(unit)[0].full_url)
        entry = self.names.entry(resource, self.mapper.table.identifiers["tracked_entity"], self.uid, first=False)
        if not identifiers:
            return entry, entry.key
        return entry, condition_on("Patient", identifiers[0]["system"], identifiers[0]["value"])

    def _enrollment(self, enrollment: Json, person: Mapping[str, str]) -> None:
        uid = enrollment.get("enrollment")
        if not uid:
            self._leave(self.uid, "enrollment", "it has no UID")
            return
        unit = enrollment.get("orgUnit") or self._owner()
        number = (_attributes([enrollment]) or person).get(self.mapper.registration_number, "").strip()
        organization = reference(self._unit(unit)[0].full_url)
        try:
            episode = self.mapper.visits.episode(enrollment, self.subject, organization, number, self.context)
        except Unfit as unfit:
            self._leave(uid, "enrollment", str(unfit))
            return
        entry = self._keep(episode, "enrollment", uid)
        events = sorted(_live(enrollment.get("events")), key=lambda one: (_when(one), one.get("event") or ""))
        for event in events:
            if event.get("event"):
                self._event(event, events, reference(entry.full_url), unit)

    def _event(self, event: Json, events: list[Json], episode: Json, enrolled_at: str) -> None:
        table, status = self.mapper.table, event.get("status") or ""
        unit = event.get("orgUnit") or enrolled_at
        try:
            if status in table.appointment.statuses:
                location = reference(self._unit(unit)[1].full_url)
                state = table.appointment.statuses[status]
                resource = self.mapper.visits.appointment(event, self.subject, location, state, self.context)
                self._keep(resource, "event", event["event"])
            elif status in table.encounter.statuses:
                self._visit(event, events, episode, unit, table.encounter.statuses[status])
        except Unfit as unfit:
            self._leave(event["event"], "event", str(unfit))

    def _visit(self, event: Json, events: list[Json], episode: Json, unit: str, status: str) -> None:
        owner, place = (reference(one.full_url) for one in self._unit(unit))
        frame = self._frame(event, owner)
        resource = self.mapper.visits.encounter(event, frame, episode, owner, place, status)
        self._keep(resource, "event", event["event"])
        if event.get("status") not in self.mapper.table.encounter.clinical:
            return
        for piece in self.mapper.pieces:
            try:
                found = piece.build(frame)
            except Unfit as unfit:
                self._leave(event["event"], piece.field, str(unfit))
                continue
            if found is not None:
                self._keep(found, "value", f"{event['event']}-{piece.name}")
        self._refer(event, events, frame, owner)

    def _refer(self, event: Json, events: list[Json], frame: Frame, owner: Json) -> None:
        for stage, answered_by, template in self.mapper.referrals:
            if event.get("programStage") != stage or not self.mapper.visits.wanted(template, frame):
                continue
            clinic = self._unit_by_code(self.mapper.visits.clinic_code(template, frame))
            later = [one for one in events if one.get("programStage") == answered_by and _when(one) >= _when(event)]
            resource = self.mapper.visits.referral(
                template, frame, frame.recorder or owner, clinic, answered=bool(answered_by and later)
            )
            self._keep(resource, "value", f"{event['event']}-referral")

    def _frame(self, event: Json, owner: Json) -> Frame:
        when = event.get("occurredAt") or event.get("completedAt") or event.get("createdAt")
        if not isinstance(when, str) or not when:
            raise Unfit("it has no date")
        effective = values.moment(when, self.context.zone)
        created = event.get("createdAt")
        recorder = self._practitioner(event)
        return Frame(
            event=event["event"],
            stage=event.get("programStage") or "",
            subject=self.subject,
            encounter=reference(self.names.full_url("Encounter", event["event"])),
            device=self.device,
            performer=recorder or owner,
            recorder=recorder,
            effective=effective,
            recorded=values.instant(created, self.context.zone) if isinstance(created, str) and created else effective,
            values=_values(event),
        )

    def _practitioner(self, event: Json) -> Json | None:
        """The Practitioner who last changed the event, else who made it, else who last changed the person."""
        for one, key in ((event, "updatedBy"), (event, "createdBy"), (self.person, "updatedBy")):
            found = one.get(key)
            if isinstance(found, dict) and found.get("uid"):
                names = (found.get(name) or "" for name in ("username", "firstName", "surname"))
                user = User(found["uid"], *names)
                return reference(
                    self._shared([self.mapper.places.practitioner(self.names, self.context, user)]).full_url
                )
        return None

    def _unit(self, uid: str) -> list[Entry]:
        """Organization and Location of a unit (of the registry itself when none is known)."""
        entries = self.mapper.places.unit(self.names, self.context, uid or self.context.system_id)
        self._shared(entries)
        return entries

    def _unit_by_code(self, code: str) -> Json | None:
        found = next((unit.uid for unit in self.context.units.values() if code and unit.code == code), None)
        return reference(self._unit(found)[0].full_url) if found else None

    def _shared(self, entries: list[Entry]) -> Entry:
        self.shared.update((entry.key, entry) for entry in entries)
        return entries[0]

    def _keep(self, resource: Json, identifier: str, value: str) -> Entry:
        entry = self.names.entry(resource, self.mapper.table.identifiers[identifier], value)
        self.own[entry.key] = entry
        return entry

    def _refuse(self, uid: str) -> Any:
        return lambda field, reason: self._leave(uid, field, reason)

    def _leave(self, uid: str, field: str, reason: str) -> None:
        self.left_out.append(LeftOut(uid, field, reason))

    def _timestamp(self) -> str:
        updated = self.person.get("updatedAt")
        try:
            return values.instant(updated, self.context.zone) if isinstance(updated, str) else ""
        except Unfit:
            return ""


def _live(objects: Iterable[Json] | None) -> list[Json]:
    return [one for one in objects or () if not one.get("deleted")]


def _attributes(objects: Iterable[Json]) -> dict[str, str]:
    """Attribute UID → text of the objects; a later object wins."""
    return {
        one["attribute"]: one["value"]
        for holder in objects
        for one in holder.get("attributes") or ()
        if isinstance(one.get("value"), str) and one["value"]
    }


def _values(event: Json) -> dict[str, str]:
    found = event.get("dataValues") or ()
    return {one["dataElement"]: one["value"] for one in found if isinstance(one.get("value"), str) and one["value"]}


def _when(event: Json) -> str:
    return event.get("occurredAt") or event.get("scheduledAt") or ""
