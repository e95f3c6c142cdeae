"""The doctor answers a referral: what he found and advises, and when she comes again. The midwife reads it at home."""

from typing import Any
from uuid import uuid4

from litestar import Request, Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.kernel.i18n import _
from janani.portals.chart.view import day
from janani.portals.doctor import additions
from janani.portals.doctor.changes import AWAY, is_uuid, refused
from janani.portals.doctor.keeping import Kept
from janani.portals.doctor.pages import doctor_of, record_page
from janani.portals.doctor.referrals import Referral
from janani.portals.problems import LoginNeeded, NotFound
from janani.portals.record_access import Reader

_Request = Request[Any, Any, Any]
_LONGEST = 4000
_FIELDS = ("form", "her", "about", "version", "answer", "next")
Json = dict[str, Any]


@post("/doctor/patients/{patient_id:str}/referrals/{request_id:str}", summary="Doctor: answer a referral")
async def answer(request: _Request, patient_id: FromPath[str], request_id: FromPath[str]) -> Response[Any]:
    """Completes the referral with his words, if it is still what he saw; sent twice it is answered once."""
    form = await request.form()
    sent = {key: str(form.get(key, "")).strip() for key in _FIELDS} | {"request": request_id}
    referral = Referral(sent["request"], sent["version"], sent["about"], "", "", None)
    kept = Kept(request, patient_id, {"her": sent["her"]}, {"answering": sent, "referral": referral})
    try:
        doctor = await doctor_of(request)
    except LoginNeeded:
        return kept.logged_out()
    faults = _faults(sent, doctor)
    try:
        if faults:
            return await record_page(doctor, patient_id, answering=sent, faults=faults, status=422)
        return await _write(doctor, patient_id, sent)
    except FhirError as error:
        return await kept.ending(error)


async def _write(doctor: Reader, patient_id: str, sent: dict[str, str]) -> Response[Any]:
    """Her page once it is answered, or why it is not. Raises FhirError, NotFound."""
    request = await doctor.record.read("ServiceRequest", sent["request"])
    if request.get("subject", {}).get("reference") != f"Patient/{patient_id}":
        raise NotFound
    answered = Redirect(f"/doctor/patients/{patient_id}?note=answered", status_code=303)
    if _says(request, doctor.user, sent["answer"]):
        return answered  # the first sending was written though its answer was lost
    if request.get("status") != "active" or request["meta"]["versionId"] != sent["version"]:
        return await _changed(doctor, patient_id, sent, request)
    tasks = await doctor.record.search("Task", [("patient", f"Patient/{patient_id}")])
    said = additions.Answer(sent["answer"], sent["next"], sent["form"])
    bundle = additions.answering(request, tasks, said, doctor.chart, doctor.user, doctor.now)
    try:
        await doctor.record.transaction(bundle)
    except FhirError as error:
        if error.status in (401, 403, *AWAY):
            raise
        if error.status in (409, 412):
            return await _changed(doctor, patient_id, sent, request)
        return await record_page(doctor, patient_id, answering=sent, faults={_field(sent): refused(error)}, status=409)
    return answered


async def _changed(doctor: Reader, patient_id: str, sent: dict[str, str], request: Json) -> Response[str]:
    """Her page as it is now, with his words: under the referral if it is still open, else in the note to add."""
    if request.get("status") == "active":
        fault = _("Someone changed this referral meanwhile, so it was not answered. Look at it again and send it.")
        faults = {_field(sent): fault}
        return await record_page(doctor, patient_id, answering=sent, faults=faults, status=409)
    fault = _("Someone answered this referral meanwhile. Your words are in the note below: add them, or leave.")
    typed = {"form": str(uuid4()), "note": sent["answer"], "follow_up": sent["next"]}
    return await record_page(doctor, patient_id, typed=typed, faults={"note": fault}, status=409)


def _faults(sent: dict[str, str], doctor: Reader) -> dict[str, str]:
    faults: dict[str, str] = {}
    if not sent["answer"]:
        faults[_field(sent)] = _("Please say what you found and what you advise.")
    elif len(sent["answer"]) > _LONGEST:
        faults[_field(sent)] = _("Please say it in at most {count} letters.").format(count=_LONGEST)
    if sent["next"] and ((on := day(sent["next"])) is None or on < doctor.now.date()):
        faults[f"next-{sent['request']}"] = _("Please give a day from today on.")
    if not is_uuid(sent["form"]):
        sent["form"] = str(uuid4())
        faults = faults or {_field(sent): _("Please check what you typed and press the button again.")}
    return faults


def _field(sent: dict[str, str]) -> str:
    return f"answer-{sent['request']}"


def _says(request: Json, user: str, text: str) -> bool:
    said = [(one.get("authorReference", {}).get("reference"), one.get("text")) for one in request.get("note", [])]
    return request.get("status") == "completed" and (user, text) in said


handlers = [answer]
