"""What the doctor adds, as one transaction bundle. Pure.

Every entry has an identifier made of the form's id, and is created only if the record does not have it yet: a form
sent twice is written once.
"""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct, field

from janani.kernel.i18n import _
from janani.kernel.ids import uuid_of
from janani.portals.chart.definition import Choice, Definition, Measured
from janani.portals.chart.view import day

Json = dict[str, Any]
_NAMESPACE = uuid.UUID("1d6b8f0c-6a51-4f0e-9a0b-7d4f2e1c9b33")
_PRESSURES = ("systolic", "diastolic")
# What an entry says, apart from who and when; and the fields of the form it comes from.
_SAID = ("valueQuantity", "valueString", "component", "code", "medicationCodeableConcept", "dosage", "start")
_FIELDS = {
    "blood-pressure": _PRESSURES,
    "diagnosis": ("diagnosis", "diagnosis_text"),
    "medicine": ("medicine", "medicine_text", "dose"),
    "appointment": ("follow_up",),
}


class Additions(Struct):
    """What was typed, read: values by key, texts, choices."""

    measured: dict[str, float] = field(default_factory=dict)
    diagnosis: str = ""
    diagnosis_text: str = ""
    medicine: str = ""
    medicine_text: str = ""
    dose: str = ""
    note: str = ""
    follow_up: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        texts = (self.diagnosis, self.diagnosis_text, self.medicine, self.medicine_text, self.note, self.follow_up)
        return not self.measured and not any(texts)


class Answer(Struct, frozen=True):
    """What a doctor says to a referral; `follow_up` is the day of her next appointment at the clinic, or ""."""

    text: str
    follow_up: str
    form: str


def read(sent: dict[str, str], definition: Definition, today: datetime) -> tuple[Additions, dict[str, str]]:
    """What was typed, and what is wrong with it by field."""
    faults: dict[str, str] = {}
    limits = {one.key: (one.label, one.least, one.most) for one in definition.observations}
    limits |= {one.key: (one.label, one.least, one.most) for one in definition.blood_pressure.limits}
    measured: dict[str, float] = {}
    for key, (label, least, most) in limits.items():
        if not (text := sent.get(key, "").strip().replace(",", ".")):
            continue
        try:
            measured[key] = float(text)
        except ValueError:
            faults[key] = _("{label}: please give a number.").format(label=_(label))
            continue
        if not least <= measured[key] <= most:
            faults[key] = _("{label}: please check this number.").format(label=_(label))
    given = [key for key in _PRESSURES if sent.get(key, "").strip()]
    if len(given) == 1:
        faults["systolic"] = _("Please give both numbers of the blood pressure.")
    elif not faults and given and measured["systolic"] <= measured["diastolic"]:
        faults["systolic"] = _("The first number of a blood pressure is the higher one. Please check them.")
    return _texts(sent, definition, today, measured, faults)


def _texts(
    sent: dict[str, str], definition: Definition, today: datetime, measured: dict[str, float], faults: dict[str, str]
) -> tuple[Additions, dict[str, str]]:
    texts = {key: sent.get(key, "").strip() for key in Additions.__struct_fields__ if key != "measured"}
    if texts["follow_up"] and ((on := day(texts["follow_up"])) is None or on < today.date()):
        faults["follow_up"] = _("Please give a day from today on.")
    if texts["dose"] and not texts["medicine"] and not texts["medicine_text"]:
        faults["medicine"] = _("Please say which medicine this dose is of.")
    for key, choices in (("diagnosis", definition.diagnosis.choices), ("medicine", definition.medicine.choices)):
        if texts[key] and texts[key] not in [one.key for one in choices]:
            faults[key] = _("Please choose from the list, or say it in words.")
    additions = Additions(measured=measured, **texts)
    if not faults and additions.empty:
        faults[""] = _("Nothing was typed yet.")
    return additions, faults


def bundle(
    additions: Additions, definition: Definition, form: str, patient: str, practitioner: str, now: datetime
) -> Json:
    """The transaction that writes `additions` of form `form` for `Patient/{patient}` by `practitioner`."""
    writer = _Writer(definition, form, patient, practitioner, now)
    writer.sources()
    writer.encounter()
    for one in definition.observations:
        if one.key in additions.measured:
            writer.observation(one.key, writer.quantity(one, additions.measured[one.key]))
    if all(key in additions.measured for key in _PRESSURES):
        writer.observation("blood-pressure", writer.pressure(additions.measured))
    if additions.note:
        about = definition.note
        writer.observation("note", _framed(about.profile, about.category, about.code) | {"valueString": additions.note})
    if additions.diagnosis or additions.diagnosis_text:
        writer.diagnosis(additions)
    if additions.medicine or additions.medicine_text:
        writer.medicine(additions)
    if (on := day(additions.follow_up)) is not None:
        writer.appointment(on.isoformat())
    return {"resourceType": "Bundle", "type": "transaction", "entry": writer.entries}


def answering(
    request: Json, tasks: list[Json], answer: Answer, definition: Definition, practitioner: str, now: datetime
) -> Json:
    """The transaction that answers the referral `request`, if it is still that version: completed, with a note.

    Those of `tasks` (her Tasks) that follow this referral up are completed with it.
    """
    author = {"authorReference": {"reference": practitioner}, "time": now.isoformat(timespec="seconds")}
    note = [*request.get("note", []), author | {"text": answer.text}]
    reference = f"ServiceRequest/{request['id']}"
    followed = [one for one in tasks if one.get("focus", {}).get("reference") == reference]
    open_ones = [one for one in followed if one["status"] == "requested"]
    entries = [put(request | {"status": "completed", "note": note})]
    for one in open_ones:
        entries.append(
            put({key: value for key, value in one.items() if key != "statusReason"} | {"status": "completed"})
        )
    if (on := day(answer.follow_up)) is not None:
        writer = _Writer(definition, answer.form, request["subject"]["reference"].split("/")[1], practitioner, now)
        writer.sources()
        writer.appointment(on.isoformat(), based_on=reference)
        entries += writer.entries
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def put(changed: Json) -> Json:
    """The entry of a transaction that updates a resource, if it is still the version that it names."""
    seen = f'W/"{changed["meta"]["versionId"]}"'
    url = f"{changed['resourceType']}/{changed['id']}"
    return {"resource": changed, "request": {"method": "PUT", "url": url, "ifMatch": seen}}


def unlike(bundle: Json, answer: Json) -> list[str]:
    """The keys of those entries that the record keeps otherwise than `bundle` says: they were there before."""
    found = []
    for sent, kept in zip(bundle["entry"], answer.get("entry", []), strict=False):
        wanted, stored = sent["resource"], kept.get("resource")
        if not stored or wanted["resourceType"] in ("Organization", "Location", "Device", "Encounter"):
            continue
        if any(wanted.get(name) != stored.get(name) for name in _SAID):
            found.append(wanted["identifier"][0]["value"].partition("_")[2])
    return found


def fields_of(key: str) -> tuple[str, ...]:
    """The fields of the form that an entry's key comes from."""
    return _FIELDS.get(key, (key,))


class _Writer:
    """Collects the entries; each knows its place in the form."""

    def __init__(self, definition: Definition, form: str, patient: str, practitioner: str, now: datetime) -> None:
        self.definition = definition
        self.form = uuid_of(_NAMESPACE, f"{patient}/{form}")  # a form counts for the woman it was made for
        self.patient = {"reference": f"Patient/{patient}"}
        self.practitioner = {"reference": practitioner}
        self.now = now
        self.entries: list[Json] = []

    def _url(self, key: str) -> str:
        return f"urn:uuid:{uuid_of(_NAMESPACE, f'{self.form}/{key}')}"

    def _ref(self, key: str) -> Json:
        return {"reference": self._url(key)}

    def _add(self, key: str, resource: Json, identifier: Json | None = None) -> None:
        identifier = identifier or {"system": self.definition.form_system, "value": f"{self.form}_{key}"}
        resource = {**resource, "identifier": resource.get("identifier") or [identifier]}
        wanted = quote(f"{identifier['system']}|{identifier['value']}", safe="")
        request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={wanted}"}
        self.entries.append({"fullUrl": self._url(key), "resource": resource, "request": request})

    def sources(self) -> None:
        source = self.definition.source
        self._add("organization", source.organization, source.organization["identifier"][0])
        managed = source.location | {"managingOrganization": self._ref("organization")}
        self._add("location", managed, source.location["identifier"][0])
        owned = source.device | {"owner": self._ref("organization"), "location": self._ref("location")}
        self._add("device", owned, source.device["identifier"][0])

    def encounter(self) -> None:
        about = {
            "subject": self.patient,
            "participant": [{"individual": self.practitioner}],
            "period": {"start": self.now.isoformat(timespec="seconds"), "end": self.now.isoformat(timespec="seconds")},
            "location": [{"location": self._ref("location")}],
            "serviceProvider": self._ref("organization"),
        }
        self._add("encounter", self.definition.encounter | about)

    def observation(self, key: str, resource: Json) -> None:
        about = {
            "status": "final",
            "subject": self.patient,
            "encounter": self._ref("encounter"),
            "effectiveDateTime": self.now.isoformat(timespec="seconds"),
            "performer": [self.practitioner],
            "device": self._ref("device"),
        }
        self._add(key, resource | about)

    def quantity(self, one: Measured, value: float) -> Json:
        return _framed(one.profile, one.category, one.code) | {"valueQuantity": _quantity(value, one.unit, one.ucum)}

    def pressure(self, measured: dict[str, float]) -> Json:
        about = self.definition.blood_pressure
        parts = (("systolic", about.systolic), ("diastolic", about.diastolic))
        components = [
            {"code": code, "valueQuantity": _quantity(measured[key], about.unit, about.ucum)} for key, code in parts
        ]
        return _framed(about.profile, about.category, about.code) | {"component": components}

    def diagnosis(self, additions: Additions) -> None:
        about = self.definition.diagnosis
        self._add(
            "diagnosis",
            {
                "resourceType": "Condition",
                "meta": {"profile": [about.profile]},
                "clinicalStatus": {"coding": [{"system": about.clinical_status, "code": "active"}]},
                "verificationStatus": {"coding": [{"system": about.verification_status, "code": "confirmed"}]},
                "category": [about.category],
                "code": _concept(about.choices, additions.diagnosis, additions.diagnosis_text),
                "subject": self.patient,
                "encounter": self._ref("encounter"),
                "recordedDate": self.now.isoformat(timespec="seconds"),
                "recorder": self.practitioner,
            },
        )

    def medicine(self, additions: Additions) -> None:
        choices = self.definition.medicine.choices
        resource = {
            "resourceType": "MedicationStatement",
            "status": "active",
            "medicationCodeableConcept": _concept(choices, additions.medicine, additions.medicine_text),
            "subject": self.patient,
            "context": self._ref("encounter"),
            "effectiveDateTime": self.now.date().isoformat(),
            "dateAsserted": self.now.isoformat(timespec="seconds"),
            "informationSource": self.practitioner,
        }
        self._add("medicine", resource | ({"dosage": [{"text": additions.dose}]} if additions.dose else {}))

    def appointment(self, on: str, based_on: str = "") -> None:
        about = self.definition.appointment
        offset = self.now.isoformat()[-6:]
        basis = {"basedOn": [{"reference": based_on}]} if based_on else {}
        self._add(
            "appointment",
            basis
            | {
                "resourceType": "Appointment",
                "status": "booked",
                "serviceType": [about.service],
                "start": f"{on}T{about.starts}{offset}",
                "end": f"{on}T{about.ends}{offset}",
                "participant": [
                    {"actor": self.patient, "status": "accepted"},
                    {"actor": self._ref("location"), "status": "accepted"},
                ],
            },
        )


def _framed(profile: str, category: str, code: Json) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "meta": {"profile": [profile]},
        "category": [{"coding": [{"system": system, "code": category}]}],
        "code": code,
    }


def _quantity(value: float, unit: str, ucum: str) -> Json:
    shown = int(value) if value == int(value) else value
    return {"value": shown, "unit": unit, "system": "http://unitsofmeasure.org", "code": ucum}


def _concept(choices: list[Choice], key: str, text: str) -> Json:
    """The chosen code, or what was typed."""
    chosen = next((one for one in choices if one.key == key), None)
    if chosen is None:
        return {"text": text}
    coding = {"system": chosen.system, "code": chosen.code, "display": chosen.label}
    return {"coding": [coding], "text": f"{chosen.label}: {text}" if text else chosen.label}
