"""The signed QR code of her card, when the network is away or she has no phone; the relying party checks it.

Text works everywhere (readers that type, too); camera and picture where the browser can read codes. What the card says
fills the form and is marked as verified offline; the next verification online confirms it or tells what differs.
"""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from janani.clients.dhis2 import Dhis2Error
from janani.kernel import i18n
from janani.kernel.i18n import _
from janani.portals.midwife import drafts, identity_state
from janani.portals.midwife.access import Midwife, midwife_of
from janani.portals.midwife.drafts import Draft
from janani.portals.midwife.identity_state import VERIFIED, IdentityState
from janani.portals.midwife.pages_drafts import take_in
from janani.portals.midwife.pages_identity import ATTRIBUTES, back_to, draft_of, place_of
from janani.portals.midwife.pages_start import show

_Request = Request[Any, Any, Any]
ROLE = "offline"


@post("/midwife/registrations/{draft_id:str}/identity/card/begin", summary="Midwife: on to her card")
async def begin_card(request: _Request, draft_id: FromPath[str]) -> Redirect:
    """Keeps what is typed in the form and goes to the page that reads cards."""
    await take_in(request, draft_id, "")
    return Redirect(f"/midwife/registrations/{draft_id}/identity/card", status_code=303)


@get("/midwife/registrations/{draft_id:str}/identity/card", summary="Midwife: read the code of her card")
async def card_page(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """A field for the text; a camera and a picture where the browser can read codes."""
    midwife = await midwife_of(request)
    return _show(midwife, await draft_of(midwife, draft_id))


@post("/midwife/registrations/{draft_id:str}/identity/card", status_code=200, summary="Midwife: take her card")
async def take_card(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Fills the form from the card, or says why it is not taken. Never takes the place of a verification online."""
    midwife = await midwife_of(request)
    draft = await draft_of(midwife, draft_id)
    if draft.identity.status == VERIFIED:
        return back_to(draft, "")
    text = str((await request.form()).get("qr", ""))
    found = await _read(midwife, text) if text.strip() else _("Please read the code first.")
    if isinstance(found, str):
        return _show(midwife, draft, fault=found)
    draft.identity = found
    await drafts.keep_identity(midwife.state.pool, draft)
    return back_to(draft, "identity-card" if draft.kind == "registration" else "identity-card-compare")


async def _read(midwife: Midwife, text: str) -> IdentityState | str:
    """What the card says, or a word why it is not taken."""
    code = midwife.state.programme.registry.routes.get(ROLE, "")
    headers = {"accept": ATTRIBUTES, "accept-language": i18n.current()}
    away = _("The identity service can’t be reached just now. Please try again, or go on without it.")
    try:
        answer = await midwife.registry.run_route(code, {"qr": text}, headers=headers)
        found = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (Dhis2Error, msgspec.DecodeError):
        return away
    if answer.is_success:
        return identity_state.verified(found, midwife.state.programme)
    if str(found.get("error", "")).startswith("card_"):
        return f"{found.get('message', '')} {found.get('hint', '')}"
    return away


def _show(midwife: Midwife, draft: Draft, *, fault: str = "") -> Response[Any]:
    here, back = f"/midwife/registrations/{draft.id}/identity/card", place_of(draft)
    return show(midwife, "midwife_card.html", status=422 if fault else 200, here=here, back=back, fault=fault)


handlers = [begin_card, card_page, take_card]
