"""The sample of the reference (anc-programme.md §2): a registration and a visit, as the Web API gives them."""

import copy
from collections.abc import Iterator
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from janani.sync.mapping import Context, Unit, User

PERSON = "KGY0UKmRqqh"
REGISTRATION = "ANEt5ec0HOM"
VISIT = "bEPWxMXbAdX"
ENROLLMENT = "iLU4Tgp6dzF"
ADMIN = {"uid": "M5zQapPyTZI", "username": "admin", "firstName": "admin", "surname": "admin"}
COLOMBO = ZoneInfo("Asia/Colombo")

_ATTRIBUTES = {
    "CSZevH4P5yV": "ANC00000001",
    "u5AESfSOhIG": "28",
    "Yie7mOY913J": "1997-08-01",
    "VQl0wK3eqiw": "John A. B. C. Doe",
    "p7zizFkC6Lv": "Female",
    "EOMGwaUTMrU": "123 Main Street, 1234 Akurana, Kandy, Central Province, LK",
    "M6NNPC3hNrb": "200012345678",
    "IrUmPkFMDU5": "12345678",
    "gGAQeOr1Pgu": "+94712345678",
    "CJLJmmp8r9g": "SUB0001",
}
_REGISTRATION = {
    "plTkCmySMzT": "true",
    "R4EnBNPKblS": "true",
    "RpRCMceQhks": "true",
    "J3eLUAZkM6M": "true",
    "n2rSTrjRQ8O": "false",
    "YuZEbIjLLKZ": "false",
    "TRkCMVFhrmr": "3",
    "NPnDmeGBLsl": "2",
    "OMe6LMsusv4": "2",
    "BqkEw3MQDNI": "4",
    "No3jJWIR7bn": "18",
    "vuDExM32SZ6": "2025-07-02",
    "r5TIiovGHdi": "2026-04-08",
}
_VISIT = {
    "gu4sr8eOZcT": "18",
    "Y3xF4qecAVw": "120",
    "k7K4aO0RXew": "true",
    "Ei55u2kvdzm": "true",
    "yQk0w6KiXHJ": "true",
    "GCHralHLuAB": "true",
}


def attribute(person: dict[str, Any], uid: str, value: str | None) -> None:
    """Sets (None: removes) an attribute of the sample's enrolment."""
    held = person["enrollments"][0]["attributes"]
    held[:] = [one for one in held if one["attribute"] != uid]
    if value is not None:
        held.append({"attribute": uid, "value": value})


def event(uid: str, stage: str, values: dict[str, str], **others: Any) -> dict[str, Any]:
    """A completed event with data values."""
    data = [{"dataElement": element, "value": value} for element, value in values.items()]
    base = {
        "event": uid,
        "status": "COMPLETED",
        "program": "eozjj9UivfS",
        "programStage": stage,
        "enrollment": ENROLLMENT,
        "trackedEntity": PERSON,
        "orgUnit": "Tnl7qgZh7zL",
        "occurredAt": "2025-09-04T00:00:00.000",
        "scheduledAt": "2025-09-04T00:00:00.000",
        "completedAt": "2025-09-04T07:37:47.106",
        "createdAt": "2025-09-04T07:37:47.106",
        "updatedAt": "2025-09-04T07:37:47.106",
        "deleted": False,
        "completedBy": "admin",
        "createdBy": ADMIN,
        "updatedBy": ADMIN,
        "dataValues": data,
        "notes": [],
    }
    return base | others


def person() -> dict[str, Any]:
    """A fresh copy of the sample."""
    attributes = [{"attribute": uid, "value": value} for uid, value in _ATTRIBUTES.items()]
    visit = event(VISIT, "GX0z9IXFaso", _VISIT, orgUnit="GYBZ1og9bk7", occurredAt="2025-09-16T00:00:00.000")
    del visit["scheduledAt"]
    enrollment = {
        "enrollment": ENROLLMENT,
        "trackedEntity": PERSON,
        "program": "eozjj9UivfS",
        "status": "ACTIVE",
        "orgUnit": "Tnl7qgZh7zL",
        "createdAt": "2025-09-03T14:00:47.105",
        "createdBy": ADMIN,
        "enrolledAt": "2025-09-03T00:00:00.000",
        "occurredAt": "2025-09-03T00:00:00.000",
        "deleted": False,
        "attributes": attributes,
        "events": [event(REGISTRATION, "LWJcStrI6kM", _REGISTRATION), visit],
    }
    return copy.deepcopy(
        {
            "trackedEntity": PERSON,
            "trackedEntityType": "MxdEsVAegt5",
            "createdAt": "2025-09-03T14:00:46.877",
            "updatedAt": "2025-09-04T07:42:13.455",
            "orgUnit": "Tnl7qgZh7zL",
            "inactive": False,
            "deleted": False,
            "potentialDuplicate": False,
            "createdBy": ADMIN,
            "updatedBy": ADMIN,
            "relationships": [],
            "attributes": [one for one in attributes if one["attribute"] not in ("IrUmPkFMDU5", "p7zizFkC6Lv")],
            "enrollments": [enrollment],
            "programOwners": [{"orgUnit": "Tnl7qgZh7zL", "trackedEntity": PERSON, "program": "eozjj9UivfS"}],
        }
    )


def context(zone: Any = UTC) -> Context:
    """What the sample's registry says about itself."""
    path = ("FbT4CHIOILN", "I31OiR5Iuks", "E6A5CmVkFX8", "cCYTt5Rd6VI")
    units = [
        Unit("FbT4CHIOILN", "Sri Lanka", "LK", path[:1]),
        Unit("I31OiR5Iuks", "Central Province", "LK-2", path[:2]),
        Unit("E6A5CmVkFX8", "Kandy", "RDHS-KANDY", path[:3]),
        Unit("cCYTt5Rd6VI", "MOH Akurana", "MOH-AKURANA", path),
        Unit("Tnl7qgZh7zL", "Akurana North midwife area", "PHM-AKURANA-N", (*path, "Tnl7qgZh7zL")),
        Unit("GYBZ1og9bk7", "Akurana MOH clinic", "CLINIC-AKURANA", (*path, "GYBZ1og9bk7")),
        Unit("WzOirADD7x6", "VOG clinic, Teaching Hospital Kandy", "VOG-KANDY", (*path[:3], "WzOirADD7x6")),
    ]
    users = [User("M5zQapPyTZI", "admin", "admin", "admin", phone="+94112694033", email="admin@moh.example")]
    return Context(
        zone=zone,
        system_id="5b21b377-f424-48c1-8c24-1980b4d00059",
        version="2.42.1",
        name="DHIS 2",
        url="http://localhost:8080",
        units={unit.uid: unit for unit in units},
        users={user.uid: user for user in users},
    )


def references(node: Any) -> Iterator[str]:
    """Every Reference.reference within a resource."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)
