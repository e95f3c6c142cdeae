"""Clinical rows of the table as the source of functions from an event's values to resources.

Every row becomes one function, and `clinical` calls those whose data element the event has: what a row costs it costs
only where there is a value. In the source `e` is the Visit (see model), `text` the value as DHIS2 keeps it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from janani.sync.mapping import values
from janani.sync.mapping.model import profiled
from janani.sync.mapping.table import (
    AllergyRow,
    Catalogue,
    ConditionRow,
    ImmunizationRow,
    MedicineRow,
    ObservationRow,
    PanelRow,
    Table,
    as_observation,
    codes,
    repeated,
)
from janani.sync.mapping.template import Hole, Inside, Splice, expression
from janani.sync.mapping.values import Json, coding, concept

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_ALLERGY_VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

_UNSAFE = re.compile(r"[^A-Za-z0-9-]")  # in an identifier that stands in URLs and JSON as it is

_CLINICAL_SOURCE = """def clinical(e, leave):
    wanted = [*OF_STAGE.get(e.stage, ())]
    for rows in map(OF_VALUE.get, e.values):
        if rows:
            wanted += rows
    wanted.sort()  # the table's order
    held, last = e.values.get, -1
    for number in wanted:
        if number == last:  # a panel has several values
            continue
        last = number
        uid, kind, name, field, make = ROWS[number]
        try:
            body = make(e, held(uid))
        except Unfit as unfit:
            leave(field, unfit)
        else:
            if body is not None:
                yield kind, name, body
"""


class Piece(Struct, frozen=True):
    """The source of one row.

    Attributes:
        kind: the resource type.
        name: ends the identifier `{event}-{name}`.
        field: code of the data element, or the row's name; for what is left out.
        function, define: name and source of the row's function of the Visit and the first value's text; it gives the
            resource's text, or None when there is nothing to say.
        uids: data elements one of which must have a value; none: once for each event of `stage`.
        stage: UID of a stage, or "".
    """

    kind: str
    name: str
    field: str
    function: str
    define: str
    uids: tuple[str, ...]
    stage: str = ""


def clinical_source(table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> Iterator[str]:
    """Parts of the module: value maps, one function for each clinical row, and `clinical`. `stages` is {role: UID}."""
    for name, written in table.value_maps.items():
        members = {text: _coded(one, table) for text, one in written.items()}
        lines = [f"    {text!r}: {',' + values.json_text(one)[1:-1]!r},\n" for text, one in members.items()]
        yield f"{_map_name(name)} = {{\n{''.join(lines)}}}\n"
    pieces = list(_Rows(table, catalogue, stages).pieces())
    yield from (piece.define for piece in pieces)
    rows = [
        f"    ({next(iter(one.uids), '')!r}, {one.kind!r}, {_safe(one.name)!r}, {one.field!r}, {one.function}),\n"
        for one in pieces
    ]
    yield f"# first data element, type, name, for what is left out, function\nROWS = [\n{''.join(rows)}]\n"
    of_value: dict[str, list[int]] = {}
    of_stage: dict[str, list[int]] = {}
    for number, piece in enumerate(pieces):
        for key in piece.uids:
            of_value.setdefault(key, []).append(number)
        if not piece.uids:
            of_stage.setdefault(piece.stage, []).append(number)
    yield "# the rows of a data element, and of a stage\n" + _rows("OF_VALUE", of_value) + _rows("OF_STAGE", of_stage)
    yield _CLINICAL_SOURCE


def _rows(name: str, held: Mapping[str, list[int]]) -> str:
    return f"{name} = {{\n" + "".join(f"    {key!r}: {rows!r},\n" for key, rows in held.items()) + "}\n"


def _safe(name: str) -> str:
    return _UNSAFE.sub("-", name)


def _map_name(name: str) -> str:
    return "MAP_" + _word(name)


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


class _Rows:
    """Makes the sources; each method is one kind."""

    def __init__(self, table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> None:
        self._table, self._elements, self._stages = table, catalogue.elements, stages

    def pieces(self) -> Iterator[Piece]:
        """Every row, in the table's order."""
        table = self._table
        yield from (self._observation(row, number) for each in table.observations for number, row in repeated(each))
        yield from (self._panel(row) for row in table.panels)
        yield from (self._condition(row) for row in table.conditions)
        yield from (self._medicine(row) for row in table.medicines)
        yield from (self._immunization(row) for row in table.immunizations)
        yield from (self._allergy(row) for row in table.allergies)

    def _resource(self, name: str, resource: Json) -> str:
        """The source of the text of `resource`, whose identifier is that of the event with the row's `name`."""
        value = Inside("e.plain", f"-{_safe(name)}")
        return expression(resource | {"identifier": [{"system": self._table.identifiers["value"], "value": value}]})

    def _concept(self, written: str | list[str], text: str = "") -> Json:
        return concept(written, self._table.systems, text)

    def _element(self, kind: str, row: Any, body: str) -> Piece:
        """A row of one data element; `body` is the inside of its function."""
        uid, function = self._elements[row.element].uid, f"{_word(kind).lower()}_{_word(row.element)}"
        define = f"def {function}(e, text):\n{body}"
        return Piece(kind, uid, row.element, function, define, (uid,))

    def _observation(self, row: ObservationRow, number: str) -> Piece:
        profile = row.profile or self._table.observation_profile
        resource = self._observed(profile, row.category, self._concept(row.code, row.text)) | self._value(row)
        if row.interpretation:
            resource["interpretation"] = [self._concept(row.interpretation)]
        if number:
            resource["focus"] = [self._focus(number)]
        body = f"    return {self._resource(row.name or self._elements[row.element].uid, resource)}\n"
        if not row.name:
            return self._element("Observation", row, body)
        function = f"observation_{_word(row.name)}"
        if not row.source:
            define, stage = f"def {function}(e, text):\n{body}", self._stages.get(row.stage, "")
            return Piece("Observation", row.name, row.name, function, define, (), stage)
        unless = f"    if {self._elements[row.unless].uid!r} in e.values:\n        return None\n" if row.unless else ""
        define = f"def {function}(e, text):\n{unless}    text = days_later(text, {row.days})\n{body}"
        return Piece("Observation", row.name, row.name, function, define, (self._elements[row.source].uid,))

    def _focus(self, number: str) -> Json:
        focus = self._table.focus
        assert focus  # checked before start
        value = Hole(f'quoted(e.enrollment + "-{number}")')
        return {
            "type": focus.resource,
            "identifier": {"system": focus.system, "value": value},
            "display": focus.names[int(number) - 2],
        }

    def _observed(self, profile: str, category: str, code: Json) -> Json:
        return {
            "resourceType": "Observation",
            **profiled(profile, self._table),
            "status": "final",
            "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
            "code": code,
            "": Splice("e.observed"),
        }

    def _value(self, row: ObservationRow) -> Json:
        if row.constant:
            return {"valueCodeableConcept": self._concept(row.constant)}
        if row.value == "quantity":
            return {"valueQuantity": self._quantity(row.unit, row.divide_by, row.decimals)}
        if row.value == "integer":
            return {"valueInteger": Hole("integer(text)")}
        if row.value == "date":
            return {"valueDateTime": Hole("quoted(day(text))")}
        if row.value == "text":
            return {"valueString": Hole("quoted(text_of(text))")}
        return {"value": Splice(f"chosen({_map_name(row.value)}, text)")}

    def _quantity(self, unit: str, divide_by: float = 0, decimals: int = 0) -> Json:
        call = f"divided(text, {divide_by!r}, {decimals})" if divide_by else "decimal(text)"
        return {"value": Hole(call), **values.unit(unit, self._table.systems["ucum"])}

    def _panel(self, panel: PanelRow) -> Piece:
        function, lines, uids = f"panel_{_word(panel.name)}", [], []
        for row in panel.components:
            uid = self._elements[row.element].uid
            part = {"code": self._concept(row.code, row.text), **self._value(as_observation(row, panel))}
            lines.append(
                f"    if (text := get({uid!r})) is not None:\n        given.append({expression(part, ' ' * 12)})\n"
            )
            uids.append(uid)
        resource = self._observed(panel.profile, panel.category, self._concept(panel.code, panel.text))
        resource["component"] = [Hole('",".join(given)')]
        start = f"def {function}(e, text):\n    get, given = e.values.get, []\n"
        define = f"{start}{''.join(lines)}    return {self._resource(panel.name, resource)}\n"
        return Piece("Observation", panel.name, panel.name, function, define, tuple(uids))

    def _condition(self, row: ConditionRow) -> Piece:
        resource = {
            "resourceType": "Condition",
            **profiled(self._table.condition_profile, self._table),
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
            "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed"}]},
            "category": [{"coding": [{"system": _CONDITION_CATEGORY, "code": "problem-list-item"}]}],
            "code": self._concept(row.code, row.text),
            "subject": Hole("e.subject"),
            "": Splice("e.diagnosed"),
        }
        made = self._resource(self._elements[row.element].uid, resource)
        return self._element("Condition", row, f"    if not truth(text):\n        return None\n    return {made}\n")

    def _medicine(self, row: MedicineRow) -> Piece:
        def stated(status: str) -> str:
            resource = {
                "resourceType": "MedicationStatement",
                "status": status,
                "medicationCodeableConcept": self._concept(codes(row.code), row.text),
                "": Splice("e.stated"),
            }
            return self._resource(self._elements[row.element].uid, resource) if status else "None"

        body = f"    if truth(text):\n        return {stated(row.taken)}\n    return {stated(row.not_taken)}\n"
        return self._element("MedicationStatement", row, body)

    def _immunization(self, row: ImmunizationRow) -> Piece:
        uid = self._elements[row.element].uid
        resource: Json = {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": self._concept(row.code, row.text),
            "patient": Hole("e.subject"),
            "encounter": Hole("e.encounter"),
            "recorded": Hole("e.recorded"),
        }
        if row.dose_number:
            resource |= {
                "occurrenceDateTime": Hole("e.effective"),
                "primarySource": True,
                "performer": [{"actor": Hole("e.performer")}],
                "protocolApplied": [{"doseNumberPositiveInt": Hole("dose_number(text)")}],
                "": Splice("lot"),
            }
            lot = f"e.values.get({self._elements[row.lot].uid!r}, '')" if row.lot else "''"
            lot = f"    lot = words({lot})\n    lot = f',\"lotNumber\":{{quoted(lot)}}' if lot else ''\n"
            return self._element("Immunization", row, f"{lot}    return {self._resource(uid, resource)}\n")
        resource |= {"occurrenceString": row.occurrence, "primarySource": False}
        body = f"    if not truth(text):\n        return None\n    return {self._resource(uid, resource)}\n"
        return self._element("Immunization", row, body)

    def _allergy(self, row: AllergyRow) -> Piece:
        nothing = sorted({word.casefold() for word in row.none})
        absent = {"coding": [coding(row.none_code, self._table.systems)], "text": row.none_code.partition("|")[2]}

        def allergy(profile: str, code: Any) -> str:
            resource = {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": {"coding": [{"system": _ALLERGY_CLINICAL, "code": "active"}]},
                "verificationStatus": {"coding": [{"system": _ALLERGY_VERIFIED, "code": "unconfirmed"}]},
                "type": "allergy",
                **profiled(profile, self._table),
                "code": code,
                "patient": Hole("e.subject"),
                "": Splice("e.diagnosed"),
            }
            return self._resource(self._elements[row.element].uid, resource)

        body = (
            "    words = text_of(text)\n"
            f'    if words.rstrip(".").casefold() in {nothing!r}:\n'
            f"        return {allergy('', absent)}\n"
            f"    return {allergy(row.profile, {'text': Hole('quoted(words)')})}\n"
        )
        return self._element("AllergyIntolerance", row, body)


def _coded(written: str, table: Table) -> Json:
    found = concept(written, table.systems)
    absent = found["coding"][0]["system"] == _ABSENT
    return {"dataAbsentReason": found} if absent else {"valueCodeableConcept": found}
