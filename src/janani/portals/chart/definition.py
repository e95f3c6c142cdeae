"""`chart.yaml`, typed and checked when the portals start."""

from typing import Any

from msgspec import Struct

from janani import programmes
from janani.programmes import Programme

Json = dict[str, Any]


class Code(Struct, frozen=True, forbid_unknown_fields=True):
    """A code in its system."""

    system: str
    code: str


class Pregnancy(Struct, frozen=True, forbid_unknown_fields=True):
    """Which observations say when she became pregnant and when she is due, and which Encounter that it is over."""

    last_period: Code
    due_date: list[str]
    length_days: int
    longest_weeks: int
    birth: str


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a chart: an observation's value, or that of one of its components."""

    name: str
    code: str
    component: str = ""


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """A value worth a line across the chart."""

    at: float
    says: str


class ChartDefinition(Struct, frozen=True, forbid_unknown_fields=True):
    """A chart over gestational weeks."""

    title: str
    unit: str
    lines: list[Line]
    limits: list[Limit] = []


class Shown(Struct, frozen=True, forbid_unknown_fields=True):
    """A newest value shown by itself."""

    label: str
    code: str


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """An observation the doctor can add; `least` and `most` catch slips of the finger."""

    key: str
    label: str
    profile: str
    category: str
    code: Json
    unit: str
    ucum: str
    least: float
    most: float


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What a number may be, to catch slips of the finger."""

    key: str
    label: str
    least: float
    most: float


class BloodPressure(Struct, frozen=True, forbid_unknown_fields=True):
    """How a blood pressure is written."""

    profile: str
    category: str
    code: Json
    systolic: Json
    diastolic: Json
    unit: str
    ucum: str
    limits: list[Limits]


class Note(Struct, frozen=True, forbid_unknown_fields=True):
    """How a note is written."""

    profile: str
    category: str
    code: Json


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """One of a short list."""

    key: str
    label: str
    system: str
    code: str


class Diagnosis(Struct, frozen=True, forbid_unknown_fields=True):
    """How a diagnosis is written, and those offered."""

    profile: str
    clinical_status: str
    verification_status: str
    category: Json
    choices: list[Choice]


class Medicine(Struct, frozen=True, forbid_unknown_fields=True):
    """The medicines offered."""

    choices: list[Choice]


class AppointmentDefinition(Struct, frozen=True, forbid_unknown_fields=True, rename={"starts": "from", "ends": "to"}):
    """How an appointment is written: the clinic's hours on that day."""

    service: Json
    starts: str
    ends: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Organization, Location and Device that stand behind what is written here."""

    organization: Json
    location: Json
    device: Json


class Definition(Struct, frozen=True, forbid_unknown_fields=True):
    """All of chart.yaml."""

    pregnancy: Pregnancy
    charts: list[ChartDefinition]
    header: list[Shown]
    mother: list[Shown]
    words: dict[str, str]
    no_allergies: str
    form_system: str
    encounter: Json
    source: Source
    observations: list[Measured]
    blood_pressure: BloodPressure
    note: Note
    diagnosis: Diagnosis
    medicine: Medicine
    appointment: AppointmentDefinition


def definition(programme: Programme) -> Definition:
    """The programme's chart. Raises ProgrammeFault with file and line."""
    found: Definition = programmes.read_yaml(programme.folder / "chart.yaml", Definition)
    return found
