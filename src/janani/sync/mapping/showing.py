"""The table as lines that a person can read: what is read, and what it becomes."""

from collections.abc import Iterator

from msgspec import Struct

from janani.sync.mapping.table import ObservationRow, Table, as_observation, codes


class Line(Struct, frozen=True):
    """One row in words."""

    reads: str
    resource: str
    code: str
    value: str


def lines(table: Table) -> Iterator[Line]:
    """Every row, the person first, in the table's order."""
    yield from _person(table)
    if table.encounter.examiner:
        yield Line(table.encounter.examiner.element, "Encounter.participant", "", "option")
    for request in table.referrals:
        named = [request.when, request.priority.element if request.priority else "", request.reason]
        named += [*request.reason_texts, request.clinic]
        kinds = "ServiceRequest, Task" if request.task else "ServiceRequest"
        yield Line(", ".join(filter(None, named)), kinds, _plain(request.code), f"in {request.stage}")
    for row in table.observations:
        yield Line(_source(row), "Observation", _plain(row.code), _value(row))
    for panel in table.panels:
        yield Line(panel.name, "Observation", _plain(panel.code), "components:")
        for one in panel.components:
            yield Line(f"  {one.element}", "", _plain(one.code), _value(as_observation(one, panel)))
    for condition in table.conditions:
        yield Line(condition.element, "Condition", _plain(condition.code), "when true")
    for medicine in table.medicines:
        said = f"true: {medicine.taken}" + (f", false: {medicine.not_taken}" if medicine.not_taken else "")
        yield Line(medicine.element, "MedicationStatement", _plain(medicine.code), said)
    for dose in table.immunizations:
        said = (
            "dose number" + (f", lot: {dose.lot}" if dose.lot else "")
            if dose.dose_number
            else f"when true: {dose.occurrence}"
        )
        yield Line(dose.element, "Immunization", _plain(dose.code), said)
    for allergy in table.allergies:
        yield Line(allergy.element, "AllergyIntolerance", "", "text")


def _person(table: Table) -> Iterator[Line]:
    person = table.patient
    for row in person.identifiers:
        yield Line(row.attribute, "Patient.identifier", row.system, row.use)
    named = {
        "name": person.name,
        "birthDate": person.birth_date,
        "gender": person.gender.attribute,
        "telecom": person.phone,
        "address": person.address,
        "contact.name": person.contact.name,
        "contact.telecom": person.contact.phone,
        "deceased": person.deceased,
    }
    yield from (Line(code, f"Patient.{part}", "", "") for part, code in named.items() if code)
    if table.episode.registration_number:
        yield Line(table.episode.registration_number, "EpisodeOfCare.identifier", "", "")


def _source(row: ObservationRow) -> str:
    if not row.name:
        return ", ".join([row.element, *row.repeats])
    if not row.source:
        return f"({row.name}, in {row.stage})"
    return f"({row.name}: {row.source}" + (f" + {row.days} days" if row.days else "") + ")"


def _value(row: ObservationRow) -> str:
    if row.constant:
        return _plain(row.constant)
    divided = f" (÷ {row.divide_by:g})" if row.divide_by else ""
    return f"{row.value} {row.unit.partition('|')[0]}".strip() + divided


def _plain(written: str | list[str]) -> str:
    """Codes with the words of the first: `loinc#718-7 Hemoglobin`."""
    first, *others = codes(written)
    more = "".join(f" + {one.partition('|')[0]}" for one in others)
    return first.replace("|", " ", 1) + more
