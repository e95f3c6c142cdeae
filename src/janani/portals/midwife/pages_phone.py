"""Verify on her own phone: she scans a code and signs in there; this page waits and the form fills.

The relying party is asked through the registry's Route, as for the other way. Scripts wait by server-sent events (or by
asking again and again); without them the page reloads itself, and a button asks at once.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, ServerSentEvent, ServerSentEventMessage

from janani.clients.dhis2 import Dhis2Error
from janani.portals.midwife import drafts, identity_state
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.drafts import Draft
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_identity import (
    ATTRIBUTES,
    IdentityAway,
    back_to,
    draft_of,
    keep_pending,
    place_of,
    refused,
)
from janani.portals.midwife.pages_start import show
from janani.portals.sessions import SQL

_Request = Request[Any, Any, Any]
ROLE = "verifications"
_ASK_SECONDS, _ASKS = 1.5, 40  # a stream of about a minute; browsers open the next by themselves
_UNDER_WAY = ("waiting", "opened")


@post("/midwife/registrations/{draft_id:str}/identity/phone", summary="Midwife: begin on her own phone")
async def begin_phone(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """A link and a QR code for her phone, on a page that waits."""
    if (await request.form()).get("do") == "phone":  # pressed in the form: what is typed is kept first
        await take_in(request, draft_id, "")
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    try:
        begun = await _asked(midwife)
    except IdentityAway:
        await keep_pending(midwife, draft)
        return back_to(draft, "identity-away")
    await SQL.add_phone_attempt(
        midwife.state.pool,
        draft=UUID(draft.id),
        handle=begun["id"],
        link=begun["link"],
        qr=begun["qr"],
        sign=begun["sign"],
        seconds=float(begun["expires_in"]),
    )
    return Redirect(_place(draft), status_code=303)


@get("/midwife/registrations/{draft_id:str}/identity/phone", summary="Midwife: waiting for her phone")
async def waiting(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """The QR code, the link, the number both screens show, and how it stands."""
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    attempt = await SQL.phone_attempt(midwife.state.pool, draft=UUID(draft.id))
    if attempt is None:
        return back_to(draft, "identity-over")
    state = await _state(midwife, attempt["handle"])
    if state["status"] not in (*_UNDER_WAY, "away"):
        return await _finished(midwife, draft, state)
    qr = "data:image/svg+xml," + quote(attempt["qr"])
    return show(
        midwife,
        "midwife_phone.html",
        attempt=attempt,
        qr=qr,
        how=state["status"],
        here=_place(draft),
        back=place_of(draft),
    )


@get(
    "/midwife/registrations/{draft_id:str}/identity/phone/events", summary="Midwife: how her phone is doing, as events"
)
async def events(request: _Request, draft_id: FromPath[str]) -> ServerSentEvent:
    """An event `state` for each change: waiting, opened, away, done."""
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    return ServerSentEvent(_events(midwife, draft))


@get("/midwife/registrations/{draft_id:str}/identity/phone/state", summary="Midwife: how her phone is doing")
async def state_now(request: _Request, draft_id: FromPath[str]) -> dict[str, str]:
    """The same as one answer, for browsers whose event stream does not get through."""
    midwife = await midwife_of(request)
    return {"status": await _word(midwife, await draft_of(midwife, draft_id))}


@post("/midwife/registrations/{draft_id:str}/identity/phone/finish", summary="Midwife: take what came of her phone")
async def finish_phone(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Fills the form when she is done, else goes on waiting."""
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    attempt = await SQL.phone_attempt(midwife.state.pool, draft=UUID(draft.id))
    if attempt is None:
        return back_to(draft, "identity-over")
    return await _finished(midwife, draft, await _state(midwife, attempt["handle"]))


async def _finished(midwife: Midwife, draft: Draft, state: dict[str, Any]) -> Response[Any]:
    """The way on from `state`: back to the form with the identity or a word why not, or on with waiting."""
    if state["status"] in (*_UNDER_WAY, "away"):
        return Redirect(_place(draft), status_code=303)
    await SQL.drop_phone_attempt(midwife.state.pool, draft=UUID(draft.id))
    if state["status"] == "verified":
        found = identity_state.verified(state["identity"], midwife.state.programme)
        draft.identity = identity_state.following(draft.identity, found)
        await drafts.keep_identity(midwife.state.pool, draft)
        return back_to(draft, "identity-verified" if draft.kind == "registration" else "identity-compare")
    return await refused(midwife, draft, state.get("error", ""))


async def _events(midwife: Midwife, draft: Draft) -> AsyncIterator[ServerSentEventMessage]:
    said = ""
    for _turn in range(_ASKS):
        word = await _word(midwife, draft)
        if word != said:
            said = word
            yield ServerSentEventMessage(data=word, event="state", retry=1000)
        if word == "done":
            return
        await asyncio.sleep(_ASK_SECONDS)


async def _word(midwife: Midwife, draft: Draft) -> str:
    attempt = await SQL.phone_attempt(midwife.state.pool, draft=UUID(draft.id))
    if attempt is None:
        return "done"
    status = (await _state(midwife, attempt["handle"]))["status"]
    return status if status in (*_UNDER_WAY, "away") else "done"


async def _asked(midwife: Midwife) -> dict[str, Any]:
    """A verification begun at the relying party, in the language of her phone, not of ours. Raises IdentityAway."""
    try:
        answer = await midwife.registry.run_route(midwife.state.programme.registry.routes[ROLE], {})
    except (Dhis2Error, KeyError) as error:
        raise IdentityAway from error
    if answer.status_code != 201:
        raise IdentityAway
    begun: dict[str, Any] = answer.json()
    return begun


async def _state(midwife: Midwife, handle: str) -> dict[str, Any]:
    """How it stands at the relying party; `away` while it can't be asked, `failed` when it knows it no longer."""
    code = midwife.state.programme.registry.routes[ROLE]
    try:
        answer = await midwife.registry.run_route(code, path=f"/{handle}", headers={"accept": ATTRIBUTES})
        found = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (Dhis2Error, msgspec.DecodeError):
        return {"status": "away"}
    if answer.is_success:
        return found
    return (
        {"status": "failed", "error": found["error"]}
        if found.get("error") == "verification_unknown"
        else {"status": "away"}
    )


def _place(draft: Draft) -> str:
    return f"/midwife/registrations/{draft.id}/identity/phone"


handlers = [begin_phone, waiting, events, state_now, finish_phone]
