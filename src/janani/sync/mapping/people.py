"""The Patient: identifiers, name, address, phone, from the attributes of a tracked entity."""

import re
from collections.abc import Callable, Mapping

import phonenumbers

from janani.programmes import Programme
from janani.sync.mapping import values
from janani.sync.mapping.model import Context, profiled
from janani.sync.mapping.table import Catalogue, IdentifierRow, Table
from janani.sync.mapping.values import Json, Unfit, coding, concept

_ABSENT = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"},
    ]
}
_POSTAL_CODE = re.compile(r"(?<!\d)(\d{5})(?!\d)")
_LEADING_NUMBER = re.compile(r"^\d{3,5}\s+(?=\D)")

Attributes = Mapping[str, str]
Refuse = Callable[[str, str], None]
"""Takes note that the field was left out, and why."""


class People:
    """Makes the Patient of a tracked entity by the table's template."""

    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        self._table, self._template = table, table.patient
        self._uid = {code: field.uid for code, field in catalogue.attributes.items()}
        self._region, self._country = programme.phone_region, programme.country
        self._identifiers = [_identifier(row, programme, table) for row in table.patient.identifiers]
        self._relationship = [concept(table.patient.contact.relationship, table.systems)]
        self._provinces = {
            district.casefold(): (district, province)
            for province, districts in table.provinces.items()
            for district in districts
        }

    def identifiers(self, attributes: Attributes, refuse: Refuse) -> list[Json]:
        """Her identifiers in the table's order, strongest first; those without a value are left out."""
        found = []
        for row, constant in zip(self._template.identifiers, self._identifiers, strict=True):
            text = self._text(attributes, row.attribute, refuse)
            if text:
                found.append(constant | {"value": text})
        return found

    def patient(
        self, attributes: Attributes, identifiers: list[Json], device: Json, unit: str, context: Context, refuse: Refuse
    ) -> Json:
        """The Patient, without the identifiers that are not hers alone. Claims its profile only when it meets it."""
        person: Json = {
            "resourceType": "Patient",
            "extension": [{"url": self._template.registration_extension, "valueReference": device}],
            "identifier": identifiers,
            "active": True,
        }
        name = self._text(attributes, self._template.name, refuse)
        if name:
            person["name"] = [human_name(name)]
        phone = self._text(attributes, self._template.phone, refuse)
        if phone:
            person["telecom"] = [self._phone(phone)]
        gender = attributes.get(self._uid[self._template.gender.attribute])
        if gender:
            person["gender"] = self._template.gender.values.get(gender, self._template.gender.otherwise)
        birth = attributes.get(self._uid[self._template.birth_date])
        if birth:
            try:
                person["birthDate"] = values.day(birth)
            except Unfit as unfit:
                refuse(self._template.birth_date, str(unfit))
        address = self._text(attributes, self._template.address, refuse)
        if address and (structured := self._address(address, unit, context)):
            person["address"] = [structured]
        contact = self._contact(attributes, refuse)
        if contact:
            person["contact"] = [contact]
        return profiled(self._template.profile if self._meets(person) else "", self._table) | person

    def _meets(self, person: Json) -> bool:
        """Whether the profile's mandatory parts are there: her first kind of identifier, name, gender, birth date."""
        key = self._identifiers[0]["system"]
        has_key = any(one["system"] == key for one in person["identifier"])
        return has_key and all(part in person for part in ("name", "gender", "birthDate"))

    def _text(self, attributes: Attributes, code: str, refuse: Refuse) -> str:
        text = attributes.get(self._uid.get(code, ""))
        if text is None:
            return ""
        try:
            return values.text_of(text)
        except Unfit as unfit:
            refuse(code, str(unfit))
            return ""

    def _phone(self, text: str) -> Json:
        return {"system": "phone", "value": phone_number(text, self._region), "use": "mobile"}

    def _contact(self, attributes: Attributes, refuse: Refuse) -> Json:
        row = self._template.contact
        name, phone = (self._text(attributes, code, refuse) for code in (row.name, row.phone))
        contact: Json = {"name": {"text": name}} if name else {}
        if phone:
            contact["telecom"] = [self._phone(phone)]
        return {"relationship": self._relationship} | contact if contact else {}

    def _address(self, text: str, unit: str, context: Context) -> Json:
        """The address in the profile's parts; {} when no district can be told, from its text or its unit."""
        parts = [part for part in (" ".join(one.split()) for one in re.split(r"[,\n]", text)) if part]
        postal, parts = _postal_code(parts)
        place = self._place(parts) or self._place_of_unit(unit, context)
        if place is None or not parts:
            return {}
        known = {one.casefold() for one in (*place, place[1].removesuffix(" Province"), self._country)}
        rest = [part for number, part in enumerate(parts) if number == 0 or part.casefold() not in known]
        town = rest[-1] if len(rest) > 1 else parts[min(1, len(parts) - 1)]  # a town may be named like its district
        address = {"text": ", ".join(parts), "line": rest[:-1] or rest, "city": town}
        address |= {"district": place[0], "state": place[1]}
        return address | ({"postalCode": postal} if postal else {}) | {"country": self._country}

    def _place(self, parts: list[str]) -> tuple[str, str] | None:
        """(district, province) that the last parts name."""
        for part in reversed(parts[1:]):
            if part.casefold().removesuffix(" district") in self._provinces:
                return self._provinces[part.casefold().removesuffix(" district")]
        return None

    def _place_of_unit(self, unit: str, context: Context) -> tuple[str, str] | None:
        path = context.units[unit].path if unit in context.units else ()
        for uid in reversed(path):
            name = context.units[uid].name.casefold() if uid in context.units else ""
            if name in self._provinces:
                return self._provinces[name]
        return None


def human_name(text: str) -> Json:
    """The HumanName of a full name: text as given; the last word as family name, the others as given names.

    One word is a family name whose given name is not known.
    """
    *given, family = text.split()
    name: Json = {"text": text, "family": family}
    return name | ({"given": given} if given else {"given": [None], "_given": [_ABSENT]})


def phone_number(text: str, region: str) -> str:
    """`text` in E.164 when it is a possible number of `region`, else as given."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _identifier(row: IdentifierRow, programme: Programme, table: Table) -> Json:
    kind = {"coding": [coding(row.type, table.systems)], "text": row.text} if row.type else {}
    return {"use": row.use} | ({"type": kind} if kind else {}) | {"system": programme.record.systems[row.system]}


def _postal_code(parts: list[str]) -> tuple[str, list[str]]:
    """The five-digit code in the parts after the first, and the parts without it."""
    for number, part in enumerate(parts[1:], start=1):
        found = _POSTAL_CODE.search(part)
        rest = (part[: found.start()] + part[found.end() :]).strip() if found else _LEADING_NUMBER.sub("", part)
        if rest != part:
            kept = [*parts[:number], *([rest] if rest else []), *parts[number + 1 :]]
            return (found[1] if found else ""), kept
    return "", parts
