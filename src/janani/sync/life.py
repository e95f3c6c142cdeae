"""The life of one change in words and times. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from janani.kernel.i18n import _


class Step(Struct, frozen=True):
    """A step: what happened, when, and how long it took since the step before (s; None for the first)."""

    what: str
    at: datetime
    seconds: float | None


def steps(row: Mapping[str, Any]) -> list[Step]:
    """The steps of a delivery that are known, in order. The first is by the registry's clock, the others by ours."""
    target = row["target"]
    ends = {
        "delivered": _("Acknowledged by %(target)s") % {"target": target},
        "retracted": _("Taken back at %(target)s") % {"target": target},
        "unchanged": _("Nothing of it is new to %(target)s") % {"target": target},
    }
    named = [
        ("changed_at", _("Changed in the registry")),
        ("noticed_at", _("Noticed by the sync")),
        ("fetched_at", _("Read from the registry")),
        ("mapped_at", _("Mapped")),
        ("sent_at", _("Sent to %(target)s") % {"target": target}),
        ("delivered_at", ends.get(row["outcome"], _("Not for this programme"))),
    ]
    found: list[Step] = []
    for column, what in named:
        at = row[column]
        if at is not None:
            found.append(Step(what, at, max((at - found[-1].at).total_seconds(), 0.0) if found else None))
    return found


def whole(found: list[Step]) -> float:
    """From the first step to the last (s)."""
    return max((found[-1].at - found[0].at).total_seconds(), 0.0)


def span(seconds: float | None) -> str:
    """A length of time as people read it: "12 ms", "1.3 s", "4 min", "2.5 h", "3 d"."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit, upto in ((1, "s", 100), (60, "min", 100), (3600, "h", 48)):
        if seconds / size < upto:
            return f"{seconds / size:.1f} {unit}" if unit != "min" else f"{seconds / size:.0f} min"
    return f"{seconds / 86400:.0f} d"


class Bar(Struct, frozen=True):
    """A minute of the chart: minutes ago, people, and height (0 to 1)."""

    ago: int
    people: int
    height: float


def bars(rows: Mapping[datetime, int], now: datetime) -> list[Bar]:
    """People by minute, from thirty minutes ago until now; minutes without any are left out."""
    most = max(rows.values(), default=1)
    this = now.replace(second=0, microsecond=0)
    return [Bar(int((this - minute).total_seconds() // 60), count, count / most) for minute, count in rows.items()]
