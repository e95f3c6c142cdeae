"""The PHN authority as the midwife reaches it: through the registry's Route, as herself."""

from typing import Any

import httpx
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Error
from janani.kernel.i18n import _
from janani.portals.midwife import access
from janani.portals.midwife.access import Midwife
from janani.portals.midwife.drafts import Number
from janani.portals.problems import Away
from janani.programmes import Programme

Json = dict[str, Any]
_MATCH_REASON = "match-reason"


class Alike(Struct):
    """Someone the authority knows who may be this woman."""

    phn: str
    name: str
    birth_date: str
    reasons: list[str]


async def look_up(midwife: Midwife, number: str) -> Number:
    """What the authority knows under `number`: her demographics, or why there are none, in words."""
    checked = await _call(midwife, "/Patient/$check-number", _parameters({"number": number}))
    answers = {row["name"]: row for row in checked.json().get("parameter", [])}
    if answers.get("result", {}).get("valueBoolean") is False:
        text = _("The check digit does not fit: one character was probably mistyped. Compare it with her card.")
        return Number(number=number, fault=text)
    canonical = answers.get("number", {}).get("valueString", number)
    warning = answers.get("warning", {}).get("valueString", "")
    system = midwife.state.programme.record.systems["phn"]
    found = await _call(midwife, "/Patient", None, {"identifier": f"{system}|{canonical}"})
    entries = found.json().get("entry", [])
    if not entries:
        text = _("Nobody is known under this number. Compare it with her card, or go on without it.")
        return Number(number=canonical, fault=text, warning=warning)
    return Number(
        number=canonical, warning=warning, known=demographics(entries[0]["resource"], midwife.state.programme)
    )


async def alike(midwife: Midwife, fields: dict[str, str], subject: str) -> list[Alike]:
    """Who may be the same woman: by verified identity, NIC, or name and date of birth."""
    resource = patient(midwife.state.programme, fields, subject)
    answer = await _call(midwife, "/Patient/$match", _parameters({}, resource))
    return [_alike(entry, midwife.state.programme) for entry in answer.json().get("entry", [])]


async def issue(midwife: Midwife, fields: dict[str, str], subject: str, request_id: str, *, distinct: bool) -> str:
    """A new PHN for this woman; the same `request_id` gives the same number again.

    Raises Away when the authority refuses, in its own words.
    """
    values: Json = {"requestId": request_id} | ({"confirmDistinct": True} if distinct else {})
    answer = await _call(
        midwife, "/Patient/$issue", _parameters(values, patient(midwife.state.programme, fields, subject))
    )
    system = midwife.state.programme.record.systems["phn"]
    number: str = next(one["value"] for one in answer.json()["identifier"] if one.get("system") == system)
    return number


def patient(programme: Programme, fields: dict[str, str], subject: str) -> Json:
    """Her demographics as a Patient without PHN."""
    roles, systems = programme.registry.attributes, programme.record.systems
    numbers = [(systems["subject"], subject), (systems["nic"], fields.get(roles["nic"], ""))]
    resource: Json = {"resourceType": "Patient", "name": [{"text": fields.get(roles["full_name"], "")}]}
    if identifiers := [{"system": system, "value": value} for system, value in numbers if value]:
        resource["identifier"] = identifiers
    if born := fields.get(roles["birth_date"]):
        resource["birthDate"] = born
    if gender := fields.get(roles["gender"], "").lower():
        resource["gender"] = gender
    if phone := fields.get(roles["phone"]):
        resource["telecom"] = [{"system": "phone", "value": phone}]
    return resource


def demographics(resource: Json, programme: Programme) -> dict[str, str]:
    """A Patient's demographics by the programme's attributes."""
    roles, systems = programme.registry.attributes, programme.record.systems
    name = (resource.get("name") or [{}])[0]
    whole = name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip()
    phone = next((one["value"] for one in resource.get("telecom", []) if one.get("system") == "phone"), "")
    nic = next((one["value"] for one in resource.get("identifier", []) if one.get("system") == systems["nic"]), "")
    address = (resource.get("address") or [{}])[0]
    parts = [*address.get("line", []), address.get("city", ""), address.get("district", "")]
    found = {
        roles["full_name"]: whole,
        roles["birth_date"]: resource.get("birthDate", ""),
        roles["gender"]: resource.get("gender", "").capitalize(),
        roles["phone"]: phone,
        roles["nic"]: nic,
        roles["address"]: address.get("text") or ", ".join(filter(None, parts)),
    }
    return {uid: value for uid, value in found.items() if value}


async def _call(
    midwife: Midwife, path: str, body: Json | None, parameters: dict[str, str] | None = None
) -> httpx.Response:
    code = midwife.state.programme.registry.routes["phn"]
    try:
        answer = await midwife.registry.run_route(code, body, path=path, parameters=parameters)
    except Dhis2Error as error:
        raise access.away(error) from error
    if answer.status_code in (409, 422):
        issues = answer.json().get("issue", [{}])
        raise Away(issues[0].get("diagnostics") or issues[0].get("details", {}).get("text", ""))
    if not answer.is_success:
        raise Away(
            _("The number service does not answer just now. What you typed is kept. Please try again in a minute.")
        )
    return answer


def _parameters(values: Json, resource: Json | None = None) -> Json:
    rows: list[Json] = [{"name": "resource", "resource": resource}] if resource else []
    for name, value in values.items():
        kind = "valueBoolean" if isinstance(value, bool) else "valueString"
        rows.append({"name": name, kind: value})
    return {"resourceType": "Parameters", "parameter": rows}


def _alike(entry: Json, programme: Programme) -> Alike:
    resource = entry["resource"]
    values = demographics(resource, programme)
    roles, systems = programme.registry.attributes, programme.record.systems
    reasons = [
        one.get("valueCodeableConcept", {}).get("text", "")
        for one in entry.get("search", {}).get("extension", [])
        if one.get("url", "").endswith(_MATCH_REASON)
    ]
    number = next((one["value"] for one in resource.get("identifier", []) if one.get("system") == systems["phn"]), "")
    return Alike(
        number, values.get(roles["full_name"], ""), values.get(roles["birth_date"], ""), list(filter(None, reasons))
    )
