"""A tracked entity to FHIR by the programme's table (`mapping.yaml`): read, checked, compiled once to plain functions.

    mapper = compile(programme)
    mapped = mapper.map(tracked_entity, context)

Output is deterministic: the same tracked entity and context give the same bytes.
"""

from janani.sync.mapping.mapper import Mapper, compile
from janani.sync.mapping.model import Context, Entry, LeftOut, Mapped, Unit, User

__all__ = ["Context", "Entry", "LeftOut", "Mapped", "Mapper", "Unit", "User", "compile"]
