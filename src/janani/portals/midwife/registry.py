"""What the midwife's pages ask of the registry, in their own words. Every refusal becomes a page (`access.away`)."""

import time
from typing import Any

from janani.clients.dhis2 import Dhis2Error
from janani.portals.midwife import access
from janani.portals.midwife.access import Midwife
from janani.portals.midwife.forms import PROGRAM_FIELDS
from janani.portals.midwife.women import FIELDS, Woman, woman

Json = dict[str, Any]
_METADATA_SECONDS = 60.0
_PAGE_SIZE = "500"


async def program(midwife: Midwife) -> Json:
    """The programme's metadata as forms need it; asked again after a minute."""
    kept = midwife.state.kept
    known, until = kept.get("program", (None, 0.0))
    if known is None or time.monotonic() > until:
        uid = midwife.state.programme.registry.program
        try:
            known = await midwife.registry.get(f"/programs/{uid}", {"fields": PROGRAM_FIELDS})
        except Dhis2Error as error:
            raise access.away(error) from error
        kept["program"] = (known, time.monotonic() + _METADATA_SECONDS)
    metadata: Json = known
    return metadata


async def units(midwife: Midwife) -> list[tuple[str, str]]:
    """The clinics she may write at and that have the programme: (uid, name)."""
    try:
        me = await midwife.registry.me("organisationUnits[id,displayName,path]")
    except Dhis2Error as error:
        raise access.away(error) from error
    own = {unit["id"] for unit in me["organisationUnits"]}
    offered = (await program(midwife))["organisationUnits"]
    return [(unit["id"], unit["displayName"]) for unit in offered if unit["id"] in own]


async def women(midwife: Midwife) -> list[Woman]:
    """Every woman in care at her units."""
    programme = midwife.state.programme
    query = {
        "program": programme.registry.program,
        "orgUnitMode": "CAPTURE",
        "fields": FIELDS,
        "pageSize": _PAGE_SIZE,
    }
    try:
        people = [person async for person in midwife.registry.tracked_entities(query)]
    except Dhis2Error as error:
        raise access.away(error) from error
    today = midwife.now.date()
    return [woman(person, programme, today) for person in people]


async def person(midwife: Midwife, uid: str) -> Json:
    """One tracked entity with enrolments of the programme and events."""
    try:
        return await midwife.registry.tracked_entity(
            uid, fields=FIELDS, program=midwife.state.programme.registry.program
        )
    except Dhis2Error as error:
        raise access.away(error) from error


async def people_with(midwife: Midwife, attribute: str, value: str) -> list[Woman]:
    """The women she may find whose `attribute` is exactly `value`."""
    programme = midwife.state.programme
    query = {
        "program": programme.registry.program,
        "orgUnitMode": "ACCESSIBLE",
        "filter": f"{attribute}:eq:{value}",
        "fields": FIELDS,
    }
    try:
        found = [one async for one in midwife.registry.tracked_entities(query)]
    except Dhis2Error as error:
        raise access.away(error) from error
    return [woman(one, programme, midwife.now.date()) for one in found]


async def generated(midwife: Midwife, program_metadata: Json) -> dict[str, str]:
    """A fresh value for each attribute that the registry itself numbers (registration numbers)."""
    rows = (row["trackedEntityAttribute"] for row in program_metadata["programTrackedEntityAttributes"])
    values = {}
    for uid in [one["id"] for one in rows if one.get("generated")]:
        try:
            values[uid] = str((await midwife.registry.get(f"/trackedEntityAttributes/{uid}/generate"))["value"])
        except Dhis2Error as error:
            raise access.away(error) from error
    return values


async def write(midwife: Midwife, payload: Json) -> Json:
    """The import report of `payload`, written as this midwife. Raises Away with what she typed kept."""
    try:
        return await midwife.registry.import_tracker(payload)
    except Dhis2Error as error:
        raise access.away(error) from error
