"""Counters for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Gauge as Level


class Metrics:
    """What the sync counts. Labels are targets and outcomes, never people."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.people = Counter(
            "janani_sync_people",
            "People carried, by target and outcome.",
            ["target", "outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "janani_sync_seconds",
            "From noticing a change to the record's acknowledgement (s).",
            ["target"],
            buckets=(0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 30, 300, 3600),
            registry=self.registry,
        )
        self.waiting = Level("janani_sync_waiting", "People waiting.", registry=self.registry)
        self.lag = Level("janani_sync_lag_seconds", "How long the first has waited (s).", registry=self.registry)
        self.dead = Level("janani_sync_dead", "People set aside.", registry=self.registry)
        self.slot_lag = Level(
            "janani_sync_slot_lag_megabytes", "Log that DHIS2's database keeps for feed cdc.", registry=self.registry
        )
