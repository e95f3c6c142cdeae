"""The mapping table as typed values: the shape of `mapping.yaml` and of the metadata it is checked against.

The file's own comments say what each key means.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct, field

from janani.programmes import ProgrammeFault

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
    form: str = ""


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
    deceased: str = ""


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
    examiner: Examiner | None = None


class EpisodeTemplate(Strict, frozen=True):
    """The EpisodeOfCare of an enrolment."""

    statuses: dict[str, str]
    type: str
    registration_number: str = ""


class AppointmentTemplate(Strict, frozen=True):
    """The Appointment of a scheduled event."""

    statuses: dict[str, str]
    opens: str
    minutes: int
    reason: str


class AgentTemplate(Strict, frozen=True):
    """One part in a Provenance: the code of who plays it."""

    type: str


class ProvenanceTemplate(Strict, frozen=True):
    """The Provenance of an event or enrolment: who entered it in the registry, and the registry that passed it on."""

    enterer: AgentTemplate
    assembler: AgentTemplate


class ReferralTemplate(Strict, frozen=True):
    """A ServiceRequest made of several elements of one event; with `task` (a profile) a Task follows it up."""

    stage: str
    profile: str
    intent: str
    code: str
    text: str
    task: str = ""
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
    repeats: list[str] = []
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


class FocusTemplate(Strict, frozen=True):
    """What an Observation of a repeated element is about; `names` are of the second and those after it."""

    resource: str
    system: str
    names: list[str]


def repeated(row: ObservationRow) -> Iterator[tuple[str, ObservationRow]]:
    """(number, row) of the row itself, whose number is "", and of each element that repeats it: 2, 3, …"""
    yield "", row
    for number, element in enumerate(row.repeats, 2):
        yield str(number), msgspec.structs.replace(row, element=element, repeats=[])


class ComponentRow(Strict, frozen=True):
    """A component of a panel."""

    element: str
    code: str
    text: str
    value: str = "quantity"
    unit: str = ""


class PanelRow(Strict, frozen=True):
    """One Observation with components."""

    name: str
    profile: str
    category: str
    code: str
    text: str
    components: list[ComponentRow]
    by_code: bool = True


def as_observation(part: ComponentRow, panel: PanelRow) -> ObservationRow:
    """The row of a component as that of an Observation of its own: its value is read and written alike."""
    return ObservationRow(
        code=part.code, category=panel.category, element=part.element, text=part.text, value=part.value, unit=part.unit
    )


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
    lot: str = ""


class AllergyRow(Strict, frozen=True):
    """An AllergyIntolerance from text."""

    element: str
    profile: str
    none: list[str]
    none_code: str


class Table(Strict, frozen=True, kw_only=True):
    """The whole mapping table."""

    namespace: UUID
    zone: str
    profiles: str
    systems: dict[str, str]
    identifiers: dict[str, str]
    value_maps: dict[str, dict[str, str]] = {}
    patient: PatientTemplate
    provinces: dict[str, list[str]] = {}
    practitioner: PlainTemplate
    organization: OrganizationTemplate
    location: PlainTemplate
    device: DeviceTemplate
    encounter: EncounterTemplate
    episode: EpisodeTemplate
    appointment: AppointmentTemplate
    provenance: ProvenanceTemplate | None = None
    referrals: list[ReferralTemplate] = []
    focus: FocusTemplate | None = None
    observation_profile: str = ""
    observations: list[ObservationRow] = []
    panels: list[PanelRow] = []
    condition_profile: str = ""
    conditions: list[ConditionRow] = []
    medicines: list[MedicineRow] = []
    immunizations: list[ImmunizationRow] = []
    allergies: list[AllergyRow] = []


class Field(Struct, frozen=True):
    """A data element or attribute of the programme."""

    uid: str
    code: str
    value_type: str
    options: dict[str, str]


class Catalogue(Struct, frozen=True):
    """The programme's data elements and attributes by code; options are {code: name}.

    `stages` is {UID of a programme stage: UIDs of its data elements}, `programs` {UID: UID of its tracked entity type}.
    """

    elements: dict[str, Field]
    attributes: dict[str, Field]
    stages: dict[str, frozenset[str]] = {}
    programs: dict[str, str] = {}


def codes(written: str | list[str]) -> list[str]:
    """One code or several, as a list."""
    return [written] if isinstance(written, str) else written


def read_catalogue(path: Path) -> Catalogue:
    """The data elements and attributes of the metadata package at `path`. Raises ProgrammeFault."""
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

    stages = {
        stage.id: frozenset(one.dataElement.id for one in stage.programStageDataElements)
        for stage in package.programStages
    }
    programs = {one.id: one.trackedEntityType.id for one in package.programs if one.trackedEntityType}
    return Catalogue(fields(package.dataElements), fields(package.trackedEntityAttributes), stages, programs)


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


class _StageElement(Struct):
    dataElement: _Ref


class _Stage(Struct):
    id: str
    programStageDataElements: list[_StageElement] = []


class _Program(Struct):
    id: str
    trackedEntityType: _Ref | None = None


class _Package(Struct):
    dataElements: list[_Field]
    trackedEntityAttributes: list[_Field]
    optionSets: list[_OptionSet] = []
    options: list[_Option] = []
    programStages: list[_Stage] = []
    programs: list[_Program] = []
