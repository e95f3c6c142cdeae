"""The agent: a feed fills the durable queue, workers carry one person at a time from the registry to the record.

Every step is done or repeated: a kill between any two leaves a row that is claimed again, and what it sends again is
the same conditional transaction. One person is with one worker at most, so her changes arrive in order.
"""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Gauge as Level

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError, Issue
from janani.kernel.telemetry import log
from janani.sync import delivery
from janani.sync.back.ours import Ours
from janani.sync.delivery import Delivered
from janani.sync.feed import Feed
from janani.sync.gate import Bell, Gate
from janani.sync.mapping import Mapped, Mapper
from janani.sync.queue import AWAY, Claim, LeaseLost, Queue
from janani.sync.source import Source
from janani.sync.target import Target

_WORK_SECONDS = 45  # below the lease
_IDLE_SECONDS = 5.0
_AWAY = {0, 401, 403, 408, 425, 429, 502, 503, 504}
_CONTESTED = {409, 412}
_ERRORS_IN_A_ROW = 5  # so many answers 500 without a success between them: not the person but the server
_DATABASE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Metrics:
    """Counters for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.people = Counter("janani_sync_people", "People carried, by outcome.", ["outcome"], registry=self.registry)
        self.seconds = Histogram(
            "janani_sync_seconds",
            "From noticing a change to the record's acknowledgement (s).",
            buckets=(0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 30, 300, 3600),
            registry=self.registry,
        )
        self.waiting = Level("janani_sync_waiting", "People waiting.", registry=self.registry)
        self.lag = Level("janani_sync_lag_seconds", "How long the first has waited (s).", registry=self.registry)
        self.dead = Level("janani_sync_dead", "People set aside.", registry=self.registry)


class SetAside(Exception):
    """The record will never take this. `reason` is without personal data; `detail` may quote the record."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Agent:
    """Carries people until cancelled."""

    def __init__(
        self,
        source: Source,
        target: Target,
        mapper: Mapper,
        queue: Queue,
        feed: Feed,
        bell: Bell,
        *,
        workers: int,
        attempts: int,
        ours: Ours | None = None,
    ) -> None:
        self._source, self._target, self._mapper = source, target, mapper
        self._queue, self._feed, self._bell = queue, feed, bell
        self._workers, self._attempts, self._ours = workers, attempts, ours
        self._bundles = mapper.table.identifiers["bundle"]
        self.registry, self.record = Gate(), Gate()
        self.metrics = Metrics()
        self._errors = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works in the background while the block runs."""
        await self._queue.release_orphans()
        loops = [self._feed.run, self._introduce, *[self._work] * self._workers]
        tasks = [asyncio.create_task(_for_ever(loop)) for loop in loops]
        try:
            yield
        finally:
            await _stop(tasks)

    async def _introduce(self) -> None:
        """Sends the Device that stands for the registry, as soon as both sides are there, and when it changes."""
        delay = 0.5
        while True:
            try:
                await self._target.share(self._mapper.device(await self._source.context()))
                delay = 600.0
            except (Dhis2Error, FhirError, *_DATABASE):
                delay = min(delay * 2, 30.0)
            await asyncio.sleep(delay)

    async def _work(self) -> None:
        while True:
            try:
                await self.registry.turn()
                await self.record.turn()
                heard = self._bell.listen()
                claim = await self._queue.claim()
                if claim is None:
                    self.registry.passed()
                    self.record.passed()
                    await self._rest(heard)
                    continue
                await self.carry(claim)
            except _DATABASE as error:
                log("sync").warning("database_away", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _rest(self, heard: asyncio.Event) -> None:
        """Until the bell rings, or the next waiting person is due."""
        due = await self._queue.seconds_to_next()
        seconds = _IDLE_SECONDS if due is None else min(due + 0.01, _IDLE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for: in Python 3.11 it may swallow a cancellation
                await heard.wait()

    async def carry(self, claim: Claim) -> None:
        """Carries one claimed person: delivered, released for later or set aside, whatever happens."""
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                outcome = await self._deliver(claim)
        except LeaseLost:
            outcome = "lease_lost"
        except SetAside as reason:
            await self._set_aside(claim, reason)
            outcome = "set_aside"
        except Dhis2Error as error:
            outcome = await self._registry_trouble(claim, error)
        except (FhirError, TimeoutError) as error:
            outcome = await self._record_trouble(claim, error)
        except _DATABASE:
            raise
        except Exception as error:
            log("sync").error("not_mapped", person=claim.person, error=type(error).__name__, at=_place_of(error))
            await self._set_aside(claim, SetAside(f"it could not be mapped ({type(error).__name__})"))
            outcome = "set_aside"
        finally:
            self.registry.passed()
            self.record.passed()
        self.metrics.people.labels(outcome).inc()

    async def _deliver(self, claim: Claim) -> str:
        person = await self._source.person(claim.person)
        before = await self._queue.delivered(claim.person)
        if person is None:
            await self._answered(self.registry)
            return await self._retract(claim, before)
        context = await self._source.context(person)
        await self._answered(self.registry)
        if before is None and not self._mapper.concerns(person):
            await self._finish(claim, None, 0, "not_ours")
            return "not_ours"
        mapped = self._mapper.map(person, context)
        if mapped.left_out:
            log("sync").info("left_out", person=claim.person, fields=sorted({one.field for one in mapped.left_out}))
        if before is None and claim.attempts > 1 and await self._target.holds(mapped.patient_own):
            # An earlier try may have reached the record before a kill: her Patient there has the own identifier.
            before = Delivered("", {})
        if self._ours is not None:
            before = await self._ours.before(person, mapped, before)
        delivered, entries = await self._send(mapped, before)
        outcome = "delivered" if entries else "unchanged"
        await self._finish(claim, delivered, entries, outcome)
        return outcome

    async def _send(self, mapped: Mapped, before: Delivered | None) -> tuple[Delivered, int]:
        """Sends what changed; all of it when the record refuses the part. Raises FhirError or SetAside."""
        plan = delivery.plan(mapped, before, self._bundles)
        if plan.bundle is None:
            return plan.delivered, 0
        try:
            await self._target.share(plan.shared)
            await self._target.send(plan.bundle)
        except FhirError as error:
            if before is None or not _refuses(error):
                raise _judged(error) from error
            plan = delivery.plan(mapped, before, self._bundles, whole=True)
            assert plan.bundle is not None
            try:
                await self._target.send(plan.bundle)
            except FhirError as again:
                raise _judged(again) from again
        self._errors = 0
        await self._answered(self.record)
        return plan.delivered, plan.entries

    async def _retract(self, claim: Claim, before: Delivered | None) -> str:
        """She is gone from the registry: takes back what was delivered and retires her Patient."""
        if before is not None:
            bundle = delivery.removal(claim.person, before, self._bundles)
            try:
                if bundle is not None:
                    await self._target.send(bundle)
                await self._target.retire(before.patient)
            except FhirError as error:
                raise _judged(error) from error
            await self._answered(self.record)
        await self._finish(claim, None, len(before.digests) if before else 0, "retracted")
        return "retracted"

    async def _finish(self, claim: Claim, delivered: Delivered | None, entries: int, outcome: str) -> None:
        dirty = await self._queue.finish(claim, delivered, entries=entries, outcome=outcome)
        self.metrics.seconds.observe(self._queue.seconds_since(claim.noticed_at))
        if dirty:
            self._bell.ring()

    async def _answered(self, gate: Gate) -> None:
        if gate.succeeded():
            await self._queue.hasten()
            self._bell.ring()

    async def _set_aside(self, claim: Claim, why: SetAside) -> None:
        log("sync").warning("set_aside", person=claim.person, reason=why.reason)
        with contextlib.suppress(LeaseLost):
            await self._queue.set_aside(claim, why.reason, why.detail)

    async def _registry_trouble(self, claim: Claim, error: Dhis2Error) -> str:
        if error.status in _AWAY or error.status >= 500:
            self.registry.failed()
            await self._queue.release(claim, AWAY)
            return "registry_away"
        await self._set_aside(claim, SetAside(f"the registry does not give it ({error.status} {error.code})".strip()))
        return "set_aside"

    async def _record_trouble(self, claim: Claim, error: FhirError | TimeoutError) -> str:
        status = 0 if isinstance(error, TimeoutError) else error.status
        self._errors += status >= 500
        if status in _AWAY or self._errors >= _ERRORS_IN_A_ROW:
            self.record.failed()
            await self._queue.release(claim, AWAY)
            return "record_away"
        if status in _CONTESTED and claim.refused + 1 >= self._attempts:
            assert isinstance(error, FhirError)
            await self._set_aside(claim, SetAside(_reason(error), _detail(error.issues)))
            return "set_aside"
        await self._queue.release(claim, str(status), refused=status in _CONTESTED)
        return "released"


async def _for_ever(loop: Callable[[], Awaitable[None]]) -> None:
    """Starts `loop` again whatever stops it: a bug in one step must not end the sync."""
    while True:
        try:
            await loop()
        except Exception as error:
            log("sync").error("loop_stopped", error=type(error).__name__, at=_place_of(error))
            await asyncio.sleep(1)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels `tasks` until they are done; a library may swallow one cancellation."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=1)


def _place_of(error: Exception) -> str:
    """Where an error was raised. Its text is not logged: it may quote a person's values."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.name}:{frame.lineno}"


def _refuses(error: FhirError) -> bool:
    """Whether the record said no to this content, which another try won't change."""
    return 400 <= error.status < 500 and error.status not in _AWAY | _CONTESTED


def _judged(error: FhirError) -> Exception:
    return SetAside(_reason(error), _detail(error.issues)) if _refuses(error) else error


def _reason(error: FhirError) -> str:
    """Why the record refused, by codes and places alone: its own words may quote the person."""
    issues = [issue for issue in error.issues if issue.severity in ("error", "fatal")]
    places = [f"{issue.code} at {', '.join(issue.expression)}" if issue.expression else issue.code for issue in issues]
    return f"the record refused it ({error.status}): {'; '.join(places[:5]) or 'no reason given'}"


def _detail(issues: Sequence[Issue]) -> str:
    return "\n".join(issue.diagnostics for issue in issues)[:4000]
