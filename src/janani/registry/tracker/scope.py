"""Which organisation units a search looks in, and what of it the user may see (reference §3.2, §3.9). Pure."""

from collections.abc import Sequence
from typing import Literal, get_args

from msgspec import Struct

from janani.registry.problems import Refusal
from janani.registry.tracker.actor import Actor
from janani.registry.tracker.catalogue import Catalogue, EntityType, Programme

Mode = Literal["SELECTED", "CHILDREN", "DESCENDANTS", "CAPTURE", "ACCESSIBLE", "ALL"]
_NEEDS_UNITS = ("SELECTED", "CHILDREN", "DESCENDANTS")


class Scope(Struct, frozen=True):
    """`units` are those asked for; `reach` and `closed_reach` those whose people the user may see, in open and in
    closed programmes. None means all.
    """

    units: frozenset[str] | None
    reach: frozenset[str] | None
    closed_reach: frozenset[str] | None

    def reach_of(self, program: Programme) -> frozenset[str] | None:
        """The units whose people in `program` the user may see."""
        return self.closed_reach if program.closed else self.reach


def scope_of(mode: str, units: Sequence[str], actor: Actor, catalogue: Catalogue) -> Scope:
    """The scope that orgUnits and orgUnitMode ask for.

    Raises Refusal: 400 for a mode that doesn't fit or a unit that is not there, 403 for what the user may not search.
    """
    chosen = mode or ("SELECTED" if units else "ACCESSIBLE")
    if chosen not in get_args(Mode):
        raise Refusal(400, f"Value '{chosen}' is not valid for parameter orgUnitMode.")
    if chosen in _NEEDS_UNITS and not units:
        raise Refusal(400, f"At least one org unit is required for orgUnitMode: {chosen}.")
    if chosen not in _NEEDS_UNITS and units:
        raise Refusal(400, f"orgUnitMode {chosen} cannot be used with orgUnits. Please remove them.")
    missing = [unit for unit in units if unit not in catalogue.org_units]
    if missing:
        raise Refusal(400, f"Organisation unit does not exist: {missing[0]}")
    outside = [unit for unit in units if not actor.reaches(unit)]
    if outside:
        raise Refusal(403, f"Organisation unit is not part of your search scope: {outside[0]}")
    if chosen == "ALL" and not actor.searches_everywhere:
        raise Refusal(403, "Current user is not authorized to query across all organisation units")
    reach = None if actor.searches_everywhere else actor.capture | actor.search
    closed = None if actor.everything else actor.capture
    return Scope(_asked(chosen, units, actor, catalogue), reach, closed)


def _asked(mode: str, units: Sequence[str], actor: Actor, catalogue: Catalogue) -> frozenset[str] | None:
    match mode:
        case "SELECTED":
            return frozenset(units)
        case "CHILDREN":
            return catalogue.children(units)
        case "DESCENDANTS":
            return catalogue.below(units)
        case "CAPTURE":
            return actor.capture
        case "ACCESSIBLE":
            return None if actor.everything else actor.capture | actor.search
        case _:
            return None


def readable_program(uid: str, actor: Actor, catalogue: Catalogue) -> Programme:
    """The programme `uid`, if the user may read its data. Raises Refusal (400 not there, 403 not allowed)."""
    program = catalogue.programs.get(uid)
    if program is None:
        raise Refusal(400, f"Program is specified but does not exist: {uid}")
    if program.uid not in readable_programs(actor, catalogue):
        raise Refusal(403, f"Current user is not authorized to read data from selected program: {uid}")
    return program


def readable_programs(actor: Actor, catalogue: Catalogue) -> dict[str, Programme]:
    """The programmes whose data (and whose people's type) the user may read (§9)."""
    return {
        uid: program
        for uid, program in catalogue.programs.items()
        if actor.may("data-read", program.sharing)
        and (not program.with_registration or program.entity_type in readable_types(actor, catalogue))
    }


def readable_types(actor: Actor, catalogue: Catalogue) -> dict[str, EntityType]:
    """The tracked entity types whose people the user may read."""
    return {uid: kind for uid, kind in catalogue.types.items() if actor.may("data-read", kind.sharing)}


def readable_stages(actor: Actor, catalogue: Catalogue) -> frozenset[str]:
    """The programme stages whose events the user may read."""
    programs = readable_programs(actor, catalogue)
    return frozenset(
        uid
        for uid, stage in catalogue.stages.items()
        if stage.program in programs and actor.may("data-read", stage.sharing)
    )
