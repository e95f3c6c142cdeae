"""The spans of people who travel together, and of one who does not arrive."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from janani.kernel import trace
from janani.kernel.trace import Span
from janani.sync import tracing
from janani.sync.queue import Claim, Done

NOTICED = datetime(2026, 11, 21, 6, tzinfo=UTC)


def claim(number: int, **life: int) -> Claim:
    """A person of her own trace; `life`: each step's milliseconds after she was noticed."""
    told = f"00-{number:032x}-{number:016x}-01"
    steps = {step: NOTICED + timedelta(milliseconds=after) for step, after in life.items()}
    return Claim(f"Person{number:05}", 1, uuid.uuid4(), NOTICED, 1, 0, None, told, steps)


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    found: list[Span] = []
    trace.collect(found.append)
    yield found
    trace.collect(None)


def test_everyone_who_travels_together_has_her_own_trace_and_a_link_to_the_one_that_was_called(
    spans: list[Span],
) -> None:
    together = [claim(one, fetched=10, mapped=12, sent=15) for one in (1, 2)]
    called = tracing.place(together, "record")
    assert called is not None
    assert called.trace_id == f"{1:032x}"  # the calls name this place
    tracing.note([Done(one, None, 3, "delivered") for one in together], "record", NOTICED + timedelta(milliseconds=40))
    first, second = [one for one in spans if one.name == "carry to record"]
    assert (first.trace, first.link) == (called, None)
    assert (second.trace.trace_id, second.parent, second.link) == (f"{2:032x}", f"{2:016x}", called)
    steps = [(one.name, (one.ended - one.began) // 1_000_000) for one in spans if one.parent == first.trace.span_id]
    assert steps == [("read", 10), ("map", 2), ("compare", 3), ("send", 25)]
    assert first.ended - first.began == 40_000_000


def test_who_does_not_arrive_has_a_span_that_says_so(spans: list[Span]) -> None:
    tracing.note_failed(claim(1, fetched=10), "record", "set_aside", NOTICED + timedelta(milliseconds=11))
    carried, read = spans
    assert (carried.failed, carried.attributes["janani.outcome"], read.name) == (True, "set_aside", "read")
    assert not any("Person" in str(one) for one in spans)
