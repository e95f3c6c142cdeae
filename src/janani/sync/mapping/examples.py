"""A generated example of every row, with every option of its value, to hold against the record's validator."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from janani.programmes import Programme
from janani.sync.mapping.cases import Event, context, tracked_entity
from janani.sync.mapping.mapper import Mapper
from janani.sync.mapping.model import LeftOut
from janani.sync.mapping.table import Catalogue, Field, Table
from janani.sync.mapping.values import Json

_DAY = date(2026, 1, 15)
_TEXTS = {
    "BOOLEAN": ["true", "false"],
    "TRUE_ONLY": ["true"],
    "DATE": ["2025-06-15"],
    "AGE": ["2025-06-15"],
    "DATETIME": ["2025-06-15T08:30:00.000"],
    "NUMBER": ["1.5", "12"],
    "PERCENTAGE": ["50"],
    "UNIT_INTERVAL": ["0.5"],
    "INTEGER": ["3"],
    "INTEGER_POSITIVE": ["3"],
    "INTEGER_ZERO_OR_POSITIVE": ["0", "3"],
    "INTEGER_NEGATIVE": ["-3"],
    "PHONE_NUMBER": ["0112345678"],
    "LONG_TEXT": ["An example.\nWith a second line."],
}
_OTHER_STATES = ("ACTIVE", "SCHEDULE", "SKIPPED")
_SECTIONS = {
    "Patient": "$.patient",
    "EpisodeOfCare": "$.episode",
    "Encounter": "$.encounter",
    "Appointment": "$.appointment",
    "Provenance": "$.provenance",
    "ServiceRequest": "$.referrals",
    "Task": "$.referrals",
    "Device": "$.device",
    "Organization": "$.organization",
    "Location": "$.location",
    "Practitioner": "$.practitioner",
}


def examples(mapper: Mapper) -> Iterator[tuple[str, Json | LeftOut]]:
    """(place in the table, resource that its row makes or value it could not carry), until all texts had a turn."""
    table, catalogue = mapper.table, mapper.catalogue
    places = _places(table, catalogue)
    for turn in range(_turns(catalogue)):
        person = _person(mapper.programme, table, catalogue, turn)
        mapped = mapper.map(person, context(table))
        for entry in mapped.entries:
            name = _own_name(entry.resource, table.identifiers["value"])
            yield places.get(name, _SECTIONS.get(entry.resource["resourceType"], "$")), entry.resource
        for left in mapped.left_out:
            yield places.get(left.field, "$"), left


def rows(table: Table, catalogue: Catalogue) -> set[str]:
    """Places of all rows of which there should be an example."""
    return {*_places(table, catalogue).values()}


def _turns(catalogue: Catalogue) -> int:
    fields = [*catalogue.elements.values(), *catalogue.attributes.values()]
    return max((len(_texts(field)) for field in fields), default=2)


def _texts(field: Field) -> list[str]:
    return list(field.options) or _TEXTS.get(field.value_type, ["Example"])


def _person(programme: Programme, table: Table, catalogue: Catalogue, turn: int) -> Json:
    """Everybody's every value: one event of each stage with all its data elements, and others planned or begun."""
    attributes: dict[str, Any] = {code: _turn(field, turn) for code, field in catalogue.attributes.items()}
    attributes |= _known_attributes(table)
    elements = {field.uid: field for field in catalogue.elements.values()}
    hidden = {row.unless for row in table.observations} if turn % 2 else set()
    nothing = {row.element: row.none[0] for row in table.allergies if row.none} if turn % 2 else {}
    events = []
    for role, uid in programme.registry.stages.items():
        held = [elements[one] for one in sorted(catalogue.stages.get(uid, ())) if one in elements]
        values = {one.code: nothing.get(one.code) or _turn(one, turn) for one in held if one.code not in hidden}
        events.append(Event(role, _DAY, values))
        events += [Event(role, _DAY, status=status) for status in _OTHER_STATES]
    return tracked_entity(programme, catalogue, attributes, events)


def _known_attributes(table: Table) -> dict[str, Any]:
    """Texts for what a Patient is made of, as a person might have them."""
    person = table.patient
    district = next((one for districts in table.provinces.values() for one in districts), "Town")
    found: dict[str, Any] = {row.attribute: f"20000123456{number}" for number, row in enumerate(person.identifiers)}
    found |= {person.name: "Example Person", person.address: f"1 Example Road, {district}"}
    found |= {person.birth_date: "1995-06-15", person.phone: "0712345678"}
    return {code: text for code, text in found.items() if code}


def _turn(field: Field, turn: int) -> str:
    texts = _texts(field)
    return texts[turn % len(texts)]


def _own_name(resource: Json, system: str) -> str:
    own = next((one["value"] for one in resource.get("identifier", ()) if one.get("system") == system), "")
    return str(own).partition("-")[2]


def _places(table: Table, catalogue: Catalogue) -> dict[str, str]:
    """Where the row stands that gives the identifier `{event}-{name}`, by name (also by code, for what is left out)."""
    found: dict[str, str] = {}
    for section in ("observations", "conditions", "medicines", "immunizations", "allergies"):
        for number, row in enumerate(getattr(table, section)):
            place = f"$.{section}[{number}]"
            name = getattr(row, "name", "") or catalogue.elements[row.element].uid
            found |= {name: place, row.element: place}
            for code in getattr(row, "repeats", ()):
                found |= {catalogue.elements[code].uid: place, code: place}
    for number, panel in enumerate(table.panels):
        found[panel.name] = f"$.panels[{number}]"
        found |= {one.element: f"$.panels[{number}]" for one in panel.components}
    return found
