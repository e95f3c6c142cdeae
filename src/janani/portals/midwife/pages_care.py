"""Care: a woman's page, recording a visit, planning the next one, referring her."""

from datetime import date
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel.i18n import _
from janani.kernel.ids import uid_of
from janani.portals.midwife import drafts, forms, payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import day as day_of
from janani.portals.midwife.derived import weeks
from janani.portals.midwife.drafts import Draft
from janani.portals.midwife.forms import Section
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_start import show
from janani.portals.midwife.payloads import Uids
from janani.portals.midwife.women import Woman, woman
from janani.portals.problems import Away, NotFound

_Request = Request[Any, Any, Any]
_FORMS = [f"/midwife/{kind}s/{{draft_id:str}}" for kind in drafts.STAGES]
_DAY, _UNIT, _PLANNED = "day", "unit", "planned"
_EARLY_DAYS = 10  # so long before its day a visit is taken to be the planned one, unless she says otherwise


@get("/midwife/women/{uid:str}", summary="Midwife: a woman")
async def page(request: _Request, uid: FromPath[str]) -> Response[str]:
    """Who she is, how far along, her visits and referrals, the next visit."""
    midwife = await midwife_of(request)
    return await _woman_page(midwife, uid, note=request.query_params.get("note", ""))


@post("/midwife/women/{uid:str}/{kind:str}", summary="Midwife: begin a visit, a referral, …, or plan the next visit")
async def begin(request: _Request, uid: FromPath[str], kind: FromPath[str]) -> Response[Any]:
    """A draft for a visit, a referral or what else a stage holds; an appointment is written at once."""
    midwife = await midwife_of(request)
    known = await _woman(midwife, uid)
    if kind == "appointment":
        return await _plan(midwife, known, str((await request.form()).get(_DAY, "")))
    if drafts.STAGES.get(kind) not in midwife.state.programme.registry.stages:
        raise NotFound
    pool, owner = midwife.state.pool, midwife.session.username
    draft = await drafts.open_for(pool, owner, kind, uid) or await drafts.begin(
        pool, owner, kind, tracked_entity=uid, enrollment=known.enrollment
    )
    return Redirect(f"/midwife/{kind}s/{draft}", status_code=303)


@get(_FORMS, summary="Midwife: visit or referral form, or that of a further stage")
async def form(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """The form as it stands."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, _kind(request))
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}")
    return await _show_form(midwife, draft, {})


@post(_FORMS, summary="Midwife: send a visit, a referral or a form of a further stage")
async def send(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Writes the event; sent twice it is one event."""
    draft, _sent = await take_in(request, draft_id, _kind(request))
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    midwife = await midwife_of(request)
    sections = await _tidy(midwife, draft)
    today = midwife.now.date()
    faults = forms.faults(sections, draft.fields, today)
    on = day_of(draft.fields.get(_DAY))
    if on is None or on > today:
        faults[_DAY] = _("Please give the day of the visit, today or earlier.")
    if faults or on is None:
        return await _show_form(midwife, draft, faults)
    try:
        report = await registry.write(midwife, await _payload(midwife, draft, sections, on))
    except Away as error:
        return await _show_form(midwife, draft, {"": error.text}, status=503)
    refused = payloads.refusals(report, forms.all_fields(sections))
    if refused or report.get("status") == "ERROR":
        return await _show_form(midwife, draft, refused or {"": _("The registry did not take it.")}, status=409)
    await drafts.mark_sent(midwife.state.pool, draft)
    note = "details" if draft.kind in drafts.FURTHER else draft.kind
    return Redirect(f"/midwife/women/{draft.tracked_entity}?note={note}-saved", status_code=303)


@post([f"{form}/drop" for form in _FORMS], summary="Midwife: give a visit, a referral or another form up")
async def drop(request: _Request, draft_id: FromPath[str]) -> Redirect:
    """Throws the form away."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, _kind(request))
    await drafts.drop(midwife.state.pool, draft)
    return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)


async def _payload(midwife: Midwife, draft: Draft, sections: list[Section], on: date) -> dict[str, Any]:
    """The event: that of the planned visit when this is it and nobody recorded it meanwhile, else one of its own."""
    programme = midwife.state.programme
    values = {each.id: draft.fields[each.id] for each in forms.all_fields(sections) if each.id in draft.fields}
    uids = draft.uids
    if (planned := draft.fields.get(_PLANNED)) is not None:
        known = await _woman(midwife, draft.tracked_entity)
        if any(one.event == planned and (one.is_planned or one.values == values) for one in known.visits):
            uids = msgspec.structs.replace(uids, event=planned)
    stage = programme.registry.stages[drafts.STAGES[draft.kind]]
    return payloads.visit(programme, uids, stage, draft.fields.get(_UNIT, ""), on.isoformat(), values)


async def _plan(midwife: Midwife, known: Woman, text: str) -> Response[Any]:
    """Plans the next visit: moves the one that is planned, or makes one."""
    on, today = day_of(text), midwife.now.date()
    if on is None or on < today:
        return await _woman_page(midwife, known.uid, fault=_("Please give a day from today on."))
    planned = known.next_visit
    # Named by what it follows, so that pressing twice plans one visit.
    event = planned.event if planned else uid_of(f"planned/{known.enrollment}/{len(known.visits)}/{on}")
    unit = planned.unit if planned else await _clinic(midwife, known)
    uids = Uids(known.uid, known.enrollment, event)
    report = await registry.write(midwife, payloads.appointment(midwife.state.programme, uids, unit, on.isoformat()))
    if report.get("status") == "ERROR":
        return await _woman_page(midwife, known.uid, fault=" ".join(payloads.refusals(report, []).values()))
    return Redirect(f"/midwife/women/{known.uid}?note=planned", status_code=303)


async def _clinic(midwife: Midwife, known: Woman) -> str:
    """Where her next visit is: her last one's clinic if the midwife may write there, else the midwife's first."""
    own = [uid for uid, _name in await registry.units(midwife)]
    earlier = [visit.unit for visit in reversed(known.visits) if visit.unit in own]
    return (earlier or own or [known.unit])[0]


async def _woman(midwife: Midwife, uid: str) -> Woman:
    return woman(await registry.person(midwife, uid), midwife.state.programme, midwife.now.date())


async def _woman_page(midwife: Midwife, uid: str, *, note: str = "", fault: str = "") -> Response[str]:
    known = await _woman(midwife, uid)
    program = await registry.program(midwife)
    stages = midwife.state.programme.registry.stages
    hidden = frozenset({midwife.state.programme.registry.elements.get("record_origin", "")})
    sections = [each for stage in stages.values() for each in forms.stage_sections(program, stage, hidden=hidden)]
    labels = {each.id: each for each in forms.all_fields(sections)}
    attributes = {each.id: each for each in forms.all_fields(forms.attribute_sections(program, hidden=set()))}
    return show(
        midwife,
        "midwife_woman.html",
        status=422 if fault else 200,
        woman=known,
        labels=labels,
        attributes=attributes,
        stages=stages,
        names={stage["id"]: forms.said(stage, "NAME") for stage in program["programStages"]},
        further={kind: stages[role] for kind, role in drafts.FURTHER.items() if role in stages},
        roles=midwife.state.programme.registry.attributes,
        today=midwife.now.date(),
        note=note,
        fault=fault,
    )


async def _tidy(midwife: Midwife, draft: Draft) -> list[Section]:
    """The form's sections; the answers as the registry takes them."""
    sections = await _sections(midwife, draft)
    kept = {key: draft.fields[key] for key in drafts.PAGE_FIELDS if key in draft.fields}
    draft.fields = forms.read(sections, draft.fields) | kept
    return sections


async def _sections(midwife: Midwife, draft: Draft) -> list[Section]:
    roles = midwife.state.programme.registry
    return forms.stage_sections(
        await registry.program(midwife), roles.stages[drafts.STAGES[draft.kind]], folded=roles.folded
    )


async def _show_form(midwife: Midwife, draft: Draft, faults: dict[str, str], *, status: int = 0) -> Response[str]:
    known = await registry.last_known(midwife, draft.tracked_entity)
    sections, today = await _sections(midwife, draft), midwife.now.date()
    _prefill(midwife, draft, known, today)
    units = await registry.units(midwife)
    draft.fields.setdefault(_UNIT, await _clinic(midwife, known))
    return show(
        midwife,
        "midwife_event.html",
        status=status or (422 if faults else 200),
        draft=draft,
        woman=known,
        sections=sections,
        name=drafts.stage_name(await registry.program(midwife), midwife.state.programme, draft.kind),
        units=units,
        faults=faults,
        today=today,
    )


def _prefill(midwife: Midwife, draft: Draft, known: Woman, today: date) -> None:
    """What need not be typed: the day, whether it is the planned visit, and the weeks by her last period."""
    planned = known.next_visit
    if not draft.fields and planned and planned.day and (planned.day - today).days <= _EARLY_DAYS:
        draft.fields[_PLANNED] = planned.event
    draft.fields.setdefault(_DAY, today.isoformat())
    elements = midwife.state.programme.registry.elements
    newest: dict[str, str] = {}
    for visit in known.visits:
        newest |= visit.values
    last_period, on = day_of(newest.get(elements["lmp"])), day_of(draft.fields[_DAY])
    if draft.kind == "visit" and last_period and on:
        draft.fields.setdefault(elements["poa"], str(weeks(last_period, on)))


def _kind(request: _Request) -> str:
    """The kind of form in a path: /midwife/{kind}s/…"""
    return str(request.scope["path"]).split("/")[2].removesuffix("s")


handlers = [page, begin, form, send, drop]
