"""The next visit: planning it, moving it, cancelling it. Each is written at once."""

from datetime import date
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel.i18n import _
from janani.kernel.ids import uid_of
from janani.portals.midwife import payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import day as day_of
from janani.portals.midwife.pages_care import clinic, known_woman, woman_page
from janani.portals.midwife.pages_start import show
from janani.portals.midwife.payloads import Uids
from janani.portals.midwife.women import Visit, Woman
from janani.portals.problems import Away, LoginNeeded, NotFound, NotSent

_Request = Request[Any, Any, Any]
_CANCEL = "/midwife/women/{uid:str}/planned/{event:str}"


@post("/midwife/women/{uid:str}/appointment", summary="Midwife: plan the next visit")
async def plan(request: _Request, uid: FromPath[str]) -> Response[Any]:
    """Plans the next visit: moves the one that is planned, or makes one."""
    text = str((await request.form()).get("day", ""))
    try:
        midwife = await midwife_of(request)
        try:
            return await _plan(midwife, uid, text)
        except Away:
            return await _not_planned(midwife, uid, text)
    except LoginNeeded as error:
        raise NotSent({"day": text}) from error


@get(_CANCEL, summary="Midwife: whether to cancel a planned visit")
async def ask(request: _Request, uid: FromPath[str], event: FromPath[str]) -> Response[Any]:
    """Asks before a planned visit is cancelled."""
    midwife = await midwife_of(request)
    known = await known_woman(midwife, uid)
    visit = _visit(midwife, known, event)
    if not visit.is_planned:
        return _gone(known, visit)
    return show(midwife, "midwife_cancel.html", woman=known, visit=visit, fault="")


@post(_CANCEL, summary="Midwife: cancel a planned visit")
async def cancel(request: _Request, uid: FromPath[str], event: FromPath[str]) -> Response[Any]:
    """Cancels a planned visit (DHIS2: SKIPPED); pressed twice it is cancelled once."""
    midwife = await midwife_of(request)
    known = await known_woman(midwife, uid)
    visit = _visit(midwife, known, event)
    if not visit.is_planned:
        return _gone(known, visit)
    uids = Uids(known.uid, known.enrollment, event)
    on = (visit.day or midwife.now.date()).isoformat()
    try:
        report = await registry.write(midwife, payloads.cancelled(midwife.state.programme, uids, visit.unit, on))
    except Away:
        words = _("The registry does not answer just now. The visit is not cancelled. Please try again in a minute.")
        return show(midwife, "midwife_cancel.html", status=503, woman=known, visit=visit, fault=words)
    if report.get("status") == "ERROR":
        words = " ".join(payloads.refusals(report, []).values())
        return show(midwife, "midwife_cancel.html", status=409, woman=known, visit=visit, fault=words)
    return Redirect(f"/midwife/women/{uid}?note=cancelled", status_code=303)


async def _plan(midwife: Midwife, uid: str, text: str) -> Response[Any]:
    known = await known_woman(midwife, uid)
    on, today = day_of(text), midwife.now.date()
    if on is None or on < today:
        return await woman_page(midwife, known, fault=_("Please give a day from today on."), day=text)
    report = await registry.write(midwife, await _appointment(midwife, known, on))
    if report.get("status") == "ERROR":
        return await woman_page(midwife, known, fault=" ".join(payloads.refusals(report, []).values()), day=text)
    return Redirect(f"/midwife/women/{known.uid}?note=planned", status_code=303)


async def _not_planned(midwife: Midwife, uid: str, text: str) -> Response[str]:
    """Her page as it was known last, the date in its field still: nothing else keeps it."""
    words = _(
        "The registry does not answer just now. The date is not saved yet: it stands below. "
        "Please press “Save the date” again in a minute."
    )
    try:
        return await woman_page(midwife, await registry.last_known(midwife, uid), fault=words, status=503, day=text)
    except Away as error:
        raise Away(_("The registry does not answer just now. The date is not saved. Please try again.")) from error


async def _appointment(midwife: Midwife, known: Woman, on: date) -> dict[str, Any]:
    planned = known.planned
    # Named by what it follows, so that pressing twice plans one visit.
    event = planned.event if planned else uid_of(f"planned/{known.enrollment}/{len(known.visits)}/{on}")
    unit = planned.unit if planned else await clinic(midwife, known)
    uids = Uids(known.uid, known.enrollment, event)
    return payloads.appointment(midwife.state.programme, uids, unit, on.isoformat())


def _visit(midwife: Midwife, known: Woman, event: str) -> Visit:
    """The visit `event` of the visit stage. Raises NotFound."""
    stage = midwife.state.programme.registry.stages["visit"]
    found = next((one for one in known.visits if one.event == event and one.stage == stage), None)
    if found is None:
        raise NotFound
    return found


def _gone(known: Woman, visit: Visit) -> Redirect:
    note = "cancelled" if visit.status == "SKIPPED" else "not-planned"
    return Redirect(f"/midwife/women/{known.uid}?note={note}", status_code=303)


handlers = [plan, ask, cancel]
