"""Keeping what she types: first into the draft, then anything else is asked of anyone."""

from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath

from janani.portals.midwife import drafts
from janani.portals.midwife.access import PORTAL, session_of
from janani.portals.midwife.drafts import Draft
from janani.portals.problems import LoginNeeded, NotSent, SentAlready
from janani.portals.state import state_of

_Request = Request[Any, Any, Any]


@post("/midwife/drafts/{draft_id:str}/keep", status_code=200, summary="Midwife: keep what was typed")
async def keep(request: _Request, draft_id: FromPath[str]) -> Response[Any]:
    """Keeps a form as typed so far, and says which fields still hold what the identity service said.

    Of a form that was sent nothing is kept: 409.
    """
    try:
        draft, _sent = await _taken(request, draft_id, "")
    except NotSent as error:  # the page still has the form, and its script knows a redirect
        raise LoginNeeded(PORTAL) from error
    if draft.sent:
        return Response({"sent": True}, status_code=409)
    return Response({"verified": sorted(draft.identity.marks(draft.fields))}, status_code=200)


async def take_in(request: _Request, draft_id: str, kind: str) -> tuple[Draft, dict[str, str]]:
    """The draft with the answers that the form just sent, kept; and all that it sent. The registry is not asked.

    Raises NotFound, NotSent; SentAlready when the form was sent with other answers before: these are in a new one.
    """
    draft, sent = await _taken(request, draft_id, kind)
    fields = drafts.typed(sent)
    if draft.sent and draft.sent_as not in ("", drafts.digest(fields)) and sent.get("do") != "drop":
        again = await drafts.begin_again(state_of(request).pool, draft, fields)
        raise SentAlready(f"/midwife/{draft.kind.removesuffix('s')}s/{again}?note=sent-already")
    return draft, sent


async def _taken(request: _Request, draft_id: str, kind: str) -> tuple[Draft, dict[str, str]]:
    state = state_of(request)
    sent = {key: str(value) for key, value in (await request.form()).items()}
    try:
        session = await session_of(request)
    except LoginNeeded as error:
        raise NotSent(sent) from error
    draft = await drafts.find(state.pool, session.username, draft_id, kind)
    if not draft.sent:
        draft.fields = drafts.typed(sent)
        draft.sent_as = drafts.digest(draft.fields)
        await drafts.keep_fields(state.pool, draft)
    return draft, sent


handlers = [keep]
