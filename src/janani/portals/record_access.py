"""The doctor's and the mother's way to the record: SMART App Launch, a session, a client with their own token."""

import asyncio
import base64
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response
from litestar.response import Redirect
from msgspec import Struct

from janani.clients.fhir import FhirClient, FhirError
from janani.kernel.i18n import _
from janani.kernel.telemetry import log
from janani.portals import oauth, sessions
from janani.portals.chart.definition import Definition, definition
from janani.portals.oauth import Door
from janani.portals.problems import Away, LoginNeeded, NotFound, page_of
from janani.portals.sessions import Session
from janani.portals.state import State, state_of

_RENEW_SECONDS = 30
_renewing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by cookie
_Request = Request[Any, Any, Any]


class Reader(Struct):
    """Somebody who is logged in at the record: the doctor (`user` is his Practitioner), or a mother (`patient`)."""

    session: Session
    record: FhirClient
    state: State

    @property
    def now(self) -> datetime:
        """This instant in the zone that pages show."""
        return now_of(self.state)

    @property
    def user(self) -> str:
        """The reference of who is logged in (fhirUser), below the record's base."""
        return self.session.username

    @property
    def chart(self) -> Definition:
        """What the programme's pages show of a record."""
        return chart_of(self.state)


def now_of(state: State) -> datetime:
    """This instant in the zone that pages show."""
    return state.clock().astimezone(ZoneInfo(state.settings.portals.time_zone))


def chart_of(state: State) -> Definition:
    """The programme's chart.yaml; read once."""
    if "chart" not in state.kept:
        state.kept["chart"] = definition(state.programme)
    found: Definition = state.kept["chart"]
    return found


def door(state: State, portal: str, scope: str) -> Door:
    """The way in at the record's authorization server."""
    settings = state.settings
    return Door(
        portal=portal,
        authorize_url=f"{settings.record.url}/auth/authorize",
        token_url=f"{settings.record.url}/auth/token",
        client_id=settings.portals.record_client_id,
        redirect_uri=f"{settings.portals.url}/{portal}/callback",
        scope=scope,
        extra={"aud": f"{settings.record.url}/fhir"},
        key=state.key,
    )


async def come_back(request: _Request, entrance: Door) -> Response[Any]:
    """Opens the session of who comes back from the record. Raises LoginFailed, Away."""
    state = state_of(request)
    answer, then = await oauth.finish(request, entrance)
    claims = _claims(answer.get("id_token", ""))
    session = Session(
        portal=entrance.portal,
        username=str(claims.get("fhirUser", "")).removeprefix(f"{state.settings.record.url}/fhir/"),
        name=str(claims.get("name", "")),
        access_token="",
        expires=0,
        patient=answer.get("patient", ""),
    )
    _renew(session, answer, state)
    secure = state.settings.portals.url.startswith("https://")
    cookie = await sessions.open_session(state.pool, session, state.settings.portals.session_seconds, secure=secure)
    return Redirect(then, cookies=[cookie])


async def reader_of(request: _Request, entrance: Door) -> Reader:
    """Who is logged in at this portal, the token renewed when it is about to end. Raises LoginNeeded.

    While the record is away the old token stays: the page that needs the record says so.
    """
    state = state_of(request)
    session = await _session(request, entrance)
    if _ends_soon(session, state):
        # A refresh token counts once (RFC 9700 §4.14.2): of two pages asked for at once, one renews for both.
        async with _renewing.setdefault(session.cookie, asyncio.Lock()):
            session = await _session(request, entrance)
            if _ends_soon(session, state):
                await _renew_at_record(request, entrance, session)

    async def token() -> str:
        return session.access_token

    return Reader(session, FhirClient(state.http, f"{state.settings.record.url}/fhir", token), state)


async def close(request: _Request, portal: str) -> Redirect:
    """Ends the session."""
    await sessions.close(state_of(request).pool, request, portal)
    answer = Redirect(f"/{portal}", status_code=303)
    answer.delete_cookie(sessions.cookie_name(portal))
    return answer


async def failed(request: _Request, error: FhirError, portal: str) -> Away | NotFound | LoginNeeded:
    """What a page says when the record did not answer as hoped. A login the record refuses is over here, too."""
    if error.status == 401:
        await sessions.close(state_of(request).pool, request, portal)
        return LoginNeeded(portal, page_of(request))
    if error.status in (403, 404, 410):
        return NotFound()
    return Away(_("The health record does not answer just now. Please try again in a minute."))


async def _session(request: _Request, entrance: Door) -> Session:
    state = state_of(request)
    session = await sessions.find(state.pool, request, entrance.portal, state.settings.portals.session_seconds)
    if session is None:
        raise LoginNeeded(entrance.portal, page_of(request))
    return session


def _ends_soon(session: Session, state: State) -> bool:
    return session.expires - state.clock().timestamp() < _RENEW_SECONDS


async def _renew_at_record(request: _Request, entrance: Door, session: Session) -> None:
    state = state_of(request)
    try:
        answer = await oauth.refresh(state.http, entrance, session.refresh_token, state.clock)
    except oauth.LoginFailed as error:
        await sessions.close(state.pool, request, entrance.portal)
        raise LoginNeeded(entrance.portal, page_of(request)) from error
    except Away:
        log("portals").warning("token_not_renewed")
        return
    _renew(session, answer, state)
    await sessions.save(state.pool, session, state.settings.portals.session_seconds)


def _renew(session: Session, answer: dict[str, Any], state: State) -> None:
    session.access_token = answer["access_token"]
    session.refresh_token = answer.get("refresh_token", session.refresh_token)
    session.expires = state.clock().timestamp() + float(answer.get("expires_in", 300))


def _claims(id_token: str) -> dict[str, Any]:
    """The claims of an id_token that came straight from the token endpoint (OpenID Connect Core §3.1.3.7, 6)."""
    parts = id_token.split(".")
    if len(parts) != 3:
        return {}
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=dict[str, Any])
