"""The mapping table read, and checked against the programme's metadata before anything starts."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from janani.programmes import Programme, fault_at, read_yaml
from janani.sync.mapping.table import FILE, Catalogue, Field, ObservationRow, Table, read_catalogue

Fault = tuple[str, str]
_KINDS = {
    "date": {"DATE", "DATETIME"},
    "integer": {"INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE"},
    "quantity": {"INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE", "NUMBER"},
    "text": {"TEXT", "LONG_TEXT"},
}


def read(programme: Programme) -> tuple[Table, Catalogue]:
    """The programme's mapping table and metadata, checked against each other.

    Raises ProgrammeFault that names the file, the line, what is wrong and what was expected.
    """
    path = programme.folder / FILE
    table: Table = read_yaml(path, Table)
    catalogue = read_catalogue(programme.folder / programme.registry.metadata)
    for place, text in _faults(table, catalogue, programme):
        raise fault_at(path, place, text)
    return table, catalogue


def _faults(table: Table, catalogue: Catalogue, programme: Programme) -> Iterator[Fault]:
    """(place in the file, what is wrong) of everything msgspec can't see."""
    yield from _code_faults(msgspec.to_builtins(table), table.systems, "$")
    yield from _name_faults(table, catalogue)
    yield from _value_faults(table, catalogue)
    for number, row in enumerate(table.patient.identifiers):
        if row.system not in programme.record.systems:
            yield f"$.patient.identifiers[{number}].system", f"programme.yaml names no system {row.system!r}"
    stages = programme.registry.stages
    for number, request in enumerate(table.referrals):
        if request.stage not in stages:
            yield f"$.referrals[{number}].stage", f"programme.yaml names no stage {request.stage!r}"
    for stage in stages:
        if stage not in table.encounter.types:
            yield "$.encounter.types", f"the stage {stage!r} has no type"


_CODE_KEYS = {"code", "type", "class", "reason", "relationship", "interpretation", "constant", "none_code"}


def _code_faults(node: Any, systems: Mapping[str, str], place: str) -> Iterator[Fault]:
    """Codes whose system is not named under `systems`."""
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from _code_faults(child, systems, f"{place}[{number}]")
    elif isinstance(node, dict):
        for key, child in node.items():
            inside = f"{place}.{key}"
            texts = child if isinstance(child, list) else [child]
            if (key in _CODE_KEYS or ".value_maps." in place) and all(isinstance(text, str) for text in texts):
                for text in texts:
                    system, mark, _ = text.partition("#")
                    if mark and system not in systems:
                        yield inside, f"no system {system!r} under `systems`; expected one of {', '.join(systems)}"
            else:
                yield from _code_faults(child, systems, inside)


def _name_faults(table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    """Codes of data elements and attributes that metadata.json lacks."""
    for section in ("observations", "conditions", "medicines", "immunizations", "allergies"):
        for number, row in enumerate(getattr(table, section)):
            for key in ("element", "source", "unless"):
                name = getattr(row, key, "")
                if name and name not in catalogue.elements:
                    yield f"$.{section}[{number}]", f"metadata.json has no data element with code {name!r}"
    for number, panel in enumerate(table.panels):
        for part, component in enumerate(panel.components):
            if component.element not in catalogue.elements:
                place = f"$.panels[{number}].components[{part}].element"
                yield place, f"metadata.json has no data element with code {component.element!r}"
    for number, request in enumerate(table.referrals):
        wanted = [request.when, request.reason, request.clinic, *request.reason_texts]
        wanted += [request.priority.element] if request.priority else []
        for name in filter(None, wanted):
            if name not in catalogue.elements:
                yield f"$.referrals[{number}]", f"metadata.json has no data element with code {name!r}"
    person = table.patient
    plain = {
        "name": person.name,
        "birth_date": person.birth_date,
        "gender": person.gender.attribute,
        "phone": person.phone,
        "address": person.address,
    }
    for key, name in plain.items():
        if name not in catalogue.attributes:
            yield f"$.patient.{key}", f"metadata.json has no attribute with code {name!r}"
    for number, identifier in enumerate(person.identifiers):
        if identifier.attribute not in catalogue.attributes:
            place = f"$.patient.identifiers[{number}].attribute"
            yield place, f"metadata.json has no attribute with code {identifier.attribute!r}"


def _value_faults(table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    """Rows whose value does not fit the element's type, its options or its unit."""
    for number, row in enumerate(table.observations):
        place = f"$.observations[{number}]"
        if not (row.element or row.name):
            yield place, "a row needs `element`, or `name` for a derived value"
            continue
        if row.value == "quantity" and not row.unit:
            yield place, "a quantity needs a `unit`"
        name = row.element or row.source
        if not name:
            continue
        found = catalogue.elements[name]
        if row.value in _KINDS and found.value_type not in _KINDS[row.value]:
            expected = ", ".join(sorted(_KINDS[row.value]))
            yield f"{place}.value", f"{name} is {found.value_type}; {row.value!r} expects {expected}"
        elif row.value not in _KINDS:
            yield from _map_faults(f"{place}.value", row, found, table)


def _map_faults(place: str, row: ObservationRow, found: Field, table: Table) -> Iterator[Fault]:
    if row.value not in table.value_maps:
        kinds = ", ".join([*_KINDS, *table.value_maps])
        yield place, f"no value map {row.value!r}; expected one of {kinds}"
        return
    texts = set(found.options) or {"TRUE_ONLY": {"true"}}.get(found.value_type, {"true", "false"})
    missing = texts - set(table.value_maps[row.value])
    if missing:
        yield place, f"value map {row.value!r} lacks {', '.join(sorted(missing))} of {found.code}"
