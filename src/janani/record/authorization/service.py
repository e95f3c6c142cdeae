"""What the authorization server keeps while it runs, and the check of every request's token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import httpx
from litestar import Request

from janani import programmes
from janani.clients import oidc
from janani.kernel import http as kernel_http
from janani.kernel.clock import Clock
from janani.kernel.jose import signing_key
from janani.kernel.telemetry import log
from janani.record.actor import OPEN, Actor
from janani.record.authorization import staff, tokens
from janani.record.authorization.audit import AuditLog
from janani.record.authorization.clients import Authenticator, Keys, queries, registered
from janani.record.authorization.tokens import Tokens
from janani.record.problems import FhirProblem
from janani.record.validation import Validator
from janani.settings import Settings

SWEEP_SECONDS = 300
_ONE_TIME_CODE = "mosip:idp:acr:generated-code"
_NAME_CLAIM = "name"


class Authorization:
    """The authorization server of the record."""

    def __init__(
        self, settings: Settings, clock: Clock, pool: asyncpg.Pool, validator: Validator, http: httpx.AsyncClient
    ) -> None:
        record = settings.record
        self.settings, self.clock, self.pool, self.validator, self.http = settings, clock, pool, validator, http
        self.url, self.fhir = f"{record.url}/auth", f"{record.url}/fhir"
        self.programme = programmes.load(settings.programme)
        self.staff = staff.load(settings)
        self.key = signing_key(settings.secrets / "record.pem", create=settings.sandbox)
        self.tokens = Tokens(self.key, self.url, self.fhir, record.token_seconds)
        self.clients = registered(settings)
        audiences = frozenset((f"{self.url}/token", self.url))
        self.authenticator = Authenticator(pool, self.clients, Keys(http, settings), audiences)
        self.auditor = AuditLog(clock, self.fhir)
        esignet = settings.esignet.url
        self._source = oidc.ProviderSource(http, esignet, token_issuers=(f"{esignet}/v1/esignet",))

    @property
    def relying_party(self) -> oidc.Client:
        """This record as a client of eSignet."""
        wanted = oidc.requested([], [_NAME_CLAIM, self.settings.record.staff_claim])
        return oidc.Client(
            self.settings.record.client_id,
            self.key,
            f"{self.url}/callback",
            scope="openid profile",
            claims=wanted,
            acr_values=_ONE_TIME_CODE,
        )

    async def provider(self) -> oidc.Provider:
        """eSignet, found when it is first needed. Raises OidcError when it is away."""
        return await self._source.provider(self.now())

    @property
    def practitioner_profile(self) -> str:
        """The programme's profile for Practitioner; empty when it has none or several."""
        found = [url for url in self.validator.known if self.validator.resource_type(url) == "Practitioner"]
        return found[0] if len(found) == 1 else ""

    def now(self) -> datetime:
        """The present instant."""
        return self.clock()


@contextlib.asynccontextmanager
async def open_authorization(
    settings: Settings, clock: Clock, pool: asyncpg.Pool, validator: Validator
) -> AsyncIterator[Authorization]:
    """The authorization server while the application runs, with its background work."""
    async with kernel_http.client() as http:
        authorization = Authorization(settings, clock, pool, validator, http)
        tasks = [
            asyncio.create_task(authorization.auditor.settle_for_ever(pool)),
            asyncio.create_task(_sweep(authorization)),
        ]
        try:
            yield authorization
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _sweep(authorization: Authorization) -> None:
    while True:
        try:
            async with authorization.pool.acquire() as connection:
                await queries.forget_expired(connection, now=authorization.now())
        except (asyncpg.PostgresError, OSError) as error:  # the database is away: the next round does it
            log("record").warning("sweep_failed", reason=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


async def authenticate(request: Request[Any, Any, Any]) -> Actor:
    """Who is asking, from the request's Bearer token (RFC 6750), verified here without any call.

    Raises FhirProblem 401 with WWW-Authenticate. With `record.authorization = "open"` everyone may do everything.
    """
    if request.app.state.settings.record.authorization == "open":
        return OPEN
    authorization: Authorization = request.app.state.authorization
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise _unauthorized("Sign in first: a Bearer token is needed.")
    claims = authorization.tokens.verified(token.strip(), authorization.now()) if scheme.lower() == "bearer" else None
    if claims is None:
        raise _unauthorized("The access token is not valid (any more).", ', error="invalid_token"')
    return tokens.actor(claims)


def _unauthorized(text: str, detail: str = "") -> FhirProblem:
    return FhirProblem(401, "login", text, headers={"WWW-Authenticate": f'Bearer realm="fhir"{detail}'})
