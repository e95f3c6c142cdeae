"""The trace that the work at hand belongs to (W3C Trace Context), and its spans for whoever collects them.

`kernel.http` takes it from each request or begins one, names it in the log lines, and passes it on with each call.
A part that works on its own time goes on with a trace by `within`. Spans cost nothing until `kernel.otlp` collects.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from hashlib import sha256

from msgspec import Struct

HEADER = "traceparent"
SERVER, CLIENT, INTERNAL = 2, 3, 1
"""Kinds of spans, as OTLP numbers them."""
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(Struct, frozen=True):
    """A place in a trace: its 32 hexadecimal digits, the 16 of the span that works now, and whether it is collected."""

    trace_id: str
    span_id: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class Span(Struct, frozen=True):
    """A piece of work by `part`, in nanoseconds since 1970. Names and attributes never carry a person's data."""

    part: str
    name: str
    trace: Trace
    parent: str
    kind: int
    began: int
    ended: int
    attributes: Mapping[str, str | int] = {}
    failed: bool = False
    link: Trace | None = None
    """Another trace in which this work was done, too."""


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
_collect: Callable[[Span], None] | None = None


def read(header: str) -> Trace | None:
    """The place that a `traceparent` names; None when it is not one (level 1, §3.2)."""
    found = _FORM.fullmatch(header)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Trace(trace_id, span_id, bool(int(flags, 16) & 1))


def begin() -> Trace:
    """A new trace."""
    drawn = os.urandom(24).hex()
    return Trace(drawn[:32], drawn[32:])


def below(parent: Trace, name: str = "") -> Trace:
    """A new span's place below `parent`: by chance, or always the same for the same `name`."""
    span_id = sha256(f"{parent.span_id}/{name}".encode()).hexdigest()[:16] if name else os.urandom(8).hex()
    return Trace(parent.trace_id, span_id, parent.sampled)


def current() -> Trace | None:
    """Where the work at hand belongs."""
    return _current.get()


def traceparent() -> str:
    """The header that passes the work at hand on; empty outside of a trace."""
    trace = _current.get()
    return str(trace) if trace else ""


@contextlib.contextmanager
def within(trace: Trace | None) -> Iterator[None]:
    """The block works at this place of a trace."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)


def collecting() -> bool:
    """Whether anybody wants spans."""
    return _collect is not None


def collect(into: Callable[[Span], None] | None) -> None:
    """Gives every span from now on to `into`, which must not block; None: to nobody."""
    global _collect
    _collect = into


def note(span: Span) -> None:
    """A span that ended."""
    if _collect is not None and span.trace.sampled:
        _collect(span)


def now() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()
