"""The PHN authority's application: all its routes, its errors, and what lives as long as it does."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide

from janani import programmes
from janani.kernel import http, postgres
from janani.kernel.clock import Clock, system_clock
from janani.phn import capability, demographics, operations
from janani.phn.anew import make_anew
from janani.phn.authority import Authority, api_token_guard, open_authority
from janani.phn.demo import load_holders
from janani.phn.problems import PhnProblem, render, render_unforeseen
from janani.settings import Settings

HANDLERS = (
    demographics.search,
    demographics.search_by_form,
    demographics.read_one,
    demographics.create,
    demographics.update,
    operations.match,
    operations.issue,
    operations.check_number,
)


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The ASGI application. Opens its database, and in the sandbox loads the demo people, when it starts."""

    @contextlib.asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        pool = await postgres.open_pool(settings.database.dsn, "phn", max_size=settings.database.pool_connections)
        try:
            authority = open_authority(settings, clock, pool)
            await make_anew(pool, authority.systems)
            if settings.sandbox:
                await load_holders(pool, programmes.load(settings.programme), authority.systems, clock())
            app.state.authority = authority
            yield
        finally:
            await pool.close()

    async def provide_authority(state: State) -> Authority:
        authority: Authority = state.authority
        return authority

    def problem(request: Request[Any, Any, Any], error: PhnProblem) -> Response[Any]:
        return render(request, error)

    return http.application(
        "phn",
        [Router(path="/", route_handlers=list(HANDLERS), guards=[api_token_guard]), capability.metadata],
        render_error=render_unforeseen,
        exception_handlers={PhnProblem: problem},
        lifespan=[running],
        dependencies={"authority": Provide(provide_authority)},
        request_max_body_size=256 * 1024,
    )
