"""Patient and EpisodeOfCare as attributes of a tracked entity."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from janani.programmes import Programme
from janani.sync.mapping import reading
from janani.sync.mapping.table import Catalogue, Field, Table
from janani.sync.mapping.values import Json, Unfit, text_of

Refuse = Callable[[str, str], None]
Part = Callable[[Json], str]
"""The text of one attribute in a Patient: "" when it is not there."""


class PersonBack:
    """Reads attributes by the table's Patient template; `one_way` as in Back."""

    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        self._table, self._catalogue = table, catalogue
        self._number = catalogue.attributes.get(table.episode.registration_number)
        self._parts: list[tuple[Field, Part]] = [
            (catalogue.attributes[code], part) for code, part in self._patient_parts(programme) if code
        ]
        self.one_way = list(self._lost())

    def read(self, resource: Json, refuse: Refuse) -> Iterator[tuple[str, str]]:
        """(attribute UID, text) of everything the resource says."""
        parts = [*self._episode_parts()] if resource["resourceType"] == "EpisodeOfCare" else self._parts
        for field, part in parts:
            try:
                text = part(resource)
                if text:
                    yield field.uid, reading.fit(field, text_of(text))
            except Unfit as unfit:
                refuse(field.code, str(unfit))

    def _episode_parts(self) -> Iterator[tuple[Field, Part]]:
        if self._number:
            yield self._number, partial(_identifier, system=self._table.identifiers["registration_number"])

    def _patient_parts(self, programme: Programme) -> Iterator[tuple[str, Part]]:
        template = self._table.patient
        for row in template.identifiers:
            yield row.attribute, partial(_identifier, system=programme.record.systems[row.system])
        yield template.name, lambda one: _name(_first(one.get("name")))
        yield template.birth_date, _birth_date
        yield template.phone, lambda one: _phone(one.get("telecom"))
        yield template.address, lambda one: _address(_first(one.get("address")))
        genders = {gender: option for option, gender in reversed(template.gender.values.items())}
        yield template.gender.attribute, lambda one: _gender(one, genders, template.gender.otherwise)
        relation = reading.key(template.contact.relationship, self._table.systems)
        yield template.contact.name, lambda one: _name(_contact(one, relation).get("name"))
        yield template.contact.phone, lambda one: _phone(_contact(one, relation).get("telecom"))

    def _lost(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        template = self._table.patient
        reason = "put in order by its parts: comes back on one line, the postal code last"
        if template.address:
            yield "patient: address", template.address, reason, ()
        field = self._catalogue.attributes.get(template.gender.attribute)
        unmapped = tuple(sorted(set(field.options) - set(template.gender.values))) if field else ()
        if field and unmapped:
            yield "patient: gender", field.code, f"all become {template.gender.otherwise!r}", unmapped
        if template.deceased:
            yield "patient: deceased", "", f"{template.deceased} is read by its own row, not from the Patient", ()
        for label, code in (("phone", template.phone), ("contact", template.contact.phone)):
            if code:
                yield f"patient: {label}", code, "a number in another form comes back in the international one", ()


def _identifier(resource: Json, system: str) -> str:
    found = (one.get("value") for one in _objects(resource.get("identifier")) if one.get("system") == system)
    return next((one for one in found if isinstance(one, str)), "")


def _name(name: Any) -> str:
    if not isinstance(name, dict):
        return ""
    if isinstance(name.get("text"), str):
        return str(name["text"])
    parts = [*(name.get("given") or ()), name.get("family")]
    return " ".join(one for one in parts if isinstance(one, str))


def _birth_date(resource: Json) -> str:
    value = resource.get("birthDate")
    if not value:
        return ""
    if len(str(value)) != len("2025-01-01"):
        raise Unfit("not a whole date")
    return str(value)


def _gender(resource: Json, options: dict[str, str], otherwise: str) -> str:
    value = resource.get("gender")
    if not value or (value not in options and value == otherwise):
        return ""
    if value not in options:
        raise Unfit("a gender that the table does not name")
    return options[value]


def _phone(telecom: Any) -> str:
    found = (one.get("value") for one in _objects(telecom) if one.get("system") == "phone")
    return next((one for one in found if isinstance(one, str)), "")


def _address(address: Any) -> str:
    if not isinstance(address, dict):
        return ""
    parts = [*(address.get("line") or ()), address.get("city"), address.get("district"), address.get("state")]
    text = address.get("text") or ", ".join(dict.fromkeys(one for one in parts if isinstance(one, str)))
    postal = address.get("postalCode")
    return f"{text} {postal}" if text and isinstance(postal, str) and postal not in text else str(text)


def _contact(resource: Json, relation: tuple[str, str]) -> Json:
    for one in _objects(resource.get("contact")):
        if any(relation in reading.codings(concept) for concept in _objects(one.get("relationship"))):
            return one
    return {}


def _first(value: Any) -> Json:
    return next(iter(_objects(value)), {})


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
