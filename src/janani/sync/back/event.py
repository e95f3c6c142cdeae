"""A visit at a clinic, or what stands alone, as an event of the registry. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

from msgspec import Struct, field

from janani.kernel.ids import uid_of
from janani.sync.back.definition import Definition
from janani.sync.mapping.back import Back

Json = dict[str, Any]
_NO = ("entered-in-error",)
_CONCEPTS = ("code", "vaccineCode", "medicationCodeableConcept")


class Read(Struct):
    """What resources say: texts by data element, and what no row reads and no words take (types and codes)."""

    texts: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


class Care(Struct, frozen=True):
    """Where an event belongs: the woman, her enrolment, its unit."""

    person: str
    enrollment: str
    unit: str


def read(resources: Iterable[Json], back: Back, definition: Definition) -> Read:
    """The texts of the stage that `resources` say. A later resource has the last word on a value; words are joined."""
    found = Read()
    words: dict[str, list[str]] = {}
    for one in sorted(resources, key=lambda each: (_said_at(each), each["resourceType"], each.get("id", ""))):
        if one.get("status") in _NO or _code(one.get("verificationStatus")) in _NO:
            continue
        values = {each.uid: each.text for each in back.read(one, definition.role)}
        taken = {uid: text for uid, text in values.items() if uid in definition.elements}
        found.texts |= taken
        if taken and not one.get("dosage") and not one.get("note"):
            continue
        place, said = definition.words.get(one["resourceType"], ""), sentence(one)
        if place and said:
            words.setdefault(place, []).append(said)
        elif not taken:
            found.unread.append(_named(one))
    found.texts |= {uid: "\n".join(dict.fromkeys(lines)) for uid, lines in words.items()}
    return found


def payload(
    source: str, care: Care, definition: Definition, on: str, texts: Mapping[str, str], before: Sequence[str]
) -> Json:
    """The event of `source` on the day `on`; what was written `before` and is gone is taken out."""
    texts = {**texts, definition.origin: source}
    values: list[Json] = [{"dataElement": uid, "value": text} for uid, text in sorted(texts.items())]
    values += [{"dataElement": uid, "value": None} for uid in sorted(set(before) - set(texts))]
    return _event(source, care, definition) | {"status": "COMPLETED", "occurredAt": on, "dataValues": values}


def planned(source: str, care: Care, definition: Definition, on: str, status: str) -> Json:
    """The planned event of an Appointment. It can't have values: DHIS2 takes them when it has happened."""
    return _event(source, care, definition) | {"status": status, "scheduledAt": on}


def _event(source: str, care: Care, definition: Definition) -> Json:
    return {
        "event": event_of(source, care.person),
        "program": definition.program,
        "programStage": definition.stage,
        "enrollment": care.enrollment,
        "orgUnit": care.unit,
    }


def event_of(source: str, person: str, again: int = 0) -> str:
    """UID of the event that `source` becomes; `again` counts how often it was taken back, for a UID serves once."""
    return uid_of(f"record/{person}/{source}" + (f"/{again}" if again else ""))


def care_of(person: Json, program: str, on: str) -> Care | None:
    """The enrolment that a day belongs to: the running one, else the last that had begun by then; None without one."""
    found = [one for one in person.get("enrollments") or () if one.get("program") == program and not one.get("deleted")]
    begun = [one for one in found if str(one.get("enrolledAt", ""))[:10] <= on] or found
    if not begun:
        return None
    chosen = max(begun, key=lambda one: (one.get("status") == "ACTIVE", str(one.get("enrolledAt", ""))))
    return Care(person["trackedEntity"], chosen["enrollment"], chosen.get("orgUnit") or person.get("orgUnit", ""))


def day_of(resource: Json, zone: tzinfo) -> str:
    """The day that a resource is about, where the clinics are; "" when it says none."""
    text = _said_at(resource)
    try:
        if "T" not in text:
            return date.fromisoformat(text).isoformat()
        found = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return (found.astimezone(zone) if found.tzinfo else found).date().isoformat()


def sentence(resource: Json) -> str:
    """What a resource says, for a person to read; "" when that can't be told."""
    name = next((_words(resource.get(key)) for key in _CONCEPTS if _words(resource.get(key))), "")
    kind, value = resource["resourceType"], ""
    if kind == "Observation":
        value = "; ".join(filter(None, [_value(resource), *(_part(one) for one in resource.get("component") or ())]))
        if "valueString" in resource:
            return value
        if not value:
            return ""
        about = (str(one.get("display", "")) for one in resource.get("focus") or () if isinstance(one, dict))
        name = ", ".join(filter(None, [name, *about]))
    elif kind == "Condition":
        state = _code(resource.get("clinicalStatus"))
        value = state if state not in ("", "active") else ""
    elif kind.startswith("Medication"):
        key = "dosage" if kind == "MedicationStatement" else "dosageInstruction"
        value = "; ".join(str(one["text"]) for one in resource.get(key) or () if one.get("text"))
    elif kind == "ServiceRequest":
        value = "; ".join(filter(None, (_words(one) for one in resource.get("reasonCode") or ())))
    notes = [str(one["text"]) for one in resource.get("note") or () if isinstance(one, dict) and one.get("text")]
    return ": ".join(filter(None, [name, "; ".join(filter(None, [value, *notes]))]))


def _part(component: Json) -> str:
    value = _value(component)
    return f"{_words(component.get('code'))} {value}".strip() if value else ""


def _value(one: Json) -> str:
    quantity = one.get("valueQuantity")
    if isinstance(quantity, dict):
        return f"{quantity.get('comparator', '')}{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    if "valueCodeableConcept" in one:
        return _words(one["valueCodeableConcept"])
    for key in ("valueString", "valueInteger", "valueDateTime", "valueTime"):
        if key in one:
            return str(one[key]).strip()
    if "valueBoolean" in one:
        return "yes" if one["valueBoolean"] else "no"
    return _words(one.get("dataAbsentReason"))


def _words(concept: Any) -> str:
    """The text of a CodeableConcept, else its first display, else its first code."""
    if not isinstance(concept, dict):
        return ""
    codings = [one for one in concept.get("coding") or () if isinstance(one, dict)]
    displays = [one.get(key) for key in ("display", "code") for one in codings]
    return str(next((one for one in [concept.get("text"), *displays] if one), ""))


def _code(concept: Any) -> str:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return str(codings[0].get("code", "")) if codings and isinstance(codings[0], dict) else ""


def _named(resource: Json) -> str:
    """Type and code of a resource, never what it says."""
    concept: Json = next((resource[key] for key in _CONCEPTS if isinstance(resource.get(key), dict)), {})
    codings = [one for one in concept.get("coding") or () if isinstance(one, dict)]
    code = f" {codings[0].get('system', '')}|{codings[0].get('code', '')}" if codings else " without a code"
    return f"{resource['resourceType']}{code}"


def _said_at(resource: Json) -> str:
    for key in ("effectiveDateTime", "occurrenceDateTime", "start", "recordedDate", "dateAsserted", "authoredOn"):
        if isinstance(resource.get(key), str):
            return str(resource[key])
    period = resource.get("period") or resource.get("effectivePeriod") or {}
    return str(period.get("start") or resource.get("recorded") or resource.get("meta", {}).get("lastUpdated") or "")
