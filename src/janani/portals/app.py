"""The portals' ASGI application; every route is listed here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.response import Redirect

from janani import programmes
from janani.kernel import http, pages
from janani.kernel.clock import Clock, system_clock
from janani.kernel.jose import jwks, signing_key
from janani.kernel.postgres import open_pool
from janani.kernel.problems import Problem
from janani.portals import doctor, midwife, mother
from janani.portals.language import speak
from janani.portals.origin import same_origin
from janani.portals.problems import render, render_error
from janani.portals.sessions import SQL
from janani.portals.state import State, state_of
from janani.settings import Settings

_jinja = pages.environment("janani.portals")


@get("/", summary="The three doors")
async def home() -> Response[str]:
    """The page that leads to the midwife's, the doctor's and the mother's portal."""
    return pages.page(_jinja, "home.html")


@get("/jwks.json", summary="Public key of the portals")
async def keys(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The key by which the record knows the doctor's and the mother's portal."""
    return jwks(state_of(request).key)


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The portals as an ASGI application."""

    @asynccontextmanager
    async def resources(app: Litestar) -> AsyncIterator[None]:
        pool = await open_pool(settings.database.dsn, "portals", max_size=settings.database.pool_connections)
        async with http.client(timeout=15) as client:
            try:
                await SQL.forget_expired(pool)
                await SQL.forget_drafts(pool)
                app.state.portals = State(
                    settings=settings,
                    clock=clock,
                    pool=pool,
                    http=client,
                    programme=programmes.load(settings.programme),
                    key=signing_key(settings.secrets / "portals.pem", create=settings.sandbox),
                    kept={},
                )
                yield
            finally:
                await pool.close()

    def render_spoken(request: Request[Any, Any, Any], status: int, code: str, text: str) -> Response[Any]:
        """An address without a route has no `before`."""
        return speak(request) or render_error(request, status, code, text)

    async def before(request: Request[Any, Any, Any]) -> Redirect | None:
        await same_origin(request)
        return speak(request)

    return http.application(
        "portals",
        [home, keys, *midwife.handlers, *doctor.handlers, *mother.handlers, pages.assets()],
        render_error=render_spoken,
        exception_handlers={Problem: render},
        lifespan=[resources],
        headers={
            "cross-origin-opener-policy": "unsafe-none",  # eSignet's window answers the form that opened it
            "content-security-policy": http.content_security_policy(settings.registry.url),  # logging out goes there
        },
        before_request=before,
    )
