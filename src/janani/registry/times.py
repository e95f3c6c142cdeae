"""Instants as the Web API writes them (§1.3)."""

from datetime import datetime


def instant(at: datetime) -> str:
    """`at` to the millisecond and without zone: it is in the server's."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}"
