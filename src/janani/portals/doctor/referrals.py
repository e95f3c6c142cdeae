"""The referrals of a woman that wait for the doctor's answer. Pure."""

from datetime import date
from typing import Any

from msgspec import Struct

from janani.portals.chart.view import day, name_of, text_of

Json = dict[str, Any]


class Referral(Struct, frozen=True):
    """A ServiceRequest that nobody has answered yet. `version` is what the answer must name."""

    id: str
    version: str
    to: str
    reason: str
    asked_by: str
    day: date | None
    urgent: bool = False


def open_referrals(resources: list[Json]) -> list[Referral]:
    """What waits for an answer: the urgent first, then the oldest."""
    names = {f"Practitioner/{one['id']}": name_of(one) for one in resources if one["resourceType"] == "Practitioner"}
    requests = [one for one in resources if one["resourceType"] == "ServiceRequest"]
    waiting = [_referral(one, names) for one in requests if one.get("status") == "active"]
    return sorted(waiting, key=lambda one: (not one.urgent, one.day or date.max))


def _referral(one: Json, names: dict[str, str]) -> Referral:
    to = next((each.get("display", "") for each in one.get("performer", [])), "")
    asked = one.get("requester", {})
    return Referral(
        id=one["id"],
        version=one.get("meta", {}).get("versionId", ""),
        to=to or text_of(one.get("code")),
        reason="; ".join(filter(None, (each.get("text", "") for each in one.get("reasonCode", [])))),
        asked_by=names.get(asked.get("reference", ""), "") or str(asked.get("display", "")),
        day=day(one.get("occurrenceDateTime")),
        urgent=one.get("priority", "routine") != "routine",
    )
