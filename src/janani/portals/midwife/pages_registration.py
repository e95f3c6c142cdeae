"""Registering a mother: the form from the registry's metadata, her PHN, and one write when it is sent."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.kernel.i18n import _
from janani.portals.midwife import drafts, forms, health_number, identity_state, payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import day, filled, nic_forms
from janani.portals.midwife.drafts import Draft, Number
from janani.portals.midwife.forms import Field, Section
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_start import show
from janani.portals.midwife.women import Woman
from janani.portals.problems import Away
from janani.programmes.sri_lanka import e164, nic_differences, parse_nic, same_nic

_Request = Request[Any, Any, Any]
KIND, UNIT, NUMBER = "registration", "unit", "phn_number"
_OWN = ("phn", "subject", "age", "registration_number", "phn_mismatch_reason")
_IDENTITY = (
    "identity_status",
    "identity_verified_at",
    "identity_provider",
    "identity_level",
    "identity_verified_fields",
)


@post("/midwife/registrations", summary="Midwife: begin a registration")
async def begin(request: _Request) -> Redirect:
    """A new draft, and its form."""
    midwife = await midwife_of(request)
    draft = await drafts.begin(midwife.state.pool, midwife.session.username, KIND)
    return Redirect(f"/midwife/registrations/{draft}", status_code=303)


@get("/midwife/registrations/{draft_id:str}", summary="Midwife: the registration form")
async def form(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """The form as it stands; of one that was sent, the woman."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, KIND)
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}")
    note = request.query_params.get("note", "")
    return await _show_form(midwife, draft, {}, note=note)


@post("/midwife/registrations/{draft_id:str}", summary="Midwife: send the registration, or a step of it")
async def send(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Keeps what was typed first, then does what the pressed button says."""
    draft, sent = await take_in(request, draft_id, KIND)
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    midwife = await midwife_of(request)
    await _tidy(midwife, draft)
    number = sent.get("phn_number", "").strip()
    match sent.get("do", "send").partition(":"):
        case ("drop", _, _):
            await drafts.drop(midwife.state.pool, draft)
            return Redirect("/midwife", status_code=303)
        case ("later", _, _):
            return await _later(midwife, draft)
        case ("phn", _, candidate):
            return await _look_up(midwife, draft, candidate or number)
        case ("decide", _, decision):
            return await _decide(midwife, draft, decision, sent.get("phn_reason", "").strip())
        case _ if unseen := _unseen(draft, sent):
            return await _show_form(midwife, draft, unseen, status=409)
        case _ if number and not draft.phn.decision:
            return await _look_up(midwife, draft, number)
        case _:
            return await _submit(midwife, draft, distinct=sent.get("distinct") == "yes")


def _seen(draft: Draft) -> dict[str, str]:
    """What a page shows of her number and her identity, by section; an older one shows something else."""
    number = f"{draft.phn.decision}:{draft.phn.number}" if draft.phn.known else ""
    return {"phn": number, "identity": draft.identity.verified_at}


def _unseen(draft: Draft, sent: dict[str, str]) -> dict[str, str]:
    """In words, by section, what the page that was sent does not show yet. Nothing is written of what was not seen."""
    words = {
        "phn": _("Another number was looked up for this form since this page was shown. Please look at it, and go on."),
        "identity": _("Someone signed in for this form since this page was shown. Is it she? If not, verify again."),
    }
    seen = _seen(draft)
    return {
        section: text for section, text in words.items() if sent.get(f"{section}_seen", seen[section]) != seen[section]
    }


async def sections_of(midwife: Midwife) -> tuple[list[Section], list[Section]]:
    """The form: sections of attributes, sections of the Registration stage."""
    roles = midwife.state.programme.registry
    program = await registry.program(midwife)
    stage = forms.stage_sections(program, roles.stages["registration"], folded=roles.folded)
    return await details_sections(midwife), stage


async def details_sections(midwife: Midwife) -> list[Section]:
    """The attributes that are typed: neither numbers that are drawn, nor the state of her identity."""
    roles = midwife.state.programme.registry.attributes
    hidden = {roles[role] for role in (*_OWN, *_IDENTITY)}
    return forms.attribute_sections(await registry.program(midwife), hidden=hidden)


def tidied(midwife: Midwife, sections: list[Section], fields: dict[str, str]) -> dict[str, str]:
    """Answers as the registry takes them: numbers with a point, telephone numbers in E.164, NIC without blanks."""
    tidy = forms.read(sections, fields) | {key: fields[key] for key in drafts.PAGE_FIELDS if key in fields}
    for each in forms.all_fields(sections):
        if each.value_type == "PHONE_NUMBER" and (number := tidy.get(each.id)):
            tidy[each.id] = e164(number, midwife.state.programme.phone_region) or number
    role = midwife.state.programme.registry.attributes["nic"]
    if (nic := parse_nic(tidy.get(role, ""))) is not None:
        tidy[role] = nic.number
    return tidy


async def _tidy(midwife: Midwife, draft: Draft) -> None:
    about_her, stage = await sections_of(midwife)
    tidy = tidied(midwife, [*about_her, *stage], draft.fields)
    if tidy != draft.fields:
        draft.fields = tidy
        await drafts.keep_fields(midwife.state.pool, draft)


async def _later(midwife: Midwife, draft: Draft) -> Response[Any]:
    """Her identity is to be verified at the next visit."""
    if draft.identity.status == identity_state.NOT_VERIFIED:
        draft.identity.status = identity_state.PENDING
        await drafts.keep_identity(midwife.state.pool, draft)
    return Redirect(f"/midwife/registrations/{draft.id}?note=identity-later", status_code=303)


async def _look_up(midwife: Midwife, draft: Draft, number: str) -> Response[Any]:
    if not number:
        return await _show_form(midwife, draft, {NUMBER: _("Please type her PHN first.")})
    try:
        found = await health_number.look_up(midwife, number)
    except Away as error:
        return await _show_form(midwife, draft, {NUMBER: error.text}, status=503)
    draft.phn = msgspec.structs.replace(found, refused=draft.phn.refused, issued=draft.phn.issued)
    await drafts.keep_phn(midwife.state.pool, draft)
    if draft.phn.fault:
        return await _show_form(midwife, draft, {NUMBER: draft.phn.fault})
    return Redirect(f"/midwife/registrations/{draft.id}#phn", status_code=303)


async def _decide(midwife: Midwife, draft: Draft, decision: str, reason: str) -> Response[Any]:
    """The midwife says whether the number she saw is hers: "same:…", "other:…" with a reason, or "again"."""
    decision, _colon, seen = decision.partition(":")
    if decision in ("same", "other") and seen != draft.phn.number:
        return await _show_form(midwife, draft, _unseen(draft, {"phn_seen": seen}), status=409)
    if decision == "other" and not reason:
        return await _show_form(midwife, draft, {"phn_reason": _("Please say why this number is not hers.")})
    if decision in ("same", "other") and draft.phn.known:
        draft.phn.decision = decision
        draft.phn.reason = reason if decision == "other" else ""
        draft.phn.refused |= {draft.phn.number: reason} if decision == "other" else {}
    else:
        left = {one: why for one, why in draft.phn.refused.items() if one != draft.phn.number}
        draft.phn = Number(refused=left, issued=draft.phn.issued)
        draft.fields.pop(NUMBER, None)
        await drafts.keep_fields(midwife.state.pool, draft)
    await drafts.keep_phn(midwife.state.pool, draft)
    return Redirect(f"/midwife/registrations/{draft.id}#phn", status_code=303)


async def _submit(midwife: Midwife, draft: Draft, *, distinct: bool) -> Response[Any]:
    about_her, stage = await sections_of(midwife)
    today = midwife.now.date()
    faults = forms.faults([*about_her, *stage], draft.fields, today, midwife.state.programme.registry.plausible)
    if not draft.fields.get(UNIT):
        faults[UNIT] = _("Please choose the clinic or area.")
    if draft.phn.known and not draft.phn.decision:
        faults["phn_reason"] = _("Please decide whether the PHN she brought is hers.")
    if faults:
        return await _show_form(midwife, draft, faults)
    try:
        if (known := await _already_registered(midwife, draft)) is not None:
            return await _show_form(midwife, draft, {}, known=known)
        number = await _number(midwife, draft, distinct=distinct)
        if isinstance(number, list):
            return await _show_form(midwife, draft, {}, alike=number)
        await _numbered(midwife, draft)
        report = await registry.write(midwife, _payload(midwife, draft, about_her, stage, number))
    except Away as error:
        return await _show_form(midwife, draft, {"": error.text}, status=503)
    refused = await _refusals(midwife, report, stage)
    if refused or report.get("status") == "ERROR":
        return await _show_form(midwife, draft, refused or {"": _("The registry did not take it.")}, status=409)
    await drafts.mark_sent(midwife.state.pool, draft)
    return Redirect(f"/midwife/women/{draft.tracked_entity}?note=registered", status_code=303)


async def _refusals(midwife: Midwife, report: dict[str, Any], stage: list[Section]) -> dict[str, str]:
    """What the registry refused, by place on the page: her PHN and her verified identity have sections of their own."""
    roles = midwife.state.programme.registry.attributes
    places = {roles["phn"]: "phn", roles["subject"]: "identity"}
    about_her = forms.attribute_sections(await registry.program(midwife), hidden=set())
    refused = payloads.refusals(report, forms.all_fields([*about_her, *stage]))
    return {places.get(place, place): words for place, words in refused.items()}


def _payload(
    midwife: Midwife, draft: Draft, about_her: list[Section], stage: list[Section], number: str
) -> dict[str, Any]:
    programme, today = midwife.state.programme, midwife.now.date()
    roles = programme.registry.attributes
    values = filled(programme, draft.fields, today)
    own = {each.id for each in forms.all_fields(about_her)} | {roles["age"], *draft.generated}
    values |= draft.generated
    attributes = {uid: value for uid, value in values.items() if uid in own} | {roles["phn"]: number}
    attributes |= identity_state.attributes(draft.identity, draft.fields, programme)
    if draft.phn.refused:
        attributes[roles["phn_mismatch_reason"]] = "; ".join(draft.phn.refused.values())
    elements = {each.id for each in forms.all_fields(stage)}
    data = {uid: value for uid, value in values.items() if uid in elements}
    return payloads.registration(programme, draft.uids, draft.fields[UNIT], today.isoformat(), attributes, data)


async def _numbered(midwife: Midwife, draft: Draft) -> None:
    """Draws her registration number once: a form sent again uses the same."""
    if not draft.generated:
        draft.generated = await registry.generated(midwife, await registry.program(midwife))
        await drafts.keep_generated(midwife.state.pool, draft)


async def _number(midwife: Midwife, draft: Draft, *, distinct: bool) -> str | list[health_number.Alike]:
    """Her PHN: the one she brought, or a new one; those who may be she when the midwife has not looked at them yet."""
    if draft.phn.decision == "same":
        return await health_number.confirm(midwife, draft.phn.number, draft.fields, draft.identity.subject)
    subject = draft.identity.subject
    if draft.phn.issued:  # by an earlier try, after which she may have corrected the form
        return await health_number.confirm(midwife, draft.phn.issued, draft.fields, subject)
    if not distinct:
        others = [
            one for one in await health_number.alike(midwife, draft.fields, subject) if one.phn not in draft.phn.refused
        ]
        if others:
            return others
    draft.phn.issued = await health_number.issue(midwife, draft.fields, subject, draft.id)
    await drafts.keep_phn(midwife.state.pool, draft)
    return draft.phn.issued


async def _already_registered(midwife: Midwife, draft: Draft) -> Woman | None:
    """The woman who is registered with the same verified identity, NIC or PHN already."""
    roles = midwife.state.programme.registry.attributes
    number = draft.phn.number if draft.phn.decision == "same" else ""
    wanted = [
        (roles["subject"], [draft.identity.subject]),
        (roles["nic"], nic_forms(draft.fields.get(roles["nic"], ""))),
        (roles["phn"], [number]),
    ]
    for attribute, values in wanted:
        found = await registry.people_with(midwife, attribute, *filter(None, values))
        if others := [one for one in found if one.uid != draft.tracked_entity]:
            return others[0]
    return None


async def _show_form(
    midwife: Midwife,
    draft: Draft,
    faults: dict[str, str],
    *,
    note: str = "",
    status: int = 0,
    known: Woman | None = None,
    alike: list[health_number.Alike] | None = None,
) -> Response[Any]:
    about_her, stage = await sections_of(midwife)
    units, region = await registry.units(midwife), midwife.state.programme.phone_region
    labels = {each.id: each for each in forms.all_fields(about_her)}
    if units and UNIT not in draft.fields:  # who registers thirty women does so at one clinic
        last = await drafts.last_unit(midwife.state.pool, midwife.session.username, KIND)
        draft.fields[UNIT] = last if last in dict(units) else units[0][0]
    return show(
        midwife,
        "midwife_registration.html",
        status=status or (422 if faults else 200),
        draft=draft,
        seen=_seen(draft),
        about_her=about_her,
        stage=stage,
        units=units,
        faults=faults,
        marks=draft.identity.marks(draft.fields),
        differences=compared(labels, draft.fields, draft.phn.known, region),
        card=compared(labels, draft.identity.card, draft.identity.values, region),
        nic_notes=_nic_notes(midwife, draft),
        note=note,
        known=known,
        alike=alike or [],
    )


def compared(
    labels: dict[str, Field], ours: dict[str, str], theirs: dict[str, str], region: str
) -> list[dict[str, Any]]:
    """Field by field: what we say and what somebody else knows of her, and whether they differ."""
    return [
        {
            "field": each,
            "ours": ours.get(uid, ""),
            "theirs": theirs[uid],
            "differs": not _same(each, ours.get(uid, ""), theirs[uid], region),
        }
        for uid, each in labels.items()
        if uid in theirs
    ]


def _same(each: Field, one: str, other: str, region: str) -> bool:
    if each.value_type == "PHONE_NUMBER":
        return (e164(one, region) or one) == (e164(other, region) or other)
    return same_nic(one, other) or _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace(",", " ").split())


def _nic_notes(midwife: Midwife, draft: Draft) -> list[str]:
    """What the NIC says that the form does not: warnings, not refusals."""
    roles = midwife.state.programme.registry.attributes
    text = draft.fields.get(roles["nic"], "")
    if not text:
        return []
    nic = parse_nic(text)
    if nic is None:
        return [_("This NIC number has neither 12 digits nor 9 digits and a letter. It is kept as typed.")]
    born, gender = day(draft.fields.get(roles["birth_date"])), draft.fields.get(roles["gender"], "").lower() or None
    words = {
        "birth_date": _("The NIC number says another date of birth. Cards with errors exist: please compare."),
        "gender": _("The NIC number says another sex. Cards with errors exist: please compare."),
    }
    return [words[fault] for fault in nic_differences(nic, birth_date=born, gender=gender)]


handlers = [begin, form, send]
