"""What the midwife's pages ask of the registry, in their own words. Every refusal becomes a page (`access.failed`)."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from janani.clients.dhis2 import Dhis2Error
from janani.portals.midwife import access
from janani.portals.midwife.access import Midwife
from janani.portals.midwife.derived import nic_forms
from janani.portals.midwife.forms import PROGRAM_FIELDS
from janani.portals.midwife.women import FIELDS, Woman, woman
from janani.programmes.sri_lanka import e164

Json = dict[str, Any]
_KEPT_SECONDS = 60.0
_LEAST_DIGITS = 5
_MOST_KEPT = 200
_PAGE_SIZE = "500"


async def program(midwife: Midwife) -> Json:
    """The programme's metadata as forms need it. Raises Away."""
    uid = midwife.state.programme.registry.program
    return await _kept(midwife, "program", lambda: midwife.registry.get(f"/programs/{uid}", {"fields": PROGRAM_FIELDS}))


async def units(midwife: Midwife) -> list[tuple[str, str]]:
    """The clinics with the programme: her own and those below (DHIS2's capture scope), as (uid, name). Raises Away."""
    me = await _kept(midwife, "me", lambda: midwife.registry.me("organisationUnits[id]"))
    own = {unit["id"] for unit in me["organisationUnits"]}
    offered = (await program(midwife))["organisationUnits"]
    return [(unit["id"], unit["displayName"]) for unit in offered if own & set(unit["path"].split("/"))]


async def _kept(
    midwife: Midwife, name: str, ask: Callable[[], Awaitable[Json]], *, seconds: float = _KEPT_SECONDS
) -> Json:
    """What `ask` answered to this midwife within `seconds`; while the registry is away, what it answered last."""
    kept, key = midwife.state.kept, (midwife.session.username, name)
    known, until = kept.get(key, (None, 0.0))
    if known is not None and time.monotonic() < until:
        return cast(Json, known)
    try:
        known = await ask()
    except Dhis2Error as error:
        if known is None or not error.retryable:
            raise await access.failed(midwife, error) from error
    return _keep(midwife, name, cast(Json, known), seconds)


def _keep(midwife: Midwife, name: str, known: Json, seconds: float) -> Json:
    kept, key = midwife.state.kept, (midwife.session.username, name)
    kept.pop(key, None)
    kept[key] = (known, time.monotonic() + seconds)
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]
    return known


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
        raise await access.failed(midwife, error) from error
    today = midwife.now.date()
    return [woman(person, programme, today) for person in people]


async def person(midwife: Midwife, uid: str) -> Json:
    """One tracked entity with enrolments of the programme and events. Raises Away, NotFound."""
    try:
        return _keep(midwife, uid, await _person(midwife, uid), 0)
    except Dhis2Error as error:
        raise await access.failed(midwife, error) from error


async def last_known(midwife: Midwife, uid: str) -> Woman:
    """A woman as a form's heading needs her: while the registry is away, as it knew her last. Raises Away, NotFound."""
    one = await _kept(midwife, uid, lambda: _person(midwife, uid), seconds=0)
    return woman(one, midwife.state.programme, midwife.now.date())


async def _person(midwife: Midwife, uid: str) -> Json:
    return await midwife.registry.tracked_entity(uid, fields=FIELDS, program=midwife.state.programme.registry.program)


async def people_with(midwife: Midwife, attribute: str, *values: str) -> list[Woman]:
    """The women she may find whose `attribute` is exactly one of `values`. Raises Away."""
    if not values:
        return []
    programme = midwife.state.programme
    query = {
        "program": programme.registry.program,
        "orgUnitMode": "ACCESSIBLE",
        "filter": f"{attribute}:in:{';'.join(map(_escaped, values))}",
        "fields": FIELDS,
    }
    try:
        found = [one async for one in midwife.registry.tracked_entities(query)]
    except Dhis2Error as error:
        raise await access.failed(midwife, error) from error
    return [woman(one, programme, midwife.now.date()) for one in found]


async def by_number(midwife: Midwife, text: str) -> list[Woman]:
    """The women at other clinics whom she may see and who have exactly this number: PHN, NIC, phone, registration.

    A NIC in either of its forms; the two are the same card.
    """
    number = "".join(text.split())
    if sum(letter.isdigit() for letter in number) < _LEAST_DIGITS:
        return []
    programme = midwife.state.programme
    wanted = [(role, [number.upper()]) for role in ("phn", "registration_number")]
    wanted += [("nic", nic_forms(number.upper())), ("phone", [e164(number, programme.phone_region) or number])]
    asked = [people_with(midwife, programme.registry.attributes[role], *values) for role, values in wanted]
    found = {one.uid: one for people in await asyncio.gather(*asked) for one in people}
    return list(found.values())


def _escaped(value: str) -> str:
    """A value in a filter, where `/` escapes what separates its parts (DHIS2 2.40 and newer)."""
    return re.sub("[/,:]", r"/\g<0>", value)


async def generated(midwife: Midwife, program_metadata: Json) -> dict[str, str]:
    """A fresh value for each attribute that the registry itself numbers (registration numbers)."""
    rows = (row["trackedEntityAttribute"] for row in program_metadata["programTrackedEntityAttributes"])
    values = {}
    for uid in [one["id"] for one in rows if one.get("generated")]:
        try:
            values[uid] = str((await midwife.registry.get(f"/trackedEntityAttributes/{uid}/generate"))["value"])
        except Dhis2Error as error:
            raise await access.failed(midwife, error) from error
    return values


async def write(midwife: Midwife, payload: Json) -> Json:
    """The import report of `payload`, written as this midwife. Raises Away with what she typed kept."""
    try:
        return await midwife.registry.import_tracker(payload)
    except Dhis2Error as error:
        raise await access.failed(midwife, error) from error
