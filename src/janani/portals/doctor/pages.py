"""The doctor's pages: logging in, finding a record by PHN, reading it."""

from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.kernel import pages
from janani.kernel.i18n import _
from janani.portals import oauth, record_access
from janani.portals.chart.svg import HEIGHT, WIDTH, draw
from janani.portals.chart.view import Fact, Problem, day, name_of, problem_of, view
from janani.portals.doctor.own import own, own_answers
from janani.portals.doctor.referrals import open_referrals
from janani.portals.oauth import Door
from janani.portals.problems import LoginNeeded
from janani.portals.record_access import Reader, reader_of
from janani.portals.state import State, state_of
from janani.programmes.sri_lanka import parse_phn

PORTAL = "doctor"
SCOPE = "openid fhirUser user/*.cruds online_access"
_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.portals")


@get("/doctor", summary="Doctor: find a record")
async def start(request: _Request) -> Response[Any]:
    """The search by PHN; the way in when nobody is logged in."""
    then = request.query_params.get("then", "")
    try:
        doctor = await doctor_of(request)
    except LoginNeeded:
        return _welcome("", then)
    if then:
        return Redirect(oauth.way_back(PORTAL, then), status_code=303)
    return _found(doctor)


@get("/doctor/login", summary="Doctor: log in")
async def log_in(request: _Request) -> Redirect:
    """Sends him to the record, which sends him to eSignet."""
    then = oauth.way_back(PORTAL, request.query_params.get("then", ""))
    return await oauth.begin(request, _door(state_of(request)), then)


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
    doctor = await doctor_of(request)
    number = str((await request.form()).get("phn", "")).strip()
    phn = parse_phn(number)
    if not phn.number:
        return _found(doctor, 422, number, _("Please type her PHN."))
    if phn.valid is False:
        fault = _("The check digit does not fit: one character was probably mistyped. Compare it with her card.")
        return _found(doctor, 422, number, fault)
    system = doctor.state.programme.record.systems["phn"]
    try:
        found = await doctor.record.search("Patient", [("identifier", f"{system}|{phn.number}")])
    except FhirError as error:
        raise await record_access.failed(request, error, PORTAL) from error
    patients = [one for one in found if one["resourceType"] == "Patient"]
    if not patients:
        fault = _("There is no record under this number yet.")
        return _found(doctor, 404, number, fault)
    if len(patients) > 1:
        women = [Fact(name_of(one), one["id"], day(one.get("birthDate"))) for one in patients]
        return _found(doctor, 200, number, women=women)
    return Redirect(f"/doctor/patients/{patients[0]['id']}", status_code=303)


@get("/doctor/patients/{patient_id:str}", summary="Doctor: a record")
async def patient(request: _Request, patient_id: FromPath[str]) -> Response[str]:
    """Header, problems, medicines, immunisations, charts, timeline; and the form to add."""
    doctor = await doctor_of(request)
    query = request.query_params
    meanwhile = None
    if query.get("note") == "stale":
        meanwhile = await _both(doctor, patient_id, query.get("problem", ""), query.get("seen", ""))
    try:
        return await record_page(doctor, patient_id, note=query.get("note", ""), meanwhile=meanwhile)
    except FhirError as error:
        raise await record_access.failed(request, error, PORTAL) from error


async def record_page(
    doctor: Reader,
    patient_id: str,
    *,
    note: str = "",
    meanwhile: tuple[Problem, Problem] | None = None,
    typed: dict[str, str] | None = None,
    answering: dict[str, str] | None = None,
    faults: dict[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    """Her page as the record has it now, with what was typed. Raises FhirError."""
    resources = await doctor.record.everything(patient_id, [("_count", "500")])
    shown = view(resources, doctor.chart, doctor.state.programme, doctor.now)
    return show(
        doctor,
        "doctor_patient.html",
        status=status,
        her=shown,
        referrals=open_referrals(resources),
        answered=own_answers(resources, doctor.user, doctor.now),
        own=own(resources, doctor.chart, doctor.user, doctor.now),
        charts=[(draw(one), one) for one in shown.charts],
        size=(WIDTH, HEIGHT),
        chart=doctor.chart,
        today=doctor.now.date(),
        note=note,
        meanwhile=meanwhile,
        typed=typed or {"form": str(uuid4())},
        answering=answering or {},
        form_id=str(uuid4()),
        faults=faults or {},
    )


def _door(state: State) -> Door:
    return record_access.door(state, PORTAL, SCOPE)


async def doctor_of(request: _Request) -> Reader:
    """The doctor who is logged in. Raises LoginNeeded."""
    return await reader_of(request, _door(state_of(request)))


async def _both(doctor: Reader, patient_id: str, condition_id: str, seen: str) -> tuple[Problem, Problem] | None:
    """A problem as the doctor saw it, and as it is now."""
    try:
        now = await doctor.record.read("Condition", condition_id)
        then = await doctor.record.get(f"/Condition/{quote(condition_id, safe='')}/_history/{quote(seen, safe='')}")
    except FhirError:
        return None
    hers = all(one.get("subject", {}).get("reference") == f"Patient/{patient_id}" for one in (then, now))
    return (problem_of(then, doctor.now.tzinfo), problem_of(now, doctor.now.tzinfo)) if hers else None


def _found(
    doctor: Reader, status: int = 200, number: str = "", fault: str = "", women: list[Fact] | None = None
) -> Response[str]:
    return show(doctor, "doctor_search.html", status=status, number=number, fault=fault, women=women or [])


def show(doctor: Reader | None, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """A page of the doctor's."""
    return pages.page(_jinja, template, status=status, doctor=doctor, **values)


def _welcome(fault: str, then: str = "") -> Response[str]:
    return pages.page(
        _jinja,
        "welcome.html",
        title=_("Doctor"),
        lede=_("Find a mother's record by her number, read it, and add to it."),
        login="/doctor/login" + (f"?{urlencode({'then': then})}" if then else ""),
        button=_("Log in with eSignet"),
        hint=_("You need your national ID number and the phone that gets the one-time code."),
        fault=fault,
        status=400 if fault else 200,
    )


handlers = [start, log_in, come_back, log_out, search, patient]
