"""A woman as the pages show her: from a tracked entity of the registry. Pure."""

import unicodedata
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from janani.portals.midwife.derived import PREGNANCY_DAYS, day, nic_forms, weeks_pregnant
from janani.portals.midwife.identity_state import IdentityState, known
from janani.programmes import Programme

Json = dict[str, Any]
FIELDS = (
    "trackedEntity,orgUnit,updatedAt,attributes[attribute,value],enrollments[enrollment,status,orgUnit,enrolledAt,"
    "occurredAt,attributes[attribute,value],events[event,programStage,status,orgUnit,occurredAt,scheduledAt,"
    "updatedBy[username],dataValues[dataElement,value]]]"
)

_DUE = ("edd_agreed", "edd_ultrasound", "edd")  # roles of the days she may be due, best first
_SEEN = ("visit", "specialist", "postnatal")  # roles of the stages at which danger signs are asked for


class Visit(Struct):
    """An event: a visit, a referral or the registration; `day` is when it took place or is planned for."""

    event: str
    stage: str
    status: str
    day: date | None
    values: dict[str, str]
    unit: str
    updated_by: str = ""

    @property
    def is_planned(self) -> bool:
        """Whether it has not taken place yet."""
        return self.status in ("SCHEDULE", "OVERDUE")


class Woman(Struct):
    """A woman in care. `over` is her pregnancy; `planned` the visit that stands as planned, wanted still or not."""

    uid: str
    enrollment: str
    unit: str
    updated_at: str
    attributes: dict[str, str]
    visits: list[Visit]
    name: str
    phone: str
    phn: str
    nic: str
    registration_number: str
    last_period: date | None
    weeks: int | None
    due: date | None
    died: bool
    over: bool
    planned: Visit | None
    next_visit: Visit | None
    overdue: bool
    risks: list[str]
    identity: IdentityState


def woman(person: Json, programme: Programme, today: date) -> Woman:
    """The woman of a tracked entity with its enrolments and events; the newest enrolment of the programme counts."""
    roles, elements = programme.registry.attributes, programme.registry.elements
    none: Json = {}
    enrollment = newest_enrollment(person) or none
    values = {row["attribute"]: row["value"] for row in person.get("attributes", [])}
    values |= {row["attribute"]: row["value"] for row in enrollment.get("attributes", [])}
    visits = sorted((_visit(event) for event in enrollment.get("events", [])), key=lambda one: one.day or date.min)
    done = [one for one in visits if one.status in ("COMPLETED", "ACTIVE")]
    newest: dict[str, str] = {}
    for one in done:
        newest |= one.values
    last_period = day(newest.get(elements["lmp"]))
    due = next(filter(None, (day(newest.get(elements.get(role, ""))) for role in _DUE)), None)
    died = newest.get(elements.get("deceased", "")) == "true"
    over = died or _over(
        enrollment, done, programme, last_period or (due - timedelta(days=PREGNANCY_DAYS) if due else None)
    )
    planned = [one for one in visits if one.is_planned and one.stage == programme.registry.stages["visit"]]
    following = planned[0] if planned and not over else None
    return Woman(
        uid=person["trackedEntity"],
        enrollment=enrollment.get("enrollment", ""),
        unit=enrollment.get("orgUnit") or person.get("orgUnit") or "",
        updated_at=person.get("updatedAt", ""),
        attributes=values,
        visits=visits,
        name=values.get(roles["full_name"], ""),
        phone=values.get(roles["phone"], ""),
        phn=values.get(roles["phn"], ""),
        nic=values.get(roles["nic"], ""),
        registration_number=values.get(roles["registration_number"], ""),
        last_period=last_period,
        weeks=None if over else weeks_pregnant(last_period, today),
        due=None if over else due,
        died=died,
        over=over,
        planned=planned[0] if planned else None,
        next_visit=following,
        overdue=bool(following and following.day and following.day < today),
        risks=[] if died else _risks(programme, done, over=over),
        identity=known(values, programme),
    )


def _over(enrollment: Json, done: list[Visit], programme: Programme, began: date | None) -> bool:
    """Whether this pregnancy has ended: by the state of the enrolment, or a birth (or miscarriage) after it began."""
    births = [one.day for one in done if one.stage == programme.registry.stages.get("birth") and one.day]
    return enrollment.get("status", "ACTIVE") != "ACTIVE" or any(began is None or on > began for on in births)


def newest_enrollment(person: Json) -> Json | None:
    """The enrolment that counts."""
    return max(person.get("enrollments", ()), key=lambda one: str(one.get("enrolledAt", "")), default=None)


def found_by(women: list[Woman], text: str) -> list[Woman]:
    """Those whose name has every word of `text` in it, or one of whose numbers has `text` (a NIC: either form)."""
    words, numbers = _plain(text).split(), {"".join(_plain(form).split()) for form in nic_forms(text)}
    return [one for one in women if _named(one, words) or any(_numbered(one, number) for number in numbers)]


def in_order_of_need(women: list[Woman]) -> list[Woman]:
    """Overdue first (longest first), then today's, then by the day of the next visit."""
    return sorted(women, key=lambda one: (one.next_visit.day or date.max) if one.next_visit else date.max)


def _named(one: Woman, words: list[str]) -> bool:
    return all(word in _plain(one.name) for word in words)


def _plain(text: str) -> str:
    """`text` as a search compares it: one case, and one way to write what Unicode writes in several (NFKC)."""
    return unicodedata.normalize("NFKC", text).casefold()


def _numbered(one: Woman, number: str) -> bool:
    """A telephone number is found with its leading 0, too."""
    numbers = (each.casefold().replace(" ", "") for each in (one.phn, one.nic, one.registration_number, one.phone))
    return any(number in each for each in numbers) or (number.startswith("0") and number[1:] in one.phone[1:])


def _visit(event: Json) -> Visit:
    return Visit(
        event=event["event"],
        stage=event["programStage"],
        status=event["status"],
        day=day(event.get("occurredAt") or event.get("scheduledAt")),
        values={row["dataElement"]: row["value"] for row in event.get("dataValues", [])},
        unit=event.get("orgUnit", ""),
        updated_by=(event.get("updatedBy") or {}).get("username", ""),
    )


def _risks(programme: Programme, done: list[Visit], *, over: bool) -> list[str]:
    """What marks her; after the birth (`over`) what the visits after it found, fever and bleeding above all.

    What counts at her newest visit alone is what was said on the day she was seen last, at whatever clinic.
    """
    stages = programme.registry.stages
    done = [one for one in done if not over or one.stage == stages.get("postnatal")]
    seen = [one for one in done if one.stage in {stages.get(role) for role in _SEEN}]
    newest = {key: text for one in done for key, text in one.values.items()}
    last = {key: text for one in seen if one.day == seen[-1].day for key, text in one.values.items()}
    said = ((risk, (last if risk.newest_visit else newest).get(risk.element)) for risk in programme.registry.risks)
    return list(dict.fromkeys(risk.says for risk, value in said if value is not None and risk.met(value)))
