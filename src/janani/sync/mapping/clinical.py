"""Rows of the table as functions from an event to a clinical resource, compiled once.

A function shares its constant parts (code, category, profile) between all the resources it makes: nobody changes a
resource after it was made.
"""

from collections.abc import Callable

from janani.sync.mapping import values
from janani.sync.mapping.model import Frame, Piece, profiled
from janani.sync.mapping.table import (
    AllergyRow,
    Catalogue,
    ConditionRow,
    ImmunizationRow,
    MedicineRow,
    ObservationRow,
    PanelRow,
    Table,
    codes,
)
from janani.sync.mapping.values import Json, Unfit, coding, concept

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_ALLERGY_VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

Value = Callable[[str], Json]


def compile_pieces(table: Table, catalogue: Catalogue, stages: dict[str, str]) -> list[Piece]:
    """Every clinical row of the table as a function, in the table's order. `stages` is {role: UID}."""
    return [
        *(_observation(row, table, catalogue, stages) for row in table.observations),
        *(_panel(panel, table, catalogue) for panel in table.panels),
        *(_condition(row, table, catalogue) for row in table.conditions),
        *(_medicine(row, table, catalogue) for row in table.medicines),
        *(_immunization(row, table, catalogue) for row in table.immunizations),
        *(_allergy(row, table, catalogue) for row in table.allergies),
    ]


def _observation(row: ObservationRow, table: Table, catalogue: Catalogue, stages: dict[str, str]) -> Piece:
    value = _constant(row, table) if row.constant else _value(row, table)
    frame_of = _observation_frame(
        row.profile or table.observation_profile, row.category, concept(row.code, table.systems, row.text), table
    )
    marks = {"interpretation": [concept(row.interpretation, table.systems)]} if row.interpretation else {}
    if row.name:
        text_of = _derived(row, catalogue, stages)
        name = row.name
    else:
        uid = name = catalogue.elements[row.element].uid

        def text_of(frame: Frame) -> str | None:
            return frame.values.get(uid)

    def build(frame: Frame) -> Json | None:
        text = text_of(frame)
        return None if text is None else frame_of(frame) | value(text) | marks

    return Piece(name, row.element or row.name, build)


def _derived(row: ObservationRow, catalogue: Catalogue, stages: dict[str, str]) -> Callable[[Frame], str | None]:
    """The text a derived row works on: a later date of another element, or anything at all in its stage."""
    stage = stages.get(row.stage, "")
    if not row.source:
        return lambda frame: "" if frame.stage == stage else None
    source, days = catalogue.elements[row.source].uid, row.days
    unless = catalogue.elements[row.unless].uid if row.unless else ""

    def text_of(frame: Frame) -> str | None:
        text = frame.values.get(source)
        return None if text is None or unless in frame.values else values.days_later(text, days)

    return text_of


def _observation_frame(profile: str, category: str, code: Json, table: Table) -> Callable[[Frame], Json]:
    constant = {
        "resourceType": "Observation",
        **profiled(profile, table),
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
        "code": code,
    }

    def frame_of(frame: Frame) -> Json:
        return constant | {
            "subject": frame.subject,
            "encounter": frame.encounter,
            "effectiveDateTime": frame.effective,
            "performer": [frame.performer],
            "device": frame.device,
        }

    return frame_of


def _constant(row: ObservationRow, table: Table) -> Value:
    value = {"valueCodeableConcept": concept(row.constant, table.systems)}
    return lambda _: value


def _value(row: ObservationRow, table: Table) -> Value:
    if row.value == "quantity":
        quantity = _quantity(row.unit, table, row.divide_by, row.decimals)
        return lambda text: {"valueQuantity": quantity(text)}
    if row.value == "integer":
        return lambda text: {"valueInteger": values.integer(text)}
    if row.value == "date":
        return lambda text: {"valueDateTime": values.day(text)}
    if row.value == "text":
        return lambda text: {"valueString": values.text_of(text)}
    chosen = {text: _coded(written, table) for text, written in table.value_maps[row.value].items()}

    def choose(text: str) -> Json:
        if text not in chosen:
            raise Unfit("not one of the options")
        return chosen[text]

    return choose


def _coded(written: str, table: Table) -> Json:
    found = concept(written, table.systems)
    absent = found["coding"][0]["system"] == _ABSENT
    return {"dataAbsentReason": found} if absent else {"valueCodeableConcept": found}


def _quantity(unit: str, table: Table, divide_by: float = 0, decimals: int = 0) -> Value:
    members = values.unit(unit, table.systems["ucum"])

    def quantity(text: str) -> Json:
        number = values.number(text)
        return {"value": round(number / divide_by, decimals) if divide_by else number, **members}

    return quantity


def _panel(panel: PanelRow, table: Table, catalogue: Catalogue) -> Piece:
    frame_of = _observation_frame(panel.profile, panel.category, concept(panel.code, table.systems, panel.text), table)
    parts = [
        (
            catalogue.elements[row.element].uid,
            {"code": concept(row.code, table.systems, row.text)},
            _quantity(row.unit, table),
        )
        for row in panel.components
    ]

    def build(frame: Frame) -> Json | None:
        given = [(code, quantity, frame.values[uid]) for uid, code, quantity in parts if uid in frame.values]
        components = [code | {"valueQuantity": quantity(text)} for code, quantity, text in given]
        return frame_of(frame) | {"component": components} if components else None

    return Piece(panel.name, panel.name, build)


def _condition(row: ConditionRow, table: Table, catalogue: Catalogue) -> Piece:
    uid = catalogue.elements[row.element].uid
    constant = {
        "resourceType": "Condition",
        **profiled(table.condition_profile, table),
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]},
        "category": [{"coding": [{"system": _CONDITION_CATEGORY, "code": "problem-list-item"}]}],
        "code": concept(row.code, table.systems, row.text),
    }

    def build(frame: Frame) -> Json | None:
        text = frame.values.get(uid)
        if text is None or not values.truth(text):
            return None
        recorder = {"recorder": frame.recorder} if frame.recorder else {}
        links = {"subject": frame.subject, "encounter": frame.encounter, "recordedDate": frame.recorded}
        return constant | links | recorder

    return Piece(uid, row.element, build)


def _medicine(row: MedicineRow, table: Table, catalogue: Catalogue) -> Piece:
    uid = catalogue.elements[row.element].uid
    medicine = concept(codes(row.code), table.systems, row.text)

    def build(frame: Frame) -> Json | None:
        text = frame.values.get(uid)
        status = "" if text is None else row.taken if values.truth(text) else row.not_taken
        if not status:
            return None
        return {
            "resourceType": "MedicationStatement",
            "status": status,
            "medicationCodeableConcept": medicine,
            "subject": frame.subject,
            "context": frame.encounter,
            "effectiveDateTime": frame.effective,
            "dateAsserted": frame.recorded,
            "informationSource": frame.performer,
        }

    return Piece(uid, row.element, build)


def _immunization(row: ImmunizationRow, table: Table, catalogue: Catalogue) -> Piece:
    uid = catalogue.elements[row.element].uid
    constant = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": concept(row.code, table.systems, row.text),
    }

    def build(frame: Frame) -> Json | None:
        text = frame.values.get(uid)
        if text is None or (not row.dose_number and not values.truth(text)):
            return None
        links = {"patient": frame.subject, "encounter": frame.encounter, "recorded": frame.recorded}
        if not row.dose_number:
            return constant | links | {"occurrenceString": row.occurrence, "primarySource": False}
        dose = values.integer(text)
        if dose < 1:
            raise Unfit("a dose number is 1 or more")
        given = {
            "occurrenceDateTime": frame.effective,
            "primarySource": True,
            "performer": [{"actor": frame.performer}],
        }
        return constant | links | given | {"protocolApplied": [{"doseNumberPositiveInt": dose}]}

    return Piece(uid, row.element, build)


def _allergy(row: AllergyRow, table: Table, catalogue: Catalogue) -> Piece:
    uid = catalogue.elements[row.element].uid
    nothing = {word.casefold() for word in row.none}
    constant = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": _ALLERGY_CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _ALLERGY_VERIFIED, "code": "unconfirmed"}]},
        "type": "allergy",
    }
    none = {"code": {"coding": [coding(row.none_code, table.systems)], "text": row.none_code.partition("|")[2]}}

    def build(frame: Frame) -> Json | None:
        text = frame.values.get(uid)
        if text is None:
            return None
        words = values.text_of(text)
        is_none = words.rstrip(".").casefold() in nothing
        recorder = {"recorder": frame.recorder} if frame.recorder else {}
        links = {"patient": frame.subject, "encounter": frame.encounter, "recordedDate": frame.recorded}
        claimed = {} if is_none else profiled(row.profile, table)
        return constant | claimed | (none if is_none else {"code": {"text": words}}) | links | recorder

    return Piece(uid, row.element, build)
