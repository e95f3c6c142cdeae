"""What the database already says about the objects of a bundle: loaded before the rules run, never by them."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class StoredEntity(Struct, frozen=True):
    """A tracked entity; `values` holds its attribute values."""

    uid: str
    type: str
    org_unit: str
    deleted: bool
    scalars: dict[str, Any]
    values: dict[str, str]


class StoredEnrollment(Struct, frozen=True):
    """An enrolment."""

    uid: str
    tracked_entity: str
    program: str
    org_unit: str
    status: str
    deleted: bool
    completed_at: datetime | None
    completed_by: str | None
    scalars: dict[str, Any]


class StoredEvent(Struct, frozen=True):
    """An event; `data_values` is filled for events of the bundle only."""

    uid: str
    enrollment: str | None
    tracked_entity: str | None
    program: str
    program_stage: str
    org_unit: str
    status: str
    deleted: bool
    completed_at: datetime | None
    completed_by: str | None
    scalars: dict[str, Any]
    data_values: dict[str, dict[str, Any]]


class Known(Struct):
    """Everything by uid. `owners` by (tracked entity, programme); `taken` says whose a unique value is."""

    entities: dict[str, StoredEntity] = field(default_factory=dict)
    enrollments: dict[str, StoredEnrollment] = field(default_factory=dict)
    events: dict[str, StoredEvent] = field(default_factory=dict)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    taken: dict[tuple[str, str, str], str] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()
    reserved: frozenset[tuple[str, str]] = frozenset()
    users: dict[str, dict[str, str]] = field(default_factory=dict)

    by_person: dict[str, list[StoredEnrollment]] = field(default_factory=dict)
    by_enrollment: dict[str, list[StoredEvent]] = field(default_factory=dict)

    def add_enrollment(self, row: StoredEnrollment) -> None:
        """Files an enrolment under its uid and its person."""
        self.enrollments[row.uid] = row
        self.by_person.setdefault(row.tracked_entity, []).append(row)

    def add_event(self, row: StoredEvent) -> None:
        """Files an event under its uid and its enrolment."""
        self.events[row.uid] = row
        self.by_enrollment.setdefault(row.enrollment or "", []).append(row)

    def owner(self, tracked_entity: str, program: str) -> str | None:
        """The unit that owns a stored person in a programme: without an owner there her own; None for a new person."""
        stored = self.entities.get(tracked_entity)
        return self.owners.get((tracked_entity, program), stored.org_unit if stored else None)

    def enrollments_of(self, tracked_entity: str) -> list[StoredEnrollment]:
        """Her enrolments that are not deleted."""
        return [row for row in self.by_person.get(tracked_entity, ()) if not row.deleted]

    def events_of(self, enrollment: str) -> list[StoredEvent]:
        """The enrolment's events that are not deleted."""
        return [row for row in self.by_enrollment.get(enrollment, ()) if not row.deleted]
