"""The mapping table read, and checked against the programme's metadata and code lists before anything starts."""

import re
from collections.abc import Iterator, Mapping
from datetime import time
from typing import Any
from zoneinfo import available_timezones

import msgspec

from janani.programmes import Programme, fault, nearest, read_yaml
from janani.sync.mapping.coverage import uses
from janani.sync.mapping.fitting import type_faults
from janani.sync.mapping.listed import code_faults
from janani.sync.mapping.table import FILE, Catalogue, Table, read_catalogue

Fault = tuple[str, str]
_PROGRAMME = "programme.yaml"
_IDENTIFIERS = {*("tracked_entity", "enrollment", "event", "value", "organisation_unit", "hin", "bundle")}
_RECORD_SYSTEMS = {"system_id", "practitioner"}


def read(programme: Programme) -> tuple[Table, Catalogue]:
    """The programme's mapping table and metadata, checked against each other.

    Raises ProgrammeFault that names the file, the line, what is wrong and what was expected.
    """
    table, catalogue, faults = inspect(programme)
    for file, place, text in faults:
        raise fault(programme.folder / file, place, text)
    return table, catalogue


def inspect(programme: Programme) -> tuple[Table, Catalogue, Iterator[tuple[str, str, str]]]:
    """The table, the metadata and (file, place in it, what is wrong) of everything that does not fit.

    Raises ProgrammeFault when a file can't be read at all, on the way through them too.
    """
    if programme.mapper != "table":
        text = f"this needs rows, which only the table has; the mapper is {programme.mapper!r}, not 'table'"
        raise fault(programme.folder / _PROGRAMME, "$.mapper", text)
    table: Table = read_yaml(programme.folder / FILE, Table)
    catalogue = read_catalogue(programme.folder / programme.registry.metadata)

    def faults() -> Iterator[tuple[str, str, str]]:
        yield from ((_PROGRAMME, place, text) for place, text in _role_faults(programme, catalogue))
        yield from ((FILE, place, text) for place, text in _faults(table, catalogue, programme))

    return table, catalogue, faults()


def _role_faults(programme: Programme, catalogue: Catalogue) -> Iterator[Fault]:
    """UIDs of programme.yaml that metadata.json lacks."""
    roles = programme.registry
    if roles.program not in catalogue.programs:
        yield "$.registry.program", _lacks("program", roles.program, catalogue.programs)
    elif catalogue.programs[roles.program] != roles.tracked_entity_type:
        yield "$.registry.tracked_entity_type", f"the program's type is {catalogue.programs[roles.program]}"
    for role, uid in roles.stages.items():
        if uid not in catalogue.stages:
            yield f"$.registry.stages.{role}", _lacks("program stage", uid, catalogue.stages)
    attributes = {field.uid for field in catalogue.attributes.values()}
    for role, uid in roles.attributes.items():
        if uid not in attributes:
            yield f"$.registry.attributes.{role}", _lacks("attribute with a code", uid, attributes)
    elements = {field.uid for field in catalogue.elements.values()}
    named = {f"elements.{role}": uid for role, uid in roles.elements.items()}
    named |= {f"risks[{number}].element": risk.element for number, risk in enumerate(roles.risks)}
    named |= {f"plausible[{number}].element": one.element for number, one in enumerate(roles.plausible)}
    for key, uid in named.items():
        if uid not in elements:
            yield f"$.registry.{key}", _lacks("data element with a code", uid, elements)
    for name in sorted(_RECORD_SYSTEMS - set(programme.record.systems)):
        yield "$.record.systems", f"the system {name!r} is missing"


def _lacks(what: str, uid: str, known: Any) -> str:
    return f"metadata.json has no {what} {uid!r}" + _meant(uid, known)


def _meant(word: str, known: Any) -> str:
    """The word that was probably meant; nothing when none is near: a programme has too many to list."""
    said = nearest(word, known)
    return f"; {said}" if said.startswith("did") or len(list(known)) <= 12 else ""


def _faults(table: Table, catalogue: Catalogue, programme: Programme) -> Iterator[Fault]:
    """(place in the file, what is wrong) of everything msgspec can't see."""
    yield from _plain_faults(table)
    for place, text in _written(msgspec.to_builtins(table), "$"):
        if said := _code_fault(text, table.systems):
            yield place, said
    yield from _name_faults(table, catalogue, programme)
    yield from type_faults(table, catalogue)
    for number, row in enumerate(table.patient.identifiers):
        if row.system not in programme.record.systems:
            said = f"programme.yaml names no system {row.system!r}" + _meant(row.system, programme.record.systems)
            yield f"$.patient.identifiers[{number}].system", said
        try:
            re.compile(row.form)
        except re.error as error:
            yield f"$.patient.identifiers[{number}].form", f"{row.form!r} is no regular expression: {error}"
    yield from _stage_faults(table, programme.registry.stages)
    yield from code_faults(programme.profiles, codes_of(table))


def _plain_faults(table: Table) -> Iterator[Fault]:
    if table.zone not in available_timezones():
        yield "$.zone", f"there is no time zone {table.zone!r}" + _meant(table.zone, available_timezones())
    if "ucum" not in table.systems:
        yield "$.systems", "the system `ucum` is missing: units are its codes"
    number = {"registration_number"} if table.episode.registration_number else set()
    for name in sorted((_IDENTIFIERS | number) - set(table.identifiers)):
        yield "$.identifiers", f"the system {name!r} is missing"
    try:
        time.fromisoformat(table.appointment.opens)
    except ValueError:
        yield "$.appointment.opens", f"{table.appointment.opens!r} is no time of day; expected one like 08:00"
    for state in sorted(set(table.encounter.clinical) - set(table.encounter.statuses)):
        said = f"an event in the state {state!r} has no Encounter: name it under `statuses`"
        yield "$.encounter.clinical", said + _meant(state, table.encounter.statuses)
    examiner = table.encounter.examiner
    if examiner and examiner.system not in table.systems:
        said = f"no system {examiner.system!r} under `systems`"
        yield "$.encounter.examiner.system", said + _meant(examiner.system, table.systems)
    if not table.patient.identifiers:
        yield "$.patient.identifiers", "at least one is needed: the first that a person has is the key of her Patient"


def _stage_faults(table: Table, stages: Mapping[str, str]) -> Iterator[Fault]:
    """Roles of stages that programme.yaml does not name."""
    named = {f"$.encounter.types.{role}": role for role in table.encounter.types}
    for number, request in enumerate(table.referrals):
        named[f"$.referrals[{number}].stage"] = request.stage
        named[f"$.referrals[{number}].answered_by"] = request.answered_by
    named |= {f"$.observations[{number}].stage": row.stage for number, row in enumerate(table.observations)}
    for place, role in named.items():
        if role and role not in stages:
            yield place, f"programme.yaml names no stage {role!r}" + _meant(role, stages)
    for stage in stages:
        if stage not in table.encounter.types:
            yield "$.encounter.types", f"the stage {stage!r} has no type"


def codes_of(table: Table) -> Iterator[tuple[str, str, str]]:
    """(place, code system, code) of every code that the table writes."""
    for place, text in _written(msgspec.to_builtins(table), "$"):
        system, _, rest = text.partition("#")
        if system in table.systems:
            yield place, table.systems[system], rest.partition("|")[0]


_CODE_KEYS = {"code", "type", "class", "reason", "relationship", "interpretation", "constant", "none_code"}
_NOT_CODES = re.compile(r"^\$\.(referrals\[\d+\]\.reason$|systems\.|identifiers\.|provinces\.)")


def _written(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """(place, what is written) wherever a code is expected."""
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from _written(child, f"{place}[{number}]")
    elif isinstance(node, dict):
        for key, child in node.items():
            inside = f"{place}.{key}"
            texts = child if isinstance(child, list) else [child]
            coded = key in _CODE_KEYS or ".value_maps." in place or place == "$.encounter.types"
            if coded and all(isinstance(text, str) for text in texts):
                yield from ((inside, text) for text in texts if text and not _NOT_CODES.match(inside))
            else:
                yield from _written(child, inside)


def _code_fault(text: str, systems: Mapping[str, str]) -> str:
    """What is wrong with a written code; "" when nothing is."""
    system, mark, rest = text.partition("#")
    if not mark or not rest.partition("|")[0]:
        return f"{text!r} is no code; expected system#code|display"
    if system not in systems:
        return f"no system {system!r} under `systems`" + (_meant(system, systems) or f"; expected {', '.join(systems)}")
    return ""


def _name_faults(table: Table, catalogue: Catalogue, programme: Programme) -> Iterator[Fault]:
    """Codes of data elements and attributes that metadata.json lacks, or that no stage asks for."""
    stages = [catalogue.stages.get(uid, frozenset()) for uid in programme.registry.stages.values()]
    asked: frozenset[str] = frozenset().union(*stages)
    for use in uses(table):
        known = catalogue.attributes if use.attribute else catalogue.elements
        if use.code not in known:
            what = "attribute" if use.attribute else "data element"
            yield use.place, f"metadata.json has no {what} with code {use.code!r}" + _meant(use.code, known)
        elif not use.attribute and known[use.code].uid not in asked:
            yield use.place, f"no stage of the programme asks for {use.code}"
