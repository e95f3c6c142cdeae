"""What every handler of this part works with, the guard before them, and the audit trail."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler

from janani import programmes
from janani.kernel import i18n, postgres
from janani.kernel.clock import Clock
from janani.kernel.i18n import _
from janani.kernel.secrets import secret
from janani.phn.patients import Systems
from janani.phn.problems import FHIR_JSON, Refused, Unauthorised, Unreadable
from janani.settings import Settings

SQL = postgres.queries("janani.phn")
Http = Request[Any, Any, Any]
_JSON_TYPES = (FHIR_JSON, "application/json")


@dataclass(frozen=True)
class Authority:
    """The PHN authority while it runs."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    systems: Systems
    token: str = field(repr=False)

    def now(self) -> datetime:
        """The present instant."""
        return self.clock()

    async def note(self, request: Http, action: str, people: Sequence[UUID], connection: Any = None) -> None:
        """Adds to the audit trail who did what, one row a person, or one when it was about nobody."""
        who, over = str(request.headers.get("x-forwarded-user", ""))[:255], connection or self.pool
        if people:
            await SQL.note(over, at=self.now(), who=who, action=action, people=list(people))
        else:
            await SQL.note_nobody(over, at=self.now(), who=who, action=action)


def open_authority(settings: Settings, clock: Clock, pool: asyncpg.Pool) -> Authority:
    """The authority over an open pool. Raises ProgrammeFault, and MissingSecret in production."""
    return Authority(
        settings=settings,
        clock=clock,
        pool=pool,
        systems=Systems.of(programmes.load(settings.programme)),
        token=secret(settings.secrets, "phn-token", create=settings.sandbox),
    )


def api_token_guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Raises Unauthorised unless the call carries the Route's token (`Authorization: ApiToken …`)."""
    wanted = connection.headers.get("accept-language", "").split(",")
    i18n.use(i18n.choose(tag.partition(";")[0].strip() for tag in wanted))
    authority: Authority = connection.app.state.authority
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "apitoken" or not hmac.compare_digest(token.strip().encode(), authority.token.encode()):
        raise Unauthorised


async def resource_of(request: Http) -> dict[str, Any]:
    """The JSON resource in the body. Raises Unreadable, Refused (415)."""
    kind = request.headers.get("content-type", FHIR_JSON).partition(";")[0].strip()
    if kind not in _JSON_TYPES:
        raise Refused(415, "not-supported", _("Only JSON is read here (application/fhir+json)."))
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(_("The body is no JSON that can be read.")) from error


def fhir(resource: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response[Any]:
    """A resource as an answer."""
    return Response(resource, status_code=status, media_type=FHIR_JSON, headers=headers or {})


The = NamedDependency[Authority]
"""The authority as handlers ask for it."""
