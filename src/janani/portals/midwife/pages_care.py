"""Care: a woman's page, recording a visit, planning the next one, referring her."""

from datetime import date
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel.i18n import _
from janani.portals.midwife import drafts, forms, payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import day as day_of
from janani.portals.midwife.derived import weeks_pregnant
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
    return await woman_page(midwife, await known_woman(midwife, uid), note=request.query_params.get("note", ""))


@post("/midwife/women/{uid:str}/{kind:str}", summary="Midwife: begin a visit, a referral, …")
async def begin(request: _Request, uid: FromPath[str], kind: FromPath[str]) -> Response[Any]:
    """A draft for a visit, a referral or what else a stage holds."""
    midwife = await midwife_of(request)
    known = await known_woman(midwife, uid)
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
    return await _show_form(midwife, draft, {}, note=request.query_params.get("note", ""))


@post(_FORMS, summary="Midwife: send a visit, a referral or a form of a further stage")
async def send(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Writes the event; sent twice it is one event."""
    draft, _sent = await take_in(request, draft_id, _kind(request))
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    midwife = await midwife_of(request)
    sections = await _tidy(midwife, draft)
    today = midwife.now.date()
    on = day_of(draft.fields.get(_DAY))
    answered = await _worked_out(midwife, draft, on)
    faults = forms.faults(sections, answered.fields, today, midwife.state.programme.registry.plausible)
    if on is None or on > today:
        faults[_DAY] = _("Please give the day of the visit, today or earlier.")
    if faults or on is None:
        return await _show_form(midwife, draft, faults)
    try:
        report = await registry.write(midwife, await _payload(midwife, answered, sections, on))
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
    """The event."""
    programme = midwife.state.programme
    values = {each.id: draft.fields[each.id] for each in forms.all_fields(sections) if each.id in draft.fields}
    uids = await _uids(midwife, draft)
    stage = programme.registry.stages[drafts.STAGES[draft.kind]]
    return payloads.visit(programme, uids, stage, draft.fields.get(_UNIT, ""), on.isoformat(), values)


async def _uids(midwife: Midwife, draft: Draft) -> Uids:
    """What to write as: the planned visit when this is it, else an event of its own; what it became once, it stays.

    The answer to an earlier try may have been lost: her page says what arrived, and that is written again. A planned
    visit that somebody else recorded meanwhile stays theirs. Kept before the write, so that a lost answer leaves it.
    """
    uids, ticked = draft.uids, draft.fields.get(_PLANNED, "")
    if not (ticked or uids.planned):
        return uids
    visits = {one.event: one for one in (await known_woman(midwife, draft.tracked_entity)).visits}
    earlier, chosen = visits.get(uids.planned), visits.get(ticked)
    if uids.event in visits:
        return uids
    if earlier and not earlier.is_planned and earlier.updated_by == midwife.session.username:
        return msgspec.structs.replace(uids, event=earlier.event)
    draft.uids = msgspec.structs.replace(uids, planned=ticked if chosen and chosen.is_planned else "")
    await drafts.keep_uids(midwife.state.pool, draft)
    return msgspec.structs.replace(draft.uids, event=draft.uids.planned or uids.event)


async def clinic(midwife: Midwife, known: Woman) -> str:
    """Where her next visit is: her last one's clinic if the midwife may write there, else the midwife's first."""
    own = [uid for uid, _name in await registry.units(midwife)]
    earlier = [visit.unit for visit in reversed(known.visits) if visit.unit in own]
    return (earlier or own or [known.unit])[0]


async def known_woman(midwife: Midwife, uid: str) -> Woman:
    """The woman as the registry knows her now. Raises Away, NotFound."""
    return woman(await registry.person(midwife, uid), midwife.state.programme, midwife.now.date())


async def woman_page(
    midwife: Midwife, known: Woman, *, note: str = "", fault: str = "", status: int = 0, day: str = ""
) -> Response[str]:
    """Her page; `fault` says why the `day` that stands in it is not planned."""
    program = await registry.program(midwife)
    stages = midwife.state.programme.registry.stages
    hidden = frozenset({midwife.state.programme.registry.elements.get("record_origin", "")})
    sections = [each for stage in stages.values() for each in forms.stage_sections(program, stage, hidden=hidden)]
    labels = {each.id: each for each in forms.all_fields(sections)}
    attributes = {each.id: each for each in forms.all_fields(forms.attribute_sections(program, hidden=set()))}
    return show(
        midwife,
        "midwife_woman.html",
        status=status or (422 if fault else 200),
        woman=known,
        day=day,
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


async def _show_form(
    midwife: Midwife, draft: Draft, faults: dict[str, str], *, status: int = 0, note: str = ""
) -> Response[str]:
    known = await registry.last_known(midwife, draft.tracked_entity)
    sections, today = await _sections(midwife, draft), midwife.now.date()
    _prefill(midwife, draft, known, sections, today)
    units = await registry.units(midwife)
    draft.fields.setdefault(_UNIT, await clinic(midwife, known))
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
        note=note,
    )


async def _worked_out(midwife: Midwife, draft: Draft, on: date | None) -> Draft:
    """`draft` with the weeks on the day of the visit, when she gave none; what she typed herself stays as it is."""
    poa = midwife.state.programme.registry.elements["poa"]
    if draft.kind != "visit" or on is None or poa in draft.fields:
        return draft
    found = _weeks_on(midwife, await registry.last_known(midwife, draft.tracked_entity), on)
    return draft if found is None else msgspec.structs.replace(draft, fields=draft.fields | {poa: str(found)})


def _weeks_on(midwife: Midwife, known: Woman, on: date) -> int | None:
    """Her weeks on a day of this pregnancy, by her last period."""
    birth = midwife.state.programme.registry.stages.get("birth")
    born = any(one.stage == birth and not one.is_planned and one.day and one.day <= on for one in known.visits)
    return None if born else weeks_pregnant(known.last_period, on)


def _prefill(midwife: Midwife, draft: Draft, known: Woman, sections: list[Section], today: date) -> None:
    """What need not be typed: the day, whether it is the planned visit; and the weeks, which follow from the day."""
    planned = known.next_visit
    if not draft.fields and planned and planned.day and (planned.day - today).days <= _EARLY_DAYS:
        draft.fields[_PLANNED] = planned.event
    draft.fields.setdefault(_DAY, today.isoformat())
    poa = midwife.state.programme.registry.elements["poa"]
    if draft.kind == "visit" and (found := _weeks_on(midwife, known, today)) is not None:
        for each in forms.all_fields(sections):
            if each.id == poa:
                each.mandatory = False
                words = _("Leave it empty to have it worked out for the day of the visit. Today: {weeks}.")
                each.hint = f"{each.hint} {words.format(weeks=found)}".strip()


def _kind(request: _Request) -> str:
    """The kind of form in a path: /midwife/{kind}s/…"""
    return str(request.scope["path"]).split("/")[2].removesuffix("s")


handlers = [page, begin, form, send, drop]
