"""Changing a woman's details; what somebody else changed meanwhile is shown, never overwritten unseen."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from janani.kernel.i18n import _
from janani.portals.midwife import drafts, forms, identity_state, payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import with_age
from janani.portals.midwife.drafts import Draft
from janani.portals.midwife.forms import Field, Section
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_registration import details_sections, tidied
from janani.portals.midwife.pages_start import show
from janani.portals.midwife.women import Woman, woman
from janani.portals.problems import Away

_Request = Request[Any, Any, Any]
KIND = "details"


class Conflict(Struct, frozen=True):
    """A field that somebody else changed since the form was opened."""

    field: Field
    theirs: str
    ours: str


@post("/midwife/women/{uid:str}/details", summary="Midwife: begin to change a woman's details")
async def begin(request: _Request, uid: FromPath[str]) -> Redirect:
    """The form she changed and has not sent, or one with what the registry says now."""
    midwife = await midwife_of(request)
    pool, owner = midwife.state.pool, midwife.session.username
    if (changed := await drafts.open_for(pool, owner, KIND, uid)) is not None:
        return Redirect(f"/midwife/details/{changed}", status_code=303)
    known = await _woman(midwife, uid)
    base = _own(known, forms.all_fields(await details_sections(midwife)))
    draft = await drafts.begin(
        pool,
        owner,
        KIND,
        tracked_entity=uid,
        enrollment=known.enrollment,
        identity=known.identity,
        base=base,
    )
    return Redirect(f"/midwife/details/{draft}", status_code=303)


@get("/midwife/details/{draft_id:str}", summary="Midwife: the form of a woman's details")
async def form(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """The form as it stands."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, KIND)
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}")
    return await _show_form(midwife, draft, {})


@post("/midwife/details/{draft_id:str}", summary="Midwife: save a woman's details")
async def send(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Writes what was changed, unless somebody else changed the same meanwhile."""
    draft, sent = await take_in(request, draft_id, KIND)
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    midwife = await midwife_of(request)
    sections = await details_sections(midwife)
    draft.fields = tidied(midwife, sections, draft.fields)
    if sent.get("do") == "drop":
        await drafts.drop(midwife.state.pool, draft)
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    if faults := forms.faults(sections, draft.fields, midwife.now.date()):
        return await _show_form(midwife, draft, faults)
    try:
        return await _save(midwife, draft, sections, sent.get("base_seen", ""))
    except Away as error:
        return await _show_form(midwife, draft, {"": error.text}, status=503)


async def _save(midwife: Midwife, draft: Draft, sections: list[Section], seen: str) -> Response[Any]:
    """Writes it; `seen` tells a page that was made before the draft learnt what others changed (in another tab)."""
    person = await registry.person(midwife, draft.tracked_entity)
    known, fields = woman(person, midwife.state.programme, midwife.now.date()), forms.all_fields(sections)
    now = _own(known, fields)
    current = seen == drafts.digest(draft.base) and bool(draft.base or not now)  # a form begun again has no base
    found = conflicts(fields, draft.base if current else None, now, draft.fields)
    if current:
        draft.fields = merged(fields, draft.base, now, draft.fields)
    draft.base = now
    await drafts.keep_fields(midwife.state.pool, draft)
    await drafts.keep_base(midwife.state.pool, draft)
    if found:
        return await _show_form(midwife, draft, {}, found=found, status=409)
    changed = _changed(midwife, known, now, draft.fields, fields)
    if changed:
        report = await registry.write(midwife, payloads.changed_attributes(midwife.state.programme, person, changed))
        refused = payloads.refusals(report, fields)
        if refused or report.get("status") == "ERROR":
            return await _show_form(midwife, draft, refused or {"": _("The registry did not take it.")}, status=409)
    await drafts.mark_sent(midwife.state.pool, draft)
    return Redirect(f"/midwife/women/{draft.tracked_entity}?note=details-saved", status_code=303)


def conflicts(
    fields: list[Field], base: dict[str, str] | None, now: dict[str, str], typed: dict[str, str]
) -> list[Conflict]:
    """What differs from `base` both in the registry `now` and in what was `typed`, and not in the same way.

    Without `base`, what she had seen when she typed is not known: all that differs.
    """
    return [
        Conflict(each, now.get(each.id, ""), typed.get(each.id, ""))
        for each in fields
        if typed.get(each.id) != now.get(each.id)
        and (base is None or base.get(each.id) not in (now.get(each.id), typed.get(each.id)))
    ]


def merged(fields: list[Field], base: dict[str, str], now: dict[str, str], typed: dict[str, str]) -> dict[str, str]:
    """What was `typed`, with what she left alone as the registry has it `now`: changed or taken away meanwhile."""
    alone = {each.id for each in fields if typed.get(each.id) == base.get(each.id)}
    return {uid: text for uid, text in typed.items() if uid not in alone} | {
        uid: now[uid] for uid in alone if uid in now
    }


def _changed(
    midwife: Midwife, known: Woman, now: dict[str, str], typed: dict[str, str], fields: list[Field]
) -> dict[str, str]:
    """What to write: the answers that differ, her age by them, and the verified fields that are left."""
    programme = midwife.state.programme
    changed = {each.id: typed.get(each.id, "") for each in fields if typed.get(each.id) != now.get(each.id)}
    if not changed:
        return {}
    if programme.registry.attributes["birth_date"] in changed:
        changed = with_age(programme, changed, midwife.now.date())
    if known.identity.status in identity_state.SURE:
        marked = programme.registry.attributes["identity_verified_fields"]
        changed[marked] = ",".join(sorted(known.identity.marks(typed)))
    return changed


def _own(known: Woman, fields: list[Field]) -> dict[str, str]:
    return {each.id: known.attributes[each.id] for each in fields if known.attributes.get(each.id)}


async def _woman(midwife: Midwife, uid: str) -> Woman:
    return woman(await registry.person(midwife, uid), midwife.state.programme, midwife.now.date())


async def _show_form(
    midwife: Midwife,
    draft: Draft,
    faults: dict[str, str],
    *,
    found: list[Conflict] | None = None,
    status: int = 0,
) -> Response[Any]:
    known = await registry.last_known(midwife, draft.tracked_entity)
    sections = await details_sections(midwife)
    return show(
        midwife,
        "midwife_details.html",
        status=status or (422 if faults else 200),
        draft=draft,
        woman=known,
        sections=sections,
        base_seen=drafts.digest(draft.base),
        faults=faults,
        conflicts=found or [],
        marks=known.identity.marks(draft.fields),
    )


handlers = [begin, form, send]
