"""What every handler of this part works with, and the guard before them."""

import hmac
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec
from cryptography.fernet import Fernet
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler

from janani import programmes
from janani.kernel import i18n, postgres
from janani.kernel.clock import Clock
from janani.kernel.secrets import secret
from janani.programmes import Programme
from janani.relying import clients
from janani.relying.clients import RelyingClient
from janani.relying.problems import BadRequest, Unauthorised
from janani.settings import Settings

SQL = postgres.queries("janani.relying")
Http = Request[Any, Any, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Party:
    """The relying party while it runs."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    http: httpx.AsyncClient
    programme: Programme
    clients: dict[str, RelyingClient]
    seal: Fernet = field(repr=False)
    token: str = field(repr=False)

    def now(self) -> datetime:
        """The present instant."""
        return self.clock()

    def today(self) -> date:
        """The day it is for the people here."""
        return self.clock().astimezone(ZoneInfo(self.settings.portals.time_zone)).date()

    def client(self, *, client_id: str = "", redirect_uri: str = "", name: str = "") -> RelyingClient:
        """The client that is meant: by name, else by its id at the provider and the page; the first by default.

        Raises BadRequest for a client or a page that is not ours: callers choose among ours, exactly.
        """
        named = [self.clients[name]] if name in self.clients else [] if name else list(self.clients.values())
        found = [one for one in named if client_id in ("", one.conf.client_id)]
        if not found:
            raise BadRequest("other_client", i18n._("This service does not verify for the client that is named."))
        for one in found:
            if not redirect_uri or one.accepts(redirect_uri):
                return one
        raise BadRequest("other_redirect_uri", i18n._("This page is not registered for verification."))


def open_party(settings: Settings, clock: Clock, pool: asyncpg.Pool, http: httpx.AsyncClient) -> Party:
    """The relying party over an open pool. Raises RefusesToStart (a fault in its files, a key that is missing)."""
    programme = programmes.load(settings.programme)
    return Party(
        settings=settings,
        clock=clock,
        pool=pool,
        http=http,
        programme=programme,
        clients=clients.load(settings, programme, http),
        seal=Fernet(secret(settings.secrets, "relying-seal-key", create=settings.sandbox).rstrip("=") + "="),
        token=secret(settings.secrets, "relying-token", create=settings.sandbox),
    )


async def api_token_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises Unauthorised unless the call carries the Route's token (`Authorization: ApiToken …`)."""
    use_language(connection)
    party: Party = connection.app.state.party
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "apitoken" or not hmac.compare_digest(token.strip().encode(), party.token.encode()):
        raise Unauthorised


def use_language(connection: ASGIConnection[Any, Any, Any, Any], *places: str) -> None:
    """Speaks the caller's language for the rest of this request, if it is `spoken` at `places` (all of this part)."""
    wanted = connection.headers.get("accept-language", "").split(",")
    i18n.use(i18n.choose((tag.partition(";")[0].strip() for tag in wanted), *(places or ("relying/",))))


async def body_of(request: Http, kind: type[T]) -> T:
    """The JSON body as `kind`; members it does not name are ignored. Raises BadRequest."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = i18n._("The call could not be read.")
        raise BadRequest("bad_request", text, i18n._("Send a JSON object as in the reference.")) from error


def asked_by(request: Http) -> str:
    """The registry's user on whose behalf the Route calls; empty when it does not say."""
    return str(request.headers.get("x-forwarded-user", ""))[:255]


The = NamedDependency[Party]
"""The party as handlers ask for it."""
