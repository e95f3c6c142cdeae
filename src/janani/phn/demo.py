"""People of the sandbox who hold a PHN before the first visit, from the programme's `demo/phn.yaml`."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from msgspec import Struct

from janani.phn.authority import SQL
from janani.phn.patients import Resource, Systems, columns, read, with_phn
from janani.programmes import fault, read_yaml
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


async def load_holders(pool: asyncpg.Pool, folder: Path, systems: Systems, now: datetime) -> None:
    """Adds those who are not there yet; those who are stay as they became."""
    path = folder / "demo" / "phn.yaml"
    if not path.is_file():
        return
    for holder in holders_in(path):
        resource = with_phn(patient_of(holder, systems), holder.phn, systems)
        person, _phn = read(resource, systems)
        values: dict[str, Any] = columns(person, resource) | {"phn": parse_phn(holder.phn).number, "at": now}
        await SQL.add_person(pool, **values, id=uuid4())


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
