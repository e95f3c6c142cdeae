"""A tracked entity as the entries of a bundle, by the generated functions. Pure: no network, no clock."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from janani.programmes import Programme
from janani.sync.mapping import checking, values
from janani.sync.mapping.model import (
    Context,
    Digests,
    Enrollment,
    Entry,
    Event,
    Held,
    LeftOut,
    Mapped,
    Person,
    Uid,
    Visit,
    digest_of,
    entry,
    fields_of,
    read_uid,
    url_of,
)
from janani.sync.mapping.places import Places
from janani.sync.mapping.scripted import enrolled
from janani.sync.mapping.shared import Shared, reference_to
from janani.sync.mapping.source import load, source
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.values import Json, Unfit, quoted
from janani.sync.mapping.visits import REFERRAL, period_of

_decode = msgspec.json.Decoder(Person).decode


class Mapper:
    """Maps whole tracked entities (`GET /api/tracker/trackedEntities/{uid}?fields=*`) of one programme.

    Attributes:
        bundles: the identifier system of bundles.
        reads, fields: what `map` needs of a tracked entity: the type to read it as, and `fields` to ask for.
        source: the Python that the table was compiled to.
    """

    reads: type[Person] = Person
    fields = fields_of(Person)

    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        self.programme, self.table, self.catalogue = programme, table, catalogue
        self.bundles = table.identifiers["bundle"]
        self.source = source(programme, table, catalogue)
        self.made = load(self.source)
        self.places = Places(programme, table)
        number = catalogue.attributes.get(table.episode.registration_number)
        self.registration_number = number.uid if number else ""
        self.clinical = frozenset(table.encounter.clinical)
        dead = catalogue.elements.get(table.patient.deceased)
        self.deceased = dead.uid if dead else ""
        self.tells_death = frozenset(uid for uid, asked in catalogue.stages.items() if self.deceased in asked)
        self.visits = {status: quoted(said) for status, said in table.encounter.statuses.items()}
        self.appointments = {status: quoted(said) for status, said in table.appointment.statuses.items()}
        self.systems = {
            name: (quote(system, safe=""), quoted(system)) for name, system in table.identifiers.items()
        }  # percent-encoded, and as JSON
        self._shared: Shared | None = None

    def map(self, person: Person | Json | bytes, context: Context) -> Mapped:
        """Everything the record should hold of `person`: a tracked entity with all that hangs on it, or its JSON.

        A value, event or enrolment that can't be carried is left out and named in `left_out`. Raises
        msgspec.ValidationError for what is no tracked entity.
        """
        if not isinstance(person, Person):
            person = _decode(person) if isinstance(person, bytes) else msgspec.convert(person, Person)
        return _Mapping(self, person, self.shared(context)).done()

    def digests(self, person: Person | Json | bytes, context: Context) -> Digests:
        """The digests of a person's own resources, as `map` gives them, at two thirds of its price."""
        if not isinstance(person, Person):
            person = _decode(person) if isinstance(person, bytes) else msgspec.convert(person, Person)
        return _Digesting(self, person, self.shared(context)).digested()

    def concerns(self, person: Person | Json) -> bool:
        """Whether the tracked entity is enrolled in this programme."""
        if not isinstance(person, Person):
            return enrolled(self.programme, person)
        program = self.programme.registry.program
        return any(one.program == program and not one.deleted for one in person.enrollments or ())

    def device(self, context: Context) -> list[Entry]:
        """The Device of the registry and what it refers to."""
        return self.shared(context).device

    def shared(self, context: Context) -> Shared:
        """What belongs to no one person, made once for each context."""
        if self._shared is None or self._shared.context is not context:
            self._shared = Shared(self.places, self.table, context)
        return self._shared


def compile(programme: Programme) -> Mapper:
    """The mapper of `programme` by its table, checked and compiled. Raises ProgrammeFault with file and line."""
    table, catalogue = checking.read(programme)
    return Mapper(programme, table, catalogue)


class _Mapping:
    """One tracked entity on its way to being entries."""

    def __init__(self, mapper: Mapper, person: Person, known: Shared) -> None:
        self.mapper, self.person, self.known, self.context = mapper, person, known, known.context
        self.made, self.names, self.systems = mapper.made, known.names, mapper.systems
        self.uid, self.enrollment = read_uid(person.trackedEntity), ""  # of which the events are, on the way
        self.left_out: list[LeftOut] = []
        self.shared: dict[str, Entry] = {one.key: one for one in known.device}
        self.own: dict[str, Entry] = {}
        self.units: dict[str, tuple[str, str]] = {}  # those whose entries are in `shared` already
        self.head = self.names.head("Patient", self.uid.text)
        self.subject = reference_to(url_of(self.head))

    def done(self) -> Mapped:
        body, given = self._go()
        key = f"Patient?identifier={self.systems['tracked_entity'][0]}%7C{self.uid.token}"
        entries = [entry(key, self.head, body), *self.shared.values(), *self.own.values()]
        strongest = f"{given[0][2]}{values.token(given[0][3])}" if given else key
        return Mapped(self.uid.text, strongest, key, entries, self._timestamp(), self.left_out)

    def _go(self) -> tuple[str, list[Any]]:
        """The Patient's JSON and her identifiers; everything else is kept on the way."""
        program = self.mapper.programme.registry.program
        enrollments = [one for one in self.person.enrollments or () if one.program == program and not one.deleted]
        enrollments.sort(key=lambda one: (one.enrolledAt or "", one.enrollment or ""))
        attributes, held = _texts(self.person.attributes), [_texts(one.attributes) for one in enrollments]
        for own in held:
            attributes |= own  # what is held there wins
        owners = self.person.programOwners or ()
        owner = next((one.orgUnit for one in owners if one.program == program), None) or self.person.orgUnit or ""
        patient = self._patient(attributes, self._died(enrollments), owner)
        for enrollment, own in zip(enrollments, held, strict=True):
            self._enrollment(enrollment, own or attributes, owner)
        return patient

    def _died(self, enrollments: list[Enrollment]) -> str:
        """What the completed events say last of her death: the element's text; "" when nothing or false."""
        stages, element, found = self.mapper.tells_death, self.mapper.deceased, ("", "")
        for enrollment in enrollments:
            for event in enrollment.events or ():
                if event.programStage in stages and event.status in self.mapper.clinical and not event.deleted:
                    texts = (one.value for one in event.dataValues or () if one.dataElement == element)
                    found = max([found, *((_when(event), one) for one in texts if isinstance(one, str))])
        return "" if found[1] == "false" else found[1]

    def _patient(self, attributes: dict[str, str], died: str, unit: str) -> tuple[str, list[Any]]:
        """The JSON of the Patient under her own UID, and her identifiers, the strongest first."""
        refuse = self._refuse(self.uid.text)
        given = self.made.identifiers(attributes, refuse)
        own = f'{{"system":{self.systems["tracked_entity"][1]},"value":{self.uid.json}}}'
        owner = f',"managingOrganization":{self._unit(unit)[0]}' if unit else ""
        device = self.known.device_reference
        return self.made.patient(attributes, died, given, own, device, unit, owner, self.context, refuse), given

    def _enrollment(self, enrollment: Enrollment, attributes: Mapping[str, str], owner: str) -> None:
        if not enrollment.enrollment:
            self._leave(self.uid.text, "enrollment", "it has no UID")
            return
        uid, unit = read_uid(enrollment.enrollment), enrollment.orgUnit or owner
        self.enrollment = uid.text
        number = values.words(attributes.get(self.mapper.registration_number, ""))
        organization = self._unit(unit)[0]
        try:
            period = period_of(enrollment, self.context.zone)
        except Unfit as unfit:
            self._leave(uid.text, "enrollment", str(unfit))
            return
        identifier = f'{{"system":{self.systems["enrollment"][1]},"value":{uid.json}}}'
        body = self.made.episode(enrollment.status, self.subject, organization, number, period, identifier)
        head = self.names.head("EpisodeOfCare", uid.text)
        self._keep("EpisodeOfCare", "enrollment", uid, body, head)
        episode = reference_to(url_of(head))
        # Who changed her since, DHIS2 does not tell: every event counts as a change of hers.
        self._provenance("enrollment", uid, episode, enrollment.createdAt, (enrollment.createdBy,), unit)
        events = [one for one in enrollment.events or () if not one.deleted]
        events.sort(key=lambda one: (_when(one), one.event or ""))
        for event in events:
            if event.event:
                self._event(event, read_uid(event.event), events, episode, unit)

    def _event(self, event: Event, uid: Uid, events: list[Event], episode: str, enrolled_at: str) -> None:
        status, unit = event.status or "", event.orgUnit or enrolled_at
        try:
            if status in self.mapper.appointments:
                about = self._appointment(event, uid, unit)
            elif status in self.mapper.visits:
                about = self._visit(event, uid, events, episode, unit)
            else:
                return
        except Unfit as unfit:
            self._leave(uid.text, "event", str(unfit))
            return
        when, by = event.updatedAt or event.createdAt, (event.updatedBy, event.createdBy)
        self._provenance("event", uid, about, when, by, unit)

    def _provenance(self, kind: str, uid: Uid, about: str, when: str | None, by: tuple[Any, ...], unit: str) -> None:
        """Who entered the registry's `kind` of object `uid` and when, if both table and registry say it.

        R4 gives a Provenance no identifier: it is found again by a tag.
        """
        if not (when and self.mapper.table.provenance):
            return
        try:
            recorded = f'"{values.instant(when, self.context.zone)}"'
        except Unfit as unfit:
            self._leave(uid.text, "provenance", str(unfit))
            return
        system, device = self.systems[kind][1], self.known.device_reference
        user, organization = self._practitioner(*by), self._unit(unit)[0]
        body = self.made.provenance(system, uid.json, about, self.subject, recorded, user, organization, device)
        self._keep("Provenance", kind, uid, body, by="_tag")

    def _appointment(self, event: Event, uid: Uid, unit: str) -> str:
        """Keeps the Appointment; gives a reference to it."""
        planned = event.scheduledAt or event.occurredAt
        _, location = self._unit(unit)
        if not planned:
            raise Unfit("no date")
        state, zone = self.mapper.appointments[event.status or ""], self.context.zone
        body = self.made.appointment(uid.json, event.programStage or "", planned, self.subject, location, state, zone)
        head = self.names.head("Appointment", uid.text)
        self._keep("Appointment", "event", uid, body, head)
        return reference_to(url_of(head))

    def _visit(self, event: Event, uid: Uid, events: list[Event], episode: str, unit: str) -> str:
        """Keeps the Encounter and what was found at it; gives a reference to the Encounter."""
        owner, place = self._unit(unit)
        status, head = event.status or "", self.names.head("Encounter", uid.text)
        visit = self._of_event(event, uid, reference_to(url_of(head)), owner)
        body = self.made.encounter(visit, self.mapper.visits[status], episode, owner, place)
        self._keep("Encounter", "event", uid, body, head)
        if status in self.mapper.clinical:
            self._keep_values(uid, self.made.clinical(visit, self._leaver(uid.text)))
            self._keep_values(uid, self._referred(event, events, visit, place))
        return visit.encounter

    def _leaver(self, event: str) -> Any:
        return lambda field, unfit: self._leave(event, field, str(unfit))

    def _referred(self, event: Event, events: list[Event], visit: Visit, place: str) -> Iterator[tuple[str, str, str]]:
        """Type, name and JSON of what referrals become."""
        for stage, asks, answered_by, clinic, units, make, follow in self.made.referrals:
            if visit.stage != stage or (asks and visit.values.get(asks) != "true"):
                continue
            to = self.known.unit_of_code.get(units.get(visit.values.get(clinic, ""), ""))
            later = answered_by and any(
                one.programStage == answered_by and self._counts(one) and _when(one) >= _when(event) for one in events
            )
            receiver = self._unit(to)[0] if to else ""
            yield "ServiceRequest", REFERRAL, make(visit, '"completed"' if later else '"active"', receiver)
            if follow:
                request = reference_to(self.names.full_url("ServiceRequest", f"{visit.uid}-{REFERRAL}"))
                state, device = '"completed"' if later else '"requested"', self.known.device_reference
                yield "Task", REFERRAL, follow(visit, state, request, receiver, place, device)

    def _counts(self, event: Event) -> bool:
        """Whether the event's values are carried: a referral that is planned, skipped or being typed is none yet."""
        return bool(event.event) and event.status in self.mapper.clinical

    def _of_event(self, event: Event, uid: Uid, encounter: str, owner: str) -> Visit:
        when = event.occurredAt or event.completedAt or event.createdAt
        if not when:
            raise Unfit("it has no date")
        zone = self.context.zone
        effective = f'"{values.moment(when, zone)}"'
        recorder = self._practitioner(event.updatedBy, event.createdBy, self.person.updatedBy)
        created = event.createdAt
        recorded = f'"{values.instant(created, zone)}"' if created else effective
        performer, subject = recorder or owner, self.subject
        by = f',"recorder":{recorder}' if recorder else ""
        return Visit(
            uid=uid.text,
            plain=uid.json[1:-1],
            stage=event.programStage or "",
            enrollment=self.enrollment,
            values={
                one.dataElement: one.value for one in event.dataValues or () if one.value and type(one.value) is str
            },
            subject=subject,
            encounter=encounter,
            performer=performer,
            recorder=recorder,
            effective=effective,
            recorded=recorded,
            observed=f',"subject":{subject},"encounter":{encounter},"effectiveDateTime":{effective},'
            f'"performer":[{performer}],"device":{self.known.device_reference}',
            diagnosed=f',"encounter":{encounter},"recordedDate":{recorded}{by}',
            stated=f',"subject":{subject},"context":{encounter},"effectiveDateTime":{effective},'
            f'"dateAsserted":{recorded},"informationSource":{performer}',
        )

    def _practitioner(self, *users: Any) -> str:
        """Refers to the Practitioner of the first of `users` that is known; "" when none is."""
        for found in users:
            if isinstance(found, dict) and found.get("uid"):
                practitioner, text = self.known.user(found)
                self.shared[practitioner.key] = practitioner
                return text
        return ""

    def _unit(self, uid: str) -> tuple[str, str]:
        """References to the Organization and the Location of a unit, which are then in the bundle."""
        found = self.units.get(uid)
        if found is None:
            entries, owner, place = self.known.unit(uid)
            for one in entries:
                self.shared[one.key] = one
            found = self.units[uid] = owner, place
        return found

    def _keep(self, kind: str, system: str, uid: Uid, body: str, head: bytes = b"", by: str = "identifier") -> None:
        """Keeps the resource of this UID, which is found again `by` identifier or tag."""
        key = f"{kind}?{by}={self.systems[system][0]}%7C{uid.token}"
        self.own[key] = entry(key, head or self.names.head(kind, uid.text), body)

    def _keep_values(self, uid: Uid, found: Iterable[tuple[str, str, str]]) -> None:
        """Keeps resources of an event by type, name and JSON."""
        query = f"?identifier={self.systems['value'][0]}%7C{uid.token}-"
        self.names.keep(found, query, f"{uid.text}-", self.own)

    def _refuse(self, uid: str) -> Any:
        return lambda field, reason: self._leave(uid, field, reason)

    def _leave(self, uid: str, field: str, reason: str) -> None:
        self.left_out.append(LeftOut(uid, field, reason))

    def _timestamp(self) -> str:
        try:
            return values.instant(self.person.updatedAt, self.context.zone) if self.person.updatedAt else ""
        except Unfit:
            return ""


class _Digesting(_Mapping):
    """The same walk; of what it makes only digests are kept, by type, system and value. What is shared is left out."""

    def __init__(self, mapper: Mapper, person: Person, known: Shared) -> None:
        super().__init__(mapper, person, known)
        self.digests: dict[str, str] = {}

    def digested(self) -> Digests:
        body, _ = self._go()
        self._keep("Patient", "tracked_entity", self.uid, body)
        return Digests(self.uid.text, [f"{digest} {name}" for name, digest in self.digests.items()])

    def _keep(self, kind: str, system: str, uid: Uid, body: str, head: bytes = b"", by: str = "identifier") -> None:
        self.digests[f"{kind} {self.mapper.table.identifiers[system]} {uid.text}"] = digest_of(body.encode())

    def _keep_values(self, uid: Uid, found: Iterable[tuple[str, str, str]]) -> None:
        end, digests = f" {self.mapper.table.identifiers['value']} {uid.text}-", self.digests
        for kind, name, body in found:
            digests[kind + end + name] = digest_of(body.encode())

    def _practitioner(self, *users: Any) -> str:
        known = (one for one in users if isinstance(one, dict) and one.get("uid"))
        return next((self.known.user(one)[1] for one in known), "")

    def _unit(self, uid: str) -> tuple[str, str]:
        return self.known.unit(uid)[1:]


def _texts(held: Iterable[Held] | None) -> dict[str, str]:
    """Attribute UID → text; the last one wins."""
    return {one.attribute: one.value for one in held or () if one.value and type(one.value) is str}


def _when(event: Event) -> str:
    return event.occurredAt or event.scheduledAt or ""
