"""A Patient as this part reads and writes it: the numbers and demographics in it, and its place in answers.

The resource is kept whole; what is searched and compared is read from it here (FHIR R4 Patient; PDQm).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from janani.kernel.i18n import _
from janani.phn import names
from janani.phn.matching import Person
from janani.phn.problems import Refused, Unreadable
from janani.programmes import Programme
from janani.programmes.sri_lanka import Phn, e164, parse_nic, parse_phn

Resource = dict[str, Any]
GENDERS = ("male", "female", "other", "unknown")


class Identifier(Struct, frozen=True):
    system: str = ""
    value: str = ""


class HumanName(Struct, frozen=True):
    text: str = ""
    family: str = ""
    given: list[str] = []

    @property
    def whole(self) -> str:
        return self.text or " ".join([*self.given, self.family]).strip()


class ContactPoint(Struct, frozen=True):
    system: str = ""
    value: str = ""


class Patient(Struct, frozen=True, rename="camel"):
    """The members of a Patient that this part reads. Others are kept and not read."""

    resource_type: str
    identifier: list[Identifier] = []
    name: list[HumanName] = []
    telecom: list[ContactPoint] = []
    gender: str = ""
    birth_date: str = ""
    meta: dict[str, Any] = {}


class Systems(Struct, frozen=True):
    """Identifier systems of the programme, by role, and what numbers of the country look like."""

    phn: str
    nic: str
    subject: str
    types: str
    region: str

    @classmethod
    def of(cls, programme: Programme) -> "Systems":
        """Those of `programme`."""
        known = programme.record.systems
        return cls(
            known["phn"], known["nic"], known["subject"], programme.record.identifier_types, programme.phone_region
        )


def read(resource: Any, systems: Systems) -> tuple[Person, Phn | None]:
    """Whom a Patient describes, and the PHN in it. Raises Unreadable, Refused (422)."""
    try:
        patient = msgspec.convert(resource, Patient)
    except msgspec.ValidationError as error:
        place = str(error).rpartition("`$")[2].rstrip("`")
        raise Unreadable(_("This is no Patient that can be read."), f"Patient{place}") from error
    if patient.resource_type != "Patient":
        raise Unreadable(_("A Patient is expected here."), "Patient.resourceType")
    if patient.gender and patient.gender not in GENDERS:
        raise Refused(422, "code-invalid", _("The gender is male, female, other or unknown."), "", "Patient.gender")
    values = {one.system: one.value.strip() for one in reversed(patient.identifier) if one.value.strip()}
    phns = {parse_phn(one.value).number for one in patient.identifier if one.system == systems.phn and one.value}
    if len(phns) > 1:
        raise Refused(422, "business-rule", _("A person has one PHN only."), "several-phns", "Patient.identifier")
    phn = parse_phn(values[systems.phn]) if systems.phn in values else None
    nic = values.get(systems.nic, "")
    found = parse_nic(nic)
    return (
        Person(
            phn=phn.number if phn else "",
            subject=values.get(systems.subject, ""),
            nic=found.new_form if found else nic,
            name=names.folded(patient.name[0].whole) if patient.name else "",
            gender=patient.gender,
            birth_date=_birth_date(patient.birth_date),
            phones=_phones(patient, systems.region),
        ),
        phn,
    )


def with_phn(resource: Resource, number: str, systems: Systems) -> Resource:
    """`resource` holding this PHN as its first, official identifier, coded as a PHN."""
    others = [one for one in resource.get("identifier", []) if one.get("system") != systems.phn]
    phn = {
        "use": "official",
        "type": {"coding": [{"system": systems.types, "code": "PHN"}]},
        "system": systems.phn,
        "value": number,
    }
    return {**resource, "identifier": [phn, *others]}


def answered(row: Mapping[str, Any]) -> Resource:
    """A stored person as a resource: what was sent, with our id and version."""
    resource: Resource = msgspec.json.decode(row["resource"])
    sent = resource.get("meta")
    meta = (sent if isinstance(sent, dict) else {}) | {  # rows of earlier releases may have anything there
        "versionId": str(row["revision"]),
        "lastUpdated": row["updated_at"].isoformat(),
    }
    return {**resource, "id": str(row["id"]), "meta": meta}


def columns(person: Person, resource: Resource) -> dict[str, Any]:
    """The columns of a person beside her PHN."""
    kept = {name: value for name, value in resource.items() if name != "id"}
    return {
        "subject": person.subject or None,
        "nic": person.nic or None,
        "name": person.name,
        "name_keys": names.keys(person.name),
        "gender": person.gender,
        "birth_date": person.birth_date,
        "phones": list(person.phones),
        "resource": msgspec.json.encode(kept).decode(),
    }


def known(row: Mapping[str, Any]) -> Person:
    """A stored person as it is compared."""
    return Person(
        phn=row["phn"],
        subject=row["subject"] or "",
        nic=row["nic"] or "",
        name=row["name"],
        gender=row["gender"],
        birth_date=row["birth_date"],
        phones=row["phones"],
    )


def _phones(patient: Patient, region: str) -> list[str]:
    given = [one.value for one in patient.telecom if one.value and one.system in ("phone", "sms", "")]
    return sorted({number for number in (e164(text, region) for text in given) if number})


def _birth_date(text: str) -> date | None:
    """A whole date; None for a year or a month (FHIR allows them; they are kept and not compared)."""
    if not text or len(text) in (4, 7):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        place = "Patient.birthDate"
        raise Refused(422, "value", _("The date of birth is written YYYY-MM-DD."), "", place) from error
