"""From the resources of a record to what a page shows. Pure: resources and a day in, plain values out."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from msgspec import Struct, field

from janani.portals.chart.definition import ChartDefinition, Definition, Line, Shown
from janani.programmes import Programme

Json = dict[str, Any]


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


class Visit(Struct):
    """An Encounter with what was observed in it."""

    id: str
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


class Access(Struct):
    """Who looked at the record, when (AuditEvent)."""

    who: str
    at: str
    what: str


class View(Struct):
    """All that a page shows of one woman's record."""

    id: str
    name: str
    born: date | None
    phn: str
    nic: str
    phone: str
    weeks: int | None
    due: date | None
    header: list[Fact]
    problems: list[Problem]
    medicines: list[Fact]
    immunisations: list[Fact]
    allergies: list[Fact]
    referrals: list[Fact]
    coming: list[Meeting]
    visits: list[Visit]
    charts: list[Chart]
    newest: list[Fact]


def view(resources: list[Json], definition: Definition, programme: Programme, today: date) -> View:
    """The view of one Patient's resources (`Patient/$everything`), as of `today`."""
    by_type: dict[str, list[Json]] = {}
    for one in resources:
        by_type.setdefault(one["resourceType"], []).append(one)
    [patient] = by_type["Patient"]
    observations = sorted(by_type.get("Observation", []), key=_when)
    last_period = _last_period(observations, definition)
    places = {f"{one['resourceType']}/{one['id']}": one.get("name", "") for one in resources if "name" in one}
    systems = programme.record.systems
    return View(
        id=patient["id"],
        name=name_of(patient),
        born=day(patient.get("birthDate")),
        phn=_identifier(patient, systems["phn"]),
        nic=_identifier(patient, systems["nic"]),
        phone=next((one["value"] for one in patient.get("telecom", []) if one.get("system") == "phone"), ""),
        weeks=(today - last_period).days // 7 if last_period else None,
        due=_due(observations, definition, last_period),
        header=newest(observations, definition.header),
        problems=[_problem(one) for one in by_type.get("Condition", []) if not _mistaken(one)],
        medicines=_medicines(by_type),
        immunisations=[
            Fact(_text(one.get("vaccineCode")), one.get("occurrenceString", ""), day(one.get("occurrenceDateTime")))
            for one in by_type.get("Immunization", [])
            if one.get("status") == "completed"
        ],
        allergies=[Fact(_text(one.get("code")), "") for one in by_type.get("AllergyIntolerance", [])],
        referrals=[_referral(one) for one in by_type.get("ServiceRequest", []) if one.get("status") == "active"],
        coming=_coming(by_type.get("Appointment", []), places, today),
        visits=_visits(by_type.get("Encounter", []), by_type.get("Observation", []), places),
        charts=[chart for each in definition.charts if (chart := _chart(each, observations, last_period)).series],
        newest=newest(observations, definition.mother),
    )


def name_of(patient: Json) -> str:
    """A Patient's name as she writes it."""
    name = (patient.get("name") or [{}])[0]
    return str(name.get("text") or " ".join([*name.get("given", []), name.get("family", "")])).strip()


def newest(observations: list[Json], wanted: Iterable[Shown]) -> list[Fact]:
    """The newest value of each observation asked for; `observations` are in order of time."""
    last = {code: one for one in observations for code in codes(one.get("code"))}
    found = [(each, last[each.code]) for each in wanted if each.code in last]
    return [Fact(each.label, value_of(one), _day(one)) for each, one in found]


def value_of(one: Json) -> str:
    """An Observation's value in words; of a panel, its components' values with strokes between them."""
    if parts := one.get("component"):
        values = [each.get("valueQuantity", {}) for each in parts]
        unit = values[0].get("unit", "")
        return f"{'/'.join(_number(value.get('value')) for value in values)} {unit}".strip()
    if quantity := one.get("valueQuantity"):
        return f"{_number(quantity.get('value'))} {quantity.get('unit', '')}".strip()
    if concept := one.get("valueCodeableConcept"):
        return _text(concept)
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


def accesses(events: list[Json]) -> list[Access]:
    """Who looked at the record, newest first."""
    ordered = sorted(events, key=lambda one: str(one.get("recorded", "")), reverse=True)
    return [Access(_agent(one), str(one.get("recorded", "")), _interaction(one)) for one in ordered]


def _agent(event: Json) -> str:
    named = [agent.get("name") or agent.get("who", {}).get("display") for agent in event.get("agent", [])]
    return str(next(filter(None, named), ""))


def _interaction(event: Json) -> str:
    kinds: list[Json] = event.get("subtype", [])
    return str(kinds[0].get("code", "")) if kinds else ""


def _last_period(observations: list[Json], definition: Definition) -> date | None:
    code = definition.pregnancy.last_period.code
    found = [one for one in observations if code in codes(one.get("code"))]
    return day(found[-1].get("valueDateTime")) if found else None


def _due(observations: list[Json], definition: Definition, last_period: date | None) -> date | None:
    for code in definition.pregnancy.due_date:
        found = [one for one in observations if code in codes(one.get("code"))]
        if found:
            return day(found[-1].get("valueDateTime"))
    return last_period + timedelta(days=definition.pregnancy.length_days) if last_period else None


def _chart(each: ChartDefinition, observations: list[Json], last_period: date | None) -> Chart:
    series = []
    for line in each.lines if last_period else []:
        points = [
            Point((on - last_period).days / 7, value, on)
            for one in observations
            if line.code in codes(one.get("code")) and (value := _line_value(one, line)) is not None
            if (on := _day(one)) is not None and last_period is not None and on >= last_period
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
    return float(value) if value is not None else None


def _problem(one: Json) -> Problem:
    return Problem(
        id=one["id"],
        version=one.get("meta", {}).get("versionId", ""),
        text=_text(one.get("code")),
        since=day(one.get("onsetDateTime") or one.get("recordedDate")),
        active="active" in codes(one.get("clinicalStatus")),
    )


def _mistaken(one: Json) -> bool:
    return bool({"entered-in-error", "refuted"} & set(codes(one.get("verificationStatus"))))


def _medicines(by_type: dict[str, list[Json]]) -> list[Fact]:
    """What she takes now, each once, with the newest dose text."""
    found: dict[str, Fact] = {}
    rows = [*by_type.get("MedicationStatement", []), *by_type.get("MedicationRequest", [])]
    for one in sorted(rows, key=lambda one: str(one.get("effectiveDateTime") or one.get("authoredOn") or "")):
        name = _text(one.get("medicationCodeableConcept"))
        if one.get("status") != "active":
            found.pop(name, None)
            continue
        dose = (one.get("dosage") or one.get("dosageInstruction") or [{}])[0].get("text", "")
        found[name] = Fact(name, dose, day(one.get("effectiveDateTime") or one.get("authoredOn")))
    return list(found.values())


def _referral(one: Json) -> Fact:
    to = next((each.get("display", "") for each in one.get("performer", [])), "")
    reasons = "; ".join(filter(None, (each.get("text", "") for each in one.get("reasonCode", []))))
    return Fact(to or _text(one.get("code")), reasons, day(one.get("occurrenceDateTime")))


def _coming(appointments: list[Json], places: dict[str, str], today: date) -> list[Meeting]:
    open_ones = [one for one in appointments if one.get("status") in ("booked", "pending", "proposed")]
    found = [_meeting(one, places) for one in sorted(open_ones, key=lambda one: str(one.get("start", "")))]
    return [one for one in found if one.day is not None and one.day >= today]


def _meeting(one: Json, places: dict[str, str]) -> Meeting:
    title, place = _title(one), _place(one, places)
    start = one.get("start", "")
    return Meeting(one["id"], day(start), start[11:16], title, "" if place == title else place)


def _title(one: Json) -> str:
    return _text(next(iter(one.get("serviceType", [{}])), {})) or one.get("description", "")


def _place(one: Json, places: dict[str, str]) -> str:
    actors = [each.get("actor", {}) for each in one.get("participant", [])]
    named = [actor.get("display") or places.get(actor.get("reference", ""), "") for actor in actors]
    others = [
        name for name, actor in zip(named, actors, strict=True) if not actor.get("reference", "").startswith("Patient/")
    ]
    return next((str(name) for name in others if isinstance(name, str) and name), "")


def _visits(encounters: list[Json], observations: list[Json], places: dict[str, str]) -> list[Visit]:
    """What happened, newest first, each with what was observed."""
    visits = {
        f"Encounter/{one['id']}": Visit(
            id=one["id"],
            day=day(one.get("period", {}).get("start")),
            title=_text(next(iter(one.get("type", [{}])), {})),
            place=str(places.get(one.get("serviceProvider", {}).get("reference", ""), "") or ""),
        )
        for one in encounters
        if one.get("status") != "entered-in-error"
    }
    for one in observations:
        visit = visits.get(one.get("encounter", {}).get("reference", ""))
        if visit is not None and (value := value_of(one)):
            visit.facts.append(Fact(_text(one.get("code")), value))
    return sorted(visits.values(), key=lambda visit: visit.day or date.min, reverse=True)


def _identifier(patient: Json, system: str) -> str:
    return next((one["value"] for one in patient.get("identifier", []) if one.get("system") == system), "")


def _text(concept: Json | None) -> str:
    concept = concept or {}
    shown = concept.get("text") or next((one.get("display", "") for one in concept.get("coding", [])), "")
    return str(shown)


def _when(one: Json) -> str:
    return str(one.get("effectiveDateTime", ""))


def _day(one: Json) -> date | None:
    return day(one.get("effectiveDateTime"))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value if value is not None else "")
