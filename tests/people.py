"""Made-up women for load, latency and chaos: number n is always the same woman."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from janani import programmes
from janani.clients.fhir import BackendToken
from janani.kernel.ids import uid_of
from janani.kernel.jose import signing_key
from janani.programmes.sri_lanka import check_digit
from janani.settings import Settings
from system import System

_ZONE = ZoneInfo(Settings().portals.time_zone)
_PROGRAMME = programmes.load("anc_lk")
_ALPHABET = "BCDFGHJKMPQRTVWXY23456789"


def today() -> date:
    """The date where the registry and the portals are."""
    return datetime.now(_ZONE).date()


def phn(number: int) -> str:
    """A valid version 2 PHN that belongs to `number`."""
    middle = ""
    rest = number
    for _ in range(6):
        rest, place = divmod(rest, len(_ALPHABET))
        middle += _ALPHABET[place]
    body = "TESTPOI9" + middle
    return body + check_digit(body)


def person(number: int, *, prefix: str = "load") -> dict[str, Any]:
    """A nested tracked entity: one enrolment, a completed registration and a scheduled visit."""
    roles, stages = _PROGRAMME.registry.attributes, _PROGRAMME.registry.stages
    unit = "Tnl7qgZh7zL"
    key = f"{prefix}/{number}"
    born = date(1990, 1, 1) + timedelta(days=number)
    last_period = today() - timedelta(days=100)
    attributes = {
        "full_name": f"Test Person {number}",
        "birth_date": born.isoformat(),
        "gender": "Female",
        "phn": phn(number),
        "address": "1 Temple Road, 20850 Akurana, Kandy, Central Province, LK",
    }
    values = {"vuDExM32SZ6": last_period.isoformat(), "TRkCMVFhrmr": "1", "NPnDmeGBLsl": "0", "OMe6LMsusv4": "0"}
    return {
        "trackedEntity": uid_of(key),
        "trackedEntityType": _PROGRAMME.registry.tracked_entity_type,
        "orgUnit": unit,
        "enrollments": [
            {
                "enrollment": uid_of(f"{key}/enrollment"),
                "program": _PROGRAMME.registry.program,
                "orgUnit": unit,
                "status": "ACTIVE",
                "enrolledAt": (today() - timedelta(days=3)).isoformat(),
                "attributes": [{"attribute": roles[role], "value": value} for role, value in attributes.items()],
                "events": [
                    {
                        "event": uid_of(f"{key}/registration"),
                        "programStage": stages["registration"],
                        "orgUnit": unit,
                        "status": "COMPLETED",
                        "occurredAt": (today() - timedelta(days=3)).isoformat(),
                        "dataValues": [{"dataElement": uid, "value": value} for uid, value in values.items()],
                    },
                    {
                        "event": uid_of(f"{key}/visit"),
                        "programStage": stages["visit"],
                        "orgUnit": unit,
                        "status": "SCHEDULE",
                        "scheduledAt": (today() + timedelta(days=25)).isoformat(),
                    },
                ],
            }
        ],
    }


def roles_of(role: str) -> str:
    """The UID of the data element with this role."""
    return _PROGRAMME.registry.elements[role]


def visited(number: int, *, prefix: str = "load") -> dict[str, Any]:
    """The same woman with a whole clinical registration and a visit: about as much as the reference's example."""
    one = person(number, prefix=prefix)
    elements, stages = _PROGRAMME.registry.elements, _PROGRAMME.registry.stages
    registration, visit = one["enrollments"][0]["events"]
    measured = {"height": "156", "weight": "54.5", "bmi": "22.4"}
    registration["dataValues"] += _values(elements, measured)
    registration["dataValues"] += [{"dataElement": uid, "value": "true"} for uid in ("R4EnBNPKblS", "D5khklwbOPt")]
    seen = {
        "poa": "14",
        "weight": "55.5",
        "systolic": "122",
        "diastolic": "78",
        "haemoglobin": "11.1",
        "fundal_height": "18",
    }
    later = f"{prefix}/{number}/seen"
    one["enrollments"][0]["events"].append(
        {
            "event": uid_of(later),
            "programStage": stages["visit"],
            "orgUnit": visit["orgUnit"],
            "status": "COMPLETED",
            "occurredAt": (today() - timedelta(days=1)).isoformat(),
            "dataValues": _values(elements, seen),
        }
    )
    return one


def _values(elements: dict[str, str], given: dict[str, str]) -> list[dict[str, str]]:
    return [{"dataElement": elements[role], "value": value} for role, value in given.items()]


async def record_token(system: System, client: httpx.AsyncClient) -> str:
    """An access token of the record, as the sync gets its own."""
    key = signing_key(system.home / "secrets" / "sync.pem", create=False)
    token = BackendToken(client, f"{system.url('record')}/fhir", "janani-sync", key)
    return await token()
