"""What `POST /api/tracker` carries (reference §2.3): typed, then flattened into one bundle. Pure.

Unknown and read-only properties are ignored, as DHIS2 does. A property absent and a property null mean the same:
updates replace every scalar; only collections (attributes, data values, notes) are merged item by item.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from janani.registry.tracker.times import read_instant

Scalar = str | int | float | bool | None
TrackerType = Literal["TRACKED_ENTITY", "ENROLLMENT", "EVENT", "RELATIONSHIP"]
TYPES: tuple[TrackerType, ...] = ("TRACKED_ENTITY", "ENROLLMENT", "EVENT", "RELATIONSHIP")


class Unreadable(Exception):
    """The body is no tracker payload. Its text says where."""


class AttributeValue(Struct, rename="camel"):
    """One attribute of a person."""

    attribute: str | None = None
    value: Scalar = None
    stored_by: str | None = None


class DataValue(Struct, rename="camel"):
    """One data element of an event."""

    data_element: str | None = None
    value: Scalar = None
    stored_by: str | None = None
    provided_elsewhere: bool = False


class Note(Struct, rename="camel"):
    """A remark; never changed once written."""

    note: str | None = None
    value: str | None = None
    stored_by: str | None = None


class AssignedUser(Struct, rename="camel"):
    """Who is to see to an event; the user name wins over the uid."""

    uid: str | None = None
    username: str | None = None


class Relationship(Struct, rename="camel"):
    """A link; only counted and refused here."""

    relationship: str | None = None
    relationship_type: str | None = None


class Event(Struct, rename="camel"):
    """An event, completed or planned."""

    event: str | None = None
    status: Literal["ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"] | None = None
    program: str | None = None
    program_stage: str | None = None
    enrollment: str | None = None
    org_unit: str | None = None
    occurred_at: str | None = None
    scheduled_at: str | None = None
    completed_at: str | None = None
    attribute_option_combo: str | None = None
    attribute_category_options: str | None = None
    assigned_user: AssignedUser | str | None = None
    geometry: dict[str, Any] | None = None
    stored_by: str | None = None
    created_at_client: str | None = None
    updated_at_client: str | None = None
    data_values: list[DataValue] | None = None
    notes: list[Note] | None = None
    relationships: list[Relationship] | None = None

    @property
    def uid(self) -> str:
        """Its identifier, given or generated."""
        return self.event or ""


class Enrollment(Struct, rename="camel"):
    """A person's time in a programme."""

    enrollment: str | None = None
    tracked_entity: str | None = None
    program: str | None = None
    org_unit: str | None = None
    status: Literal["ACTIVE", "COMPLETED", "CANCELLED"] | None = None
    enrolled_at: str | None = None
    occurred_at: str | None = None
    completed_at: str | None = None
    follow_up: bool | None = None
    geometry: dict[str, Any] | None = None
    stored_by: str | None = None
    created_at_client: str | None = None
    updated_at_client: str | None = None
    attributes: list[AttributeValue] | None = None
    events: list[Event] | None = None
    notes: list[Note] | None = None
    relationships: list[Relationship] | None = None

    @property
    def uid(self) -> str:
        """Its identifier, given or generated."""
        return self.enrollment or ""


class TrackedEntity(Struct, rename="camel"):
    """A person (or another kind of tracked entity)."""

    tracked_entity: str | None = None
    tracked_entity_type: str | None = None
    org_unit: str | None = None
    inactive: bool | None = None
    potential_duplicate: bool | None = None
    geometry: dict[str, Any] | None = None
    stored_by: str | None = None
    created_at_client: str | None = None
    updated_at_client: str | None = None
    attributes: list[AttributeValue] | None = None
    enrollments: list[Enrollment] | None = None
    relationships: list[Relationship] | None = None

    @property
    def uid(self) -> str:
        """Its identifier, given or generated."""
        return self.tracked_entity or ""


class Payload(Struct, rename="camel"):
    """The body: any of four lists, nested or flat."""

    tracked_entities: list[TrackedEntity] | None = None
    enrollments: list[Enrollment] | None = None
    events: list[Event] | None = None
    relationships: list[Relationship] | None = None


class Bundle(Struct):
    """The same objects side by side, each with a uid and its parent's uid."""

    tracked_entities: list[TrackedEntity] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    relationships: list[Relationship] = field(default_factory=list)
    _people: dict[str, TrackedEntity] = field(default_factory=dict)
    _enrolled: dict[str, Enrollment] = field(default_factory=dict)
    _by_person: dict[str, list[Enrollment]] = field(default_factory=dict)
    _by_enrollment: dict[str, list[Event]] = field(default_factory=dict)

    def person(self, uid: str | None) -> TrackedEntity | None:
        """The tracked entity of this bundle with `uid`."""
        return self._people.get(uid or "")

    def enrollment(self, uid: str | None) -> Enrollment | None:
        """The enrolment of this bundle with `uid`."""
        return self._enrolled.get(uid or "")

    def enrollments_of(self, tracked_entity: str | None) -> list[Enrollment]:
        """Her enrolments in this bundle."""
        return self._by_person.get(tracked_entity or "", [])

    def events_of(self, enrollment: str | None) -> list[Event]:
        """The enrolment's events in this bundle."""
        return self._by_enrollment.get(enrollment or "", [])

    def index(self) -> "Bundle":
        """Makes the four questions above quick; ask it once the lists are complete."""
        self._people = {one.uid: one for one in self.tracked_entities}
        self._enrolled = {one.uid: one for one in self.enrollments}
        self._by_person, self._by_enrollment = {}, {}
        for enrollment in self.enrollments:
            self._by_person.setdefault(enrollment.tracked_entity or "", []).append(enrollment)
        for event in self.events:
            self._by_enrollment.setdefault(event.enrollment or "", []).append(event)
        return self

    def objects(self) -> Iterator[tuple[TrackerType, str]]:
        """Type and uid of every object, parents first."""
        yield from (("TRACKED_ENTITY", entity.uid) for entity in self.tracked_entities)
        yield from (("ENROLLMENT", enrollment.uid) for enrollment in self.enrollments)
        yield from (("EVENT", event.uid) for event in self.events)
        yield from (("RELATIONSHIP", link.relationship or "") for link in self.relationships)


_decoder = msgspec.json.Decoder(Payload)


def read(body: bytes) -> Payload:
    """The payload in `body`. Raises Unreadable (malformed JSON, wrong kind of value, unknown status)."""
    if not body.strip():
        raise Unreadable("Required request body is missing.")
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from error
    except RecursionError as error:
        raise Unreadable("The body is nested too deep.") from error


def flatten(payload: Payload, new_uid: Callable[[], str]) -> Bundle:
    """Every nested object beside its parent, linked by uid; `new_uid` names those without one (§2.3)."""
    bundle = Bundle()
    for entity in payload.tracked_entities or ():
        entity.tracked_entity = entity.tracked_entity or new_uid()
        bundle.tracked_entities.append(entity)
        bundle.relationships += entity.relationships or ()
        for enrollment in entity.enrollments or ():
            enrollment.tracked_entity = enrollment.tracked_entity or entity.tracked_entity
            _take_enrollment(bundle, enrollment, new_uid)
    for enrollment in payload.enrollments or ():
        _take_enrollment(bundle, enrollment, new_uid)
    for event in payload.events or ():
        _take_event(bundle, event, new_uid)
    bundle.relationships += payload.relationships or ()
    for link in bundle.relationships:
        link.relationship = link.relationship or new_uid()
    return bundle.index()


def _take_enrollment(bundle: Bundle, enrollment: Enrollment, new_uid: Callable[[], str]) -> None:
    enrollment.enrollment = enrollment.enrollment or new_uid()
    bundle.enrollments.append(enrollment)
    bundle.relationships += enrollment.relationships or ()
    for event in enrollment.events or ():
        event.enrollment = event.enrollment or enrollment.enrollment
        event.program = event.program or enrollment.program
        _take_event(bundle, event, new_uid)


def _take_event(bundle: Bundle, event: Event, new_uid: Callable[[], str]) -> None:
    event.event = event.event or new_uid()
    bundle.events.append(event)
    bundle.relationships += event.relationships or ()


_DATES = {
    "enrolled_at": "enrolledAt",
    "occurred_at": "occurredAt",
    "scheduled_at": "scheduledAt",
    "completed_at": "completedAt",
    "created_at_client": "createdAtClient",
    "updated_at_client": "updatedAtClient",
}


def check_dates(bundle: Bundle, zone: ZoneInfo) -> None:
    """Sees to it that every date can be read, and makes the empty text none. Raises Unreadable, without the value."""
    everything: Iterator[TrackedEntity | Enrollment | Event]
    everything = chain(bundle.tracked_entities, bundle.enrollments, bundle.events)
    for one in everything:
        for name, wire in _DATES.items():
            text = getattr(one, name, None)
            if text is None:
                continue
            if not text.strip():
                setattr(one, name, None)
                continue
            try:
                read_instant(text, zone)
            except ValueError as error:
                raise Unreadable(f"Property {wire} of `{one.uid}` is not a date or a date-time.") from error


def text_of(value: Scalar) -> str | None:
    """A value as text; null and the empty text both mean "no value"."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
