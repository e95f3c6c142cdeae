"""A registry with the Sri Lankan programme loaded, and who calls it: the administrator, a midwife, the sync user."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from janani.programmes import folder
from janani.registry.app import create_app
from janani.settings import Settings

ADMIN = httpx.BasicAuth("admin", "district")
PASSWORDS = {"nirmala": "Nirmala-12345", "thevaki": "Thevaki-12345", "supervisor": "Supervisor-12345"}


class Clock:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registry(settings: Settings, clock: Clock) -> AsyncIterator[AsyncTestClient]:
    """The registry's API as its administrator; other users through `as_user`."""
    async with AsyncTestClient(create_app(settings, clock), base_url="http://localhost:8080") as client:
        client.auth = ADMIN
        answer = await client.post("/api/metadata", content=package())
        assert answer.status_code == 200, answer.text
        yield client


def package() -> bytes:
    """The programme's metadata, its people with passwords instead of eSignet."""
    content = msgspec.json.decode((folder("anc_lk") / "metadata.json").read_bytes())
    for user in content["users"]:
        if user["username"] in PASSWORDS:
            user.update(password=PASSWORDS[user["username"]], externalAuth=False)
    return msgspec.json.encode(content)


def auth(username: str) -> httpx.BasicAuth:
    """The credentials of a user of the programme."""
    return ADMIN if username == "admin" else httpx.BasicAuth(username, PASSWORDS[username])
