"""What the door asks of its neighbours: a validator on every write, an auditor on every access.

`janani.record.validation` gives the `Validator`, `janani.record.authorization` the `Auditor`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import asyncpg
from msgspec import Struct

from janani.record.actor import Actor
from janani.record.problems import Issue


class Access(Struct, frozen=True):
    """One thing that was done to one resource, or one search.

    Args:
        action: of AuditEvent.action: C create, R read, U update, D delete, E execute (a search).
        interaction: of code system restful-interaction: read, vread, create, update, search-type, history-instance …
        type: resource type; `id` and `version` are empty for a search.
        patients: logical ids of the Patients whose compartment it touches (a search: those it returned).
        query: names (not values) of the search parameters used.
    """

    action: Literal["C", "R", "U", "D", "E"]
    interaction: str
    type: str
    id: str = ""
    version: int = 0
    patients: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


class Validator(Protocol):
    """Checks one resource against R4 and the profiles it claims; pure."""

    def validate(self, resource: dict[str, Any], said: Mapping[str, bytes] | None = None) -> list[Issue]:
        """Every finding, errors and warnings; an empty list when there is nothing to say.

        `said` is the JSON of elements as they were sent: what is equal in it was found the same.
        """
        ...


class Auditor(Protocol):
    """Writes what was accessed so that the person concerned can read it."""

    async def record(self, connection: asyncpg.Connection, actor: Actor, accesses: Sequence[Access]) -> None:
        """Called within the transaction of a write, or right after a read on a connection of its own.

        One call a request, with all of its accesses: write them as a set.
        """
        ...

    async def settle(self, connection: asyncpg.Connection) -> int:
        """Makes AuditEvent resources of what was recorded until now; called before they are read."""
        ...
