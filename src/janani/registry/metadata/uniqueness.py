"""Attributes that become unique, or unique within another space, when people have values of them already."""

from typing import Any

import asyncpg

from janani.registry.metadata.importer import Fault, Plan
from janani.registry.metadata.snapshot import SQL, Snapshot

Json = dict[str, Any]
_KIND = "trackedEntityAttributes"


def rescoped(found: Plan, snapshot: Snapshot) -> list[Json]:
    """The written attributes whose values may repeat elsewhere than before. Pure."""
    return [
        one for kind, one in found.written if kind == _KIND and _space(one) != _space(snapshot.get(_KIND, one["id"]))
    ]


def _space(attribute: Json | None) -> str:
    """Where a value may stand only once; empty: it may repeat."""
    if not attribute or not attribute.get("unique"):
        return ""
    return "unit" if attribute.get("orgunitScope") else "registry"


async def faults(pool: asyncpg.Pool, found: Plan, snapshot: Snapshot) -> list[Fault]:
    """What keeps attributes from being unique (E5003): how many values repeat, not which or whose."""
    wrong = []
    for one in rescoped(found, snapshot):
        if not _space(one):
            continue
        count = await SQL.repeated_values(pool, attribute=one["id"], by_unit=_space(one) == "unit")
        if count:
            text = f"Property `unique` can't be set: {count} value(s) of this attribute stand more than once."
            wrong.append(Fault(_KIND, one["id"], "E5003", text, "unique"))
    return wrong


async def settle(connection: asyncpg.Connection, attributes: list[Json]) -> None:
    """Says of every stored value of these attributes where it may stand only once.

    Raises asyncpg.UniqueViolationError when one repeats there.
    """
    for one in attributes:
        await SQL.forget_spaces(connection, attribute=one["id"])
        if _space(one):
            await SQL.fill_spaces(connection, attribute=one["id"], by_unit=_space(one) == "unit")
