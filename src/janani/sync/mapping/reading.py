"""Values of FHIR as texts of DHIS2: what `values` does, backwards. Every function is pure and raises Unfit."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from janani.sync.mapping.table import Catalogue, Field, ObservationRow, Table
from janani.sync.mapping.values import Json, Unfit, text_of

Reader = Callable[[Json], str]
"""The text of an Observation, or of one of its components. Raises Unfit."""

_LEAST = {"INTEGER_POSITIVE": 1, "INTEGER_ZERO_OR_POSITIVE": 0}
_INTEGERS = {"INTEGER", "INTEGER_NEGATIVE", *_LEAST}


def reader(row: ObservationRow, field: Field, table: Table, zone: tzinfo) -> Reader:
    """How the value of an Observation of this row is read. `zone` is where a time becomes a day."""
    if row.value == "quantity":
        return quantity(row.unit, table.systems["ucum"], row.divide_by, row.decimals)
    if row.value == "integer":
        return lambda one: whole_text(one.get("valueInteger"))
    if row.value == "date":
        return lambda one: day_text(one.get("valueDateTime"), zone)
    if row.value == "text":
        return lambda one: words(one.get("valueString"))
    return _choice(table.value_maps[row.value], allowed(field), table.systems)


def quantity(unit: str, system: str, divide_by: float = 0, decimals: int = 0) -> Reader:
    """Reads a Quantity in `UCUM code|printed unit`, multiplied by `divide_by` again."""
    code, _, printed = unit.partition("|")
    names = {code, printed or code}
    digits = kept_digits(divide_by, decimals)

    def read(one: Json) -> str:
        found = one.get("valueQuantity")
        if not isinstance(found, dict) or "value" not in found:
            raise Unfit("no quantity")
        if found.get("comparator"):
            raise Unfit("more or less than a number is no number")
        given = found.get("code")
        if given != code if given else found.get("unit") not in names:
            raise Unfit(f"another unit than {code}")
        if given and found.get("system", system) != system:
            raise Unfit("a unit of another system than UCUM")
        value = _decimal(found["value"])
        return plain(round(value * Decimal(str(divide_by)), digits) if divide_by else value)

    return read


def kept_digits(divide_by: float, decimals: int) -> int:
    """Digits after the point that survive dividing, rounding to `decimals` and multiplying; negative: not even ones."""
    if not divide_by:
        return 0
    lost = Decimal(str(divide_by)) / 2 * Decimal(10) ** -decimals
    digits = -6
    while Decimal(10) ** -(digits + 1) / 2 > lost and digits < 12:
        digits += 1
    return digits


def _choice(texts: Mapping[str, str], fitting: set[str] | None, systems: Mapping[str, str]) -> Reader:
    chosen: dict[tuple[str, str], str] = {}
    for text, written in texts.items():
        if fitting is None or text in fitting:
            chosen.setdefault(key(written, systems), text)
    truths = {text == "true": text for text in chosen.values() if text in ("true", "false")}

    def read(one: Json) -> str:
        for coding in (*codings(one.get("valueCodeableConcept")), *codings(one.get("dataAbsentReason"))):
            if coding in chosen:
                return chosen[coding]
        answer = one.get("valueBoolean")
        if isinstance(answer, bool) and answer in truths:
            return truths[answer]
        raise Unfit("none of its codes is in the value map")

    return read


def doubled(texts: Mapping[str, str], fitting: set[str] | None, systems: Mapping[str, str]) -> list[str]:
    """The texts of a value map whose code another text before them has too."""
    seen: set[tuple[str, str]] = set()
    twice = []
    for text, written in texts.items():
        if fitting is None or text in fitting:
            if key(written, systems) in seen:
                twice.append(text)
            seen.add(key(written, systems))
    return twice


def key(written: str, systems: Mapping[str, str]) -> tuple[str, str]:
    """(system, code) of `system#code|display`."""
    system, _, rest = written.partition("#")
    return systems[system], rest.partition("|")[0]


def codings(concept: Any) -> list[tuple[str, str]]:
    """(system, code) of every Coding of a CodeableConcept; [] for anything else."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    return [
        (one.get("system", ""), one.get("code", ""))
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    ]


def said(concept: Any) -> set[str]:
    """The words of a CodeableConcept, folded: its text and displays."""
    if not isinstance(concept, dict):
        return set()
    found = [concept.get("text"), *(one.get("display") for one in concept.get("coding") or () if isinstance(one, dict))]
    return {one.casefold() for one in found if isinstance(one, str) and one}


def words(value: Any) -> str:
    """A FHIR string."""
    if not isinstance(value, str):
        raise Unfit("no text")
    return text_of(value)


def whole_text(value: Any) -> str:
    """A FHIR integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("no whole number")
    return str(value)


def day_text(value: Any, zone: tzinfo) -> str:
    """The day of a FHIR date or dateTime, as it is in `zone`; a month or a year is no day."""
    if not isinstance(value, str):
        raise Unfit("no date")
    try:
        if len(value) == len("2025-01-01"):
            return date.fromisoformat(value).isoformat()
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise Unfit("not a whole date") from error
    if "T" not in value:
        raise Unfit("not a whole date")
    return (found.astimezone(zone) if found.tzinfo else found).date().isoformat()


def plain(value: Decimal) -> str:
    """A number without exponent and without zeros at its end."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Unfit("not a number")
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise Unfit("not a number") from error
    if not found.is_finite():
        raise Unfit("not a number")
    return found


def allowed(field: Field) -> set[str] | None:
    """The texts that the element can hold; None when they are not a list."""
    if field.options:
        return set(field.options)
    return {"BOOLEAN": {"true", "false"}, "TRUE_ONLY": {"true"}}.get(field.value_type)


def fit(field: Field, text: str) -> str:
    """`text`, when DHIS2 takes it as a value of `field`."""
    only = allowed(field)
    if only is not None:
        if text not in only:
            raise Unfit(f"not a value of {field.value_type if not field.options else 'its option set'}")
        return text
    if field.value_type in _INTEGERS:
        if "." in text:
            raise Unfit("not a whole number")
        if int(text) < _LEAST.get(field.value_type, int(text)) or (
            field.value_type == "INTEGER_NEGATIVE" and int(text) > -1
        ):
            raise Unfit(f"not a value of {field.value_type}")
    return text


def stage_roles(uid: str, catalogue: Catalogue, stages: Mapping[str, str]) -> frozenset[str]:
    """Roles of the programme stages that hold the data element `uid`."""
    return frozenset(role for role, stage in stages.items() if uid in catalogue.stages.get(stage, ()))
