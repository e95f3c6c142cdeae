"""What tests of the relying party stand in: its provider, the Route that calls it, the time of day."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx

from janani.settings import Settings
from oidc_provider import TestProvider

ATTRIBUTES = "application/vnd.dhis2.attributes+json"


class Clock:
    """The time of day, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A relying party, its provider, and the registry's Route that calls it."""

    route: httpx.AsyncClient
    provider: TestProvider
    clock: Clock
    settings: Settings

    async def begin(self, **body: Any) -> dict[str, Any]:
        """Begins a verification; the provider then has a code for it."""
        answer = await self.route.post("/authorizations", json=body)
        assert answer.status_code == 201, answer.text
        begun: dict[str, Any] = answer.json()
        self.provider.expect(dict(parse_qsl(urlsplit(begun["authorization_url"]).query)))
        self.provider.code = "the-code"
        return begun

    async def fetch(self, *, attributes: bool = False, **body: Any) -> httpx.Response:
        headers = {"accept": ATTRIBUTES} if attributes else {}
        return await self.route.post("/fetchUserInfo", json=body, headers=headers)

    async def trail(self) -> list[tuple[str, str]]:
        connection = await asyncpg.connect(self.settings.database.dsn)
        try:
            rows = await connection.fetch("select asked_by, outcome from relying.verification order by number")
            return [tuple(row) for row in rows]
        finally:
            await connection.close()
