"""The doctor takes back what he wrote by mistake, with his reason.

What he added stays in the record as entered in error; a referral that he answered waits for an answer again.
"""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.portals import record_access
from janani.portals.doctor.own import mistaken, own, own_answers, unanswered
from janani.portals.doctor.pages import PORTAL, doctor_of
from janani.portals.problems import NotFound

_Request = Request[Any, Any, Any]
_LONGEST_REASON = 500


@post(
    "/doctor/patients/{patient_id:str}/withdrawals/{kind:str}/{resource_id:str}",
    summary="Doctor: take back what he added",
)
async def withdraw(
    request: _Request, patient_id: FromPath[str], kind: FromPath[str], resource_id: FromPath[str]
) -> Response[Any]:
    """Takes back what he wrote himself, if it is still what he saw and he says why."""
    doctor = await doctor_of(request)
    form = await request.form()
    reason, seen = str(form.get("reason", "")).strip()[:_LONGEST_REASON], str(form.get("version", ""))
    if not reason:
        return _back(patient_id, "no-reason")
    try:
        resources = await doctor.record.everything(patient_id, [("_count", "500")])
        answers = own_answers(resources, doctor.user, doctor.now)
        added = own(resources, doctor.chart, doctor.user, doctor.now)
        if (kind, resource_id) not in [(one.kind, one.id) for one in (*answers, *added)]:
            raise NotFound
        resource = await doctor.record.read(kind, resource_id)
        if resource["meta"]["versionId"] != seen:
            return _back(patient_id, "changed")
        if kind == "ServiceRequest":
            bundle = unanswered(resource, resources, doctor.chart, reason, doctor.user, doctor.now)
            await doctor.record.transaction(bundle)
            return _back(patient_id, "reopened")
        changed = mistaken(resource, doctor.chart, reason, doctor.user, doctor.now)
        await doctor.record.update(changed, if_match=seen)
    except FhirError as error:
        if error.status in (409, 412):
            return _back(patient_id, "changed")
        raise await record_access.failed(request, error, PORTAL) from error
    return _back(patient_id, "withdrawn")


def _back(patient_id: str, note: str) -> Redirect:
    return Redirect(f"/doctor/patients/{patient_id}?{urlencode({'note': note})}", status_code=303)


handlers = [withdraw]
