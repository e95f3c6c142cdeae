"""A tracked entity to FHIR by the programme's table (`mapping.yaml`): read, checked, compiled once to plain functions.

    mapper = mapper_of(programme)
    mapped = mapper.map(tracked_entity, context)

Output is deterministic: the same tracked entity and context give the same bytes. A programme may bring its own script
in place of the table (`mapper: jsonnet` or `python`); what needs rows asks for the table by `compile`.
"""

from typing import Any, Protocol

from janani.programmes import Programme
from janani.sync.mapping.mapper import Mapper, compile
from janani.sync.mapping.model import Context, Digests, Entry, LeftOut, Mapped, NotMapped, Unit, User


class AnyMapper(Protocol):
    """What maps people of one programme, whatever it is written in.

    Attributes:
        fields: what of a tracked entity it needs, as the Web API's `fields`.
        reads: as what it takes that best: dict, or a type that holds no more.
    """

    programme: Programme
    bundles: str
    fields: str

    @property
    def reads(self) -> type[Any]: ...

    def map(self, person: Any, context: Context) -> Mapped:
        """Everything the record should hold of `person` (dict, bytes, or `reads`).

        Raises NotMapped, msgspec.ValidationError.
        """
        ...

    def concerns(self, person: Any) -> bool:
        """Whether the tracked entity is enrolled in this programme."""
        ...

    def device(self, context: Context) -> list[Entry]:
        """The Device of the registry and what it refers to. Raises NotMapped."""
        ...


def mapper_of(programme: Programme) -> AnyMapper:
    """The mapper that programme.yaml names. Raises ProgrammeFault with file and line."""
    if programme.mapper == "jsonnet":
        from janani.sync.mapping.jsonnet import jsonnet_mapper

        return jsonnet_mapper(programme)
    if programme.mapper == "python":
        from janani.sync.mapping.python import python_mapper

        return python_mapper(programme)
    return compile(programme)


__all__ = [
    "AnyMapper",
    "Context",
    "Digests",
    "Entry",
    "LeftOut",
    "Mapped",
    "Mapper",
    "NotMapped",
    "Unit",
    "User",
    "compile",
    "mapper_of",
]
