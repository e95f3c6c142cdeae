"""The record's ASGI application. Every route of the part is listed here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from litestar import Litestar
from litestar.config.cors import CORSConfig

from janani import programmes
from janani.kernel import http, pages, postgres
from janani.kernel.clock import Clock, system_clock
from janani.record import authorization, capability, interactions, problems
from janani.record.problems import FhirProblem
from janani.record.validation import Validator as ProfileValidator
from janani.settings import Settings

_CORS = CORSConfig(
    allow_origins=["*"],
    allow_headers=["*"],
    expose_headers=["ETag", "Location", "Content-Location", "Last-Modified"],
)


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The application: FHIR below `/fhir`, the SMART authorization server below `/auth`."""

    return http.application(
        "record",
        [
            interactions.metadata,
            interactions.transaction,
            interactions.page,
            interactions.history,
            interactions.search,
            interactions.search_by_post,
            interactions.create,
            interactions.conditional_update,
            interactions.conditional_patch,
            interactions.conditional_delete,
            interactions.read,
            interactions.vread,
            interactions.update,
            interactions.patch_by_id,
            interactions.delete_by_id,
            interactions.everything,
            interactions.validate,
            interactions.sent_digests,
            *authorization.handlers,
            pages.assets(),
        ],
        render_error=problems.render_error,
        exception_handlers={
            FhirProblem: problems.render,
            **dict.fromkeys(problems.UNSTORABLE, problems.render_unstorable),
            **dict.fromkeys(problems.AWAY, problems.render_away),
        },
        lifespan=[lambda app: _resources(app, settings, clock)],
        cors_config=_CORS,
    )


@asynccontextmanager
async def _resources(app: Litestar, settings: Settings, clock: Clock) -> AsyncIterator[None]:
    """What the handlers work with, on `app.state`, for as long as the application runs."""
    base_url = f"{settings.record.url}/fhir"
    state = app.state
    state.settings, state.clock, state.base_url = settings, clock, base_url
    state.authenticate = authorization.authenticate
    validator = await asyncio.to_thread(ProfileValidator.load, _profiles(settings))
    state.validator = validator
    state.capability = capability.statement(
        base_url,
        settings.record.url,
        smart=settings.record.authorization == "smart",
        profiles=_supported(validator),
        now=clock(),
    )
    connections = settings.database.pool_connections
    state.pool = await postgres.open_pool(settings.database.dsn, "record", max_size=connections)
    try:
        async with authorization.open_authorization(settings, clock, state.pool, validator) as server:
            state.authorization, state.auditor = server, server.auditor
            yield
    finally:
        await state.pool.close()


def _profiles(settings: Settings) -> Path | None:
    """The folder of the programme's profiles, when they are to be checked."""
    if settings.record.validation == "base":
        return None
    return programmes.load(settings.programme).profiles


def _supported(validator: ProfileValidator) -> dict[str, list[str]]:
    """The profiles that are checked, by resource type."""
    found: dict[str, list[str]] = {}
    for url in sorted(validator.known):
        found.setdefault(validator.resource_type(url), []).append(url)
    return found
