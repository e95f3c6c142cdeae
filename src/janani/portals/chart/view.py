"""From the resources of a record to what a page shows. Pure: resources and an instant in, plain values out.

Instants are shown in the zone of the instant that comes in; words of the programme in the language of the request.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from msgspec import Struct, field

from janani.kernel.i18n import _
from janani.portals.chart.definition import ChartDefinition, Definition, Line, Shown
from janani.programmes import Programme

Json = dict[str, Any]
_MISTAKEN = {"entered-in-error", "refuted", "cancelled"}
_LONGEST_DAYS = 300  # dates of a pregnancy told so long before its newest are of another


class Fact(Struct):
    """A label with its value in words; `day` when it is of a day."""

    label: str
    value: str
    day: date | None = None


class Problem(Struct):
    """A Condition. `version` is what a change of it must name."""

    id: str
    version: str
    text: str
    since: date | None
    active: bool
    changed: datetime | None = None


class Visit(Struct):
    """An Encounter with what was observed in it."""

    id: str
    began: str
    day: date | None
    title: str
    place: str
    facts: list[Fact] = field(default_factory=list)


class Meeting(Struct):
    """An Appointment."""

    id: str
    day: date | None
    time: str
    title: str
    place: str


class Point(Struct):
    """A value at a gestational week."""

    week: float
    value: float
    day: date


class Series(Struct):
    """The points of one line of a chart."""

    name: str
    points: list[Point]


class Chart(Struct):
    """A chart with at least one point."""

    definition: ChartDefinition
    series: list[Series]


class View(Struct):
    """All that a page shows of one woman's record."""

    id: str
    name: str
    born: date | None
    phn: str
    nic: str
    identified: bool
    phone: str
    age: int | None
    weeks: int | None
    due: date | None
    header: list[Fact]
    problems: list[Problem]
    medicines: list[Fact]
    immunisations: list[Fact]
    allergies: list[Fact]
    no_allergies: bool
    coming: list[Meeting]
    visits: list[Visit]
    charts: list[Chart]
    newest: list[Fact]


def view(resources: list[Json], definition: Definition, programme: Programme, now: datetime) -> View:
    """The view of one Patient's resources (`Patient/$everything`), as of `now`."""
    today = now.date()
    by_type: dict[str, list[Json]] = {}
    for one in resources:
        if one.get("status") not in _MISTAKEN and not _MISTAKEN & set(codes(one.get("verificationStatus"))):
            by_type.setdefault(one["resourceType"], []).append(one)
    [patient] = by_type["Patient"]
    observations = sorted(by_type.get("Observation", []), key=_when)
    last_period, due = _dates(observations, definition)
    if last_period is None or _over(resources, last_period, definition, now):
        due = None
    weeks = (today - last_period).days // 7 if last_period and due else None
    born = day(patient.get("birthDate"))
    allergies = by_type.get("AllergyIntolerance", [])
    none_known = [one for one in allergies if definition.no_allergies in codes(one.get("code"))]
    places = {f"{one['resourceType']}/{one['id']}": one.get("name", "") for one in resources if "name" in one}
    systems, longest = programme.record.systems, definition.pregnancy.longest_weeks
    return View(
        id=patient["id"],
        name=name_of(patient),
        born=born,
        age=_age(born, today),
        phn=_identifier(patient, systems["phn"]),
        nic=_identifier(patient, systems["nic"]),
        identified=bool(_identifier(patient, systems["subject"])),
        phone=next((one["value"] for one in patient.get("telecom", []) if one.get("system") == "phone"), ""),
        weeks=weeks if weeks is not None and weeks >= 0 else None,
        due=due,
        header=newest(observations, definition.header),
        problems=[problem_of(one) for one in _problems_first(by_type.get("Condition", []))],
        medicines=_medicines(by_type),
        immunisations=[
            _vaccination(one) for one in by_type.get("Immunization", []) if one.get("status") == "completed"
        ],
        allergies=[Fact(text_of(one.get("code")), "") for one in allergies if one not in none_known],
        no_allergies=bool(none_known),
        coming=_coming(by_type.get("Appointment", []), places, now),
        visits=_visits(by_type.get("Encounter", []), observations, places, definition, now),
        charts=[
            chart for each in definition.charts if (chart := _chart(each, observations, last_period, longest)).series
        ],
        newest=newest(observations, definition.mother),
    )


def name_of(patient: Json) -> str:
    """A Patient's name as she writes it."""
    name = (patient.get("name") or [{}])[0]
    return str(name.get("text") or " ".join([*name.get("given", []), name.get("family", "")])).strip()


def newest(observations: list[Json], wanted: Iterable[Shown]) -> list[Fact]:
    """The newest value of each observation asked for, of each foetus; `observations` are in order of time."""
    last = {(code, focus_of(one)): one for one in observations for code in codes(one.get("code"))}
    found = [(each, last[key]) for each in wanted for key in sorted(last) if key[0] == each.code]
    return [Fact(_about(each.label, one), value_of(one), _day(one)) for each, one in found]


def focus_of(one: Json) -> str:
    """What an Observation is about when it is not the woman or her only foetus: `Second foetus`."""
    return ", ".join(_(str(each.get("display") or each.get("reference") or "?")) for each in one.get("focus", []))


def _about(label: str, one: Json) -> str:
    return f"{_(label)} ({focus})" if (focus := focus_of(one)) else _(label)


def value_of(one: Json) -> str:
    """An Observation's value in words; of a panel of numbers, these with strokes between, else each with its name."""
    if parts := one.get("component"):
        if not all("valueQuantity" in each for each in parts):
            return " · ".join(f"{text_of(each.get('code'))}: {value_of(each)}" for each in parts)
        values = [each.get("valueQuantity", {}) for each in parts]
        unit = _(values[0].get("unit", ""))
        return f"{'/'.join(_number(value.get('value')) for value in values)} {unit}".strip()
    if quantity := one.get("valueQuantity"):
        return f"{_number(quantity.get('value'))} {_(quantity.get('unit', ''))}".strip()
    if concept := one.get("valueCodeableConcept"):
        return text_of(concept)
    for key in ("valueString", "valueInteger", "valueDateTime"):
        if key in one:
            return str(one[key])
    if "valueBoolean" in one:
        return "✓" if one["valueBoolean"] else "–"
    return ""


def codes(concept: Json | None) -> list[str]:
    """The codes of a CodeableConcept."""
    return [coding.get("code", "") for coding in (concept or {}).get("coding", [])]


def day(text: str | None) -> date | None:
    """The day of a FHIR date or instant."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def local(text: str | None, zone: tzinfo | None) -> datetime | None:
    """A FHIR instant as it is in `zone`; None for a mere date."""
    try:
        found = datetime.fromisoformat(text) if text and "T" in text else None
    except ValueError:
        return None
    return found.astimezone(zone) if found is not None and found.tzinfo else found


def local_day(text: str | None, zone: tzinfo | None) -> date | None:
    """The day of a FHIR date or instant, as the calendar in `zone` has it."""
    moment = local(text, zone)
    return moment.date() if moment else day(text)


def _age(born: date | None, today: date) -> int | None:
    return None if born is None else today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _dates(observations: list[Json], definition: Definition) -> tuple[date | None, date | None]:
    """The last period as it was told, and the day she is due; each follows from the other. Of her newest pregnancy."""
    told = definition.pregnancy
    dated = [one for one in observations if {told.last_period.code, *told.due_date} & set(codes(one.get("code")))]
    newest_one = _day(dated[-1]) if dated else None
    since = newest_one - timedelta(days=_LONGEST_DAYS) if newest_one else date.min
    dated = [one for one in dated if (_day(one) or date.min) >= since]
    length = timedelta(days=told.length_days)
    last_period = _newest_day(dated, told.last_period.code)
    due = next(filter(None, (_newest_day(dated, code) for code in told.due_date)), None)
    return last_period or (due - length if due else None), due or (last_period + length if last_period else None)


def _over(resources: list[Json], last_period: date, definition: Definition, now: datetime) -> bool:
    """Whether the pregnancy of `last_period` has ended: by its length, with a birth, or with her episodes of care."""
    told = definition.pregnancy
    began = [
        one
        for one in resources
        if one["resourceType"] in ("Encounter", "EpisodeOfCare")
        and (local_day(one.get("period", {}).get("start"), now.tzinfo) or date.min) > last_period
        and one.get("status") != "entered-in-error"
    ]
    births = [one for one in began if told.birth in [code for kind in one.get("type", []) for code in codes(kind)]]
    episodes = {one.get("status") for one in began if one["resourceType"] == "EpisodeOfCare"}
    closed = bool(episodes) and episodes <= {"finished", "cancelled"}
    return closed or bool(births) or (now.date() - last_period).days // 7 > told.longest_weeks


def _newest_day(observations: list[Json], code: str) -> date | None:
    found = [one.get("valueDateTime") for one in observations if code in codes(one.get("code"))]
    return next(filter(None, map(day, reversed(found))), None)


def _problems_first(conditions: list[Json]) -> list[Json]:
    """Open problems first, the newest of each kind first."""
    ordered = sorted(conditions, key=lambda one: str(one.get("recordedDate", "")), reverse=True)
    return sorted(ordered, key=lambda one: "resolved" in codes(one.get("clinicalStatus")))


def _chart(each: ChartDefinition, observations: list[Json], last_period: date | None, longest: int) -> Chart:
    series = []
    for line in each.lines if last_period else []:
        points = [
            Point((on - last_period).days / 7, value, on)
            for one in observations
            if not focus_of(one)
            and line.code in codes(one.get("code"))
            and (value := _line_value(one, line)) is not None
            if (on := _day(one)) is not None and last_period is not None and 0 <= (on - last_period).days <= longest * 7
        ]
        if points:
            series.append(Series(line.name, points))
    return Chart(each, series)


def _line_value(one: Json, line: Line) -> float | None:
    holder = one
    if line.component:
        parts = [part for part in one.get("component", []) if line.component in codes(part.get("code"))]
        if not parts:
            return None
        holder = parts[0]
    value = holder.get("valueQuantity", {}).get("value")
    return float(value) if isinstance(value, int | float) else None


def problem_of(one: Json, zone: tzinfo | None = None) -> Problem:
    """A Condition as a page shows it."""
    return Problem(
        id=one["id"],
        version=one.get("meta", {}).get("versionId", ""),
        text=text_of(one.get("code")),
        since=day(one.get("onsetDateTime") or one.get("recordedDate")),
        active=bool({"active", "recurrence", "relapse"} & set(codes(one.get("clinicalStatus")))),
        changed=local(one.get("meta", {}).get("lastUpdated"), zone),
    )


def _medicines(by_type: dict[str, list[Json]]) -> list[Fact]:
    """What she takes now, each once, with the newest dose text."""
    found: dict[str, Fact] = {}
    rows = [*by_type.get("MedicationStatement", []), *by_type.get("MedicationRequest", [])]
    for one in sorted(rows, key=lambda one: str(one.get("effectiveDateTime") or one.get("authoredOn") or "")):
        name = text_of(one.get("medicationCodeableConcept"))
        if one.get("status") != "active":
            found.pop(name, None)
            continue
        dose = (one.get("dosage") or one.get("dosageInstruction") or [{}])[0].get("text", "")
        found[name] = Fact(name, dose, day(one.get("effectiveDateTime") or one.get("authoredOn")))
    return list(found.values())


def _vaccination(one: Json) -> Fact:
    when = _(one.get("occurrenceString", ""))
    return Fact(text_of(one.get("vaccineCode")), when, day(one.get("occurrenceDateTime")))


def _coming(appointments: list[Json], places: dict[str, str], now: datetime) -> list[Meeting]:
    open_ones = [one for one in appointments if one.get("status") in ("booked", "pending", "proposed")]
    found = [_meeting(one, places, now.tzinfo) for one in open_ones]
    ahead = [one for one in found if one.day is not None and one.day >= now.date()]
    return sorted(ahead, key=lambda one: (one.day or date.max, one.time))


def _meeting(one: Json, places: dict[str, str], zone: tzinfo | None) -> Meeting:
    title, place = _title(one), _place(one, places)
    moment = local(one.get("start"), zone)
    time = f"{moment:%H:%M}" if moment else ""
    return Meeting(one["id"], local_day(one.get("start"), zone), time, title, "" if place == title else place)


def _title(one: Json) -> str:
    return text_of(next(iter(one.get("serviceType", [{}])), {})) or one.get("description", "")


def _place(one: Json, places: dict[str, str]) -> str:
    actors = [each.get("actor", {}) for each in one.get("participant", [])]
    named = [actor.get("display") or places.get(actor.get("reference", ""), "") for actor in actors]
    others = [
        name for name, actor in zip(named, actors, strict=True) if not actor.get("reference", "").startswith("Patient/")
    ]
    return next((str(name) for name in others if isinstance(name, str) and name), "")


def _visits(
    encounters: list[Json], observations: list[Json], places: dict[str, str], definition: Definition, now: datetime
) -> list[Visit]:
    """What happened, newest first, each with what was observed."""
    visits = {
        f"Encounter/{one['id']}": Visit(
            id=one["id"],
            began=str(local(start, now.tzinfo) or start),
            day=local_day(start, now.tzinfo),
            title=text_of(next(iter(one.get("type", [{}])), {})),
            place=str(places.get(one.get("serviceProvider", {}).get("reference", ""), "") or ""),
        )
        for one in encounters
        for start in [str(one.get("period", {}).get("start", ""))]
    }
    for one in observations:
        visit = visits.get(one.get("encounter", {}).get("reference", ""))
        if visit is not None and (value := value_of(one)):
            visit.facts.append(_observed(one, value, definition))
    return sorted(visits.values(), key=lambda visit: visit.began, reverse=True)


def _observed(one: Json, value: str, definition: Definition) -> Fact:
    """An observation by the programme's word for it, a date as a date."""
    known = next((definition.words[code] for code in codes(one.get("code")) if code in definition.words), "")
    return Fact(_about(known or text_of(one.get("code")), one), value, day(one.get("valueDateTime")))


def _identifier(patient: Json, system: str) -> str:
    return next((one["value"] for one in patient.get("identifier", []) if one.get("system") == system), "")


def text_of(concept: Json | None) -> str:
    """A CodeableConcept for a person: its text, else the name of its first code; translated where it is known."""
    concept = concept or {}
    return _(str(concept.get("text") or next((one.get("display", "") for one in concept.get("coding", [])), "")))


def _when(one: Json) -> str:
    return str(one.get("effectiveDateTime", ""))


def _day(one: Json) -> date | None:
    return day(one.get("effectiveDateTime"))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value if value is not None else "")
