"""The doctor's pages: finding a record by PHN, reading it, adding to it, closing a problem."""

from typing import Any
from uuid import uuid4

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.kernel import pages
from janani.kernel.i18n import _
from janani.portals import oauth, record_access, sessions
from janani.portals.chart.definition import Definition, definition
from janani.portals.chart.svg import HEIGHT, WIDTH, draw
from janani.portals.chart.view import view
from janani.portals.doctor import additions
from janani.portals.oauth import Door
from janani.portals.problems import LoginNeeded
from janani.portals.record_access import Reader, reader_of
from janani.portals.state import State, state_of
from janani.programmes.sri_lanka import parse_phn

PORTAL = "doctor"
SCOPE = "openid fhirUser user/*.cruds online_access"
_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.portals")
Json = dict[str, Any]


@get("/doctor", summary="Doctor: find a record")
async def start(request: _Request) -> Response[str]:
    """The search by PHN; the way in when nobody is logged in."""
    state = state_of(request)
    if await sessions.find(state.pool, request, PORTAL, state.settings.portals.session_seconds) is None:
        return _welcome("")
    return _page(await _doctor(request), "doctor_search.html", number="", fault="")


@get("/doctor/login", summary="Doctor: log in")
async def log_in(request: _Request) -> Redirect:
    """Sends him to the record, which sends him to eSignet."""
    return await oauth.begin(request, _door(state_of(request)), "/doctor")


@get("/doctor/callback", summary="Doctor: come back from logging in")
async def come_back(request: _Request) -> Response[Any]:
    """Opens his session."""
    try:
        return await record_access.come_back(request, _door(state_of(request)))
    except oauth.LoginFailed as error:
        return _welcome(str(error))


@post("/doctor/logout", summary="Doctor: log out")
async def log_out(request: _Request) -> Redirect:
    """Ends his session."""
    return await record_access.close(request, PORTAL)


@post("/doctor", summary="Doctor: search a record")
async def search(request: _Request) -> Response[Any]:
    """From a PHN (in the form, never in the address) to her page, or why there is none."""
    doctor = await _doctor(request)
    number = str((await request.form()).get("phn", "")).strip()
    phn = parse_phn(number)
    if not phn.number:
        return _page(doctor, "doctor_search.html", status=422, number=number, fault=_("Please type her PHN."))
    if phn.valid is False:
        fault = _("The check digit does not fit: one character was probably mistyped. Compare it with her card.")
        return _page(doctor, "doctor_search.html", status=422, number=number, fault=fault)
    system = doctor.state.programme.record.systems["phn"]
    try:
        found = await doctor.record.search("Patient", [("identifier", f"{system}|{phn.number}")])
    except FhirError as error:
        raise record_access.away(error, PORTAL) from error
    patients = [one for one in found if one["resourceType"] == "Patient"]
    if not patients:
        fault = _("There is no record under this number yet.")
        return _page(doctor, "doctor_search.html", status=404, number=number, fault=fault)
    return Redirect(f"/doctor/patients/{patients[0]['id']}", status_code=303)


@get("/doctor/patients/{patient_id:str}", summary="Doctor: a record")
async def patient(request: _Request, patient_id: FromPath[str]) -> Response[str]:
    """Header, problems, medicines, immunisations, charts, timeline; and the form to add."""
    doctor = await _doctor(request)
    return await _record_page(doctor, patient_id, note=request.query_params.get("note", ""))


@post("/doctor/patients/{patient_id:str}", summary="Doctor: add to a record")
async def add(request: _Request, patient_id: FromPath[str]) -> Response[Any]:
    """Writes what was typed in one transaction; sent twice it is written once."""
    doctor = await _doctor(request)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    chart = _definition(doctor)
    typed, faults = additions.read(sent, chart, doctor.now)
    if faults:
        return await _record_page(doctor, patient_id, typed=sent, faults=faults, status=422)
    bundle = additions.bundle(typed, chart, sent.get("form", ""), patient_id, doctor.user, doctor.now)
    try:
        await doctor.record.transaction(bundle)
    except FhirError as error:
        if error.status == 401:
            raise LoginNeeded(PORTAL) from error
        return await _record_page(doctor, patient_id, typed=sent, faults={"": _words(error)}, status=409)
    return Redirect(f"/doctor/patients/{patient_id}?note=added", status_code=303)


@post("/doctor/patients/{patient_id:str}/problems/{condition_id:str}", summary="Doctor: close a problem")
async def resolve(request: _Request, patient_id: FromPath[str], condition_id: FromPath[str]) -> Response[Any]:
    """Marks a problem resolved, if it is still what he saw; otherwise says that someone changed it."""
    doctor = await _doctor(request)
    version = str((await request.form()).get("version", ""))
    system = _definition(doctor).diagnosis.clinical_status
    try:
        condition = await doctor.record.read("Condition", condition_id)
        condition["clinicalStatus"] = {"coding": [{"system": system, "code": "resolved"}]}
        await doctor.record.update(condition, if_match=version)
    except FhirError as error:
        if error.status in (409, 412):
            return Redirect(f"/doctor/patients/{patient_id}?note=stale", status_code=303)
        raise record_access.away(error, PORTAL) from error
    return Redirect(f"/doctor/patients/{patient_id}?note=resolved", status_code=303)


async def _record_page(
    doctor: Reader,
    patient_id: str,
    *,
    note: str = "",
    typed: dict[str, str] | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    chart = _definition(doctor)
    try:
        resources = await doctor.record.everything(patient_id, [("_count", "500")])
    except FhirError as error:
        raise record_access.away(error, PORTAL) from error
    shown = view(resources, chart, doctor.state.programme, doctor.now.date())
    return _page(
        doctor,
        "doctor_patient.html",
        status=status,
        her=shown,
        charts=[(draw(one), one) for one in shown.charts],
        size=(WIDTH, HEIGHT),
        chart=chart,
        today=doctor.now.date(),
        note=note,
        typed=typed or {"form": str(uuid4())},
        faults=faults or {},
    )


def _definition(doctor: Reader) -> Definition:
    kept = doctor.state.kept
    if "chart" not in kept:
        kept["chart"] = definition(doctor.state.programme)
    found: Definition = kept["chart"]
    return found


def _words(error: FhirError) -> str:
    if error.status in (0, 502, 503, 504):
        return _("The health record does not answer just now. What you typed is kept. Please try again in a minute.")
    text = "; ".join(issue.diagnostics for issue in error.issues if issue.diagnostics)
    return _("The health record did not take it: {text}").format(text=text or error.status)


def _door(state: State) -> Door:
    return record_access.door(state, PORTAL, SCOPE)


async def _doctor(request: _Request) -> Reader:
    return await reader_of(request, _door(state_of(request)))


def _page(doctor: Reader, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    return pages.page(_jinja, template, status=status, doctor=doctor, **values)


def _welcome(fault: str) -> Response[str]:
    return pages.page(
        _jinja,
        "welcome.html",
        title=_("Doctor"),
        lede=_("Find a mother's record by her number, read it, and add to it."),
        login="/doctor/login",
        button=_("Log in with eSignet"),
        hint=_("You need your national ID number and the phone that gets the one-time code."),
        fault=fault,
        status=400 if fault else 200,
    )


handlers = [start, log_in, come_back, log_out, search, patient, add, resolve]
