"""Whether rows fit the value types, options and units of the data elements and attributes they name."""

from collections.abc import Iterator, Mapping

from janani.programmes import nearest
from janani.sync.mapping.table import Catalogue, Choice, Field, ObservationRow, Table, as_observation, repeated

Fault = tuple[str, str]
_INTEGERS = {"INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE"}
_TRUTHS = {"BOOLEAN", "TRUE_ONLY"}
_DATES = {"DATE", "DATETIME"}
KINDS = {
    "date": _DATES,
    "integer": _INTEGERS,
    "quantity": {*_INTEGERS, "NUMBER", "PERCENTAGE", "UNIT_INTERVAL"},
    "text": {"TEXT", "LONG_TEXT"},
}


def type_faults(table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    """(place, what is wrong) of rows that name a known field of the wrong type; unknown fields are not looked at."""
    for number, row in enumerate(table.observations):
        yield from _repeats(f"$.observations[{number}].repeats", row, table)
        for _, each in repeated(row):
            yield from _observation(f"$.observations[{number}]", each, table, catalogue)
    wanted: list[tuple[str, str, set[str]]] = []
    for number, panel in enumerate(table.panels):
        for part, component in enumerate(panel.components):
            place = f"$.panels[{number}].components[{part}]"
            yield from _observation(place, as_observation(component, panel), table, catalogue)
    for section in ("conditions", "medicines"):
        rows = enumerate(getattr(table, section))
        wanted += [(f"$.{section}[{number}].element", one.element, _TRUTHS) for number, one in rows]
    for number, dose in enumerate(table.immunizations):
        expected = _INTEGERS if dose.dose_number else _TRUTHS
        wanted.append((f"$.immunizations[{number}].element", dose.element, expected))
        if dose.lot:
            wanted.append((f"$.immunizations[{number}].lot", dose.lot, KINDS["text"]))
            if not dose.dose_number:
                yield f"$.immunizations[{number}].lot", "only a dose that is given now has a `lot`: `dose_number: true`"
        if not dose.dose_number and not dose.occurrence:
            yield f"$.immunizations[{number}]", "a row needs `occurrence` (when, in words) or `dose_number: true`"
    allergies = enumerate(table.allergies)
    wanted += [(f"$.allergies[{number}].element", one.element, KINDS["text"]) for number, one in allergies]
    wanted += [
        (f"$.referrals[{number}].when", one.when, _TRUTHS) for number, one in enumerate(table.referrals) if one.when
    ]
    if table.patient.deceased:
        wanted.append(("$.patient.deceased", table.patient.deceased, {*_TRUTHS, "DATE"}))
    for place, code, types in wanted:
        if code in catalogue.elements:
            yield from _typed(place, catalogue.elements[code], types)
    if table.patient.birth_date in catalogue.attributes:
        yield from _typed("$.patient.birth_date", catalogue.attributes[table.patient.birth_date], {"DATE"})
    yield from _choices(table, catalogue)


def _typed(place: str, field: Field, types: set[str]) -> Iterator[Fault]:
    if field.value_type not in types:
        yield place, f"{field.code} is {field.value_type}; expected {', '.join(sorted(types))}"


def _choices(table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    gender = table.patient.gender
    yield from _options("$.patient.gender.values", gender.values, catalogue.attributes.get(gender.attribute))
    for number, one in enumerate(table.referrals):
        place, elements = f"$.referrals[{number}]", catalogue.elements
        choice: Choice | None = one.priority
        if choice:
            yield from _options(f"{place}.priority.values", choice.values, elements.get(choice.element))
        yield from _options(f"{place}.clinic_units", one.clinic_units, elements.get(one.clinic))
    examiner = table.encounter.examiner
    field = catalogue.elements.get(examiner.element) if examiner else None
    if field and not field.options:
        yield "$.encounter.examiner.element", f"{field.code} has no option set"


def _options(place: str, named: Mapping[str, str], field: Field | None) -> Iterator[Fault]:
    for option in named if field else ():
        if field and option not in field.options:
            yield place, f"{field.code} has no option {option!r}; {nearest(option, field.options)}"


def _observation(place: str, row: ObservationRow, table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    if not (row.element or row.name):
        yield place, "a row needs `element`, or `name` for a derived value"
        return
    if row.value == "quantity" and not row.unit:
        yield place, "a quantity needs a `unit`"
    found = catalogue.elements.get(row.element or row.source)
    if found is None:
        return
    if row.value in KINDS:
        if found.value_type not in KINDS[row.value]:
            expected = ", ".join(sorted(KINDS[row.value]))
            yield f"{place}.value", f"{found.code} is {found.value_type}; {row.value!r} expects {expected}"
    elif not row.constant:
        yield from _mapped(f"{place}.value", row, found, table)


def _repeats(place: str, row: ObservationRow, table: Table) -> Iterator[Fault]:
    if row.repeats and not row.element:
        yield place, "only a row with `element` repeats"
    names = table.focus.names if table.focus else []
    if len(row.repeats) > len(names):
        yield place, f"repeats {len(row.repeats)} times, and `focus` has {len(names)} names"


def _mapped(place: str, row: ObservationRow, found: Field, table: Table) -> Iterator[Fault]:
    if row.value not in table.value_maps:
        yield place, f"no value map {row.value!r}; {nearest(row.value, [*KINDS, *table.value_maps])}"
        return
    texts = set(found.options) or {"TRUE_ONLY": {"true"}, "BOOLEAN": {"true", "false"}}.get(found.value_type, set())
    if not texts:
        yield place, f"{found.code} is {found.value_type} without options; a value map needs options or BOOLEAN"
    missing = texts - set(table.value_maps[row.value])
    if missing:
        yield place, f"value map {row.value!r} lacks {', '.join(sorted(missing))} of {found.code}"
