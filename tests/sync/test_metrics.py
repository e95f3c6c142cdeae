"""What Prometheus reads from the sync, and the rules that stand on it."""

import re
from pathlib import Path
from typing import Any

import yaml

from janani.kernel.telemetry import metrics
from janani.sync.metrics import REGISTRY, Metrics

DOCS = Path(__file__).parents[2] / "docs" / "reference"
NAME = re.compile(r"\bjanani_sync_\w+")


def told() -> Metrics:
    """Metrics after a little of everything."""
    kept = Metrics()
    kept.carried("record", "out", "delivered", 0.12)
    kept.carried("record", "out", "set_aside")
    kept.carried(REGISTRY, "back", "brought", 2.0)
    waiting: dict[str, Any] = {"target": "record", "waiting": 3, "lag (s)": 12.5, "set aside": 1}
    kept.states([waiting], {"waiting": 1, "lag (s)": 0.5, "set aside": 2, "conflicts open": 4})
    kept.breakers({"registry": "closed", "record": "open"})
    kept.trouble.labels(REGISTRY, "out").set(0)
    return kept


def test_each_is_told_by_target_and_direction() -> None:
    lines = metrics(told().registry).decode().splitlines()
    for line in (
        'janani_sync_people_total{direction="out",outcome="delivered",target="record"} 1.0',
        'janani_sync_people_total{direction="out",outcome="set_aside",target="record"} 1.0',
        'janani_sync_people_total{direction="back",outcome="brought",target="registry"} 1.0',
        'janani_sync_people_total{direction="back",outcome="set_aside",target="registry"} 0.0',
        'janani_sync_seconds_bucket{direction="out",le="0.1",target="record"} 0.0',
        'janani_sync_seconds_bucket{direction="out",le="0.15",target="record"} 1.0',
        'janani_sync_seconds_count{direction="out",target="record"} 1.0',
        'janani_sync_waiting{direction="out",target="record"} 3.0',
        'janani_sync_waiting{direction="back",target="registry"} 1.0',
        'janani_sync_lag_seconds{direction="out",target="record"} 12.5',
        'janani_sync_dead{direction="back",target="registry"} 2.0',
        'janani_sync_breaker{server="registry"} 0.0',
        'janani_sync_breaker{server="record"} 2.0',
        "janani_sync_conflicts 4.0",
        "janani_sync_slot_lag_megabytes 0.0",
    ):
        assert line in lines, line


def test_every_metric_of_the_rules_and_of_their_page_is_told_and_every_rule_is_explained() -> None:
    exposed = set(NAME.findall(metrics(told().registry).decode()))
    [group] = yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"]
    page = (DOCS / "alerts.md").read_text()
    assert set(NAME.findall(page)) <= exposed
    for rule in group["rules"]:
        assert set(NAME.findall(rule["expr"])) <= exposed, rule["alert"]
        assert f"| `{rule['alert']}` |" in page
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
