"""Carries people from the registry to one target: several in one transaction while all goes well, else one by one.

Every step is done or repeated: a kill between any two leaves rows that are claimed again, and what it sends again is
the same conditional transaction. One person is with one worker at most, so her changes arrive in order.
"""

import asyncio
import contextlib
import traceback
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
from janani.sync.delivery import Delivered, Plan
from janani.sync.gate import Bell, Gate
from janani.sync.mapping import AnyMapper, Mapped, NotMapped
from janani.sync.metrics import Metrics
from janani.sync.queue import AWAY, Claim, Done, LeaseLost, Queue
from janani.sync.source import Source
from janani.sync.target import Target
from janani.sync.verdicts import Verdict

_WORK_SECONDS = 45  # below the lease
_IDLE_SECONDS = 5.0
_REGISTRY_AWAY = {0, 401, 403, 408, 425, 429}
_ERRORS_IN_A_ROW = 5  # so many answers 500 without a success between them: not the person but the server
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Undelivered(Exception):
    """The target did not take `payload`."""

    def __init__(self, error: FhirError, payload: bytes | None) -> None:
        super().__init__(str(error))
        self.error, self.payload = error, payload


class BorneByAnother(Exception):
    """`other` has the same strongest identifier: two people of the registry, one Patient."""

    def __init__(self, other: str) -> None:
        super().__init__("the number of another person")
        self.other = other


class Read(Struct, frozen=True):
    """A person as the registry has her, mapped, with what was delivered before."""

    claim: Claim
    person: dict[str, Any]
    mapped: Mapped
    before: Delivered | None


class Ready(Struct, frozen=True):
    """A person who is mapped, with what is to be sent."""

    claim: Claim
    mapped: Mapped
    before: Delivered | None
    plan: Plan


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
        self._errors = 0

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
            claims = await self.queue.claim(self._shared.load.together if self.gate.is_open else 1)
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
        """Carries people claimed together: delivered, released for later or set aside, whatever happens."""
        try:
            before = await self.queue.delivered([claim.person for claim in claims])
            people = await self._read_together(claims)
            read = [await self._guarded(claim, self._read(claim, before.get(claim.person), people)) for claim in claims]
            done = [one for one in read if isinstance(one, Done)]
            planned = await self._planned([one for one in read if isinstance(one, Read)])
            done += [one for one in planned if isinstance(one, Done)]
            ready = [one for one in planned if isinstance(one, Ready)]
            joint = await self._sent_together(ready) if len(ready) > 1 else None
            if joint is None:
                joint = [sent for one in ready if (sent := await self._guarded(one.claim, self._sent(one)))]
            await self._finish(done + joint)
        finally:
            self.queue.dropped(claims)
            self._passed()
            self._due = 0.0  # who was released for later may be due before anybody else

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
        except Dhis2Error as error:
            outcome = await self._registry_trouble(claim, error)
        except Undelivered as failed:
            outcome = await self._target_trouble(claim, failed.error, failed.payload)
        except (FhirError, TimeoutError) as error:
            outcome = await self._target_trouble(claim, error if isinstance(error, FhirError) else FhirError(0))
        except BorneByAnother as error:
            outcome = await self._two_of_one_number(claim, error.other)
        except NotMapped as error:
            outcome = await self._set_aside(claim, f"it could not be mapped: {error}", error.detail)
        except DATABASE_ERRORS:
            raise
        except Exception as error:
            log("sync").error("not_mapped", person=claim.person, error=type(error).__name__, at=place_of(error))
            outcome = await self._set_aside(claim, f"it could not be mapped ({type(error).__name__})")
        self._shared.metrics.carried(self.target.name, "out", outcome)
        tracing.note_failed(claim, self.target.name, outcome, self.queue.now())
        return None

    async def _read(self, claim: Claim, before: Delivered | None, people: dict[str, dict[str, Any]]) -> Read | Done:
        """A person, mapped. Who is gone or of another programme needs no more. `people` were fetched already."""
        source, mapper = self._shared.source, self._shared.mapper
        person = people.get(claim.person) or await source.person(claim.person)
        if claim.person not in people:
            self.queue.mark([claim], "fetched")
        if person is None:
            await self._answered(self._shared.registry)
            return await self._retracted(claim, before)
        context = await source.context(person)
        await self._answered(self._shared.registry)
        if before is None and not mapper.concerns(person):
            return Done(claim, None, 0, "not_ours")
        mapped = mapper.map(person, context)
        self.queue.mark([claim], "mapped")
        if mapped.left_out:
            log("sync").info("left_out", person=claim.person, fields=sorted({one.field for one in mapped.left_out}))
        if before is None and claim.attempts > 1 and await self.target.holds(mapped.patient_own):
            # An earlier try may have reached the record before a kill: her Patient there has the own identifier.
            before = Delivered("", {})
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
        plan = delivery.plan(read.mapped, before, self._bundles, second=second)
        if not plan.entries:
            return Done(read.claim, plan.delivered, 0, "unchanged")
        return Ready(read.claim, read.mapped, before, plan)

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
        await self._delivered()
        return [Done(one.claim, one.plan.delivered, len(one.plan.entries), "delivered") for one in ready]

    async def _sent(self, ready: Ready) -> Done:
        """Sends what changed; all of it when the record refuses the part. Raises Undelivered."""
        plan = ready.plan
        self.queue.mark([ready.claim], "sent")
        try:
            await self._send(plan)
        except Undelivered as failed:
            if ready.before is None or verdicts.verdict(failed.error) is not Verdict.REFUSED:
                raise
            plan = delivery.plan(ready.mapped, ready.before, self._bundles, whole=True)
            await self._send(plan)
        await self._delivered()
        return Done(ready.claim, plan.delivered, len(plan.entries), "delivered")

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
        bundle = delivery.removal(claim.person, before, self._bundles)
        try:
            if bundle is not None:
                await self.target.send(bundle)
            await self.target.retire(before.patient)
        except FhirError as error:
            raise Undelivered(error, bundle) from error
        await self._delivered()
        return Done(claim, None, len(before.digests), "retracted")

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

    async def _delivered(self) -> None:
        self._errors = 0
        await self._answered(self.gate)

    async def _answered(self, gate: Gate) -> None:
        if gate.succeeded():
            await self.queue.hasten()
            self._shared.bell.ring()

    async def _set_aside(self, claim: Claim, reason: str, detail: str = "", payload: bytes | None = None) -> str:
        """Takes her out of the queue. `reason` is without personal data; `detail` may quote the record."""
        log("sync").warning("set_aside", person=claim.person, target=self.target.name, reason=reason)
        with contextlib.suppress(LeaseLost):
            await self.queue.set_aside(claim, reason, detail, (payload or b"").decode())
        return "set_aside"

    async def _two_of_one_number(self, claim: Claim, other: str) -> str:
        """Later, for the number may be on its way from one to the other; set aside when it stays so."""
        if claim.refused + 1 < self._shared.load.attempts:
            await self.queue.release(claim, "number", refused=True)
            return "released"
        reason = (
            f"{claim.person} has the same number as {other}, whose Patient it would overwrite: "
            "in the registry, correct the number of one of them, or keep one and delete the other; then retry"
        )
        return await self._set_aside(claim, reason)

    async def _registry_trouble(self, claim: Claim, error: Dhis2Error) -> str:
        if error.status in _REGISTRY_AWAY or error.status >= 500:
            self._shared.registry.failed()
            await self.queue.release(claim, AWAY)
            return "registry_away"
        reason = f"the registry does not give it ({error.status} {error.code})".strip()
        return await self._set_aside(claim, reason)

    async def _target_trouble(self, claim: Claim, error: FhirError, payload: bytes | None = None) -> str:
        found = verdicts.verdict(error)
        self._errors += error.status >= 500
        if found is Verdict.AWAY or (found is Verdict.ERROR and self._errors >= _ERRORS_IN_A_ROW):
            self.gate.failed(error.retry_after)
            await self.queue.release(claim, AWAY)
            return "record_away"
        contested = found is Verdict.CONTESTED
        hopeless = found in (Verdict.REFUSED, Verdict.AMBIGUOUS)
        if hopeless or (contested and claim.refused + 1 >= self._shared.load.attempts):
            return await self._set_aside(claim, verdicts.reason(error), verdicts.detail(error.issues), payload)
        await self.queue.release(claim, str(error.status), refused=contested)
        return "released"


def place_of(error: Exception) -> str:
    """Where an error was raised. Its text is not logged: it may quote a person's values."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name}:{frame.lineno}"


def _once(entries: Sequence[Any]) -> list[Any]:
    return list({entry.key: entry for entry in entries}.values())
