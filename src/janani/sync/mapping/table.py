"""The mapping table as typed values: `mapping.yaml` read, and checked against the programme's metadata.

The file's own comments say what each key means.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, field

from janani.programmes import Programme, ProgrammeFault, fault_at, read_yaml

FILE = "mapping.yaml"


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the table; unknown keys are refused."""


class IdentifierRow(Strict, frozen=True):
    """One identifier of the Patient; `system` is named in programme.yaml."""

    attribute: str
    system: str
    use: str
    type: str = ""
    text: str = ""


class Choice(Strict, frozen=True):
    """A code chosen by an attribute's or element's option."""

    values: dict[str, str]
    attribute: str = ""
    element: str = ""
    otherwise: str = ""


class ContactRow(Strict, frozen=True):
    """Patient.contact."""

    name: str
    phone: str
    relationship: str


class PatientTemplate(Strict, frozen=True):
    """The Patient."""

    profile: str
    registration_extension: str
    identifiers: list[IdentifierRow]
    name: str
    birth_date: str
    gender: Choice
    phone: str
    address: str
    contact: ContactRow


class PlainTemplate(Strict, frozen=True):
    """Practitioner and Location."""

    profile: str


class Hin(Strict, frozen=True):
    """How an institution's number is marked."""

    type: str
    text: str


class OrganizationTemplate(Strict, frozen=True):
    """The Organization of an organisation unit."""

    profile: str
    hin: Hin


class DeviceTemplate(Strict, frozen=True):
    """The Device that stands for the registry."""

    profile: str
    type: str
    version_text: str
    status: str


class Examiner(Strict, frozen=True):
    """The element whose option says who examined."""

    element: str
    system: str


class EncounterTemplate(Strict, frozen=True):
    """The Encounter of an event."""

    profile: str
    kind: str = field(name="class")
    statuses: dict[str, str]
    clinical: list[str]
    reason: str
    reason_text: str
    types: dict[str, str]
    examiner: Examiner


class EpisodeTemplate(Strict, frozen=True):
    """The EpisodeOfCare of an enrolment."""

    statuses: dict[str, str]
    type: str
    registration_number: str


class AppointmentTemplate(Strict, frozen=True):
    """The Appointment of a scheduled event."""

    statuses: dict[str, str]
    opens: str
    minutes: int
    reason: str


class ReferralTemplate(Strict, frozen=True):
    """A ServiceRequest made of several elements of one event."""

    stage: str
    profile: str
    intent: str
    code: str
    text: str
    when: str = ""
    answered_by: str = ""
    priority: Choice | None = None
    reason: str = ""
    reason_texts: list[str] = []
    clinic: str = ""
    clinic_units: dict[str, str] = {}


class ObservationRow(Strict, frozen=True):
    """An Observation: of an element, or (with `name`) derived `from` one or constant for a `stage`."""

    code: str | list[str]
    category: str
    element: str = ""
    name: str = ""
    source: str = field(name="from", default="")
    days: int = 0
    unless: str = ""
    stage: str = ""
    constant: str = ""
    text: str = ""
    value: str = ""
    unit: str = ""
    divide_by: float = 0
    decimals: int = 0
    profile: str = ""
    interpretation: str = ""


class ComponentRow(Strict, frozen=True):
    """A component of a panel."""

    element: str
    code: str
    text: str
    unit: str


class PanelRow(Strict, frozen=True):
    """One Observation with components."""

    name: str
    profile: str
    category: str
    code: str
    text: str
    components: list[ComponentRow]


class ConditionRow(Strict, frozen=True):
    """A Condition when true."""

    element: str
    code: str | list[str]
    text: str


class MedicineRow(Strict, frozen=True):
    """A MedicationStatement with the status `taken` or `not_taken`."""

    element: str
    code: str | list[str]
    text: str
    taken: str
    not_taken: str = ""


class ImmunizationRow(Strict, frozen=True):
    """An Immunization of the past, or a dose given now."""

    element: str
    code: str | list[str]
    text: str
    occurrence: str = ""
    dose_number: bool = False


class AllergyRow(Strict, frozen=True):
    """An AllergyIntolerance from text."""

    element: str
    profile: str
    none: list[str]
    none_code: str


class Table(Strict, frozen=True):
    """The whole mapping table."""

    namespace: UUID
    zone: str
    profiles: str
    systems: dict[str, str]
    identifiers: dict[str, str]
    value_maps: dict[str, dict[str, str]]
    patient: PatientTemplate
    provinces: dict[str, list[str]]
    practitioner: PlainTemplate
    organization: OrganizationTemplate
    location: PlainTemplate
    device: DeviceTemplate
    encounter: EncounterTemplate
    episode: EpisodeTemplate
    appointment: AppointmentTemplate
    referrals: list[ReferralTemplate]
    observation_profile: str
    observations: list[ObservationRow]
    panels: list[PanelRow]
    condition_profile: str
    conditions: list[ConditionRow]
    medicines: list[MedicineRow]
    immunizations: list[ImmunizationRow]
    allergies: list[AllergyRow]


class Field(Struct, frozen=True):
    """A data element or attribute of the programme."""

    uid: str
    code: str
    value_type: str
    options: dict[str, str]


class Catalogue(Struct, frozen=True):
    """The programme's data elements and attributes by code; options are {code: name}."""

    elements: dict[str, Field]
    attributes: dict[str, Field]


def read(programme: Programme) -> tuple[Table, Catalogue]:
    """The programme's mapping table and metadata, checked against each other.

    Raises ProgrammeFault that names the file, the line, what is wrong and what was expected.
    """
    path = programme.folder / FILE
    table: Table = read_yaml(path, Table)
    catalogue = _catalogue(programme.folder / programme.registry.metadata)
    for place, text in _faults(table, catalogue, programme):
        raise fault_at(path, place, text)
    return table, catalogue


def codes(written: str | list[str]) -> list[str]:
    """One code or several, as a list."""
    return [written] if isinstance(written, str) else written


def _catalogue(path: Path) -> Catalogue:
    try:
        package = msgspec.json.decode(path.read_bytes(), type=_Package)
    except (OSError, msgspec.DecodeError) as error:
        raise ProgrammeFault(f"{path}:1  {error}") from error
    names = {option.id: (option.code, option.name) for option in package.options}
    sets = {one.id: dict(names[option.id] for option in one.options) for one in package.optionSets}

    def fields(objects: list[_Field]) -> dict[str, Field]:
        return {
            one.code: Field(one.id, one.code, one.valueType, sets[one.optionSet.id] if one.optionSet else {})
            for one in objects
            if one.code
        }

    return Catalogue(fields(package.dataElements), fields(package.trackedEntityAttributes))


class _Ref(Struct):
    id: str


class _Option(Struct):
    id: str
    code: str
    name: str


class _OptionSet(Struct):
    id: str
    options: list[_Ref] = []


class _Field(Struct):
    id: str
    valueType: str
    code: str = ""
    optionSet: _Ref | None = None


class _Package(Struct):
    dataElements: list[_Field]
    trackedEntityAttributes: list[_Field]
    optionSets: list[_OptionSet] = []
    options: list[_Option] = []


Fault = tuple[str, str]
_KINDS = {
    "date": {"DATE", "DATETIME"},
    "integer": {"INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE"},
    "quantity": {"INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE", "NUMBER"},
    "text": {"TEXT", "LONG_TEXT"},
}


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
