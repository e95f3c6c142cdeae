"""What the doctor changes: he adds to a record, or closes a problem. What he typed is never lost."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from litestar import Request, Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.kernel.i18n import _
from janani.portals import record_access
from janani.portals.doctor import additions
from janani.portals.doctor.keeping import Kept
from janani.portals.doctor.pages import PORTAL, doctor_of, record_page
from janani.portals.problems import LoginNeeded, NotFound
from janani.portals.record_access import Reader

_Request = Request[Any, Any, Any]
AWAY = (0, 429, 500, 502, 503, 504)


@post("/doctor/patients/{patient_id:str}", summary="Doctor: add to a record")
async def add(request: _Request, patient_id: FromPath[str]) -> Response[Any]:
    """Writes what was typed in one transaction; sent twice it is written once."""
    sent = {key: str(value) for key, value in (await request.form()).items()}
    kept = Kept(request, patient_id, sent)
    try:
        doctor = await doctor_of(request)
    except LoginNeeded:
        return kept.logged_out()
    typed, faults = additions.read(sent, doctor.chart, doctor.now)
    if not is_uuid(sent.get("form", "")):
        faults, sent["form"] = {"": _("Please check what you typed and press the button again.")}, str(uuid4())
    try:
        if faults:
            return await record_page(doctor, patient_id, typed=sent, faults=faults, status=422)
        return await _write(doctor, patient_id, sent, typed)
    except FhirError as error:
        return await kept.ending(error)


async def _write(doctor: Reader, patient_id: str, sent: dict[str, str], typed: additions.Additions) -> Response[Any]:
    """Her page once it is written, or what the record says against it. Raises FhirError."""
    bundle = additions.bundle(typed, doctor.chart, sent["form"], patient_id, doctor.user, doctor.now)
    try:
        answer = await doctor.record.transaction(bundle, prefer="return=representation")
    except FhirError as error:
        if error.status in (401, 403, *AWAY):
            raise
        return await record_page(doctor, patient_id, typed=sent, faults={"": refused(error)}, status=409)
    if unlike := additions.unlike(bundle, answer):
        # The first sending was written though its answer was lost, and he changed something since.
        again = {name: sent.get(name, "") for key in unlike for name in additions.fields_of(key)}
        fault = _("Your first try was written after all. Only what you changed since is still here: add it, or leave.")
        return await record_page(doctor, patient_id, typed={"form": str(uuid4()), **again}, faults={"": fault})
    return Redirect(f"/doctor/patients/{patient_id}?note=added", status_code=303)


@post("/doctor/patients/{patient_id:str}/problems/{condition_id:str}", summary="Doctor: close a problem")
async def resolve(request: _Request, patient_id: FromPath[str], condition_id: FromPath[str]) -> Response[Any]:
    """Marks a problem resolved, if it is still what he saw; otherwise says that someone changed it."""
    doctor = await doctor_of(request)
    seen = str((await request.form()).get("version", ""))
    stale = f"/doctor/patients/{patient_id}?{urlencode({'note': 'stale', 'problem': condition_id, 'seen': seen})}"
    try:
        condition = await doctor.record.read("Condition", condition_id)
        if condition.get("subject", {}).get("reference") != f"Patient/{patient_id}":
            raise NotFound
        if condition["meta"]["versionId"] != seen:
            return Redirect(stale, status_code=303)
        system = doctor.chart.diagnosis.clinical_status
        condition["clinicalStatus"] = {"coding": [{"system": system, "code": "resolved"}]}
        await doctor.record.update(condition, if_match=seen)
    except FhirError as error:
        if error.status in (409, 412):
            return Redirect(stale, status_code=303)
        raise await record_access.failed(request, error, PORTAL) from error
    return Redirect(f"/doctor/patients/{patient_id}?note=resolved", status_code=303)


def refused(error: FhirError) -> str:
    """What the record said against it, for a person."""
    text = "; ".join(issue.diagnostics for issue in error.issues if issue.diagnostics)
    return _("The health record did not take it: {text}").format(text=text or error.status)


def is_uuid(text: str) -> bool:
    """Whether a form's id is one that a page gave out."""
    try:
        return bool(UUID(text))
    except ValueError:
        return False


handlers = [add, resolve]
