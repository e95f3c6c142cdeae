"""Who is right about a value that the registry and the record may both have changed. Pure."""

import re
from datetime import datetime
from typing import Literal

from janani.sync.back.definition import Rule

Verdict = Literal["same", "registry", "record", "ask"]


_WITH_FRACTION = re.compile(r"-?\d+\.\d*")


def plain(text: str) -> str:
    """`text` as both sides would write it: the 24.0 of the registry is the 24 that the record gives back."""
    return text.rstrip("0").rstrip(".") if _WITH_FRACTION.fullmatch(text) else text


def judge(
    base: str | None,
    registry: str | None,
    record: str | None,
    rule: Rule,
    registry_at: datetime | None,
    record_at: datetime | None,
) -> Verdict:
    """Whose word stands. None stands for "says nothing".

    Args:
        base: what both last agreed on.
        rule: decides only when both differ from it.
        registry_at, record_at: when each was changed; without both, `newest` asks.
    """
    base, registry, record = (None if text is None else plain(text) for text in (base, registry, record))
    if registry == record:
        return "same"
    if registry == base:
        return "record"
    if record == base:
        return "registry"
    if rule == "newest":
        if registry_at is None or record_at is None:
            return "ask"
        return "record" if record_at > registry_at else "registry"
    return rule
