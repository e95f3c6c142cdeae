"""Tracker payloads from drafts, and import reports in words. Pure."""

from typing import Any

from msgspec import Struct

from janani.kernel.i18n import _
from janani.portals.midwife.forms import Field
from janani.portals.midwife.women import newest_enrollment
from janani.programmes import Programme

Json = dict[str, Any]
_IN_CONSEQUENCE = "E5000"  # an object was left out because one that it belongs to was refused


class Uids(Struct):
    """The UIDs a draft was given when it began: a form sent twice writes the same objects.

    `planned` is the planned visit that it was sent as, "" when it was sent as none.
    """

    tracked_entity: str
    enrollment: str
    event: str
    planned: str = ""


def registration(
    programme: Programme, uids: Uids, unit: str, day: str, attributes: dict[str, str], values: dict[str, str]
) -> Json:
    """A new woman: tracked entity, enrolment, completed registration event.

    Attributes stand at both levels: DHIS2 looks for the mandatory ones of the type on the one and for those of the
    programme on the other.
    """
    roles = programme.registry
    event = {
        "event": uids.event,
        "programStage": roles.stages["registration"],
        "orgUnit": unit,
        "status": "COMPLETED",
        "occurredAt": day,
        "dataValues": _data_values(values),
    }
    enrollment = {
        "enrollment": uids.enrollment,
        "program": roles.program,
        "orgUnit": unit,
        "status": "ACTIVE",
        "enrolledAt": day,
        "occurredAt": values.get(roles.elements["lmp"], day),
        "attributes": _attributes(attributes),
        "events": [event],
    }
    person = {
        "trackedEntity": uids.tracked_entity,
        "trackedEntityType": roles.tracked_entity_type,
        "orgUnit": unit,
        "attributes": _attributes(attributes),
        "enrollments": [enrollment],
    }
    return {"trackedEntities": [person]}


def visit(programme: Programme, uids: Uids, stage: str, unit: str, day: str, values: dict[str, str]) -> Json:
    """A completed event of `stage` (a visit or a referral)."""
    event = _event(programme, uids, stage, unit) | {
        "status": "COMPLETED",
        "occurredAt": day,
        "dataValues": _data_values(values),
    }
    return {"events": [event]}


def appointment(programme: Programme, uids: Uids, unit: str, day: str) -> Json:
    """A visit that is planned for `day`."""
    stage = programme.registry.stages["visit"]
    return {"events": [_event(programme, uids, stage, unit) | {"status": "SCHEDULE", "scheduledAt": day}]}


def cancelled(programme: Programme, uids: Uids, unit: str, day: str) -> Json:
    """The visit that was planned for `day` and will not be."""
    event: Json
    [event] = appointment(programme, uids, unit, day)["events"]
    return {"events": [event | {"status": "SKIPPED"}]}


def changed_attributes(programme: Programme, person: Json, attributes: dict[str, str]) -> Json:
    """New values of a known woman's attributes; an empty one is taken away."""
    none: Json = {}
    kept = ("enrollment", "orgUnit", "status", "enrolledAt", "occurredAt")
    enrollment = {key: value for key, value in (newest_enrollment(person) or none).items() if key in kept}
    enrollment |= {"program": programme.registry.program, "attributes": _attributes(attributes)}
    one = {
        "trackedEntity": person["trackedEntity"],
        "trackedEntityType": programme.registry.tracked_entity_type,
        "orgUnit": person["orgUnit"],
        "attributes": _attributes(attributes),
        "enrollments": [enrollment],
    }
    return {"trackedEntities": [one]}


def refusals(report: Json, fields: list[Field]) -> dict[str, str]:
    """What the registry refused, by field where it names one (else under ""), in words."""
    labels = {each.id: each.label for each in fields}
    found: dict[str, str] = {}
    errors = report.get("validationReport", {}).get("errorReports", [])
    causes = [error for error in errors if error.get("errorCode") != _IN_CONSEQUENCE]
    for error in causes or errors:
        text, code = error.get("message", ""), error.get("errorCode", "")
        place = next((uid for uid in labels if uid in text), "")
        found.setdefault(place, _words(code, labels.get(place, ""), text))
    return found


def _words(code: str, label: str, text: str) -> str:
    if code == "E1064":
        return _(
            "{label}: another woman is registered with this already. If you don't find her, your supervisor can."
        ).format(label=label or _("This number"))
    if code == "E1084":
        return _("{label}: this value is not of the right kind.").format(label=label)
    if code in ("E1000", "E1001", "E1091", "E1096", "E1103"):
        return _("You may not write at this clinic. Choose one of your own, or ask your supervisor.")
    return f"{label}: {text} ({code})" if label else f"{text} ({code})"


def _event(programme: Programme, uids: Uids, stage: str, unit: str) -> Json:
    return {
        "event": uids.event,
        "program": programme.registry.program,
        "programStage": stage,
        "enrollment": uids.enrollment,
        "orgUnit": unit,
    }


def _attributes(values: dict[str, str]) -> list[Json]:
    return [{"attribute": uid, "value": value or None} for uid, value in values.items()]


def _data_values(values: dict[str, str]) -> list[Json]:
    return [{"dataElement": uid, "value": value} for uid, value in values.items()]
