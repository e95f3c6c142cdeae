"""Payloads as the portals and the reference integration send them, with the programme's own uids."""

from typing import Any

import msgspec

from janani.kernel.ids import uid
from janani.programmes import folder, load

ROLES = load("anc_lk").registry
PROGRAM, PERSON = ROLES.program, ROLES.tracked_entity_type
REGISTRATION, VISIT, REFERRAL = (ROLES.stages[name] for name in ("registration", "visit", "referral"))
PACKAGE = msgspec.json.decode((folder("anc_lk") / "metadata.json").read_bytes())
AREA = next(unit["id"] for unit in PACKAGE["organisationUnits"] if unit["code"].startswith("PHM-AK"))
OTHER_AREA = next(unit["id"] for unit in PACKAGE["organisationUnits"] if unit["code"] == "PHM-NALLUR-1")
ELEMENTS = {row["code"]: row["id"] for row in PACKAGE["dataElements"]}
Json = dict[str, Any]


def attribute(role: str, value: str | None) -> Json:
    return {"attribute": ROLES.attributes[role], "value": value}


def person(name: str = "Kumari Perera", nic: str | None = None, **more: Any) -> Json:
    """A woman, enrolled, with her registration visit done and the next planned."""
    values = [attribute("full_name", name), attribute("birth_date", "1997-08-01"), attribute("gender", "Female")]
    if nic:
        values.append(attribute("nic", nic))
    return {
        "trackedEntity": uid(),
        "trackedEntityType": PERSON,
        "orgUnit": AREA,
        "enrollments": [enrolment(values)],
    } | more


def enrolment(values: list[Json], **more: Any) -> Json:
    return {
        "enrollment": uid(),
        "program": PROGRAM,
        "orgUnit": AREA,
        "status": "ACTIVE",
        "enrolledAt": "2026-11-20",
        "attributes": values,
        "events": [
            registration(),
            {
                "event": uid(),
                "programStage": VISIT,
                "orgUnit": AREA,
                "status": "SCHEDULE",
                "scheduledAt": "2026-12-18",
            },
        ],
    } | more


def registration(**more: Any) -> Json:
    values = {"ANC_LMP": "2026-09-10", "ANC_GRAVIDA": "2", "ANC_PARITY": "1", "ANC_LIVING_CHILDREN": "1"}
    return {
        "event": uid(),
        "programStage": REGISTRATION,
        "orgUnit": AREA,
        "status": "COMPLETED",
        "occurredAt": "2026-11-20",
        "dataValues": [{"dataElement": ELEMENTS[code], "value": value} for code, value in values.items()],
    } | more


def payload(*people: Json) -> Json:
    return {"trackedEntities": list(people)}
