"""Clinical rows of the table as functions from a resource to texts of data elements."""

from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from typing import Any

import msgspec
from msgspec import Struct

from janani.sync.mapping import reading
from janani.sync.mapping.reading import codings, stage_roles
from janani.sync.mapping.table import (
    AllergyRow,
    Catalogue,
    ConditionRow,
    Field,
    ImmunizationRow,
    MedicineRow,
    ObservationRow,
    PanelRow,
    Table,
    as_observation,
    codes,
    repeated,
)
from janani.sync.mapping.values import Json, Unfit

_DONE = {"final", "amended", "corrected"}
_ALL: tuple[str, ...] = ()

Found = list[tuple[Field, frozenset[str], str]]
Lost = tuple[str, tuple[str, ...]]


class Row(Struct, frozen=True):
    """One row, backwards.

    Attributes:
        label: where it stands: `observations: ANC_HB`.
        name: the end of the identifier that the mapper gave the resource.
        field: code of the data element, or the panel's name.
        kinds: resource types that it reads.
        codes: (system, code) by which it is known; ("", "") when nothing but its type tells it.
        words: texts and displays of its codes, folded.
        stages: roles of the stages that have its data elements.
        read: the texts in a resource; what can't be read is told to `refuse`.
        lost: (reason, texts) of what does not come back.
        focus: what it is about when not the woman or her only foetus: 2 for the second; else "".
    """

    label: str
    name: str
    field: str
    kinds: tuple[str, ...]
    codes: list[tuple[str, str]]
    words: frozenset[str]
    stages: frozenset[str]
    read: Callable[[Json, Callable[[str, str], None]], Found]
    lost: tuple[Lost, ...] = ()
    focus: str = ""


def clinical_rows(table: Table, catalogue: Catalogue, stages: Mapping[str, str], zone: tzinfo) -> list[Row]:
    """Every clinical row of the table backwards, in the table's order. `stages` is {role: UID}."""
    rows = _Rows(table, catalogue, stages, zone)
    return [
        *(rows.observation(row, number) for each in table.observations for number, row in repeated(each)),
        *(row for panel in table.panels for row in rows.panel(panel)),
        *(rows.condition(row) for row in table.conditions),
        *(rows.medicine(row) for row in table.medicines),
        *(one for row in table.immunizations for one in rows.immunization(row)),
        *(rows.allergy(row) for row in table.allergies),
    ]


class _Rows:
    """Makes rows; each method is one kind."""

    def __init__(self, table: Table, catalogue: Catalogue, stages: Mapping[str, str], zone: tzinfo) -> None:
        self._table, self._catalogue, self._stages, self._zone = table, catalogue, stages, zone

    def observation(self, row: ObservationRow, number: str) -> Row:
        if row.name:
            reason = f"worked out from {row.source}" if row.source else "says only that there was such an event"
            return Row(
                f"observations: {row.name}",
                row.name,
                row.name,
                ("Observation",),
                [],
                frozenset(),
                frozenset(),
                lambda one, refuse: [],
                ((reason, _ALL),),
            )
        field = self._catalogue.elements[row.element]
        read = (lambda _: "true") if row.constant else reading.reader(row, field, self._table, self._zone)
        found = self._row("observations", row, field, ("Observation",), _final(read), tuple(self._lost(row, field)))
        return msgspec.structs.replace(found, focus=number)

    def _lost(self, row: ObservationRow, field: Field) -> Iterator[Lost]:
        if row.constant:
            yield "a constant does not say what the value was", _ALL
        elif row.value == "date" and field.value_type == "DATETIME":
            yield "the day goes, the time of day stays", _ALL
        elif row.value == "quantity" and row.divide_by and reading.kept_digits(row.divide_by, row.decimals) < 0:
            yield f"rounded to {row.decimals} decimals", _ALL
        elif row.value in self._table.value_maps:
            texts = self._table.value_maps[row.value]
            twice = reading.doubled(texts, reading.allowed(field), self._table.systems)
            if twice:
                yield "another value has the same code", tuple(twice)

    def panel(self, panel: PanelRow) -> Iterator[Row]:
        """The panel, and each component as an Observation of its own."""
        parts = []
        for one in panel.components:
            field = self._catalogue.elements[one.element]
            reader = reading.reader(as_observation(one, panel), field, self._table, self._zone)
            parts.append((field, set(self._codes(one.code)), reader))

        def read(resource: Json, refuse: Callable[[str, str], None]) -> Found:
            found: Found = []
            for component in _list(resource.get("component")) if resource.get("status") in _DONE else ():
                for field, wanted, reader in parts:
                    if wanted & set(codings(component.get("code"))):
                        found += self._one(field, reader, component, refuse)
            return found

        stages = frozenset(role for field, *_ in parts for role in self._roles(field))
        words = self._words(panel.code, panel.text)
        known = self._codes(panel.code) if panel.by_code else []
        yield Row(
            f"panels: {panel.name}",
            panel.name,
            panel.name,
            ("Observation",),
            known,
            words,
            stages,
            read,
        )
        for one, (field, _, reader) in zip(panel.components, parts, strict=True) if panel.by_code else ():
            yield Row(
                f"panels: {panel.name}",
                field.uid,
                one.element,
                ("Observation",),
                self._codes(one.code),
                self._words(one.code, one.text),
                self._roles(field),
                self._reads(field, _final(reader)),
            )

    def condition(self, row: ConditionRow) -> Row:
        field = self._catalogue.elements[row.element]

        def read(resource: Json) -> str:
            verified = _first_code(resource.get("verificationStatus"))
            if verified == "entered-in-error":
                raise Unfit("entered in error")
            if verified == "refuted":
                return "false"
            if _first_code(resource.get("clinicalStatus")) not in ("", "active", "recurrence", "relapse"):
                raise Unfit("not active")
            if verified not in ("", "confirmed"):
                raise Unfit("not confirmed")
            return "true"

        return self._row("conditions", row, field, ("Condition",), read, _no_false(field))

    def medicine(self, row: MedicineRow) -> Row:
        field = self._catalogue.elements[row.element]
        yes = {row.taken, "active", "completed", "intended"} - {row.not_taken}
        no = {row.not_taken, "not-taken"} - {row.taken}

        def read(resource: Json) -> str:
            status = resource.get("status")
            if resource.get("resourceType") == "MedicationRequest":
                if resource.get("doNotPerform") or status not in ("active", "completed"):
                    raise Unfit("no medicine ordered")
                return "true"
            if status in yes or status in no:
                return "true" if status in yes else "false"
            raise Unfit("a status that says neither taken nor not taken")

        lost = () if row.not_taken else _no_false(field)
        lost += ((f"taken and not taken are both {row.taken}", ("false",)),) if row.taken == row.not_taken else ()
        return self._row("medicines", row, field, ("MedicationStatement", "MedicationRequest"), read, lost)

    def immunization(self, row: ImmunizationRow) -> Iterator[Row]:
        """The dose; with it the lot, which has no resource of its own."""
        field = self._catalogue.elements[row.element]

        def read(resource: Json) -> str:
            if resource.get("status") == "not-done" and not row.dose_number:
                return "false"
            if resource.get("status") != "completed":
                raise Unfit("not given")
            if not row.dose_number:
                return "true"
            doses = _list(resource.get("protocolApplied"))
            return reading.whole_text(doses[0].get("doseNumberPositiveInt") if doses else None)

        lost = () if row.dose_number else _no_false(field)
        dose = self._row("immunizations", row, field, ("Immunization",), read, lost)
        if not row.lot:
            yield dose
            return
        lot = self._catalogue.elements[row.lot]

        def both(resource: Json, refuse: Callable[[str, str], None]) -> Found:
            found = dose.read(resource, refuse)
            if found and "lotNumber" in resource:
                found += self._one(lot, lambda one: reading.words(one["lotNumber"]), resource, refuse)
            return found

        yield msgspec.structs.replace(dose, read=both)
        only = ((f"only with {row.element}", _ALL),)
        yield Row(dose.label, lot.uid, row.lot, (), [], frozenset(), dose.stages, lambda one, refuse: [], only)

    def allergy(self, row: AllergyRow) -> Row:
        field = self._catalogue.elements[row.element]
        none = reading.key(row.none_code, self._table.systems)

        def read(resource: Json) -> str:
            if _first_code(resource.get("verificationStatus")) in ("entered-in-error", "refuted"):
                raise Unfit("not confirmed")
            code = resource.get("code")
            if none in codings(code):
                return row.none[0]
            displays = [one.get("display") for one in _list(code.get("coding"))] if isinstance(code, dict) else []
            return reading.words(
                next(filter(None, [code.get("text"), *displays] if isinstance(code, dict) else []), None)
            )

        lost = (("comes back as the first of `none`", tuple(row.none[1:])),) if len(row.none) > 1 else ()
        return Row(
            f"allergies: {row.element}",
            field.uid,
            row.element,
            ("AllergyIntolerance",),
            [("", "")],
            frozenset(),
            self._roles(field),
            self._reads(field, read),
            lost,
        )

    def _row(
        self, section: str, row: Any, field: Field, kinds: tuple[str, ...], read: reading.Reader, lost: tuple[Lost, ...]
    ) -> Row:
        return Row(
            f"{section}: {row.element}",
            field.uid,
            row.element,
            kinds,
            self._codes(row.code),
            self._words(row.code, row.text),
            self._roles(field),
            self._reads(field, read),
            lost,
        )

    def _reads(self, field: Field, read: reading.Reader) -> Callable[[Json, Callable[[str, str], None]], Found]:
        return lambda resource, refuse: self._one(field, read, resource, refuse)

    def _one(self, field: Field, read: reading.Reader, one: Json, refuse: Callable[[str, str], None]) -> Found:
        try:
            return [(field, self._roles(field), reading.fit(field, read(one)))]
        except Unfit as unfit:
            refuse(field.code, str(unfit))
            return []

    def _roles(self, field: Field) -> frozenset[str]:
        return stage_roles(field.uid, self._catalogue, self._stages)

    def _codes(self, written: str | list[str]) -> list[tuple[str, str]]:
        return [reading.key(one, self._table.systems) for one in codes(written)]

    def _words(self, written: str | list[str], text: str) -> frozenset[str]:
        displays = (one.partition("|")[2] for one in codes(written))
        return frozenset(one.casefold() for one in ([text] if text else displays) if one)


def _final(read: reading.Reader) -> reading.Reader:
    def final(resource: Json) -> str:
        if resource.get("status") not in _DONE:
            raise Unfit("not final")
        return read(resource)

    return final


def _no_false(field: Field) -> tuple[Lost, ...]:
    return () if field.value_type == "TRUE_ONLY" else (("nothing is written when false", ("false",)),)


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _first_code(concept: Any) -> str:
    found = codings(concept)
    return found[0][1] if found else ""
