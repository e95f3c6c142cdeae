"""Counters and levels for Prometheus, by target and direction: "out" to the record, "back" to the registry.

Rules that stand on them: `docs/reference/alerts.yaml`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Gauge as Level

REGISTRY = "registry"
_BREAKER = {"closed": 0, "half-open": 1, "open": 2}
_BY = ("target", "direction")


class Metrics:
    """What the sync counts. Labels are targets, directions and outcomes, never people."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        known = self.registry
        self.people = Counter(
            "janani_sync_people",
            "People (out) or documents (back) carried, by outcome.",
            [*_BY, "outcome"],
            registry=known,
        )
        self.seconds = Histogram(
            "janani_sync_seconds",
            "From noticing a change to the other side's acknowledgement (s).",
            _BY,
            buckets=(0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 30, 300, 3600),
            registry=known,
        )
        self.waiting = Level("janani_sync_waiting", "How many wait.", _BY, registry=known)
        self.lag = Level("janani_sync_lag_seconds", "How long the first of them has waited (s).", _BY, registry=known)
        self.dead = Level("janani_sync_dead", "How many were set aside.", _BY, registry=known)
        self.breaker = Level(
            "janani_sync_breaker",
            "0: the server answers, 1: it is being tried, 2: it is away.",
            ["server"],
            registry=known,
        )
        self.trouble = Level(
            "janani_sync_feed_trouble",
            "1: somebody must do something about a feed, or it could not be read for ten minutes.",
            _BY,
            registry=known,
        )
        self.conflicts = Level("janani_sync_conflicts", "Values that wait for a person's decision.", registry=known)
        self.slot_lag = Level(
            "janani_sync_slot_lag_megabytes", "Log that DHIS2's database keeps for feed cdc (MB).", registry=known
        )

    def carried(self, target: str, direction: str, outcome: str, seconds: float | None = None) -> None:
        """One was carried, or not; `seconds` since it was noticed when that is over."""
        self.people.labels(target, direction, outcome).inc()
        if seconds is not None:
            self.seconds.labels(target, direction).observe(seconds)

    def states(self, targets: Iterable[Mapping[str, Any]], back: Mapping[str, Any] | None) -> None:
        """Takes over what the tables say: of each target, and of the way back where there is one."""
        rows = [(one["target"], "out", one) for one in targets] + ([(REGISTRY, "back", back)] if back else [])
        for target, direction, row in rows:
            self.waiting.labels(target, direction).set(row["waiting"])
            self.lag.labels(target, direction).set(row["lag (s)"])
            self.dead.labels(target, direction).set(row["set aside"])
            self.people.labels(target, direction, "set_aside")  # told from 0 on, else its first rise is not seen
        self.conflicts.set(back["conflicts open"] if back else 0)

    def breakers(self, states: Mapping[str, str]) -> None:
        """Takes over the state of the gate before each server."""
        for server, state in states.items():
            self.breaker.labels(server).set(_BREAKER[state])
