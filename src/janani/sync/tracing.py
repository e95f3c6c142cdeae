"""The sync's part of a change's trace: where the calls for a person belong, and the spans of carrying her."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from janani.kernel import trace
from janani.kernel.trace import INTERNAL, Span, Trace
from janani.sync.queue import STEPS, Claim, Done

_WORK = {"fetched": "read", "mapped": "map", "sent": "compare"}


def place(claims: Sequence[Claim], target: str) -> Trace | None:
    """Where calls for `claims` belong. A call for several people can name one trace: that of the first."""
    parent = trace.read(claims[0].traceparent) if claims else None
    return trace.below(parent, f"carry {target}") if parent else None


def note(done: Sequence[Done], target: str, now: datetime) -> None:
    """The spans of people who were carried together."""
    if trace.collecting():
        together = place([one.claim for one in done], target)
        for one in done:
            about: dict[str, str | int] = {"janani.target": target, "janani.outcome": one.outcome}
            about["janani.entries"] = one.entries
            _note(one.claim, target, now, about, together)


def note_failed(claim: Claim, target: str, outcome: str, now: datetime) -> None:
    """The spans of one who was not delivered."""
    if trace.collecting():
        _note(claim, target, now, {"janani.target": target, "janani.outcome": outcome}, None, failed=True)


def _note(
    claim: Claim,
    target: str,
    now: datetime,
    about: dict[str, str | int],
    together: Trace | None,
    *,
    failed: bool = False,
) -> None:
    parent, here = trace.read(claim.traceparent), place([claim], target)
    if parent is None or here is None:
        return
    elsewhere = together if together and together.trace_id != here.trace_id else None
    whole = (_nanoseconds(claim.noticed_at), _nanoseconds(now))
    trace.note(Span("sync", f"carry to {target}", here, parent.span_id, INTERNAL, *whole, about, failed, elsewhere))
    ends = [(_WORK[step], claim.life[step]) for step in STEPS if step in claim.life]
    began = claim.noticed_at
    for name, ended in [*ends, ("send", now)] if "sent" in claim.life else ends:
        part = (_nanoseconds(began), _nanoseconds(ended))
        trace.note(Span("sync", name, trace.below(here, name), here.span_id, INTERNAL, *part))
        began = ended


def _nanoseconds(instant: datetime) -> int:
    """Since 1970; exact to the microsecond."""
    since = instant - datetime(1970, 1, 1, tzinfo=instant.tzinfo)
    return since // timedelta(microseconds=1) * 1000
