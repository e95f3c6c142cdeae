"""The mother's pages, for a phone first: the next appointment, how far along, her results, who looked."""

import asyncio
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from janani.clients.fhir import FhirError
from janani.kernel import pages
from janani.kernel.i18n import _
from janani.portals import oauth, record_access
from janani.portals.chart.access import accesses
from janani.portals.chart.view import view
from janani.portals.oauth import Door
from janani.portals.problems import LoginNeeded, NotFound
from janani.portals.record_access import reader_of
from janani.portals.state import State, state_of

PORTAL = "mother"
SCOPE = "openid fhirUser launch/patient patient/*.rs online_access"
_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.portals")


@get("/mother", summary="Mother: her record")
async def start(request: _Request) -> Response[str]:
    """All of her record on one page; the way in when nobody is logged in."""
    try:
        mother = await reader_of(request, _door(state_of(request)))
    except LoginNeeded:
        return _welcome("")
    patient = mother.session.patient
    if not patient:
        raise NotFound
    try:
        resources, audit = await asyncio.gather(
            mother.record.everything(patient, [("_count", "500")]),
            mother.record.get("/AuditEvent", [("patient", patient), ("_sort", "-date"), ("_count", "200")]),
        )
    except FhirError as error:
        problem = await record_access.failed(request, error, PORTAL)
        if isinstance(problem, LoginNeeded):
            return _welcome("")
        raise problem from error
    shown = view(resources, mother.chart, mother.state.programme, mother.now)
    events = [entry["resource"] for entry in audit.get("entry", [])]  # the newest page only: there are ever more
    looked = accesses(events, mother.now.tzinfo)
    transfer = mother.state.settings.sync.client_id  # a program; she would not know it by this name
    return pages.page(_jinja, "mother_record.html", her=shown, looked=looked, transfer=transfer)


@get("/mother/login", summary="Mother: log in")
async def log_in(request: _Request) -> Redirect:
    """Sends her to the record, which sends her to eSignet."""
    return await oauth.begin(request, _door(state_of(request)), "/mother")


@get("/mother/callback", summary="Mother: come back from logging in")
async def come_back(request: _Request) -> Response[Any]:
    """Opens her session."""
    try:
        return await record_access.come_back(request, _door(state_of(request)))
    except oauth.LoginFailed as error:
        return _welcome(str(error))


@post("/mother/logout", summary="Mother: log out")
async def log_out(request: _Request) -> Redirect:
    """Ends her session."""
    return await record_access.close(request, PORTAL)


def _door(state: State) -> Door:
    return record_access.door(state, PORTAL, SCOPE)


def _welcome(fault: str) -> Response[str]:
    return pages.page(
        _jinja,
        "welcome.html",
        title=_("My pregnancy record"),
        lede=_("See your visits, your results and your next appointment."),
        login="/mother/login",
        button=_("Log in with your national ID"),
        hint=_("You need your national ID number and your phone for the one-time code."),
        fault=fault,
        status=400 if fault else 200,
    )


handlers = [start, log_in, come_back, log_out]
