"""Carries people from the registry to one target: several in one transaction while all goes well, else one by one.

Every step is done or repeated: a kill between any two leaves rows that are claimed again, and what it sends again is
the same conditional transaction. One person is with one worker at most, so her changes arrive in order.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel import trace
from janani.kernel.telemetry import log
from janani.sync import delivery, tracing, verdicts
from janani.sync.back.ours import Ours, Spoken
from janani.sync.delivery import Delivered, Plan, Standing
from janani.sync.gate import Bell, Gate
from janani.sync.mapping import AnyMapper, Mapped, NotMapped
from janani.sync.metrics import Metrics
from janani.sync.queue import AWAY, Claim, Done, Queue
from janani.sync.setbacks import BorneByAnother, Setbacks, Undelivered
from janani.sync.source import OutOfSight, Source
from janani.sync.target import Target
from janani.sync.verdicts import Verdict

_WORK_SECONDS = 45  # below the lease
_IDLE_SECONDS = 5.0
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Read(Struct, frozen=True):
    """A person as the registry has her, mapped, with what was delivered before."""

    claim: Claim
    person: dict[str, Any]
    mapped: Mapped
    before: Delivered | None


class Ready(Struct, frozen=True):
    """A person who is mapped, with what is to be sent; `gone` is what there is of her that is to go."""

    claim: Claim
    mapped: Mapped
    before: Delivered | None
    plan: Plan
    gone: Standing


class Load(Struct, frozen=True):
    """How much at once: workers of each target, people in one transaction, and tries of one that is contested."""

    workers: int
    together: int
    attempts: int


class Shared(Struct, frozen=True):
    """What the carriers of all targets use."""

    source: Source
    mapper: AnyMapper
    registry: Gate
    bell: Bell
    metrics: Metrics
    load: Load


class Carrier:
    """Carries people to one target."""

    def __init__(self, shared: Shared, target: Target, queue: Queue, ours: Ours | None = None) -> None:
        """`ours` notes what is said of a person before it is sent, where there is a way back from this target."""
        self._shared, self._ours = shared, ours
        self.target, self.queue, self.gate = target, queue, Gate()
        self._turn, self._nobody_since, self._due = asyncio.Lock(), asyncio.Event(), 0.0
        self._bundles = shared.mapper.bundles
        self._setbacks = Setbacks(queue, self.gate, shared.registry, shared.bell, shared.load.attempts)

    async def introduce(self) -> None:
        """Sends the Device that stands for the registry, as soon as both sides are there, and when it changes."""
        delay = 0.5
        while True:
            try:
                await self.target.share(self._shared.mapper.device(await self._shared.source.context()))
                delay = 600.0
            except NotMapped as error:
                log("sync").error("device_not_mapped", reason=str(error))
                delay = 600.0
            except (Dhis2Error, FhirError, *DATABASE_ERRORS):
                delay = min(delay * 2, 30.0)
            await asyncio.sleep(delay)

    async def work(self) -> None:
        """Carries for ever."""
        while True:
            try:
                await self._shared.registry.turn()
                await self.gate.turn()
                heard = self._shared.bell.listen()
                claims = await self._look(heard)
                if not claims:
                    self._passed()
                    await self._rest(heard)
                    continue
                with trace.within(tracing.place(claims, self.target.name)):
                    await self.carry(claims)
            except DATABASE_ERRORS as error:
                self._passed()
                log("sync").warning("database_away", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _look(self, heard: asyncio.Event) -> list[Claim]:
        """People to carry, for one worker after the other: a ring for one person wakes all, but once a look has found
        nobody, the others spare theirs until it rings again or somebody is due."""
        async with self._turn:
            if self._nobody_since is heard and asyncio.get_running_loop().time() < self._due:
                return []
            # Who probes does so with one person.
            healthy = self.gate.is_open and self._shared.registry.is_open
            claims = await self.queue.claim(self._shared.load.together if healthy else 1)
            if not claims:
                due = await self.queue.seconds_to_next()
                self._due = asyncio.get_running_loop().time() + (
                    _IDLE_SECONDS if due is None else min(due + 0.01, _IDLE_SECONDS)
                )
                self._nobody_since = heard
            return claims

    def _passed(self) -> None:
        self._shared.registry.passed()
        self.gate.passed()

    async def _rest(self, heard: asyncio.Event) -> None:
        """Until the bell rings, or the next waiting person is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._due):  # not wait_for: in Python 3.11 it may swallow a cancellation
                await heard.wait()

    async def carry(self, claims: Sequence[Claim]) -> None:
        """Carries people claimed together: delivered, released for later or set aside, whatever happens.

        Who was tried before goes alone, after the others: what fails with her fails for nobody else.
        """
        fresh = [one for one in claims if one.attempts == 1]
        tried = sorted((one for one in claims if one.attempts > 1), key=lambda one: one.attempts)
        try:
            for some in ([fresh] if fresh else []) + [[one] for one in tried]:
                await self._carry(some)
        finally:
            self.queue.dropped(claims)
            self._passed()
            self._due = 0.0  # who was released for later may be due before anybody else

    async def _carry(self, claims: Sequence[Claim]) -> None:
        before = await self.queue.delivered([claim.person for claim in claims])
        people = await self._read_together(claims)
        read = [await self._guarded(claim, self._read(claim, before.get(claim.person), people)) for claim in claims]
        done = [one for one in read if isinstance(one, Done)]
        planned = await self._planned([one for one in read if isinstance(one, Read)])
        done += [one for one in planned if isinstance(one, Done)]
        ready = [one for one in planned if isinstance(one, Ready)]
        await self.queue.intend(
            [(one.claim.person, one.mapped.patient_own, one.plan.delivered, one.before) for one in ready]
        )
        joint = await self._sent_together(ready) if len(ready) > 1 else None
        if joint is None:
            joint = [sent for one in ready if (sent := await self._guarded(one.claim, self._sent(one)))]
        await self._finish(done + joint)

    async def _read_together(self, claims: Sequence[Claim]) -> dict[str, dict[str, Any]]:
        """Many people in one request; none when there is one, or the registry does not give them so."""
        if len(claims) == 1:
            return {}
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                found = await self._shared.source.people([claim.person for claim in claims])
        except (Dhis2Error, TimeoutError):
            return {}  # one by one, it is told what is wrong with whom
        self.queue.mark(claims, "fetched")
        return found

    async def _guarded(self, claim: Claim, work: Any) -> Any:
        """What `work` gives; None when it failed and she was released or set aside."""
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                with trace.within(tracing.place([claim], self.target.name)):
                    return await work
        except Exception as error:
            if isinstance(error, DATABASE_ERRORS) and not isinstance(error, TimeoutError):
                raise
            outcome = await self._setbacks.met(claim, error)
        self._shared.metrics.carried(self.target.name, "out", outcome)
        tracing.note_failed(claim, self.target.name, outcome, self.queue.now())
        return None

    async def _read(self, claim: Claim, before: Delivered | None, people: dict[str, dict[str, Any]]) -> Read | Done:
        """A person, mapped. Who is gone or of another programme needs no more. `people` were fetched already."""
        source, mapper = self._shared.source, self._shared.mapper
        if before is not None and not before.certain and not await self.target.holds(before.patient):
            before = None  # a transaction is whole or not at all: nothing of hers arrived
        try:
            person = people.get(claim.person) or await source.person(claim.person)
        except OutOfSight:
            if before is not None:
                raise
            return Done(claim, None, 0, "not_ours")
        if claim.person not in people:
            self.queue.mark([claim], "fetched")
        if person is None:
            await self._setbacks.read()
            return await self._retracted(claim, before)
        context = await source.context(person)
        await self._setbacks.read()
        if before is None and not await source.concerns(mapper, person):
            return Done(claim, None, 0, "not_ours")
        mapped = mapper.map(person, context)
        self.queue.mark([claim], "mapped")
        if mapped.left_out:
            log("sync").info("left_out", person=claim.person, fields=sorted({one.field for one in mapped.left_out}))
        return Read(claim, person, mapped, before)

    async def _planned(self, read: Sequence[Read]) -> list[Ready | Done | None]:
        """What is to be sent of each; Done for who did not change, None for who failed."""
        befores = [one.before for one in read]
        if self._ours is not None and read:
            befores = await self._ours.before([Spoken(one.person, one.mapped, one.before) for one in read])
        fresh = [one for one in read if one.before is None or one.before.patient != one.mapped.patient]
        keys = {one.claim.person: one.mapped.patient for one in fresh if one.mapped.patient != one.mapped.patient_own}
        others = await self.queue.taken(keys) if keys else {}
        return [
            await self._guarded(one.claim, self._plan(one, before, others.get(one.claim.person)))
            for one, before in zip(read, befores, strict=True)
        ]

    async def _plan(self, read: Read, before: Delivered | None, other: str | None) -> Ready | Done:
        """What is to be sent. Raises BorneByAnother when `other` has her number."""
        if other is not None:
            raise BorneByAnother(other)
        moved = before is not None and before.patient != read.mapped.patient
        second = await self.target.second(read.mapped) if moved else None
        gone: Standing = {}
        if before is not None and (keys := delivery.no_longer(read.mapped, before)):
            gone = await self.target.standing(keys, [before.patient, read.mapped.patient, read.mapped.patient_own])
        plan = delivery.plan(read.mapped, before, self._bundles, second=second, gone=gone)
        if not plan.content:
            return Done(read.claim, plan.delivered, 0, "unchanged")
        return Ready(read.claim, read.mapped, before, plan, gone)

    async def _sent_together(self, ready: Sequence[Ready]) -> list[Done] | None:
        """All in one transaction; None when the target refused it, and then each is tried alone."""
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                await self.target.share(_once([entry for one in ready for entry in one.plan.shared]))
                self.queue.mark([one.claim for one in ready], "sent")
                await self.target.send(delivery.together([one.plan for one in ready]))
        except (FhirError, TimeoutError) as error:
            failed = error if isinstance(error, FhirError) else FhirError(0)
            if verdicts.verdict(failed) is not Verdict.AWAY:
                return None
            self.gate.failed(failed.retry_after)
            for one in ready:
                await self.queue.release(one.claim, AWAY)
                self._shared.metrics.carried(self.target.name, "out", "record_away")
            return []
        await self._setbacks.delivered()
        return [Done(one.claim, one.plan.delivered, one.plan.size, "delivered") for one in ready]

    async def _sent(self, ready: Ready) -> Done:
        """Sends what changed; all of it when the record refuses the part. Raises Undelivered."""
        plan = ready.plan
        self.queue.mark([ready.claim], "sent")
        try:
            await self._send(plan)
        except Undelivered as failed:
            if ready.before is None or verdicts.verdict(failed.error) is not Verdict.REFUSED:
                raise
            plan = delivery.plan(ready.mapped, ready.before, self._bundles, whole=True, gone=ready.gone)
            await self._send(plan)
        await self._setbacks.delivered()
        return Done(ready.claim, plan.delivered, plan.size, "delivered")

    async def _send(self, plan: Plan) -> None:
        bundle = plan.bundle
        try:
            await self.target.share(plan.shared)
            await self.target.send(bundle or b"")
        except FhirError as error:
            raise Undelivered(error, bundle) from error

    async def _retracted(self, claim: Claim, before: Delivered | None) -> Done:
        """She is gone from the registry: takes back what was delivered and retires her Patient."""
        if before is None:
            return Done(claim, None, 0, "retracted")
        gone = await self.target.standing(sorted(set(before.digests) - {delivery.PATIENT}), [before.patient])
        bundle = delivery.removal(claim.person, gone, self._bundles)
        try:
            if bundle is not None:
                await self.target.send(bundle)
            await self.target.retire(before.patient)
        except FhirError as error:
            raise Undelivered(error, bundle) from error
        await self._setbacks.delivered()
        return Done(claim, None, len(gone), "retracted")

    async def _finish(self, done: Sequence[Done]) -> None:
        if not done:
            return
        held, metrics = await self.queue.finish(done), self._shared.metrics
        tracing.note(done, self.target.name, self.queue.now())
        for one in done:
            outcome = one.outcome if one.claim.person in held else "lease_lost"
            metrics.carried(self.target.name, "out", outcome, self.queue.seconds_since(one.claim.noticed_at))
        if any(held.values()):
            self._shared.bell.ring()


def _once(entries: Sequence[Any]) -> list[Any]:
    return list({entry.key: entry for entry in entries}.values())
