"""Enrolments and events as the source of EpisodeOfCare, Encounter, Appointment and referral (ServiceRequest, Task).

In the source `e` is the Visit (see model); arguments named like a reference are JSON texts.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from janani.sync.mapping import values
from janani.sync.mapping.model import profiled
from janani.sync.mapping.table import Catalogue, Examiner, ReferralTemplate, Table
from janani.sync.mapping.template import Hole, Inside, Splice, constant, expression
from janani.sync.mapping.values import Json, coding, concept

REFERRAL = "referral"
"""Ends the identifier `{event}-referral` of what a referral becomes."""

_REFERRAL_COLUMNS = (
    "stage, element that asks, stage that answers, element and units of the clinic, request, task or None"
)


def visit_source(table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> Iterator[str]:
    """Parts of the module: `episode`, `encounter`, `appointment`, `provenance`, one for each referral, REFERRALS."""
    visits = _Visits(table, catalogue, stages)
    yield visits.types()
    yield visits.episode()
    yield visits.encounter()
    yield visits.appointment()
    yield visits.provenance()
    rows = []
    for number, template in enumerate(table.referrals):
        yield visits.referral(number, template)
        if template.task:
            yield visits.task(number, template)
        uid = catalogue.elements[template.when].uid if template.when else ""
        clinic = catalogue.elements[template.clinic].uid if template.clinic else ""
        answered_by = stages.get(template.answered_by, "")
        made = f"referral_{number}, {f'task_{number}' if template.task else None}"
        rows.append((stages[template.stage], uid, answered_by, clinic, template.clinic_units, made))
    lines = "".join(f"    (*{row[:-1]!r}, {row[-1]}),\n" for row in rows)
    yield f"# {_REFERRAL_COLUMNS}\nREFERRALS = [\n{lines}]\n"


class _Visits:
    def __init__(self, table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> None:
        self._table, self._elements, self._stages = table, catalogue.elements, stages

    def _concept(self, written: str, text: str = "") -> Json:
        return concept(written, self._table.systems, text)

    def _identifier(self, system: str, value: Hole | Inside) -> list[Json]:
        return [{"system": self._table.identifiers[system], "value": value}]

    def types(self) -> str:
        """TYPES: {stage UID: text of an encounter's types}."""
        template = self._table.encounter
        found = {self._stages[role]: self._concept(one) for role, one in template.types.items() if role in self._stages}
        lines = "".join(f"    {uid!r}: {constant([one])},\n" for uid, one in found.items())
        return f"TYPES = {{\n{lines}}}\n" + (self._examiners(template.examiner) if template.examiner else "")

    def _examiners(self, examiner: Examiner) -> str:
        """EXAMINERS: {option: text of a participant's type}."""
        system = self._table.systems[examiner.system]
        kinds = {
            code: {"type": [{"coding": [{"system": system, "code": code, "display": name}], "text": name}]}
            for code, name in self._elements[examiner.element].options.items()
        }
        lines = "".join(f"    {code!r}: {values.json_text(one)[1:-1] + ','!r},\n" for code, one in kinds.items())
        return f"EXAMINERS = {{\n{lines}}}\n"

    def episode(self) -> str:
        """The EpisodeOfCare of an enrolment; a registration number names this pregnancy, not her."""
        template = self._table.episode
        number = {"system": self._table.identifiers.get("registration_number"), "value": Hole("quoted(number)")}
        own = f"    if number:\n        own += ',' + {expression(number, ' ' * 12)}\n"
        resource = {
            "resourceType": "EpisodeOfCare",
            "status": Hole("EPISODE_STATUSES.get(status, ACTIVE)"),
            "type": [self._concept(template.type)],
            "patient": Hole("patient"),
            "managingOrganization": Hole("organization"),
            "identifier": [Hole("own")],
            "": Splice("period"),
        }
        statuses = {status: f'"{said}"' for status, said in template.statuses.items()}
        return (
            f"ACTIVE = {constant('active')}\nEPISODE_STATUSES = {statuses!r}\n\n\n"
            "def episode(status, patient, organization, number, period, own):\n"
            f"{own if template.registration_number else ''}"
            f"    return {expression(resource)}\n"
        )

    def encounter(self) -> str:
        """The Encounter of an event that took place. A visit kept as a day ends on that day."""
        template, examiner = self._table.encounter, self._table.encounter.examiner
        participant: Json = {"type": Splice("examiner", lead=True)} if examiner else {}
        chosen = f"EXAMINERS.get(e.values.get({self._elements[examiner.element].uid!r}), '')" if examiner else ""
        resource = {
            **profiled(template.profile, self._table),
            "resourceType": "Encounter",
            "status": Hole("status"),
            "class": coding(template.kind, self._table.systems),
            "type": Splice("kind"),
            "subject": Hole("e.subject"),
            "episodeOfCare": [Hole("episode")],
            "participant": [participant | {"individual": Hole("who")}],
            "period": {"start": Hole("e.effective"), "end": Splice("end")},
            "reasonCode": [self._concept(template.reason, template.reason_text)],
            "location": [{"location": Hole("location")}],
            "serviceProvider": Hole("organization"),
            "identifier": self._identifier("event", Inside("e.plain")),
        }
        unknown = constant({"display": "Not recorded"})
        return (
            "def encounter(e, status, episode, organization, location):\n"
            "    kind = TYPES.get(e.stage, '')\n"
            "    kind = f',\"type\":{kind}' if kind else ''\n"
            + (f"    examiner = {chosen}\n" if chosen else "")
            + f"    who = e.recorder or {unknown}\n"
            "    end = f',\"end\":{e.effective}' if status == '\"finished\"' and len(e.effective) == 12 else ''\n"
            f"    return {expression(resource)}\n"
        )

    def appointment(self) -> str:
        """The Appointment of a scheduled event."""
        template, table = self._table.appointment, self._table
        other = constant([self._concept(table.encounter.reason, table.encounter.reason_text)])
        resource = {
            "resourceType": "Appointment",
            "status": Hole("status"),
            "serviceType": Hole("kind"),
            "reasonCode": [self._concept(template.reason)],
            "start": Hole("start"),
            "end": Hole("end"),
            "participant": [
                {"actor": Hole("patient"), "status": "accepted"},
                {"actor": Hole("location"), "status": "accepted"},
            ],
            "identifier": self._identifier("event", Hole("uid")),
        }
        return (
            "def appointment(uid, stage, planned, patient, location, status, zone):\n"
            f"    start, end = morning(planned, zone, {template.opens!r}, {table.zone!r}, {template.minutes})\n"
            f"    kind = TYPES.get(stage, {other})\n"
            f"    return {expression(resource)}\n"
        )

    def provenance(self) -> str:
        """The Provenance of an event or enrolment of the registry, which its tag names: R4 gives it no identifier."""
        template = self._table.provenance
        if template is None:
            return "def provenance(*told):\n    return ''\n"
        resource = {
            "resourceType": "Provenance",
            "meta": {"tag": [{"system": Hole("system"), "code": Hole("uid")}]},
            "target": [Hole("about"), Hole("subject")],
            "recorded": Hole("recorded"),
            "agent": [
                {
                    "type": self._concept(template.enterer.type),
                    "who": Hole("user or organization"),
                    "": Splice("behalf"),
                },
                {"type": self._concept(template.assembler.type), "who": Hole("device")},
            ],
            "entity": [{"role": "source", "what": {"identifier": {"system": Hole("system"), "value": Hole("uid")}}}],
        }
        return (
            "def provenance(system, uid, about, subject, recorded, user, organization, device):\n"
            "    behalf = f',\"onBehalfOf\":{organization}' if user else ''\n"
            f"    return {expression(resource)}\n"
        )

    def referral(self, number: int, template: ReferralTemplate) -> str:
        """The ServiceRequest of one event. `clinic` is the Organization it goes to, when there is one."""
        resource = {
            **profiled(template.profile, self._table),
            "resourceType": "ServiceRequest",
            "status": Hole("status"),
            "intent": template.intent,
            "code": self._concept(template.code, template.text),
            "subject": Hole("e.subject"),
            "encounter": Hole("e.encounter"),
            "occurrenceDateTime": Hole("e.effective"),
            "authoredOn": Hole("e.recorded"),
            "requester": Hole("e.performer"),
            "priority": Splice("priority"),
            "reasonCode": Splice("reasons"),
            "performer": Splice("performer"),
            "identifier": self._identifier("value", Inside("e.plain", f"-{REFERRAL}")),
        }
        lines = [self._priority(template)]
        lines += ["found = []"]
        if template.reason:
            lines += [f"found.append({self._option(template.reason)})"]
        lines += [
            f"found.append(words(e.values.get({self._elements[one].uid!r}, '')))" for one in template.reason_texts
        ]
        lines += ["found = ['{\"text\":' + quoted(one) + '}' for one in found if one]"]
        lines += ["reasons = f',\"reasonCode\":[{\",\".join(found)}]' if found else ''"]
        lines += [f"name = {self._option(template.clinic)}" if template.clinic else "name = ''"]
        lines += ["clinic = clinic[:-1] + ',' if clinic else '{'"]
        lines += ["performer = f',\"performer\":[{clinic}\"display\":{quoted(name)}}}]' if name else ''"]
        lines += [f"return {expression(resource)}"]
        return f"def referral_{number}(e, status, clinic):\n" + "".join(f"    {line}\n" for line in lines)

    def task(self, number: int, template: ReferralTemplate) -> str:
        """The Task that follows a referral up: whose it is, and whether it was answered. What it asks, `focus` says."""
        resource = {
            **profiled(template.task, self._table),
            "resourceType": "Task",
            "status": Hole("status"),
            "intent": "order",
            "focus": Hole("request"),
            "for": Hole("e.subject"),
            "encounter": Hole("e.encounter"),
            "authoredOn": Hole("e.recorded"),
            "requester": Hole("e.recorder or device"),
            "location": Hole("place"),
            "priority": Splice("priority"),
            "owner": Splice("owner"),
            "identifier": self._identifier("value", Inside("e.plain", f"-{REFERRAL}")),
        }
        return (
            f"def task_{number}(e, status, request, clinic, place, device):\n"
            f"    {self._priority(template)}\n"
            "    owner = f',\"owner\":{clinic}' if clinic else ''\n"
            f"    return {expression(resource)}\n"
        )

    def _option(self, element: str) -> str:
        """The name of the option chosen for `element`, or ""."""
        field = self._elements[element]
        return f"{dict(field.options)!r}.get(e.values.get({field.uid!r}, ''), '')"

    def _priority(self, template: ReferralTemplate) -> str:
        if template.priority is None:
            return "priority = ''"
        chosen = {option: f',"priority":"{said}"' for option, said in template.priority.values.items()}
        return f"priority = {chosen!r}.get(e.values.get({self._elements[template.priority.element].uid!r}), '')"


@lru_cache(maxsize=4096)  # many are asked to come on the same day
def morning(planned: str, zone: tzinfo, opens: str, place: str, minutes: int) -> tuple[str, str]:
    """JSON texts of an appointment's start and end: from the opening of that day when only the day is known.

    Raises Unfit for what is no date, and at the end of the calendar.
    """
    found = datetime.fromisoformat(values.moment(planned, zone))
    if found.tzinfo is None:
        found = datetime.combine(found.date(), time.fromisoformat(opens), values.zone_of(place))
    try:
        end = found + timedelta(minutes=minutes)
    except OverflowError as error:
        raise values.Unfit("not a date and time") from error
    return tuple(f'"{one.isoformat(timespec="seconds")}"' for one in (found, end))  # type: ignore[return-value]


def period_of(enrollment: Any, zone: tzinfo) -> str:
    """The JSON member `period` of an enrolment with its comma, or "". Raises Unfit."""
    start = values.moment(enrollment.enrolledAt, zone) if enrollment.enrolledAt else ""
    end = ""
    if enrollment.status != "ACTIVE" and enrollment.completedAt:
        end = values.moment(enrollment.completedAt, zone)
        end = end if end[:10] >= start[:10] else ""
    if not end:
        return f',"period":{{"start":"{start}"}}' if start else ""
    start = f'"start":"{start}",' if start else ""
    return f',"period":{{{start}"end":"{end}"}}'
