"""What every rule sees, what it gives, and how rules are put in sequence. Pure."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from janani.registry.tracker.actor import Actor
from janani.registry.tracker.catalogue import Catalogue
from janani.registry.tracker.known import Known
from janani.registry.tracker.payload import Bundle, TrackerType
from janani.registry.tracker.times import day_of, read_instant

Strategy = Literal["CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"]
_WARNINGS = frozenset(("E1119", "E1120"))
T = TypeVar("T")


class Fault(Struct, frozen=True):
    """What is wrong with which object. `args` fill the code's sentence; they are identifiers, never values."""

    code: str
    type: TrackerType
    uid: str
    args: tuple[str, ...] = ()

    @property
    def warning(self) -> bool:
        """Whether the object is stored all the same."""
        return self.code in _WARNINGS


class Check(Struct):
    """One import: what was sent, what is known, who asks, when, and how."""

    bundle: Bundle
    known: Known
    catalogue: Catalogue
    actor: Actor
    strategy: Strategy
    now: datetime
    zone: ZoneInfo
    skip_patterns: bool = False

    @property
    def today(self) -> date:
        """The present day in the server's zone."""
        return day_of(self.now, self.zone)

    def day(self, text: str) -> date:
        """The day that `text` (a date or date-time of the payload) falls on."""
        return day_of(read_instant(text, self.zone), self.zone)

    def exists(self, type_: TrackerType, uid: str) -> bool:
        """Whether the object is stored already."""
        known = self.known
        if type_ == "TRACKED_ENTITY":
            return uid in known.entities
        return uid in (known.enrollments if type_ == "ENROLLMENT" else known.events)


Rule = Callable[[T, Check], Iterable[Fault]]


def first(*rules: Rule[T]) -> Rule[T]:
    """The rules one after another; errors of one keep the later ones from running."""

    def run(subject: T, check: Check) -> Iterator[Fault]:
        for rule in rules:
            found = list(rule(subject, check))
            yield from found
            if any(not fault.warning for fault in found):
                return

    return run


def every(*rules: Rule[T]) -> Rule[T]:
    """All the rules, whatever each finds."""

    def run(subject: T, check: Check) -> Iterator[Fault]:
        for rule in rules:
            yield from rule(subject, check)

    return run
