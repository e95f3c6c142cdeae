"""What every handler of this part works with: settings, clock, database, keys; and the audit trail."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import httpx
from joserfc.jwk import ECKey, RSAKey
from litestar.di import NamedDependency

from janani.kernel import postgres
from janani.kernel.clock import Clock
from janani.kernel.keyring import KeyRing
from janani.kernel.secrets import secret
from janani.settings import Esignet, Settings

SQL = postgres.queries("janani.esignet")
CODES = postgres.queries("janani.esignet", "codes.sql")
STEPS = postgres.queries("janani.esignet", "flow.sql")


@dataclass(frozen=True)
class Provider:
    """The identity provider while it runs."""

    settings: Settings
    clock: Clock
    pool: asyncpg.Pool
    http: httpx.AsyncClient = field(repr=False)
    ring: KeyRing = field(repr=False)
    pairwise_key: bytes = field(repr=False)
    clients_token: str = field(repr=False)

    @property
    def key(self) -> RSAKey | ECKey:
        """The key that signs now; another after a rotation."""
        return self.ring.current

    @property
    def options(self) -> Esignet:
        """This part's own settings."""
        return self.settings.esignet

    @property
    def issuer(self) -> str:
        """The one issuer: in discovery, tokens, userinfo and on the redirect."""
        return self.options.url.rstrip("/")

    @property
    def old(self) -> bool:
        """Whether it behaves as eSignet 1.6.1 where that differs from its main line (reference §14)."""
        return self.options.generation == "1.6.1"

    @property
    def token_issuer(self) -> str:
        """`iss` of the tokens: the issuer, but 1.6.1 adds its path (reference §5.5)."""
        return f"{self.issuer}/v1/esignet" if self.old else self.issuer

    @property
    def otp_key(self) -> bytes:
        """Key of the one-time code hashes, derived from the pairwise secret."""
        return hmac.digest(self.pairwise_key, b"one-time codes", hashlib.sha256)

    def now(self) -> datetime:
        """The present instant."""
        return self.clock()

    async def note(
        self,
        event: str,
        outcome: str,
        *,
        transaction: int | None = None,
        client: str | None = None,
        person: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Adds a row to the audit trail. Surrogate ids and codes only."""
        await SQL.add_audit(
            self.pool,
            at=self.now(),
            event=event,
            outcome=outcome,
            transaction_number=transaction,
            client_id=client,
            person_id=person,
            reason=reason,
        )


def signing_keys(settings: Settings) -> KeyRing:
    """The key that signs, and those published beside it in a rotation. Raises MissingSecret, BadKeyFile."""
    alg = settings.esignet.signing_algorithm
    return KeyRing(settings.secrets / "esignet.pem", create=settings.sandbox, alg=alg)


def open_provider(settings: Settings, clock: Clock, pool: asyncpg.Pool, http: httpx.AsyncClient) -> Provider:
    """The provider over an open pool. Raises MissingSecret in production when a key or secret is not there."""
    create, folder = settings.sandbox, settings.secrets
    return Provider(
        settings=settings,
        clock=clock,
        pool=pool,
        http=http,
        ring=signing_keys(settings),
        pairwise_key=secret(folder, "esignet-pairwise", create=create).encode(),
        clients_token=secret(folder, "esignet-clients-token", create=create),
    )


Idp = NamedDependency[Provider]
"""The provider as handlers ask for it."""

Row = Any  # an asyncpg.Record, or nothing
