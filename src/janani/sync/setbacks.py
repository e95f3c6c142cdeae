"""What is done when a person does not get through: a server is away for all, she is tried again, or she is set aside.

No single answer tells a server that is away from a person with whom it always fails. What tells is whether it serves
others: who fails again although somebody else got through since she last did is counted, keeps nobody else waiting, and
is set aside when it goes on. While nobody gets through nothing is counted, however long.
"""

import contextlib
from datetime import timedelta

from msgspec import Struct

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel.telemetry import log, place_of
from janani.sync import verdicts
from janani.sync.gate import Bell, Gate
from janani.sync.mapping import NotMapped
from janani.sync.queue import AWAY, Claim, LeaseLost, Queue
from janani.sync.source import OutOfSight
from janani.sync.verdicts import Verdict

_REGISTRY_AWAY = {401, 403, 408, 425, 429}
_ERRORS_IN_A_ROW = 5  # so many answers 500 without a success between them: not the person but the server
_PATIENCE = timedelta(minutes=10)
_NEVER_HERS = {401, 425, 429}  # who asks and how often, never what is asked


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


class _Aside(Struct, frozen=True):
    """Why somebody is set aside: `reason` is without personal data, `detail` may quote the record."""

    reason: str
    detail: str = ""
    payload: bytes | None = None


class Setbacks:
    """Of the people carried to one target, whose `gate` it keeps; `registry` is the gate that all targets share."""

    def __init__(self, queue: Queue, gate: Gate, registry: Gate, bell: Bell, attempts: int) -> None:
        self._queue, self._gate, self._registry = queue, gate, registry
        self._bell, self._attempts = bell, attempts
        self._errors = 0

    async def read(self) -> None:
        """The registry answered for somebody: who waited for it goes, to whatever target."""
        await self._through(self._registry, everywhere=True)

    async def delivered(self) -> None:
        """The target took somebody: who waited for it goes."""
        self._errors = 0
        await self._through(self._gate)

    async def _through(self, gate: Gate, *, everywhere: bool = False) -> None:
        if gate.succeeded(self._queue.now()):
            await self._queue.hasten(everywhere=everywhere)
            self._bell.ring()

    async def met(self, claim: Claim, error: Exception) -> str:
        """Releases her for later or sets her aside, as `error` asks for; the outcome, as metrics call it."""
        match error:
            case Dhis2Error():
                return await self._of_registry(claim, error)
            case Undelivered():
                return await self._of_target(claim, error.error, error.payload)
            case FhirError():
                return await self._of_target(claim, error)
            case TimeoutError():
                return await self._of_target(claim, FhirError(0))
            case BorneByAnother():
                return await self._two_of_one_number(claim, error.other)
            case OutOfSight():
                return await self._out_of_sight(claim)
            case NotMapped():
                return await self._set_aside(claim, _Aside(f"it could not be mapped: {error}", error.detail))
        log("sync").error("not_mapped", person=claim.person, error=type(error).__name__, at=place_of(error))
        return await self._set_aside(claim, _Aside(f"it could not be mapped ({type(error).__name__})"))

    async def _of_registry(self, claim: Claim, error: Dhis2Error) -> str:
        if error.told and error.status not in _REGISTRY_AWAY and error.status < 500:
            return await self._set_aside(
                claim, _Aside(f"the registry does not give it ({error.status} {error.code})".strip())
            )
        aside = _Aside(_over_and_over("the registry", error.status))
        hers = await self._hers(claim, self._registry, error.status, error.retry_after or 0, aside)
        if hers:
            return hers
        self._registry.failed(error.retry_after or 0)
        await self._queue.release(claim, AWAY)
        return "registry_away"

    async def _of_target(self, claim: Claim, error: FhirError, payload: bytes | None = None) -> str:
        found = verdicts.verdict(error)
        if found in (Verdict.AWAY, Verdict.ERROR):
            aside = _Aside(_over_and_over("the record", error.status), verdicts.detail(error.issues), payload)
            hers = await self._hers(claim, self._gate, error.status, error.retry_after, aside)
            if hers:
                return hers
        self._errors += error.status >= 500
        if found is Verdict.AWAY or (found is Verdict.ERROR and self._errors >= _ERRORS_IN_A_ROW):
            self._gate.failed(error.retry_after)
            await self._queue.release(claim, AWAY)
            return "record_away"
        contested = found is Verdict.CONTESTED
        hopeless = found in (Verdict.REFUSED, Verdict.AMBIGUOUS)
        if hopeless or (contested and claim.refused + 1 >= self._attempts):
            aside = _Aside(verdicts.reason(error), verdicts.detail(error.issues), payload)
            return await self._set_aside(claim, aside)
        await self._queue.release(claim, str(error.status), refused=contested)
        return "released"

    async def _hers(self, claim: Claim, server: Gate, status: int, retry_after: float, aside: _Aside) -> str:
        """The outcome where it is her and not the server; else ''. A server that names a time to wait is believed."""
        if status in _NEVER_HERS or (status == 503 and retry_after) or not server.is_open:
            return ""
        if claim.failed_at is None or server.served_at is None or server.served_at <= claim.failed_at:
            return ""
        since = claim.failed_since
        if claim.failed + 1 >= self._attempts and since and self._queue.now() - since >= _PATIENCE:
            return await self._set_aside(claim, aside)
        await self._queue.release(claim, str(status or "timeout"), failed=True)
        return "released"

    async def _set_aside(self, claim: Claim, why: _Aside) -> str:
        """Takes her out of the queue."""
        log("sync").warning("set_aside", person=claim.person, target=self._queue.target, reason=why.reason)
        with contextlib.suppress(LeaseLost):
            await self._queue.set_aside(claim, why.reason, why.detail, (why.payload or b"").decode())
        return "set_aside"

    async def _two_of_one_number(self, claim: Claim, other: str) -> str:
        """Later, for the number may be on its way from one to the other; set aside when it stays so."""
        reason = (
            f"{claim.person} has the same number as {other}, whose Patient it would overwrite: "
            "in the registry, correct the number of one of them, or keep one and delete the other; then retry"
        )
        return await self._perhaps_later(claim, "number", reason)

    async def _out_of_sight(self, claim: Claim) -> str:
        """Neither delivered nor taken back: a right that is missing for a while must not cost her record."""
        await self.read()
        reason = (
            "the registry neither shows her to the sync's user nor says that she was deleted: "
            "give that user her unit and programme, then retry; what the record has of her stays as it is"
        )
        return await self._perhaps_later(claim, "sight", reason)

    async def _perhaps_later(self, claim: Claim, trouble: str, reason: str) -> str:
        if claim.refused + 1 < self._attempts:
            await self._queue.release(claim, trouble, refused=True)
            return "released"
        return await self._set_aside(claim, _Aside(reason))


def _over_and_over(server: str, status: int) -> str:
    said = f"answered {status}" if status else "gave no answer in time"
    return f"{server} {said} at every one of many tries, while others got through"
