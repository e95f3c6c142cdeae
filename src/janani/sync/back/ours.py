"""What the sync itself said, and what it must not say again: kept with every delivery, read when words come back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from janani.kernel import postgres
from janani.sync import delivery
from janani.sync.back.sorting import digest
from janani.sync.delivery import Delivered
from janani.sync.mapping import Mapped

_queries = postgres.queries("janani.sync.back")
DAY = "occurredAt"
"""Among the texts that a resource stands on: the day of its event. No data element has a name of ten letters."""
_KEPT = 6  # digests of one value: more than its changes between two looks at the record

Said = dict[str, dict[str, str]]
Values = Mapping[str, Mapping[str, str]]


class Spoken(Struct, frozen=True):
    """A person about to be delivered, and what was delivered of her before."""

    person: Mapping[str, Any]
    mapped: Mapped
    before: Delivered | None


class Ours:
    """The forward way's side of write-back."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def before(self, people: Sequence[Spoken]) -> list[Delivered | None]:
        """Notes what is about to be said of `people`; what was delivered before, so that what is held is not sent.

        Called before a delivery, so that no word of the sync is ever unknown to it.
        """
        await self._say({one.mapped.person: values_of(one.person) for one in people})
        held: dict[str, list[Any]] = {}
        async for row in _queries.held(self._pool, people=[one.mapped.person for one in people]):
            held.setdefault(row["person"], []).append(row)
        return [
            await self._settled(one, held[one.mapped.person]) if one.mapped.person in held else one.before
            for one in people
        ]

    async def say(self, person: str, values: Values) -> None:
        """Notes the texts of events of `person`, in one statement, when any is new."""
        await self._say({person: values})

    async def _say(self, people: Mapping[str, Values]) -> None:
        rows = _queries.said_of_people(self._pool, people=list(people))
        known = {row["event"]: row["digests"] async for row in rows}
        fresh = [(uid, *one) for uid, values in people.items() for one in _unsaid(values, known)]
        if fresh:
            owners, events, digests = (list(column) for column in zip(*fresh, strict=True))
            await _queries.say(self._pool, people=owners, events=events, digests=digests)

    async def said(self, events: Sequence[str]) -> Said:
        """{event: {data element: digests}} of those of `events` that were delivered."""
        rows = _queries.said_of_events(self._pool, events=list(events))
        return {row["event"]: msgspec.json.decode(row["digests"]) async for row in rows}

    async def hold(self, person: str, key: str, event: str, texts: Mapping[str, str]) -> None:
        """Lets the resource `key` stand in the record as it is, as long as the registry says `texts` (and `DAY`)."""
        await _queries.hold(
            self._pool, person=person, key=key, event=event, elements=sorted(texts), digest=_fingerprint(texts)
        )

    async def resend(self, person: str, key: str, now: datetime) -> None:
        """Sends the resource `key` again as the registry has it."""
        async with self._pool.acquire() as connection, connection.transaction():
            # The queue first, as who ends a delivery does: then neither waits for the other in a circle.
            await _queries.queue_person(connection, person=person, now=now)
            await _queries.let_go(connection, person=person, keys=[key])
            await _queries.resend(connection, person=person, key=key)

    async def _settled(self, spoken: Spoken, rows: Sequence[Any]) -> Delivered:
        """What was delivered, as if all that stands had been; what stands no more is let go."""
        mapped, before, said = spoken.mapped, spoken.before, dict(_events(spoken.person))
        digests, gone, standing = dict(before.digests) if before else {}, [], set()
        entries = {entry.key: entry for entry in mapped.entries}
        for row in rows:
            texts, key = said.get(row["event"], {}), row["key"]
            if _fingerprint({uid: texts.get(uid, "") for uid in row["elements"]}) != row["digest"]:
                gone.append(key)
                digests |= {key: ""} if key in digests else {}  # whatever was sent last, this is sent now
                continue
            standing.add(key)
            if before and key in entries:
                digests[key] = delivery.digest(entries[key].resource)
            else:
                digests.pop(key, None)
        if gone:
            await _queries.let_go(self._pool, person=mapped.person, keys=gone)
        patient, certain = (before.patient, before.certain) if before else (mapped.patient, True)
        return Delivered(patient, digests, frozenset(standing), certain)


def _unsaid(values: Values, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The events with a text that is new, each with its digests as JSON. `known` is what was said, by event."""
    for event, texts in values.items():
        before: dict[str, str] = msgspec.json.decode(known[event]) if event in known else {}
        now = {uid: _with(before.get(uid, ""), digest(event, uid, text)) for uid, text in texts.items()}
        if before | now != before or event not in known:
            yield event, postgres.json_of(before | now)


def grounds_of(event: Mapping[str, Any]) -> dict[str, str]:
    """What a resource may stand on: the texts of an event, and its day."""
    return texts_of(event) | {DAY: str(event.get("occurredAt") or "")[:10]}


def _events(person: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for enrollment in person.get("enrollments") or ():
        for event in enrollment.get("events") or ():
            if event.get("event"):
                yield event["event"], grounds_of(event)


def values_of(person: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{event: {data element: text}} of a tracked entity."""
    return {
        event["event"]: texts_of(event)
        for enrollment in person.get("enrollments") or ()
        for event in enrollment.get("events") or ()
        if event.get("event")
    }


def texts_of(event: Mapping[str, Any]) -> dict[str, str]:
    """{data element: text} of an event."""
    return {one["dataElement"]: str(one["value"]) for one in event.get("dataValues") or () if one.get("value")}


def _with(before: str, fresh: str) -> str:
    kept = before.split()
    return before if fresh in kept[:1] else " ".join([fresh, *(one for one in kept if one != fresh)][:_KEPT])


def _fingerprint(texts: Mapping[str, str]) -> str:
    return digest("", "", msgspec.json.encode(sorted(texts.items())).decode())
