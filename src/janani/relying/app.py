"""The relying party's application: all its routes, its errors, and what lives as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import FromPath

from janani.kernel import http, pages, postgres
from janani.kernel.clock import Clock, system_clock
from janani.kernel.jose import jwks
from janani.relying import cards, described, phone, verification
from janani.relying.party import Party, The, api_token_guard, open_party
from janani.relying.problems import NoSuchClient, RelyingProblem, render, render_unforeseen
from janani.settings import Settings

PROVIDER_SECONDS = 8  # within the Route's 20 s there are up to three calls, most of them fast


_KEY_HEADERS = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}


@get(["/.well-known/jwks.json", "/jwks.json"])
async def keys(party: The) -> Response[dict[str, Any]]:
    """The public keys of every client, with their certificates (RFC 7517); two of one client during a rotation."""
    found = {key.kid: key for client in party.clients.values() for key in client.public_keys}
    return Response(jwks(*found.values()), headers=_KEY_HEADERS)


@get(["/clients/{name:str}/jwks.json", "/api/publicKeys/{name:str}/jwks.json"])
async def keys_of_client(party: The, name: FromPath[str]) -> Response[dict[str, Any]]:
    """The public keys of one client, at an address of ours and at DHIS2's. Raises NoSuchClient."""
    if name not in party.clients:
        raise NoSuchClient
    return Response(jwks(*party.clients[name].public_keys), headers=_KEY_HEADERS)


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The ASGI application. Opens its database when it starts; looks for the identity provider when first needed."""

    @contextlib.asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        pool = await postgres.open_pool(settings.database.dsn, "relying", max_size=settings.database.pool_connections)
        try:
            async with http.client(timeout=PROVIDER_SECONDS, cookies=http.NoCookies()) as client:
                party = app.state.party = open_party(settings, clock, pool, client)
                fetching = asyncio.create_task(cards.keep_fetching(party))
                try:
                    yield
                finally:
                    fetching.cancel()
                    await asyncio.gather(fetching, return_exceptions=True)
        finally:
            await pool.close()

    async def provide_party(state: State) -> Party:
        party: Party = state.party
        return party

    def problem(request: Request[Any, Any, Any], error: RelyingProblem) -> Response[Any]:
        return render(request, error)

    guarded = Router(
        path="/",
        route_handlers=[
            verification.begin,
            verification.fetch_user_info,
            cards.take_card,
            phone.begin_on_phone,
            phone.look,
            phone.cancel,
        ],
        guards=[api_token_guard],
    )
    return http.application(
        "relying",
        [
            guarded,
            verification.attributes_schema,
            keys,
            keys_of_client,
            phone.landing,
            phone.open_link,
            phone.phone_callback,
            pages.assets(),
        ],
        render_error=render_unforeseen,
        exception_handlers={RelyingProblem: problem},
        lifespan=[running],
        dependencies={"party": Provide(provide_party)},
        request_max_body_size=64 * 1024,
        described=described.table(),
    )
