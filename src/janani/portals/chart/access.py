"""Who was at a record, from its AuditEvents. Pure."""

from datetime import date, tzinfo
from typing import Any

from msgspec import Struct

from janani.portals.chart.view import local_day

Json = dict[str, Any]


class Access(Struct):
    """Who was at the record on a day, and how often: to look, or to write (AuditEvent)."""

    day: date
    who: str
    wrote: bool
    times: int


def accesses(events: list[Json], zone: tzinfo | None) -> list[Access]:
    """Who was at the record, the newest day first; whoever came often on a day is said once."""
    found: dict[tuple[date, str, bool], Access] = {}
    for one in sorted(events, key=lambda one: str(one.get("recorded", "")), reverse=True):
        if (on := local_day(one.get("recorded"), zone)) is not None:
            who, wrote = _agent(one), one.get("action") in ("C", "U", "D")
            found.setdefault((on, who, wrote), Access(on, who, wrote, 0)).times += 1
    return list(found.values())


def _agent(event: Json) -> str:
    named = [agent.get("name") or agent.get("who", {}).get("display") for agent in event.get("agent", [])]
    return str(next(filter(None, named), ""))
