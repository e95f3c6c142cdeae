"""Which data elements and attributes the table names, where, and which it does not."""

from collections.abc import Iterator

from msgspec import Struct

from janani.sync.mapping.table import Catalogue, Field, Table


class Use(Struct, frozen=True):
    """One place of the table that names a data element or an attribute by its code; `place` as in a fault."""

    place: str
    code: str
    attribute: bool = False


class Coverage(Struct, frozen=True):
    """How much of the programme the table carries: `named` of `total` fields; the others are `missing`."""

    named: int
    total: int
    missing: list[Field]

    @property
    def percent(self) -> float:
        """0 to 100; 100 for a programme without fields."""
        return 100 * self.named / self.total if self.total else 100.0


def uses(table: Table) -> Iterator[Use]:
    """Every mention of a data element or attribute, in the table's order."""
    yield from _person_uses(table)
    if table.encounter.examiner:
        yield Use("$.encounter.examiner.element", table.encounter.examiner.element)
    for number, request in enumerate(table.referrals):
        place = f"$.referrals[{number}]"
        named = {"when": request.when, "reason": request.reason, "clinic": request.clinic}
        named["priority.element"] = request.priority.element if request.priority else ""
        yield from (Use(f"{place}.{key}", code) for key, code in named.items() if code)
        yield from (Use(f"{place}.reason_texts[{part}]", code) for part, code in enumerate(request.reason_texts))
    for number, row in enumerate(table.observations):
        for key, code in (("element", row.element), ("from", row.source), ("unless", row.unless)):
            if code:
                yield Use(f"$.observations[{number}].{key}", code)
        yield from (Use(f"$.observations[{number}].repeats[{part}]", code) for part, code in enumerate(row.repeats))
    for number, panel in enumerate(table.panels):
        for part, component in enumerate(panel.components):
            yield Use(f"$.panels[{number}].components[{part}].element", component.element)
    for section in ("conditions", "medicines", "immunizations", "allergies"):
        for number, one in enumerate(getattr(table, section)):
            yield Use(f"$.{section}[{number}].element", one.element)
            if lot := getattr(one, "lot", ""):
                yield Use(f"$.{section}[{number}].lot", lot)


def _person_uses(table: Table) -> Iterator[Use]:
    person = table.patient
    for number, identifier in enumerate(person.identifiers):
        yield Use(f"$.patient.identifiers[{number}].attribute", identifier.attribute, True)
    named = {
        "name": person.name,
        "birth_date": person.birth_date,
        "gender.attribute": person.gender.attribute,
        "phone": person.phone,
        "address": person.address,
        "contact.name": person.contact.name,
        "contact.phone": person.contact.phone,
    }
    yield from (Use(f"$.patient.{key}", code, True) for key, code in named.items() if code)
    if person.deceased:
        yield Use("$.patient.deceased", person.deceased)
    if table.episode.registration_number:
        yield Use("$.episode.registration_number", table.episode.registration_number, True)


def coverage(table: Table, catalogue: Catalogue) -> Coverage:
    """What of the catalogue the table names, and what it leaves in the registry."""
    named = {(use.attribute, use.code) for use in uses(table)}
    fields = [(False, one) for one in catalogue.elements.values()]
    fields += [(True, one) for one in catalogue.attributes.values()]
    missing = [field for attribute, field in fields if (attribute, field.code) not in named]
    return Coverage(len(fields) - len(missing), len(fields), missing)
