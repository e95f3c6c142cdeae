"""The registry's ASGI application; every route is listed here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
from cryptography.fernet import Fernet
from litestar import Litestar

from janani.kernel import http, pages
from janani.kernel.clock import Clock, system_clock
from janani.kernel.postgres import json_of, open_pool
from janani.kernel.secrets import MissingSecret, secret, write_private
from janani.registry import access, client_start, data_store, home, login, oauth, oauth_ends, routes, system
from janani.registry.metadata import handlers as metadata
from janani.registry.metadata import writing
from janani.registry.metadata.snapshot import SQL, Store
from janani.registry.passwords import Passwords, hashed
from janani.registry.paths import accepting_versions
from janani.registry.problems import (
    AWAY,
    UNSTORABLE,
    Refusal,
    render,
    render_away,
    render_error,
    render_unstorable,
)
from janani.registry.providers import SignIn, own_key, providers
from janani.registry.sealing import Sealer
from janani.registry.state import State
from janani.registry.system import fresh_system_id
from janani.registry.tracker import handlers as tracker
from janani.registry.tracker import lifespan as tracker_lifespan
from janani.settings import Settings

ADMIN_UID, ADMIN_ROLE_UID = "M5zQapPyTZI", "yrB6vc5Ip3r"
_SANDBOX_PASSWORD = "district"  # noqa: S105 - DHIS2's own demo password; refused in production
_TIDY_SECONDS = 3600
# Pages post to eSignet through redirects, which form-action would stop.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; script-src 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
}


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The registry as an ASGI application."""

    @asynccontextmanager
    async def resources(app: Litestar) -> AsyncIterator[None]:
        pool = await open_pool(settings.database.dsn, "registry", max_size=settings.database.pool_connections)
        async with http.client() as client:
            tidying = asyncio.create_task(_forget_expired(pool))
            try:
                app.state.registry = await _state(settings, clock, pool, client)
                key = app.state.registry.key
                app.state.providers = {
                    name: SignIn(client, key, provider) for name, provider in providers(settings).items()
                }
                yield
            finally:
                tidying.cancel()
                await pool.close()

    app = http.application(
        "registry",
        _handlers(),
        render_error=render_error,
        exception_handlers={
            Refusal: render,
            **dict.fromkeys(UNSTORABLE, render_unstorable),
            **dict.fromkeys(AWAY, render_away),
        },
        lifespan=[resources, tracker_lifespan],
        headers=_HEADERS,
        before_request=home.speak,
    )
    app.asgi_handler = accepting_versions(app.asgi_handler)
    return app


def _handlers() -> list[Any]:
    """Every route of the registry."""
    return [
        *access.handlers,
        *login.handlers,
        *oauth.handlers,
        *oauth_ends.handlers,
        *system.handlers,
        *client_start.handlers,
        *data_store.handlers,
        *home.handlers,
        *routes.handlers,
        *tracker,
        *metadata.handlers,
        *writing.handlers,
        pages.assets(),
    ]


async def _forget_expired(pool: asyncpg.Pool) -> None:
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        with contextlib.suppress(asyncpg.PostgresError, OSError):  # the next hour will do as well
            await SQL.forget_expired(pool)


async def _state(settings: Settings, clock: Clock, pool: asyncpg.Pool, client: httpx.AsyncClient) -> State:
    await SQL.forget_expired(pool)
    await _first_administrator(settings, pool)
    return State(
        settings=settings,
        clock=clock,
        pool=pool,
        http=client,
        metadata=Store(pool),
        passwords=Passwords(),
        routes=Sealer(_routes_key(settings)),
        key=own_key(settings),
        system_id=await SQL.remember(pool, key="system_id", value=fresh_system_id()),
    )


def _routes_key(settings: Settings) -> bytes:
    path = settings.secrets / "registry-routes-key"
    if not path.exists():
        if not settings.sandbox:
            raise MissingSecret(f"{path} is missing. Put a Fernet key there; it encrypts the Routes' secrets.")
        write_private(path, Fernet.generate_key())
    return path.read_bytes().strip()


async def _first_administrator(settings: Settings, pool: asyncpg.Pool) -> None:
    """An empty registry gets its administrator: admin/district in the sandbox, else by `secrets/admin-password`."""
    if await pool.fetchval("select exists (select from account)"):
        return
    password = _SANDBOX_PASSWORD if settings.sandbox else secret(settings.secrets, "admin-password", create=False)
    role = {"id": ADMIN_ROLE_UID, "name": "Superuser", "code": "Superuser", "authorities": ["ALL"]}
    user = {
        "id": ADMIN_UID,
        "username": "admin",
        "firstName": "admin",
        "surname": "admin",
        "userRoles": [{"id": ADMIN_ROLE_UID}],
        "organisationUnits": [],
    }
    async with pool.acquire() as connection, connection.transaction():
        await SQL.save_metadata(
            connection,
            types=["userRoles", "users"],
            uids=[role["id"], user["id"]],
            codes=["Superuser", None],
            names=["Superuser", None],
            bodies=[json_of(role), json_of(user)],
        )
        await SQL.save_accounts(
            connection,
            uids=[ADMIN_UID],
            usernames=["admin"],
            hashes=[await hashed(password)],
            open_ids=[None],
            disabled=[False],
            external=[False],
        )
        await SQL.bump_metadata_version(connection)
