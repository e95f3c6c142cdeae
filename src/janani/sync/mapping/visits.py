"""Enrolments and events as EpisodeOfCare, Encounter, Appointment and referral (ServiceRequest)."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from janani.sync.mapping import values
from janani.sync.mapping.model import Context, Frame, profiled
from janani.sync.mapping.table import Catalogue, ReferralTemplate, Table
from janani.sync.mapping.values import Json, Unfit, coding, concept


class Visits:
    """Makes the resources around the clinical ones by the table's templates. `stages` is {role: UID}."""

    def __init__(self, table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> None:
        self._table, self._elements = table, catalogue.elements
        template = table.encounter
        self._types = {
            stages[role]: [concept(code, table.systems)] for role, code in template.types.items() if role in stages
        }
        self._class = coding(template.kind, table.systems)
        self._reason = [concept(template.reason, table.systems, template.reason_text)]
        self._examiner = catalogue.elements[template.examiner.element]
        self._opens = time.fromisoformat(table.appointment.opens)
        self._zone = ZoneInfo(table.zone)

    def episode(self, enrollment: Json, subject: Json, organization: Json, number: str, context: Context) -> Json:
        """The EpisodeOfCare of an enrolment; a registration number names this pregnancy, not her."""
        template = self._table.episode
        period: Json = (
            {"start": values.moment(enrollment["enrolledAt"], context.zone)} if _has(enrollment, "enrolledAt") else {}
        )
        if enrollment.get("status") != "ACTIVE" and _has(enrollment, "completedAt"):
            end = values.moment(enrollment["completedAt"], context.zone)
            period |= {"end": end} if end[:10] >= period.get("start", "")[:10] else {}
        episode: Json = {
            "resourceType": "EpisodeOfCare",
            "status": template.statuses.get(enrollment.get("status", ""), "active"),
            "type": [concept(template.type, self._table.systems)],
            "patient": subject,
            "managingOrganization": organization,
        }
        if number:
            system = self._table.identifiers["registration_number"]
            episode["identifier"] = [{"system": system, "value": number}]
        return episode | ({"period": period} if period else {})

    def encounter(
        self, event: Json, frame: Frame, episode: Json, organization: Json, location: Json, status: str
    ) -> Json:
        """The Encounter of an event that took place. A visit kept as a day ends on that day."""
        examiner = self._examined(frame)
        who = frame.recorder or {"display": "Not recorded"}
        period = {"start": frame.effective}
        if status == "finished" and len(frame.effective) == len("2025-01-01"):
            period["end"] = frame.effective
        return profiled(self._table.encounter.profile, self._table) | {
            "resourceType": "Encounter",
            "status": status,
            "class": self._class,
            **({"type": self._types[event["programStage"]]} if event.get("programStage") in self._types else {}),
            "subject": frame.subject,
            "episodeOfCare": [episode],
            "participant": [({"type": [examiner]} if examiner else {}) | {"individual": who}],
            "period": period,
            "reasonCode": self._reason,
            "location": [{"location": location}],
            "serviceProvider": organization,
        }

    def _examined(self, frame: Frame) -> Json:
        option = frame.values.get(self._examiner.uid, "")
        if option not in self._examiner.options:
            return {}
        name = self._examiner.options[option]
        system = self._table.systems[self._table.encounter.examiner.system]
        return {"coding": [{"system": system, "code": option, "display": name}], "text": name}

    def appointment(self, event: Json, subject: Json, location: Json, status: str, context: Context) -> Json:
        """The Appointment of a scheduled event: the opening hours of that day when only the day is known.

        Raises Unfit when it has no date.
        """
        planned = event.get("scheduledAt") or event.get("occurredAt")
        if not isinstance(planned, str):
            raise Unfit("no date")
        start = self._start(values.moment(planned, context.zone))
        template = self._table.appointment
        return {
            "resourceType": "Appointment",
            "status": status,
            "serviceType": self._types.get(event.get("programStage", ""), self._reason),
            "reasonCode": [concept(template.reason, self._table.systems)],
            "start": start.isoformat(timespec="seconds"),
            "end": (start + timedelta(minutes=template.minutes)).isoformat(timespec="seconds"),
            "participant": [
                {"actor": subject, "status": "accepted"},
                {"actor": location, "status": "accepted"},
            ],
        }

    def _start(self, planned: str) -> datetime:
        found = datetime.fromisoformat(planned)
        if found.tzinfo is None:
            return datetime.combine(found.date(), self._opens, self._zone)
        return found

    def referral(
        self, template: ReferralTemplate, frame: Frame, requester: Json, clinic: Json | None, *, answered: bool
    ) -> Json:
        """The ServiceRequest of one event. `clinic` is the Organization it goes to, when there is one."""
        request: Json = profiled(template.profile, self._table) | {
            "resourceType": "ServiceRequest",
            "status": "completed" if answered else "active",
            "intent": template.intent,
            "code": concept(template.code, self._table.systems, template.text),
            "subject": frame.subject,
            "encounter": frame.encounter,
            "occurrenceDateTime": frame.effective,
            "authoredOn": frame.recorded,
            "requester": requester,
        }
        if template.priority:
            chosen = frame.values.get(self._elements[template.priority.element].uid, "")
            if chosen in template.priority.values:
                request["priority"] = template.priority.values[chosen]
        reasons = self._reasons(template, frame)
        if reasons:
            request["reasonCode"] = [{"text": text} for text in reasons]
        name = self.option_name(template.clinic, frame)
        if name:
            request["performer"] = [(clinic or {}) | {"display": name}]
        return request

    def clinic_code(self, template: ReferralTemplate, frame: Frame) -> str:
        """Code of the organisation unit that a referral goes to, or ""."""
        if not template.clinic:
            return ""
        return template.clinic_units.get(frame.values.get(self._elements[template.clinic].uid, ""), "")

    def option_name(self, element: str, frame: Frame) -> str:
        """The name of the option chosen for `element`, or ""."""
        if not element:
            return ""
        field = self._elements[element]
        return field.options.get(frame.values.get(field.uid, ""), "")

    def _reasons(self, template: ReferralTemplate, frame: Frame) -> list[str]:
        found = [self.option_name(template.reason, frame)]
        for element in template.reason_texts:
            found.append(frame.values.get(self._elements[element].uid, "").strip())
        return [text for text in found if text]

    def wanted(self, template: ReferralTemplate, frame: Frame) -> bool:
        """Whether the event asks for this referral."""
        return not template.when or frame.values.get(self._elements[template.when].uid) == "true"


def _has(one: Mapping[str, Any], key: str) -> bool:
    return isinstance(one.get(key), str) and bool(one[key])
