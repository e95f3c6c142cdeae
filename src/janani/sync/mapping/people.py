"""The source of the Patient, and what it calls: name, address and phone of a tracked entity's attributes.

In the source `a` is {attribute UID: text}.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import phonenumbers
from msgspec import Struct

from janani.programmes import Programme
from janani.sync.mapping import values
from janani.sync.mapping.model import Context, profiled
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.template import Hole, Splice, expression
from janani.sync.mapping.values import Json, Unfit, coding, concept

_ABSENT = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"},
    ]
}
_CODE = re.compile(r"\d{3}")  # in what the next two may change
_POSTAL_CODE = re.compile(r"(?<!\d)(\d{5})(?!\d)")
_LEADING_NUMBER = re.compile(r"^\d{3,5}\s+(?=\D)")

Attributes = Mapping[str, str]
Refuse = Callable[[str, str], None]
"""Takes note that the field was left out, and why."""


class Place(Struct, frozen=True):
    """A district, and the folded `words` of an address that say no more than district, province and country."""

    district: str
    province: str
    words: frozenset[str]

    def without(self, parts: list[str]) -> list[str]:
        """Those of `parts` that say more."""
        return [part for part in parts if part.casefold() not in self.words]


class Addresses:
    """Reads addresses as the profile's parts. `provinces` is {province: districts}.

    What stands after the first part is read once for all who live there.
    """

    def __init__(self, provinces: Mapping[str, list[str]], country: str) -> None:
        self._country = country
        self._places = {
            district.casefold(): Place(district, province, self._words(district, province))
            for province, districts in provinces.items()
            for district in districts
        }
        self._town = lru_cache(maxsize=4096)(self._read_town)

    def _words(self, district: str, province: str) -> frozenset[str]:
        return frozenset(
            one.casefold() for one in (district, province, province.removesuffix(" Province"), self._country)
        )

    def member(self, text: str, unit: str, context: Context) -> str:
        """The JSON member `address` with its comma; "" when no district can be told, from `text` or from `unit`."""
        first, town = "", text.replace("\n", ",")
        while town and not first:
            street, _, town = town.partition(",")
            first = " ".join(street.split())
        postal, parts, place, more = self._town(town)
        if place is None and (place := self._place_of_unit(unit, context)):
            more = place.without(parts)
        if place is None or not first:
            return ""
        address: Json = {
            "text": ", ".join([first, *parts]),
            "line": [first, *more[:-1]],
            "city": more[-1] if more else parts[0] if parts else first,  # a town may be named like its district
            "district": place.district,
            "state": place.province,
        }
        if postal:
            address["postalCode"] = postal
        address["country"] = self._country
        return f',"address":[{values.json_text(address)}]'

    def _read_town(self, text: str) -> tuple[str, list[str], Place | None, list[str]]:
        """Postal code and parts without it, where they are, and those that say more than that."""
        postal, parts = _postal_code([part for one in text.split(",") if (part := " ".join(one.split()))])
        named = (self._places.get(part.casefold().removesuffix(" district")) for part in reversed(parts))
        place = next(filter(None, named), None)
        return postal, parts, place, place.without(parts) if place else []

    def _place_of_unit(self, unit: str, context: Context) -> Place | None:
        path = context.units[unit].path if unit in context.units else ()
        for uid in reversed(path):
            name = context.units[uid].name.casefold() if uid in context.units else ""
            if name in self._places:
                return self._places[name]
        return None


def stripped(attributes: Attributes, uid: str, code: str, refuse: Refuse) -> str:
    """The text of an attribute; "" when there is none or it can't be carried."""
    text = attributes.get(uid)
    if text is None:
        return ""
    if found := values.words(text):
        return found
    refuse(code, "the text is empty")
    return ""


def form_of(form: str) -> Callable[[str], Any]:
    """Whether all of a text is of the regular expression `form`."""
    return re.compile(form, re.ASCII).fullmatch


def formed(text: str, form: Callable[[str], Any], code: str, refuse: Refuse) -> str:
    """`text` when it is of this form, else ""."""
    if text and not form(text):
        refuse(code, "not of the form of such a number")
        return ""
    return text


def born(attributes: Attributes, uid: str, code: str, refuse: Refuse) -> str:
    """The JSON member `birthDate` with its comma, or ""."""
    text = attributes.get(uid)
    if text is None:
        return ""
    try:
        return f',"birthDate":"{values.day(text)}"'
    except Unfit as unfit:
        refuse(code, str(unfit))
        return ""


def died_on(text: str, code: str, refuse: Refuse) -> str:
    """The JSON member `deceasedDateTime` with its comma, or ""."""
    try:
        return f',"deceasedDateTime":"{values.day(text)}"' if text else ""
    except Unfit as unfit:
        refuse(code, str(unfit))
        return ""


def patient_source(programme: Programme, table: Table, catalogue: Catalogue) -> Iterator[str]:
    """Parts of the module: `identifiers` and `patient`."""
    yield f"ADDRESSES = Addresses({dict(table.provinces)!r}, {programme.country!r})\n"
    yield _Patient(programme, table, catalogue).identifiers()
    yield _Patient(programme, table, catalogue).patient()


class _Patient:
    def __init__(self, programme: Programme, table: Table, catalogue: Catalogue) -> None:
        self._programme, self._table, self._template = programme, table, table.patient
        self._uid = {code: field.uid for code, field in catalogue.attributes.items()}
        self._deceased = catalogue.elements.get(table.patient.deceased)

    def _stripped(self, code: str) -> str:
        uid = self._uid.get(code)
        return f"stripped(a, {uid!r}, {code!r}, refuse)" if uid else "''"

    def identifiers(self) -> str:
        """Her identifiers in the table's order, the strongest first; those without a value are left out.

        Of each the JSON text, the system, the start of her key by it, and the value.
        """
        lines, forms = [], ""
        for number, row in enumerate(self._template.identifiers):
            system = self._programme.record.systems[row.system]
            kind = {"coding": [coding(row.type, self._table.systems)], "text": row.text} if row.type else {}
            found = (
                {"use": row.use} | ({"type": kind} if kind else {}) | {"system": system, "value": Hole("quoted(text)")}
            )
            key = f"Patient?identifier={quote(system, safe='')}%7C"
            text = self._stripped(row.attribute)
            if row.form:
                forms += f"FORM_{number} = form_of({row.form!r})\n"
                text = f"formed({text}, FORM_{number}, {row.attribute!r}, refuse)"
            lines.append(f"    if text := {text}:\n")
            lines.append(f"        found.append(({expression(found, ' ' * 12)}, {system!r}, {key!r}, text))\n")
        forms = f"{forms}\n\n" if forms else ""
        return f"{forms}def identifiers(a, refuse):\n    found = []\n{''.join(lines)}    return found\n"

    def patient(self) -> str:
        """The Patient. Claims its profile only when it meets it."""
        template, uids = self._template, self._uid
        first = self._programme.record.systems[template.identifiers[0].system]
        meta = values.json_text(profiled(template.profile, self._table))[1:-1]
        relationship = values.json_text([concept(template.contact.relationship, self._table.systems)])
        genders = {option: f',"gender":"{said}"' for option, said in template.gender.values.items()}
        otherwise = f',"gender":"{template.gender.otherwise}"'
        gender, birth = uids.get(template.gender.attribute, ""), uids.get(template.birth_date, "")
        resource = {
            "meta": Splice("meta", lead=True),
            "resourceType": "Patient",
            "extension": [{"url": template.registration_extension, "valueReference": Hole("device")}],
            "identifier": [Hole("known")],
            "active": True,
            **{
                part: Splice(part)
                for part in ("name", "phone", "gender", "birth", "died", "address", "contact", "unit")
            },
        }
        lines = [
            "known = ','.join([*[one[0] for one in given], own])",
            f"name = {self._stripped(template.name)}",
            "name = f',\"name\":[{human_name_text(name)}]' if name else ''",
            f"phone = {self._stripped(template.phone)}",
            f"phone = ',\"telecom\":[' + telephone(phone, {self._programme.phone_region!r}) + ']' if phone else ''",
            f"gender = a.get({gender!r})",
            f"gender = {genders!r}.get(gender, {otherwise!r}) if gender else ''",
            f"birth = born(a, {birth!r}, {template.birth_date!r}, refuse)",
            f"died = {self._died()}",
            f"address = {self._stripped(template.address)}",
            "address = ADDRESSES.member(address, place, context) if address else ''",
            f"contact_name = {self._stripped(template.contact.name)}",
            f"contact_phone = {self._stripped(template.contact.phone)}",
            f"contact = contact_of(contact_name, contact_phone, {relationship!r}, {self._programme.phone_region!r})",
            f"meets = name and gender and birth and {first!r} in [one[1] for one in given]",
            f"meta = {meta + ',' if meta else ''!r} if meets else ''",
            f"return {expression(resource)}",
        ]
        body = "".join(f"    {line}\n" for line in lines)
        return f"def patient(a, died, given, own, device, place, unit, context, refuse):\n{body}"

    def _died(self) -> str:
        """`died`, the element's text, as a member: a date tells the day, a true only that she did."""
        if self._deceased and self._deceased.value_type == "DATE":
            return f"died_on(died, {self._deceased.code!r}, refuse)"
        return "',\"deceasedBoolean\":true' if died == 'true' else ''"


def human_name_text(text: str) -> str:
    """The JSON text of a HumanName."""
    return values.json_text(human_name(text))


def telephone(text: str, region: str) -> str:
    """The JSON text of a ContactPoint for a phone."""
    return f'{{"system":"phone","value":{values.quoted(phone_number(text, region))},"use":"mobile"}}'


def contact_of(name: str, phone: str, relationship: str, region: str) -> str:
    """The JSON member `contact` with its comma, or ""."""
    members = [f'"name":{{"text":{values.quoted(name)}}}'] if name else []
    members += [f'"telecom":[{telephone(phone, region)}]'] if phone else []
    return f',"contact":[{{"relationship":{relationship},{",".join(members)}}}]' if members else ""


def human_name(text: str) -> Json:
    """The HumanName of a full name: text as given; the last word as family name, the others as given names.

    One word is a family name whose given name is not known.
    """
    *given, family = text.split()
    if given:
        return {"text": text, "family": family, "given": given}
    return {"text": text, "family": family, "given": [None], "_given": [_ABSENT]}


def phone_number(text: str, region: str) -> str:
    """`text` in E.164 when it is a possible number of `region`, else as given."""
    prefix, lengths = _region(region)
    rest = text[len(prefix) :] if text.startswith(prefix) and len(text) in lengths else ""
    if rest.isdigit() and rest.isascii() and rest[0] != "0":
        return text  # in E.164 already; the library needs 50 times as long to say so
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=8)
def _region(region: str) -> tuple[str, frozenset[int]]:
    """`+` and the country code of a region, and the lengths of its possible numbers in E.164."""
    code = phonenumbers.country_code_for_region(region)
    prefix = f"+{code}"
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    description = metadata.general_desc if metadata else None
    possible = description.possible_length if description else ()
    return prefix, frozenset(len(prefix) + length for length in possible)


def _postal_code(parts: list[str]) -> tuple[str, list[str]]:
    """The five-digit code in the parts, and the parts without it."""
    for number, part in enumerate(parts):
        if not _CODE.search(part):
            continue
        if found := _POSTAL_CODE.search(part):
            rest = (part[: found.start()] + part[found.end() :]).strip()
            return found[1], [*parts[:number], *([rest] if rest else []), *parts[number + 1 :]]
        if found := _LEADING_NUMBER.match(part):
            return "", [*parts[:number], part[found.end() :], *parts[number + 1 :]]
    return "", parts
