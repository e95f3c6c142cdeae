"""What every handler of this part works with, and the guard before them."""

import hmac
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import msgspec
from joserfc.jwk import RSAKey
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler

from janani import programmes
from janani.clients.oidc import Client, Provider, ProviderSource
from janani.kernel import i18n, postgres
from janani.kernel.clock import Clock
from janani.kernel.jose import signing_key
from janani.kernel.secrets import secret
from janani.programmes import Programme
from janani.relying import claims
from janani.relying.claims import ClaimMapping
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
    mapping: ClaimMapping
    source: ProviderSource
    key: RSAKey = field(repr=False)
    token: str = field(repr=False)

    def now(self) -> datetime:
        """The present instant."""
        return self.clock()

    def today(self) -> date:
        """The day it is for the people here."""
        return self.clock().astimezone(ZoneInfo(self.settings.portals.time_zone)).date()

    @property
    def redirect_uris(self) -> list[str]:
        """The pages that may receive a code, the default first."""
        midwife = f"{self.settings.portals.url.rstrip('/')}/midwife/identity/callback"
        return self.settings.relying.redirect_uris or [midwife]

    def client(self, redirect_uri: str = "") -> Client:
        """This client as the provider knows it. Raises BadRequest for a redirect URI that is not ours."""
        if redirect_uri and redirect_uri not in self.redirect_uris:
            raise BadRequest("other_redirect_uri", i18n._("This page is not registered for verification."))
        asked = self.mapping.request
        return Client(
            client_id=self.settings.relying.client_id,
            key=self.key,
            redirect_uri=redirect_uri or self.redirect_uris[0],
            scope=asked.scope,
            claims=asked.claims,
            acr_values=asked.acr_values,
            extra=asked.parameters,
        )

    async def provider(self) -> Provider:
        """The identity provider. Raises OidcError."""
        return await self.source.provider(self.now())


def open_party(settings: Settings, clock: Clock, pool: asyncpg.Pool, http: httpx.AsyncClient) -> Party:
    """The relying party over an open pool. Raises ProgrammeFault, and MissingSecret in production."""
    programme = programmes.load(settings.programme)
    issuer = settings.esignet.url.rstrip("/")
    return Party(
        settings=settings,
        clock=clock,
        pool=pool,
        http=http,
        programme=programme,
        mapping=claims.load(programme),
        # eSignet 1.6.1 names itself without path in discovery and with it in tokens (reference §5.5).
        source=ProviderSource(http, issuer, token_issuers=(f"{issuer}/v1/esignet",)),
        key=signing_key(settings.secrets / "relying.pem", create=settings.sandbox),
        token=secret(settings.secrets, "relying-token", create=settings.sandbox),
    )


def api_token_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Raises Unauthorised unless the call carries the Route's token (`Authorization: ApiToken …`)."""
    use_language(connection)
    party: Party = connection.app.state.party
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "apitoken" or not hmac.compare_digest(token.strip().encode(), party.token.encode()):
        raise Unauthorised


def use_language(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Speaks the caller's language for the rest of this request."""
    wanted = connection.headers.get("accept-language", "").split(",")
    i18n.use(i18n.choose(tag.partition(";")[0].strip() for tag in wanted))


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
