"""The durable queue of one target: people claimed with a lease, finished, released for later or set aside."""

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from janani.kernel import postgres, trace
from janani.kernel.clock import Clock
from janani.sync import delivery
from janani.sync.delivery import Delivered

_queries = postgres.queries("janani.sync")
LEASE = timedelta(seconds=60)
_ON_ITS_WAY = timedelta(seconds=3)
"""How long after a kill what the dead process sent may still arrive."""
_FIRST_SECONDS = 0.4
_LONGEST_SECONDS = 300.0
_AWAY_SECONDS = 5.0  # half of the gate's longest delay: whenever it lets one through, somebody is due
_HORIZON = timedelta(seconds=2 * _LONGEST_SECONDS)
"""Nobody waits or is held longer than this."""
AWAY = "away"
STEPS = ("fetched", "mapped", "sent")


class Claim(Struct, frozen=True):
    """A person to carry now. `attempts` counts this one; above 1 an earlier one may have reached the record."""

    person: str
    change: int
    lease: uuid.UUID
    noticed_at: datetime
    attempts: int
    refused: int
    changed_at: datetime | None = None
    traceparent: str = ""
    life: dict[str, datetime] = msgspec.field(default_factory=dict)
    """When she was `fetched`, `mapped` and `sent`, as far as it came."""
    failed: int = 0
    failed_since: datetime | None = None
    failed_at: datetime | None = None
    """Tries that failed while the server served others, since when, and the latest that failed for whatever reason."""


class Done(Struct, frozen=True):
    """What came of a claim: what the target holds of her now (None: nothing), and how many entries were sent."""

    claim: Claim
    delivered: Delivered | None
    entries: int
    outcome: str


class LeaseLost(Exception):
    """Another worker holds the person now; what this one did is not noted."""


class Queue:
    """One target's queue as one agent process uses it.

    `holder` is the backend process id of a connection that the process keeps open.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Clock, holder: int, target: str) -> None:
        self._pool, self._clock, self._holder, self.target = pool, clock, holder, target
        self._in_hand: set[uuid.UUID] = set()

    async def claim(self, most: int = 1) -> list[Claim]:
        """Up to `most` due people whom nobody holds, now held by the caller for `LEASE`.

        In this process nobody else gets them before they are `dropped`, whatever the clock says.
        """
        now, lease = self._clock(), uuid.uuid4()
        rows = _queries.claim(
            self._pool,
            target=self.target,
            now=now,
            horizon=now + _HORIZON,
            lease=lease,
            until=now + LEASE,
            holder=self._holder,
            most=most,
            in_hand=list(self._in_hand),
        )
        claims = [Claim(lease=lease, **row) async for row in rows]
        if claims:
            self._in_hand.add(lease)
        # A feed that names no trace: it begins here.
        return [one if one.traceparent else replace(one, traceparent=str(trace.begin())) for one in claims]

    def dropped(self, claims: Sequence[Claim]) -> None:
        """Nothing more will be sent for `claims`, which were claimed together."""
        self._in_hand.discard(claims[0].lease)

    async def seconds_to_next(self) -> float | None:
        """How long until the next waiting person may be tried; None when nobody waits."""
        due = await _queries.next_due(self._pool, target=self.target, holder=self._holder)
        return None if due is None else max((due - self._clock()).total_seconds(), 0.0)

    def mark(self, claims: Iterable[Claim], step: str) -> None:
        """Notes that `step` of the life of these changes is done now."""
        now = self._clock()
        for claim in claims:
            claim.life[step] = now

    def now(self) -> datetime:
        """The time by the queue's clock."""
        return self._clock()

    def seconds_since(self, instant: datetime) -> float:
        """How long ago `instant` was."""
        return (self._clock() - instant).total_seconds()

    async def delivered(self, people: Sequence[str]) -> dict[str, Delivered]:
        """What the target took of `people` last, by person."""
        rows = _queries.delivered(self._pool, target=self.target, people=list(people))
        return {
            row["person"]: Delivered(
                row["patient"], msgspec.json.decode(row["digests"]), certain=row["delivered_at"] is not None
            )
            async for row in rows
        }

    async def taken(self, keys: Mapping[str, str]) -> dict[str, str]:
        """Takes for each person the key of her Patient; who bears it already, by person, where that is another."""
        people, patients = list(keys), list(keys.values())
        await _queries.bear(self._pool, target=self.target, patients=patients, people=people)
        rows = _queries.borne(self._pool, target=self.target, patients=patients)
        bearers = {row["patient"]: row["person"] async for row in rows}
        return {person: bearers[key] for person, key in keys.items() if bearers.get(key, person) != person}

    async def intend(self, plans: Sequence[tuple[str, str, Delivered, Delivered | None]]) -> None:
        """Notes, before it is sent, what is new: person, her Patient's own key, what will be delivered, what was.

        Should the answer be lost, it is known what may be in the record, to be taken back or sent again.
        """
        fresh = [
            (person, patient, dict.fromkeys(new, delivery.UNCERTAIN))
            for person, patient, will, was in plans
            if (new := will.digests.keys() - (was.digests.keys() if was else ()))
        ]
        if fresh:
            await _queries.intend(
                self._pool,
                target=self.target,
                people=[person for person, _, _ in fresh],
                patients=[patient for _, patient, _ in fresh],
                digests=[postgres.json_of(digests) for _, _, digests in fresh],
            )

    async def finish(self, done: Sequence[Done]) -> dict[str, bool]:
        """Notes what was delivered and lets the people go, all in one transaction; all were claimed together.

        Answers by person whether a change came meanwhile; who is missing was lost to another holder.
        """
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            held = await self._let_go(connection, [one.claim for one in done], now)
            kept = [one for one in done if one.claim.person in held]
            await self._remember(connection, [one for one in kept if not held[one.claim.person]], now)
            await self._remember(connection, [one for one in kept if held[one.claim.person]], now, marked=True)
            await _queries.note(
                connection,
                target=self.target,
                people=[one.claim.person for one in kept],
                noticed=[one.claim.noticed_at for one in kept],
                entries=[one.entries for one in kept],
                outcomes=[one.outcome for one in kept],
                changed=[one.claim.changed_at for one in kept],
                traces=[one.claim.traceparent for one in kept],
                **{step: [one.claim.life.get(step) for one in kept] for step in STEPS},
                now=now,
            )
            if random.random() < 0.01:  # noqa: S311
                await _queries.trim(connection)
        return held

    async def _let_go(self, connection: asyncpg.Connection, claims: Sequence[Claim], now: datetime) -> dict[str, bool]:
        rows = _queries.finish(
            connection,
            target=self.target,
            people=[one.person for one in claims],
            changes=[one.change for one in claims],
            lease=claims[0].lease,
            now=now,
        )
        return {row["person"]: row["dirty"] async for row in rows}

    async def _remember(
        self, connection: asyncpg.Connection, done: Sequence[Done], now: datetime, *, marked: bool = False
    ) -> None:
        """`marked`: what was marked meanwhile to be sent again stays so."""
        if not done:
            return
        known = [(one.claim.person, one.delivered) for one in done if one.delivered is not None]
        gone = [one.claim.person for one in done if one.delivered is None]
        if known:
            remember = _queries.remember_marked if marked else _queries.remember
            await remember(
                connection,
                target=self.target,
                people=[person for person, _ in known],
                patients=[delivered.patient for _, delivered in known],
                digests=[postgres.json_of(delivered.digests) for _, delivered in known],
                now=now,
            )
        if gone:
            await _queries.forget(connection, target=self.target, people=gone)
        keys = {person: delivered.patient for person, delivered in known} | dict.fromkeys(gone, "")
        await _queries.lay_down(connection, target=self.target, people=list(keys), patients=list(keys.values()))
        await _queries.revive(connection, target=self.target, people=[one.claim.person for one in done])

    async def set_aside(self, claim: Claim, reason: str, detail: str, payload: str) -> None:
        """Takes her out of the queue, with the reason; the next change of hers is tried again. Raises LeaseLost."""
        now = self._clock()
        async with self._pool.acquire() as connection, connection.transaction():
            if claim.person not in await self._let_go(connection, [claim], now):
                raise LeaseLost
            await _queries.set_aside(
                connection,
                target=self.target,
                person=claim.person,
                reason=reason,
                detail=detail,
                payload=payload,
                attempts=claim.attempts,
                now=now,
            )

    async def release(self, claim: Claim, trouble: str, *, refused: bool = False, failed: bool = False) -> None:
        """Back for later: after a random part of an exponentially longer time (full jitter): five minutes at most,
        or few seconds while a server is AWAY, whose gate sees to it that one at a time asks.

        `refused`, `failed`: what it counts as.
        """
        now = self._clock()
        most = _AWAY_SECONDS if trouble == AWAY else _LONGEST_SECONDS
        longest = min(_FIRST_SECONDS * 2 ** min(claim.attempts - 1, 20), most)
        await _queries.release(
            self._pool,
            target=self.target,
            person=claim.person,
            lease=claim.lease,
            try_at=now + timedelta(seconds=random.uniform(0, longest)),  # noqa: S311
            trouble=trouble,
            refused=int(refused),
            failed=int(failed),
            now=now,
        )

    async def hasten(self, *, everywhere: bool = False) -> None:
        """A server is back: who waited for it may go now; `everywhere`: to whatever target."""
        await _queries.hasten(self._pool, target="" if everywhere else self.target, now=self._clock())


async def settle(pool: asyncpg.Pool, targets: Sequence[str], now: datetime) -> list[str]:
    """Makes `targets` the ones that changes are queued for, and frees people that a process held which is gone.

    Who is new is owed everyone known. Answers the names of those that were removed.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _queries.release_orphans(connection, until=now + _ON_ITS_WAY)
        await _queries.add_targets(connection, names=list(targets), now=now)
        return [row["name"] async for row in _queries.remove_targets(connection, names=list(targets))]
