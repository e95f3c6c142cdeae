"""The import report, as DHIS2 writes it (reference §2.4). Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct, field

from janani.registry.tracker.codes import sentence
from janani.registry.tracker.payload import TYPES, TrackerType
from janani.registry.tracker.rules.check import Fault

ReportMode = Literal["FULL", "ERRORS", "WARNINGS"]


class Tally(Struct):
    """What became of the objects of one type, in the order they were sent."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def stats(self) -> dict[str, int]:
        """The counts DHIS2 calls stats."""
        counts = {name: len(getattr(self, name)) for name in ("created", "updated", "deleted", "ignored")}
        return counts | {"total": sum(counts.values())}


def refused(objects: Sequence[tuple[TrackerType, str]], faults: Sequence[Fault], mode: ReportMode) -> dict[str, Any]:
    """The report when nothing was stored: everything ignored, and no `bundleReport`."""
    stats = {"created": 0, "updated": 0, "deleted": 0, "ignored": len(objects), "total": len(objects)}
    return {"status": "ERROR", "validationReport": _validation(faults, mode), "stats": stats}


def done(
    tallies: dict[TrackerType, Tally], faults: Sequence[Fault], mode: ReportMode, timings: dict[str, str]
) -> dict[str, Any]:
    """The report when what is valid was stored (or would be, for VALIDATE)."""
    errors, warnings = _split(faults)
    report: dict[str, Any] = {
        "status": "ERROR" if errors else "WARNING" if warnings else "OK",
        "validationReport": _validation(faults, mode),
        "stats": _sum(tally.stats() for tally in tallies.values()),
        "bundleReport": {"typeReportMap": {type_: _type_report(type_, tallies[type_]) for type_ in TYPES}},
    }
    return report | ({"timingsStats": {"timers": timings}} if mode == "FULL" else {})


def _type_report(type_: TrackerType, tally: Tally) -> dict[str, Any]:
    stored = (*tally.created, *tally.updated, *tally.deleted)
    objects = [{"trackerType": type_, "uid": uid, "errorReports": []} for uid in stored]
    return {"trackerType": type_, "stats": tally.stats(), "objectReports": objects}


def _sum(all_stats: Iterable[dict[str, int]]) -> dict[str, int]:
    total = {"created": 0, "updated": 0, "deleted": 0, "ignored": 0, "total": 0}
    for stats in all_stats:
        total = {name: total[name] + stats[name] for name in total}
    return total


def _split(faults: Sequence[Fault]) -> tuple[list[Fault], list[Fault]]:
    return [one for one in faults if not one.warning], [one for one in faults if one.warning]


def _validation(faults: Sequence[Fault], mode: ReportMode) -> dict[str, Any]:
    errors, warnings = _split(faults)
    shown = [] if mode == "ERRORS" else warnings
    return {"errorReports": [_line(one) for one in errors], "warningReports": [_line(one) for one in shown]}


def _line(fault: Fault) -> dict[str, Any]:
    return {
        "message": sentence(fault.code, fault.args),
        "errorCode": fault.code,
        "trackerType": fault.type,
        "uid": fault.uid,
        "args": list(fault.args),
    }
