"""Whether it is her or the server: what counts against a person, and what never does."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError, Issue
from janani.sync.gate import Bell, Gate
from janani.sync.queue import Claim
from janani.sync.setbacks import Setbacks, Undelivered

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ATTEMPTS = 3


class Kept:
    """A queue that keeps in mind what it was told."""

    target = "record"

    def __init__(self) -> None:
        self.released: list[tuple[str, bool]] = []
        self.aside: list[tuple[str, str, str]] = []

    def now(self) -> datetime:
        return NOW

    async def release(self, claim: Claim, trouble: str, *, refused: bool = False, failed: bool = False) -> None:
        self.released.append((trouble, failed))

    async def set_aside(self, claim: Claim, reason: str, detail: str, payload: str) -> None:
        self.aside.append((reason, detail, payload))


def claim(failed: int = 0, since: datetime | None = None, at: datetime | None = NOW - MINUTE) -> Claim:
    """A person who failed last at `at`, and `failed` times while others got through."""
    return Claim("Person00001", 1, uuid.uuid4(), NOW, 9, 0, failed=failed, failed_since=since, failed_at=at)


async def met(one: Claim, error: Any, served: datetime | None = NOW, *, is_open: bool = True) -> tuple[Kept, Gate, str]:
    """What becomes of her, of the server's gate, and the outcome; `served`: when somebody else got through last."""
    queue, gate, registry = Kept(), Gate(), Gate()
    hers = registry if isinstance(error, Dhis2Error) else gate
    hers.is_open, hers.served_at = is_open, served
    unused: Any = queue
    outcome = await Setbacks(unused, gate, registry, Bell(), ATTEMPTS).met(one, error)
    return queue, hers, outcome


@pytest.mark.parametrize(
    "error", [FhirError(0), FhirError(500), FhirError(502), FhirError(403), Dhis2Error(500, "", "")]
)
async def test_a_failure_while_others_get_through_counts_and_closes_nothing(error: Exception) -> None:
    queue, gate, outcome = await met(claim(), error)
    assert (queue.released, gate.is_open, outcome) == ([(str(error.status or "timeout"), True)], True, "released")


@pytest.mark.parametrize(
    ("one", "error", "served", "is_open"),
    [
        (claim(at=None), FhirError(0), NOW, True),
        (claim(), FhirError(0), None, True),
        (claim(), FhirError(0), NOW - 2 * MINUTE, True),
        (claim(), FhirError(0), NOW, False),
        (claim(), FhirError(429), NOW, True),
        (claim(), FhirError(401), NOW, True),
        (claim(), FhirError(503, retry_after=5), NOW, True),
        (claim(), Dhis2Error(0, "", ""), NOW - 2 * MINUTE, True),
    ],
    ids=["first", "nobody served", "nobody since", "a probe", "too many", "login", "told to wait", "registry away"],
)
async def test_a_server_that_is_away_counts_against_nobody(
    one: Claim, error: Exception, served: datetime | None, is_open: bool
) -> None:
    queue, gate, _ = await met(one, error, served, is_open=is_open)
    assert (queue.released, queue.aside, gate.is_open) == ([("away", False)], [], False)


@pytest.mark.parametrize(
    ("failed", "minutes", "outcome"), [(1, 60, "released"), (20, 9, "released"), (2, 10, "set_aside")]
)
async def test_it_takes_so_many_tries_and_ten_minutes(failed: int, minutes: int, outcome: str) -> None:
    error = Undelivered(FhirError(500, [Issue(diagnostics="its words")]), b"{}")
    queue, gate, found = await met(claim(failed, NOW - minutes * MINUTE), error)
    assert (found, gate.is_open) == (outcome, True)
    if outcome == "set_aside":
        reason = "the record answered 500 at every one of many tries, while others got through"
        assert queue.aside == [(reason, "its words", "{}")]
