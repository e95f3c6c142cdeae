"""What a doctor wrote himself, and how it is taken back, with his reason. Pure.

What he added stays as entered in error. A referral that he answered is the midwife's, so it is open again.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from janani.portals.chart.definition import Definition
from janani.portals.chart.view import codes, local_day, value_of
from janani.portals.doctor.additions import put

Json = dict[str, Any]
_MISTAKEN = "entered-in-error"
KINDS = ("Observation", "Condition", "MedicationStatement", "Appointment")


class Own(Struct, frozen=True):
    """Something that this doctor added and can take back. `version` is what taking it back must name."""

    kind: str
    id: str
    version: str
    says: str
    day: str


def own(resources: list[Json], definition: Definition, user: str, now: datetime) -> list[Own]:
    """What `user` (his Practitioner) added with this portal's form, the newest first. Pure.

    The Encounter, or the referral that was answered, says who sent the form; everything of the form carries the form's
    identifier.
    """
    answered = {
        f"ServiceRequest/{one['id']}"
        for one in resources
        if one["resourceType"] == "ServiceRequest"
        and any(each.get("authorReference", {}).get("reference") == user for each in one.get("note", []))
    }
    forms = {
        _form(one, definition)
        for one in resources
        if one["resourceType"] == "Encounter"
        and any(each.get("individual", {}).get("reference") == user for each in one.get("participant", []))
    }
    forms |= {
        _form(one, definition)
        for one in resources
        if one["resourceType"] == "Appointment"
        and any(each.get("reference") in answered for each in one.get("basedOn", []))
    }
    forms.discard("")
    found = [one for one in resources if one["resourceType"] in KINDS and _form(one, definition) in forms]
    standing = [one for one in found if not _is_mistaken(one)]
    newest_first = sorted(standing, key=lambda one: str(one["meta"].get("lastUpdated", "")), reverse=True)
    return [
        Own(one["resourceType"], one["id"], one["meta"]["versionId"], _says(one), _day(one, now))
        for one in newest_first
    ]


def own_answers(resources: list[Json], user: str, now: datetime) -> list[Own]:
    """The referrals that `user` answered last, the newest first. Pure."""
    found = [
        one
        for one in resources
        if one["resourceType"] == "ServiceRequest" and one["status"] == "completed" and _author(one) == user
    ]
    newest_first = sorted(found, key=lambda one: str(one["note"][-1].get("time", "")), reverse=True)
    return [
        Own(
            one["resourceType"],
            one["id"],
            one["meta"]["versionId"],
            str(one["note"][-1].get("text", "")),
            str(local_day(one["note"][-1].get("time"), now.tzinfo) or ""),
        )
        for one in newest_first
    ]


def _author(request: Json) -> str:
    """Who wrote the last note of a referral."""
    notes = request.get("note") or [{}]
    return str(notes[-1].get("authorReference", {}).get("reference", ""))


def unanswered(
    request: Json, resources: list[Json], definition: Definition, reason: str, user: str, now: datetime
) -> Json:
    """The transaction that takes back what `user` answered to the referral `request`, if it is still that version.

    It waits again, with the reason in place of his words, and so do those Tasks of `resources` that follow it up; the
    appointment that he made with the answer is entered in error.
    """
    reference = f"ServiceRequest/{request['id']}"
    others = [one for one in request["note"] if one.get("authorReference", {}).get("reference") != user]
    entries = [put(request | {"status": "active", "note": [*others, _said(reason, user, now)]})]
    for one in resources:
        kind, basis = one["resourceType"], [each.get("reference") for each in one.get("basedOn", [])]
        if kind == "Task" and one.get("focus", {}).get("reference") == reference and one["status"] == "completed":
            entries.append(put(one | {"status": "requested", "statusReason": {"text": reason}}))
        elif kind == "Appointment" and reference in basis and _form(one, definition) and not _is_mistaken(one):
            entries.append(put(mistaken(one, definition, reason, user, now)))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def mistaken(resource: Json, definition: Definition, reason: str, user: str, now: datetime) -> Json:
    """`resource` as entered in error, with the reason in the author's name. Pure."""
    if resource["resourceType"] == "Appointment":  # has no notes
        return resource | {"status": _MISTAKEN, "comment": reason}
    # The national profiles fix the status of what stands (`final`), so what does not stand no longer claims them.
    meta = {key: value for key, value in resource["meta"].items() if key != "profile"}
    changed = resource | {"meta": meta, "note": [*resource.get("note", []), _said(reason, user, now)]}
    if resource["resourceType"] != "Condition":
        return changed | {"status": _MISTAKEN}
    changed.pop("clinicalStatus", None)  # R4 Condition, con-5
    system = definition.diagnosis.verification_status
    return changed | {"verificationStatus": {"coding": [{"system": system, "code": _MISTAKEN}]}}


def _said(reason: str, user: str, now: datetime) -> Json:
    return {"authorReference": {"reference": user}, "time": now.isoformat(timespec="seconds"), "text": reason}


def _form(one: Json, definition: Definition) -> str:
    given = one.get("identifier", [])
    values = (each.get("value", "") for each in given if each.get("system") == definition.form_system)
    return str(next(values, "")).partition("_")[0]


def _is_mistaken(one: Json) -> bool:
    return one.get("status") == _MISTAKEN or _MISTAKEN in codes(one.get("verificationStatus"))


def _says(one: Json) -> str:
    kind = one["resourceType"]
    if kind == "Appointment":
        return _text(next(iter(one.get("serviceType", [])), None))
    if kind == "MedicationStatement":
        dose = (one.get("dosage") or [{}])[0].get("text", "")
        return ", ".join(filter(None, [_text(one.get("medicationCodeableConcept")), dose]))
    return ": ".join(filter(None, [_text(one.get("code")), value_of(one) if kind == "Observation" else ""]))


def _day(one: Json, now: datetime) -> str:
    at = one.get("start") or one.get("effectiveDateTime") or one.get("recordedDate")
    return str(local_day(at, now.tzinfo) or "")


def _text(concept: Json | None) -> str:
    found = concept or {}
    return str(found.get("text") or next((one.get("display", "") for one in found.get("coding", [])), ""))
