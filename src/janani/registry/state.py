"""What every handler of the registry works with, for as long as the application runs."""

import asyncpg
import httpx
from joserfc.jwk import RSAKey
from msgspec import Struct

from janani.kernel.clock import Clock
from janani.registry.metadata.snapshot import Store
from janani.registry.passwords import Passwords
from janani.registry.sealing import Sealer
from janani.settings import Settings


class State(Struct, frozen=True):
    """The registry's resources. `key` signs access tokens and client assertions."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    http: httpx.AsyncClient
    metadata: Store
    passwords: Passwords
    routes: Sealer
    key: RSAKey
    system_id: str
