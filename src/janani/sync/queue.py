"""The durable queue of people: claimed with a lease, finished, released for later or set aside."""

import random
import uuid
from datetime import datetime, timedelta

import asyncpg
import msgspec
from msgspec import Struct

from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.sync.delivery import Delivered

_queries = postgres.queries("janani.sync")
LEASE = timedelta(seconds=60)
_LONGEST_SECONDS = 300.0
AWAY = "away"


class Claim(Struct, frozen=True):
    """A person to carry now. `attempts` counts this one; above 1 an earlier one may have reached the record."""

    person: str
    change: int
    lease: uuid.UUID
    noticed_at: datetime
    attempts: int
    refused: int


class LeaseLost(Exception):
    """Another worker holds the person now; what this one did is not noted."""


class Queue:
    """The queue as one agent process uses it; `holder` is the backend process id of a connection it keeps open."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, holder: int) -> None:
        self._pool, self._clock, self._holder = pool, clock, holder

    async def claim(self) -> Claim | None:
        """A due person nobody holds, now held by the caller for `LEASE`."""
        now, lease = self._clock(), uuid.uuid4()
        row = await _queries.claim(self._pool, now=now, lease=lease, until=now + LEASE, holder=self._holder)
        return None if row is None else Claim(lease=lease, **row)

    async def seconds_to_next(self) -> float | None:
        """How long until the next waiting person may be tried; None when nobody waits."""
        due = await _queries.next_due(self._pool)
        return None if due is None else max((due - self._clock()).total_seconds(), 0.0)

    def seconds_since(self, instant: datetime) -> float:
        """How long ago `instant` was."""
        return (self._clock() - instant).total_seconds()

    async def delivered(self, person: str) -> Delivered | None:
        """What the record took of `person` last."""
        row = await _queries.delivered(self._pool, person=person)
        return None if row is None else Delivered(row["patient"], msgspec.json.decode(row["digests"]))

    async def finish(self, claim: Claim, delivered: Delivered | None, *, entries: int, outcome: str) -> bool:
        """Notes what was delivered (None: she is gone) and lets her go; True when a change came meanwhile.

        All in one transaction. Raises LeaseLost.
        """
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            dirty = await _queries.finish(
                connection, person=claim.person, lease=claim.lease, change=claim.change, now=now
            )
            if dirty is None:
                raise LeaseLost
            if delivered is None:
                await _queries.forget(connection, person=claim.person)
            else:
                digests = postgres.json_of(delivered.digests)
                await _queries.remember(
                    connection, person=claim.person, patient=delivered.patient, digests=digests, now=now
                )
            await _queries.revive(connection, person=claim.person)
            await _queries.note(
                connection, person=claim.person, noticed_at=claim.noticed_at, now=now, entries=entries, outcome=outcome
            )
            if random.random() < 0.01:  # noqa: S311
                await _queries.trim(connection)
        return bool(dirty)

    async def set_aside(self, claim: Claim, reason: str, detail: str) -> None:
        """Takes her out of the queue, with the reason; the next change of hers is tried again. Raises LeaseLost."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            dirty = await _queries.finish(
                connection, person=claim.person, lease=claim.lease, change=claim.change, now=now
            )
            if dirty is None:
                raise LeaseLost
            await _queries.set_aside(
                connection, person=claim.person, reason=reason, detail=detail, attempts=claim.attempts, now=now
            )

    async def release(self, claim: Claim, trouble: str, *, refused: bool = False) -> None:
        """Back for later: exponentially longer waits with jitter, five minutes at most."""
        wait = min(0.2 * 2 ** min(claim.attempts, 20), _LONGEST_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
        await _queries.release(
            self._pool,
            person=claim.person,
            lease=claim.lease,
            try_at=self._clock() + timedelta(seconds=wait),
            trouble=trouble,
            refused=int(refused),
        )

    async def hasten(self) -> None:
        """A server is back: who waited for it may go now."""
        await _queries.hasten(self._pool, now=self._clock())

    async def release_orphans(self) -> None:
        """Frees people that a process held which is gone."""
        await _queries.release_orphans(self._pool)
