"""Payloads as the portals and the reference integration send them, with the programme's own uids."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
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

ADMIN = httpx.BasicAuth("admin", "district")
PASSWORDS = {"nirmala": "Nirmala-12345", "thevaki": "Thevaki-12345", "supervisor": "Supervisor-12345"}


class Clock:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


def package() -> bytes:
    """The programme's metadata, its people with passwords instead of eSignet."""
    content = msgspec.json.decode((folder("anc_lk") / "metadata.json").read_bytes())
    for user in content["users"]:
        if user["username"] in PASSWORDS:
            user.update(password=PASSWORDS[user["username"]], externalAuth=False)
    return msgspec.json.encode(content)


def auth(username: str) -> httpx.BasicAuth:
    """The credentials of a user of the programme."""
    return ADMIN if username == "admin" else httpx.BasicAuth(username, PASSWORDS[username])


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
