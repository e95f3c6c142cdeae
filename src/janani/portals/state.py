"""What every page works with, for as long as the application runs."""

from typing import Any

import asyncpg
import httpx
from joserfc.jwk import RSAKey
from litestar import Request
from msgspec import Struct

from janani.kernel.clock import Clock
from janani.programmes import Programme
from janani.settings import Settings


class State(Struct, frozen=True):
    """The portals' resources. `key` proves the doctor's and the mother's portal to the record."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    http: httpx.AsyncClient
    programme: Programme
    key: RSAKey
    kept: dict[Any, Any]


def state_of(request: Request[Any, Any, Any]) -> State:
    """The portals' resources."""
    state: State = request.app.state.portals
    return state
