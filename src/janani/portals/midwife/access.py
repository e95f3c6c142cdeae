"""Who the midwife is: her session, her token, her units. Every page of hers begins with `midwife_of`."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request
from msgspec import Struct

from janani.clients.dhis2 import Dhis2Client, Dhis2Error
from janani.kernel.i18n import _
from janani.kernel.telemetry import log
from janani.portals import oauth, sessions
from janani.portals.oauth import Door
from janani.portals.problems import Away, LoginNeeded, NotFound, page_of
from janani.portals.sessions import Session
from janani.portals.state import State, state_of

PORTAL = "midwife"
_RENEW_SECONDS = 30
_Request = Request[Any, Any, Any]


class Midwife(Struct):
    """The midwife who is logged in, and the registry as she sees it."""

    session: Session
    registry: Dhis2Client
    state: State
    request: _Request

    @property
    def now(self) -> datetime:
        """This instant in the zone that pages show."""
        return self.state.clock().astimezone(ZoneInfo(self.state.settings.portals.time_zone))


def door(state: State) -> Door:
    """The way in: the registry's OAuth2 server, straight to eSignet where it knows that hint."""
    settings = state.settings
    return Door(
        portal=PORTAL,
        authorize_url=f"{settings.registry.url}/oauth2/authorize",
        token_url=f"{settings.registry.url}/oauth2/token",
        revoke_url=f"{settings.registry.url}/oauth2/revoke",
        logout_url=f"{settings.registry.url}/connect/logout",
        client_id=settings.portals.registry_client_id,
        redirect_uri=f"{settings.portals.url}/midwife/callback",
        scope="openid",
        extra={"idp": "esignet"},
    )


async def midwife_of(request: _Request) -> Midwife:
    """The midwife, her token renewed when it is about to end. Raises LoginNeeded.

    While the registry is away she keeps her old token: pages that need the registry say that it is away, and those
    that only keep what she types go on.
    """
    state = state_of(request)
    seconds = state.settings.portals.session_seconds
    session = await session_of(request)
    if session.expires - state.clock().timestamp() < _RENEW_SECONDS:
        try:
            answer = await oauth.refresh(state.http, door(state), session.refresh_token, state.clock)
        except oauth.LoginFailed as error:
            await sessions.close(state.pool, request, PORTAL)
            raise LoginNeeded(PORTAL, page_of(request)) from error
        except Away:
            log("portals").warning("token_not_renewed")
        else:
            renew(session, answer, state)
            await sessions.save(state.pool, session, seconds)
    return Midwife(session, registry_as(state, session.access_token), state, request)


async def session_of(request: _Request) -> Session:
    """Her session as it is kept here; the registry is not asked. Raises LoginNeeded."""
    state = state_of(request)
    session = await sessions.find(state.pool, request, PORTAL, state.settings.portals.session_seconds)
    if session is None:
        raise LoginNeeded(PORTAL, page_of(request))
    return session


def registry_as(state: State, access_token: str) -> Dhis2Client:
    """The registry, called with `access_token`."""
    return Dhis2Client(state.http, state.settings.registry.url, bearer=access_token)


def renew(session: Session, answer: dict[str, Any], state: State) -> None:
    """Puts a token answer into `session`."""
    session.access_token = answer["access_token"]
    session.refresh_token = answer.get("refresh_token", session.refresh_token)
    session.id_token = answer.get("id_token", session.id_token)
    session.expires = state.clock().timestamp() + float(answer.get("expires_in", 300))


async def failed(midwife: Midwife, error: Dhis2Error) -> Away | NotFound | LoginNeeded:
    """What a page says when the registry did not answer as hoped. A login the registry refuses is over here, too."""
    return await over(midwife) if error.status == 401 else away(error)


async def over(midwife: Midwife) -> LoginNeeded:
    """Ends her session, whose token is refused; she logs in and goes on where she was."""
    await sessions.close(midwife.state.pool, midwife.request, PORTAL)
    return LoginNeeded(PORTAL, page_of(midwife.request))


def away(error: Dhis2Error) -> Away | NotFound | LoginNeeded:
    """The same while nobody is logged in yet."""
    if error.status == 401:
        return LoginNeeded(PORTAL)
    if error.status in (403, 404):
        return NotFound()
    return Away(_("The registry does not answer just now. What you typed is kept. Please try again in a minute."))
