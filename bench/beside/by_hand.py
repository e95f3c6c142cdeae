"""The mapping of a person with numbers, written by hand: what a programmer without the table would write for her.

It gives the bundle that Janani gives, byte for byte, so that digests agree. It knows the numbers of `rows` and no other
rows, one enrolment, and visits that are done; shared entries are made once, as Janani does.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

import msgspec
import phonenumbers

IPS = "http://fhir.health.gov.lk/ips/"
PROFILE, SYSTEM = f"{IPS}StructureDefinition/", f"{IPS}identifier/"
TYPES = f"{IPS}CodeSystem/cs-identifier-types"
SNOMED, UCUM = "http://snomed.info/sct", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
GENDERS = {"Male": "male", "Female": "female"}
VISIT_SYSTEM = f"{IPS}CodeSystem/anc-program-stage"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_POSTAL = re.compile(r"(?<!\d)(\d{5})(?!\d)")
_LEADING = re.compile(r"^\d{3,5}\s+(?=\D)")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_QUOTED = {name: quote(SYSTEM + name, safe="") for name in (
    *("phn", "dhis2-tracked-entity", "dhis2-enrollment", "dhis2-event", "dhis2-data-value"),
)}  # fmt: skip
_AGENTS = [
    {"coding": [{"system": PARTICIPANT, "code": code, "display": text}], "text": text}
    for code, text in (("enterer", "Enterer"), ("assembler", "Assembler"))
]


class ByHand:
    """`shared` is what Janani makes once for a registry: entries with their keys and digests, by what they are of."""

    def __init__(
        self, shared: Any, rows: Mapping[str, Any], namespace: uuid.UUID, system_id: str, zone: tzinfo
    ) -> None:
        self._device, self._units, self._users = shared.device, shared.units, shared.users
        self._districts, self._rows, self._zone = shared.districts, rows, zone
        self._namespace, self._system_id, self._tells_who = namespace, system_id, shared.provenance
        self._device_reference = {"reference": shared.device[0].full_url}

    def bundle(self, raw: bytes) -> bytes:
        """The transaction of a tracked entity."""
        person = _decode(raw)
        uid, enrollment = person["trackedEntity"], person["enrollments"][0]
        held = {one["attribute"]: one["value"] for one in person["attributes"]}
        held |= {one["attribute"]: one["value"] for one in enrollment["attributes"]}
        patient_url = self._url("Patient", uid)
        subject = {"reference": patient_url}
        self._shared = {one.key: one for one in self._device}
        self._found: list[tuple[str, str, bytes, str]] = []
        owner, _ = self._unit(person["programOwners"][0]["orgUnit"])
        patient = self._patient(held, uid, owner)
        episode = self._episode(enrollment, held, subject, owner)
        for event in sorted(enrollment["events"], key=lambda one: one["occurredAt"]):
            self._event(event, subject, episode)
        key = f"Patient?identifier={_QUOTED['phn']}%7C{_words(held['IrUmPkFMDU5'])}"
        own = f"Patient?identifier={_QUOTED['dhis2-tracked-entity']}%7C{uid}"
        first = [key, f"{own} {_digest(patient)}"]
        return self._transaction(person, first, [_put(key, patient_url, patient)])

    def _transaction(self, person: Any, content: list[str], texts: list[bytes]) -> bytes:
        """`content` is what the bundle's identifier is made of, `texts` are entries: the Patient's so far."""
        for one in self._shared.values():
            kind, _, query = one.key.partition("?")
            content.append(f"{one.key} {one.digest}")
            texts.append(
                b'{"fullUrl":"%b","resource":%b,"request":{"method":"POST","url":"%b","ifNoneExist":"%b"}}'
                % (one.full_url.encode(), one.body, kind.encode(), query.encode())
            )
        for key, url, body, digest in self._found:
            content.append(f"{key} {digest}")
            texts.append(_put(key, url, body))
        value = f"{person['trackedEntity']}-{_digest(chr(10).join(content).encode())}"
        head = {
            "resourceType": "Bundle",
            "identifier": {"system": "urn:bench", "value": value},
            "type": "transaction",
            "timestamp": self._instant(person["updatedAt"]),
        }
        return _encode(head)[:-1] + b',"entry":[' + b",".join(texts) + b"]}"

    def _patient(self, held: Mapping[str, str], uid: str, owner: Any) -> bytes:
        text = _words(held["VQl0wK3eqiw"])
        *given, family = text.split()
        phn, nic = _words(held["IrUmPkFMDU5"]), _words(held["M6NNPC3hNrb"])
        identifiers = [
            _identifier("official", "PHN", "Personal Health Number", "phn", phn),
            {"use": "secondary", "system": f"{SYSTEM}esignet-subject", "value": _words(held["CJLJmmp8r9g"])},
            _identifier("secondary", "NIC", "National identity number", "nic", nic),
            {"system": f"{SYSTEM}dhis2-tracked-entity", "value": uid},
        ]
        address = self._address(_words(held["EOMGwaUTMrU"]))
        resource = {
            "meta": {"profile": [f"{PROFILE}ips-patient"]},
            "resourceType": "Patient",
            "extension": [{"url": f"{PROFILE}patient-registration-system", "valueReference": self._device_reference}],
            "identifier": identifiers,
            "active": True,
            "name": [{"text": text, "family": family, "given": given}],
            "telecom": [{"system": "phone", "value": _phone(_words(held["gGAQeOr1Pgu"])), "use": "mobile"}],
            "gender": GENDERS.get(held["p7zizFkC6Lv"], "unknown"),
            "birthDate": date.fromisoformat(held["Yie7mOY913J"].strip()[:10]).isoformat(),
            **({"address": [address]} if address else {}),
            "managingOrganization": owner,
        }
        return _encode(resource)

    def _address(self, text: str) -> Any:
        parts = [part for part in (" ".join(one.split()) for one in re.split("[,\n]", text)) if part]
        postal = ""
        for number, part in enumerate(parts[1:], start=1):
            if found := _POSTAL.search(part):
                postal, rest = found[1], (part[: found.start()] + part[found.end() :]).strip()
            else:
                rest = _LEADING.sub("", part)
            if rest != part:
                parts = [*parts[:number], *([rest] if rest else []), *parts[number + 1 :]]
                break
        folded = (part.casefold().removesuffix(" district") for part in reversed(parts[1:]))
        place = next((self._districts[part] for part in folded if part in self._districts), None)
        if place is None:
            return None
        known = {one.casefold() for one in (*place, place[1].removesuffix(" Province"), "LK")}
        rest_of = [part for number, part in enumerate(parts) if number == 0 or part.casefold() not in known]
        town = rest_of[-1] if len(rest_of) > 1 else parts[min(1, len(parts) - 1)]
        found = {"text": ", ".join(parts), "line": rest_of[:-1] or rest_of, "city": town}
        found |= {"district": place[0], "state": place[1]}
        return found | ({"postalCode": postal} if postal else {}) | {"country": "LK"}

    def _episode(self, enrollment: Any, held: Mapping[str, str], subject: Any, owner: Any) -> Any:
        uid = enrollment["enrollment"]
        number = _words(held["CSZevH4P5yV"])
        resource = {
            "resourceType": "EpisodeOfCare",
            "status": {"COMPLETED": "finished", "CANCELLED": "cancelled"}.get(enrollment["status"], "active"),
            "type": [_concept(SNOMED, "424525001", "Antenatal care")],
            "patient": subject,
            "managingOrganization": owner,
            "identifier": [
                {"system": f"{SYSTEM}dhis2-enrollment", "value": uid},
                {"system": f"{SYSTEM}anc-registration-number", "value": number},
            ],
            "period": {"start": self._moment(enrollment["enrolledAt"])},
        }
        episode = {"reference": self._keep("EpisodeOfCare", "dhis2-enrollment", uid, resource)}
        self._provenance(
            "dhis2-enrollment", uid, episode, subject, enrollment.get("createdAt"), enrollment.get("createdBy"), owner
        )
        return episode

    def _event(self, event: Any, subject: Any, episode: Any) -> None:
        uid = event["event"]
        owner, place = self._unit(event["orgUnit"])
        performer, effective = self._user(event["updatedBy"]), self._moment(event["occurredAt"])
        encounter = {"reference": self._url("Encounter", uid)}
        resource = {
            "meta": {"profile": [f"{PROFILE}target-facility-encounter"]},
            "resourceType": "Encounter",
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "AMB",
                "display": "ambulatory",
            },
            "type": [_concept(VISIT_SYSTEM, "visit", "ANC visit")],
            "subject": subject,
            "episodeOfCare": [episode],
            "participant": [{"individual": performer}],
            "period": {"start": effective} | ({"end": effective} if len(effective) == 10 else {}),
            "reasonCode": [_concept(SNOMED, "77386006", "Pregnancy", "ANC Care")],
            "location": [{"location": place}],
            "serviceProvider": owner,
            "identifier": [{"system": f"{SYSTEM}dhis2-event", "value": uid}],
        }
        self._keep("Encounter", "dhis2-event", uid, resource)
        values = {one["dataElement"]: one["value"] for one in event["dataValues"] if one["value"]}
        for element, row in self._rows.items():
            if element in values and (number := _number(values[element])) is not None:
                self._observation(f"{uid}-{element}", row, number, subject, encounter, effective, performer)
        self._provenance("dhis2-event", uid, encounter, subject, event["updatedAt"], event["updatedBy"], owner)

    def _observation(
        self, name: str, row: Any, number: float, subject: Any, encounter: Any, effective: str, performer: Any
    ) -> None:
        resource = {
            "resourceType": "Observation",
            "meta": {"profile": [row["profile"]]},
            "status": "final",
            "category": [{"coding": [{"system": CATEGORY, "code": row["category"]}]}],
            "code": row["code"],
            "subject": subject,
            "encounter": encounter,
            "effectiveDateTime": effective,
            "performer": [performer],
            "device": self._device_reference,
            "valueQuantity": {"value": number, "unit": row["unit"], "system": UCUM, "code": row["ucum"]},
            "identifier": [{"system": f"{SYSTEM}dhis2-data-value", "value": name}],
        }
        self._keep("Observation", "dhis2-data-value", name, resource)

    def _provenance(
        self, system: str, uid: str, about: Any, subject: Any, when: str | None, user: Any, owner: Any
    ) -> None:
        if not (when and self._tells_who):
            return
        recorded, (enterer, assembler) = self._instant(when), _AGENTS
        resource = {
            "resourceType": "Provenance",
            "meta": {"tag": [{"system": SYSTEM + system, "code": uid}]},
            "target": [about, subject],
            "recorded": recorded,
            "agent": [
                {"type": enterer, "who": self._user(user), "onBehalfOf": owner},
                {"type": assembler, "who": self._device_reference},
            ],
            "entity": [{"role": "source", "what": {"identifier": {"system": SYSTEM + system, "value": uid}}}],
        }
        body = _encode(resource)
        key = f"Provenance?_tag={_QUOTED[system]}%7C{uid}"
        self._found.append((key, self._url("Provenance", uid), body, _digest(body)))

    def _keep(self, kind: str, system: str, value: str, resource: Any) -> str:
        body, url = _encode(resource), self._url(kind, value)
        self._found.append((f"{kind}?identifier={_QUOTED[system]}%7C{value}", url, body, _digest(body)))
        return url

    def _unit(self, uid: str) -> tuple[Any, Any]:
        owner, place = self._units[uid]
        self._shared |= {owner.key: owner, place.key: place}
        return {"reference": owner.full_url}, {"reference": place.full_url}

    def _user(self, user: Any) -> Any:
        found = self._users[user["uid"]]
        self._shared[found.key] = found
        return {"reference": found.full_url}

    def _url(self, kind: str, value: str) -> str:
        return f"urn:uuid:{uuid.uuid5(self._namespace, f'{self._system_id}/{kind}/{value}')}"

    def _instant(self, text: str) -> str:
        return datetime.fromisoformat(text).replace(tzinfo=self._zone).isoformat(timespec="milliseconds")

    def _moment(self, text: str) -> str:
        if text.endswith("T00:00:00.000"):
            return date.fromisoformat(text[:10]).isoformat()
        return self._instant(text)


def _put(key: str, url: str, body: bytes) -> bytes:
    return b'{"fullUrl":"%b","resource":%b,"request":{"method":"PUT","url":"%b"}}' % (url.encode(), body, key.encode())


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:24]


def _words(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _number(text: str) -> float | None:
    if len(text) <= 12 and text.isascii() and text.isdigit():
        return int(text)
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not found.is_finite() or abs(found) > 10**12:
        return None
    return int(found) if found == found.to_integral_value() and "." not in text else float(found)


def _phone(text: str) -> str:
    if text.startswith("+94") and len(text) == 12 and text[1:].isdigit() and text[3] != "0":
        return text
    try:
        number = phonenumbers.parse(text, "LK")
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _identifier(use: str, code: str, text: str, system: str, value: str) -> Any:
    kind = {"coding": [{"system": TYPES, "code": code}], "text": text}
    return {"use": use, "type": kind, "system": SYSTEM + system, "value": value}


def _concept(system: str, code: str, display: str, text: str = "") -> Any:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}
