"""The midwife's door and her day: logging in, the women in care, searching."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.response import Redirect

from janani.clients.dhis2 import Dhis2Error
from janani.kernel import pages
from janani.kernel.i18n import _
from janani.portals import oauth, sessions
from janani.portals.midwife import access, registry
from janani.portals.midwife.access import PORTAL, Midwife, midwife_of
from janani.portals.midwife.drafts import FURTHER, stage_name
from janani.portals.midwife.women import Woman, found_by, in_order_of_need
from janani.portals.problems import LoginNeeded
from janani.portals.sessions import SQL, Session
from janani.portals.state import state_of

_Request = Request[Any, Any, Any]
jinja = pages.environment("janani.portals")


@get("/midwife", summary="Midwife: today")
async def today(request: _Request) -> Response[Any]:
    """Her women, those who need her first; or the way in when nobody is logged in."""
    state = state_of(request)
    then = request.query_params.get("then", "")
    try:
        midwife = await midwife_of(request)
    except LoginNeeded:
        return welcome("", then)
    if then:
        return Redirect(oauth.way_back(PORTAL, then), status_code=303)
    text, show_only = request.query_params.get("q", "").strip(), request.query_params.get("show", "")
    everyone, day = await registry.women(midwife), midwife.now.date()
    found = found_by(everyone, text) if text else everyone
    elsewhere = await registry.by_number(midwife, text) if text and not found else []
    groups: dict[str, list[Woman]] = {
        "overdue": [one for one in found if one.overdue],
        "today": [one for one in found if one.next_visit and one.next_visit.day == day],
        "risk": [one for one in found if one.risks],
    }
    rows = [row async for row in SQL.open_drafts(state.pool, owner=midwife.session.username)]
    program = await registry.program(midwife) if any(row["kind"] in FURTHER for row in rows) else {"programStages": []}
    further = {kind: stage_name(program, state.programme, kind) for kind in FURTHER}
    return show(
        midwife,
        "midwife_today.html",
        women=in_order_of_need(groups.get(show_only, found)),
        elsewhere=elsewhere,
        total=len(found),
        text=text,
        show_only=show_only,
        groups=groups,
        day=day,
        drafts=[_draft_row(row, midwife, everyone, further) for row in rows],
    )


@get("/midwife/login", summary="Midwife: log in")
async def log_in(request: _Request) -> Redirect:
    """Sends her to the registry, which sends her to eSignet."""
    then = oauth.way_back(PORTAL, request.query_params.get("then", ""))
    return await oauth.begin(request, access.door(state_of(request)), then)


@get("/midwife/callback", summary="Midwife: come back from logging in")
async def come_back(request: _Request) -> Response[Any]:
    """Opens her session."""
    state = state_of(request)
    try:
        answer, then = await oauth.finish(request, access.door(state))
        me = await access.registry_as(state, answer["access_token"]).me("username,firstName,surname,displayName")
    except oauth.LoginFailed as error:
        return welcome(str(error))
    except Dhis2Error as error:
        raise access.away(error) from error
    session = Session(PORTAL, me["username"], me.get("displayName", me["username"]), "", 0)
    access.renew(session, answer, state)
    seconds = state.settings.portals.session_seconds
    secure = state.settings.portals.url.startswith("https://")
    cookie = await sessions.open_session(state.pool, session, seconds, secure=secure)
    return Redirect(then, cookies=[cookie])


@post("/midwife/logout", summary="Midwife: log out")
async def log_out(request: _Request) -> Redirect:
    """Ends her session here and at the registry, so that the next person logs in as herself."""
    state = state_of(request)
    door, target = access.door(state), "/midwife"
    session = await sessions.find(state.pool, request, PORTAL, state.settings.portals.session_seconds)
    if session is not None:
        await sessions.close(state.pool, request, PORTAL)
        await oauth.leave(state.http, door, session.refresh_token)
        if session.id_token:
            target = oauth.end_session_url(door, session.id_token, f"{state.settings.portals.url}/midwife")
    answer = Redirect(target, status_code=303)
    answer.delete_cookie(sessions.cookie_name(PORTAL))
    return answer


def welcome(fault: str, then: str = "") -> Response[str]:
    """The way in, and on to the page `then`."""
    return pages.page(
        jinja,
        "welcome.html",
        title=_("Midwife"),
        lede=_("Register mothers, record visits, and refer them."),
        login="/midwife/login" + (f"?{urlencode({'then': then})}" if then else ""),
        button=_("Log in with eSignet"),
        hint=_("You need your national ID number and the phone that gets the one-time code."),
        fault=fault,
        status=400 if fault else 200,
    )


def show(midwife: Midwife, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """A page of the midwife's portal."""
    return pages.page(jinja, template, status=status, midwife=midwife, **values)


def _draft_row(row: Any, midwife: Midwife, everyone: list[Woman], further: dict[str, str]) -> dict[str, Any]:
    """A form not sent yet: what it is, of whom, and where; `further` are names of kinds."""
    titles = further | {"registration": _("New registration"), "visit": _("Visit"), "referral": _("Referral")}
    titles |= {"details": _("Her details")}
    fields = msgspec.json.decode(row["fields"], type=dict[str, str])
    typed = fields.get(midwife.state.programme.registry.attributes["full_name"], "")
    known = next((one.name for one in everyone if one.uid == row["tracked_entity"]), "")
    name = known or typed or _("without a name yet")
    page = row["kind"] if row["kind"] == "details" else f"{row['kind']}s"
    return {"path": f"/midwife/{page}/{row['id']}", "title": titles[row["kind"]], "name": name}


handlers = [today, log_in, come_back, log_out]
