"""People of the sandbox who hold a PHN: those of the programme's `demo/phn.yaml`, and of its demo district."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import asyncpg
import msgspec
from msgspec import Struct, field

from janani.kernel import postgres
from janani.phn.authority import SQL
from janani.phn.patients import Resource, Systems, columns, read, with_phn
from janani.programmes import Programme, fault, read_yaml
from janani.programmes.sri_lanka import parse_phn


class Holder(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Someone who holds a PHN."""

    phn: str
    name: str
    birth_date: date
    gender: str = "female"
    phone: str = ""
    nic: str = ""
    address: str = ""


class _Value(Struct, frozen=True):
    attribute: str
    value: str


class _Form(Struct, frozen=True):
    attributes: list[_Value] = []


class _Person(Struct, frozen=True):
    forms: list[_Form] = field(default_factory=list, name="enrollments")


class _District(Struct, frozen=True):
    people: list[_Person] = field(default_factory=list, name="trackedEntities")


class Holders(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    people: list[Holder]


def holders_in(path: Path) -> list[Holder]:
    """The people of `path`. Raises ProgrammeFault, also for a number whose check digit is wrong."""
    people: list[Holder] = read_yaml(path, Holders).people
    for place, person in enumerate(people):
        if parse_phn(person.phn).valid is False:
            raise fault(path, f"$.people[{place}].phn", f"PHN {person.phn!r}: its last digit does not fit the others")
    return people


def holders_of(district: bytes, roles: Mapping[str, str]) -> list[Holder]:
    """The women of the demo district (tracker payload) who have a PHN. `roles` are the programme's attributes."""
    people = []
    for enrollment in (one for person in msgspec.json.decode(district, type=_District).people for one in person.forms):
        value = {one.attribute: one.value for one in enrollment.attributes}
        said = {role: value.get(uid, "") for role, uid in roles.items()}
        if said["phn"] and said["full_name"] and said["birth_date"]:
            born, gender = date.fromisoformat(said["birth_date"]), said["gender"].lower()
            people.append(
                Holder(said["phn"], said["full_name"], born, gender, said["phone"], said["nic"], said["address"])
            )
    return people


async def load_holders(pool: asyncpg.Pool, programme: Programme, systems: Systems, now: datetime) -> None:
    """Adds those who are not there yet; those who are stay as they became."""
    folder, holders = programme.folder / "demo", []
    if (folder / "phn.yaml").is_file():
        holders += holders_in(folder / "phn.yaml")
    if (folder / "district.json").is_file():
        holders += holders_of((folder / "district.json").read_bytes(), programme.registry.attributes)
    people = []
    for holder in holders:
        resource = with_phn(patient_of(holder, systems), holder.phn, systems)
        person, _phn = read(resource, systems)
        values = columns(person, resource) | {"resource": resource, "phn": parse_phn(holder.phn).number}
        people.append(values)
    await SQL.add_people(pool, people=postgres.json_of(people), at=now)


def patient_of(holder: Holder, systems: Systems) -> Resource:
    """The holder as a FHIR Patient: the last word of the name is the family name, the text carries the whole."""
    *given, family = holder.name.split()
    resource: Resource = {
        "resourceType": "Patient",
        "active": True,
        "identifier": [{"system": systems.nic, "value": holder.nic}] if holder.nic else [],
        "name": [{"use": "official", "text": holder.name, "family": family, "given": given or [family]}],
        "gender": holder.gender,
        "birthDate": holder.birth_date.isoformat(),
    }
    if holder.phone:
        resource["telecom"] = [{"system": "phone", "value": holder.phone}]
    if holder.address:
        resource["address"] = [{"text": holder.address}]
    return resource
