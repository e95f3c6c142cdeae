"""The servers that the sync writes to, as the settings say, and how it proves at each who it is."""

from contextlib import AsyncExitStack
from typing import Literal

import httpx

from janani.clients.fhir import BackendToken, FhirClient
from janani.kernel import http, jose
from janani.kernel import secrets as keys
from janani.kernel.clock import Clock
from janani.settings import Settings, Target

RECORD = "record"
RECORD_SECONDS = 20


def of(settings: Settings) -> list[Target]:
    """The targets; the record alone where none are set."""
    if settings.sync.targets:
        return list(settings.sync.targets)
    way: Literal["none", "smart"] = "none" if settings.record.authorization == "open" else "smart"
    return [Target(RECORD, f"{settings.record.url}/fhir", authorization=way, client_id=settings.sync.client_id)]


async def client(stack: AsyncExitStack, settings: Settings, target: Target, clock: Clock) -> FhirClient:
    """A client of `target` with connections of its own, closed with `stack`. Raises MissingSecret."""
    pooled = await stack.enter_async_context(http.client(timeout=RECORD_SECONDS))
    if target.authorization == "none":
        return FhirClient(pooled, target.url, attempts=1)
    if target.authorization == "smart":
        key = jose.signing_key(settings.secrets / "sync.pem", create=settings.sandbox)
        token = BackendToken(pooled, target.url.rstrip("/"), target.client_id, key, clock=clock)
        return FhirClient(pooled, target.url, token, attempts=1)
    secret = keys.secret(settings.secrets, f"sync-target-{target.name}", create=False)
    if target.authorization == "basic":
        pooled.auth = httpx.BasicAuth(target.client_id, secret)
        return FhirClient(pooled, target.url, attempts=1)

    async def bearer() -> str:
        return secret

    return FhirClient(pooled, target.url, bearer, attempts=1)
