"""Verify with National ID: eSignet in a window of its own (or this one), the answer into the draft.

The relying party keeps nonce and verifier; this page's server keeps which draft a state belongs to; the browser
carries code and state from one to the other, and is believed in neither.
"""

import contextlib
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.dhis2 import Dhis2Error
from janani.kernel import pages
from janani.kernel.i18n import _
from janani.portals.midwife import drafts, forms, identity_state, payloads, registry
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.derived import with_age
from janani.portals.midwife.drafts import Draft
from janani.portals.midwife.identity_state import (
    FAILED,
    NOT_VERIFIED,
    PENDING,
    VERIFIED,
    VERIFIED_OFFLINE,
    IdentityState,
)
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_registration import compared, details_sections
from janani.portals.midwife.pages_start import jinja, show
from janani.portals.midwife.women import Woman, woman
from janani.portals.problems import Away, NotFound
from janani.portals.sessions import SQL, digest

_Request = Request[Any, Any, Any]
ATTRIBUTES = "application/vnd.dhis2.attributes+json"
_NOT_UNIQUE = "E1064"
KINDS = ("registration", "identity")


class IdentityAway(Exception):
    """The identity service can't be reached; to be done at the next visit. Its text is for the midwife."""


@post("/midwife/registrations/{draft_id:str}/identity/begin", status_code=200, summary="Midwife: begin a verification")
async def begin(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Where eSignet's window goes: as JSON for the page's script, as a redirect without it."""
    scripted = "json" in request.headers.get("accept", "")
    if not scripted:  # the page's script has kept the form already
        await take_in(request, draft_id, "")
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    try:
        asked = await _authorization(midwife)
    except IdentityAway as error:
        await keep_pending(midwife, draft)
        return Response({"message": str(error)}, status_code=503) if scripted else back_to(draft, "identity-away")
    await SQL.add_identity_attempt(midwife.state.pool, state_hash=digest(asked["state"]), draft=UUID(draft.id))
    if scripted:
        return Response({"url": asked["authorization_url"], "state": asked["state"]})
    # A form may not be redirected to another origin under our policy, so the person presses once more.
    return show(midwife, "midwife_identity_go.html", url=asked["authorization_url"], back=place_of(draft))


@get("/midwife/identity/callback", summary="Midwife: where eSignet sends the person back")
async def callback(request: _Request) -> Response[Any]:
    """Hands the answer to the form that asked; without a script or a second window the person presses once."""
    midwife = await midwife_of(request)
    query = request.query_params
    draft = await SQL.draft_of_attempt(midwife.state.pool, state_hash=digest(query.get("state", "")))
    if draft is None:
        return pages.page(
            jinja,
            "problem.html",
            status=400,
            again="",
            title=_("This verification is over"),
            text=_("It took too long, or was answered already. Close this window and start it again from the form."),
        )
    answer = {name: query.get(name, "") for name in ("code", "state", "error", "iss")}
    return pages.page(jinja, "midwife_identity_callback.html", draft=draft, answer=answer)


@post("/midwife/registrations/{draft_id:str}/identity", status_code=200, summary="Midwife: take the verified identity")
async def take(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Redeems the code through the Route and fills the form."""
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    form = {key: str(value) for key, value in (await request.form()).items()}
    attempt = await SQL.take_identity_attempt(
        midwife.state.pool, state_hash=digest(form.get("state", "")), draft=UUID(draft.id)
    )
    if attempt is None:
        return back_to(draft, "identity-over")
    if not form.get("code"):
        return back_to(draft, "identity-refused" if form.get("error") == "access_denied" else "identity-ended")
    found = await _redeem(midwife, form)
    if isinstance(found, str):
        return await refused(midwife, draft, found)
    draft.identity = identity_state.following(draft.identity, found)
    await drafts.keep_identity(midwife.state.pool, draft)
    return back_to(draft, "identity-verified" if draft.kind == "registration" else "identity-compare")


@post("/midwife/women/{uid:str}/identity", summary="Midwife: verify a woman who is registered")
async def begin_for_woman(request: _Request, uid: FromPath[str]) -> Redirect:
    """A draft that holds nothing but her identity, and its page."""
    midwife = await midwife_of(request)
    person = await registry.person(midwife, uid)
    known = _known(midwife, person)
    draft = await drafts.begin(
        midwife.state.pool,
        midwife.session.username,
        "identity",
        tracked_entity=known.uid,
        enrollment=known.enrollment,
        identity=identity_state.following(known.identity, IdentityState(status=known.identity.status)),
    )
    return Redirect(f"/midwife/identities/{draft}", status_code=303)


@get("/midwife/identities/{draft_id:str}", summary="Midwife: the verification page of a registered woman")
async def identity_page(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """One button; afterwards what the registry says beside what was verified."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, "identity")
    if draft.sent:
        return Redirect(f"/midwife/women/{draft.tracked_entity}")
    return await _show(midwife, draft, note=request.query_params.get("note", ""))


async def _show(
    midwife: Midwife, draft: Draft, *, note: str = "", faults: dict[str, str] | None = None
) -> Response[Any]:
    known = _known(midwife, await registry.person(midwife, draft.tracked_entity))
    labels = {each.id: each for each in forms.all_fields(await details_sections(midwife))}
    region = midwife.state.programme.phone_region
    return show(
        midwife,
        "midwife_identity.html",
        status=409 if faults else 200,
        draft=draft,
        woman=known,
        differences=compared(labels, known.attributes, draft.identity.values, region),
        card=compared(labels, draft.identity.card, draft.identity.values, region),
        note=note,
        faults=faults or {},
    )


@post("/midwife/identities/{draft_id:str}", summary="Midwife: save a verified identity, or not")
async def decide(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Writes the verified identity of a registered woman when the midwife says that it is she."""
    midwife = await midwife_of(request)
    draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, "identity")
    if draft.sent or draft.identity.status not in (VERIFIED, VERIFIED_OFFLINE):
        return Redirect(f"/midwife/women/{draft.tracked_entity}", status_code=303)
    do, _colon, seen = str((await request.form()).get("do", "")).partition(":")
    if do == "save" and seen != draft.identity.verified_at:
        words = _("Someone else signed in here since this page was shown. Please compare again before you save.")
        return await _show(midwife, draft, faults={"": words})
    if do == "save":
        return await _save(midwife, draft)
    await drafts.drop(midwife.state.pool, draft)
    return Redirect(f"/midwife/women/{draft.tracked_entity}?note=identity-not-hers", status_code=303)


async def draft_of(midwife: Midwife, draft_id: str) -> Draft:
    """Her draft that is not sent yet, of a registration or an identity. Raises NotFound."""
    for kind in KINDS:
        try:
            draft = await drafts.find(midwife.state.pool, midwife.session.username, draft_id, kind)
        except NotFound:
            continue
        if not draft.sent:
            return draft
    raise NotFound


def back_to(draft: Draft, note: str) -> Redirect:
    """The page of the draft, with a note."""
    return Redirect(f"{place_of(draft)}?note={note}", status_code=303)


def place_of(draft: Draft) -> str:
    """The address of the draft's page."""
    return f"/midwife/{'registrations' if draft.kind == 'registration' else 'identities'}/{draft.id}"


async def keep_pending(midwife: Midwife, draft: Draft) -> None:
    """The identity service was away: remembered, to be done at the next visit."""
    if draft.identity.status == NOT_VERIFIED:
        await _keep_status(midwife, draft, PENDING)


async def keep_failed(midwife: Midwife, draft: Draft) -> None:
    """The identity service did not stand by it: remembered, until a verification succeeds."""
    if draft.identity.status in (NOT_VERIFIED, PENDING):
        await _keep_status(midwife, draft, FAILED)


async def _keep_status(midwife: Midwife, draft: Draft, status: str) -> None:
    draft.identity.status = status
    await drafts.keep_identity(midwife.state.pool, draft)
    if draft.kind == "identity":  # she is registered: the registry remembers, when it can be reached
        programme = midwife.state.programme
        state = {programme.registry.attributes["identity_status"]: status}
        with contextlib.suppress(Away):
            person = await registry.person(midwife, draft.tracked_entity)
            if identity_state.below(_known(midwife, person).identity.status, status):
                await registry.write(midwife, payloads.changed_attributes(programme, person, state))


async def _authorization(midwife: Midwife) -> dict[str, Any]:
    code = midwife.state.programme.registry.routes["authorization"]
    try:
        answer = await midwife.registry.run_route(code, {})
    except Dhis2Error as error:
        raise IdentityAway(_away_words()) from error
    if not answer.is_success:
        raise IdentityAway(_away_words())
    asked: dict[str, Any] = answer.json()
    return asked


async def _redeem(midwife: Midwife, form: dict[str, str]) -> IdentityState | str:
    """The verified state, or the relying party's error code; empty when it could not be asked."""
    code = midwife.state.programme.registry.routes["identity"]
    body = {"code": form["code"], "state": form["state"], "grant_type": "authorization_code"}
    if form.get("iss"):
        body["iss"] = form["iss"]
    try:
        answer = await midwife.registry.run_route(code, body, headers={"accept": ATTRIBUTES})
        found = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (Dhis2Error, msgspec.DecodeError):
        return ""
    if answer.is_success:
        return identity_state.verified(found, midwife.state.programme)
    error = found.get("error")
    return error if isinstance(error, str) else ""


async def refused(midwife: Midwife, draft: Draft, code: str) -> Redirect:
    """Back to the form with a word about the relying party's error `code`; what it means for her state is kept."""
    note = identity_state.note_of(code)
    if note == "identity-away":
        await keep_pending(midwife, draft)
    elif note == "identity-failed":
        await keep_failed(midwife, draft)
    return back_to(draft, note)


async def _save(midwife: Midwife, draft: Draft) -> Response[Any]:
    """Writes the identity of a woman who is registered: the state, and the verified values."""
    programme = midwife.state.programme
    person = await registry.person(midwife, draft.tracked_entity)
    if identity_state.below(draft.identity.status, _known(midwife, person).identity.status):
        return back_to(draft, "identity-surer")
    values = with_age(programme, draft.identity.values, midwife.now.date())
    values |= identity_state.attributes(draft.identity, values, programme)
    try:
        report = await registry.write(midwife, payloads.changed_attributes(programme, person, values))
    except Away:
        return back_to(draft, "registry-away")
    if report.get("status") == "ERROR":
        return await _refused_by_registry(midwife, draft, report)
    await drafts.mark_sent(midwife.state.pool, draft)
    return Redirect(f"/midwife/women/{draft.tracked_entity}?note=verified", status_code=303)


async def _refused_by_registry(midwife: Midwife, draft: Draft, report: dict[str, Any]) -> Response[Any]:
    """Her page with the registry's reasons; that another woman has it already only where her numbers are refused so."""
    roles = midwife.state.programme.registry.attributes
    hers = [roles[role] for role in ("subject", "nic", "phn")]
    errors = report.get("validationReport", {}).get("errorReports", [])
    taken = [error.get("message", "") for error in errors if error.get("errorCode") == _NOT_UNIQUE]
    if any(uid in message for uid in hers for message in taken):
        return back_to(draft, "identity-of-another")
    sections = forms.attribute_sections(await registry.program(midwife), hidden=set())
    words = payloads.refusals(report, forms.all_fields(sections)) or {"": _("The registry did not take it.")}
    return await _show(midwife, draft, faults=words)


def _known(midwife: Midwife, person: dict[str, Any]) -> Woman:
    return woman(person, midwife.state.programme, midwife.now.date())


def _away_words() -> str:
    return _(
        "The identity service can't be reached. Go on without it; her identity will be verified at the next visit."
    )


handlers = [begin, callback, take, begin_for_woman, identity_page, decide]
