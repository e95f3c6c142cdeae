"""Keeping what she types: first into the draft, then anything else is asked of anyone."""

from typing import Any

from litestar import Request, post
from litestar.params import FromPath

from janani.portals.midwife import drafts
from janani.portals.midwife.access import session_of
from janani.portals.midwife.drafts import Draft
from janani.portals.state import state_of

_Request = Request[Any, Any, Any]


@post("/midwife/drafts/{draft_id:str}/keep", status_code=200, summary="Midwife: keep what was typed")
async def keep(request: _Request, draft_id: FromPath[str]) -> dict[str, list[str]]:
    """Keeps a form as typed so far, and says which fields still hold what the identity service said."""
    draft, _sent = await take_in(request, draft_id, "")
    return {"verified": sorted(draft.identity.marks(draft.fields))}


async def take_in(request: _Request, draft_id: str, kind: str) -> tuple[Draft, dict[str, str]]:
    """The draft with the answers that the form just sent, kept; and all that it sent. The registry is not asked.

    Raises NotFound, LoginNeeded.
    """
    state, session = state_of(request), await session_of(request)
    draft = await drafts.find(state.pool, session.username, draft_id, kind)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    if not draft.sent:
        draft.fields = drafts.typed(sent)
        await drafts.keep_fields(state.pool, draft)
    return draft, sent


handlers = [keep]
