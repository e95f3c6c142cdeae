"""`POST /offline`: the signed code of a card, checked against the provider's keys that were fetched while it could be.

The keys are kept in the database and fetched again every hour; a card with a key that is not known yet makes us ask
once more, not within 20 s of the last time, and never longer than a midwife should wait.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Response, post
from msgspec import Struct

from janani.clients.oidc import OidcError
from janani.clients.oidc_provider import fetched
from janani.kernel.postgres import json_of
from janani.relying import offline
from janani.relying.claims import withheld
from janani.relying.clients import RelyingClient
from janani.relying.filling import attributes_of, unreadable
from janani.relying.offline import CardError, OfflineIdentity, ProviderKeys
from janani.relying.party import SQL, Http, Party, The, asked_by, body_of
from janani.relying.problems import CardRefused
from janani.relying.verification import ATTRIBUTES_JSON, Verified

VERIFIED_OFFLINE = "VERIFIED_OFFLINE"
KEYS_KEPT = timedelta(days=30)
"""Keys that could not be fetched again for so long are not relied on: one may have been withdrawn."""
_FRESH = timedelta(hours=1)
_FLOOR = timedelta(seconds=20)
_FIRST_AFTER, _AGAIN_AFTER = 5.0, 60.0  # s; the provider may start after us, or be away
_PATIENCE = 3.0

_log = structlog.get_logger()


class Card(Struct, frozen=True):
    """Body of `POST /offline`: the text of the QR code. Without `client` the first is meant."""

    qr: str = ""
    client: str = ""


@post("/offline", status_code=200)
async def take_card(request: Http, party: The) -> Response[Any]:
    """The person on the card as attributes, `status` VERIFIED_OFFLINE. Raises BadRequest, CardRefused."""
    body = await body_of(request, Card)
    client = party.client(name=body.client)
    outcome = "verified_offline"
    try:
        identity = await _read(party, client, body.qr)
    except CardError as error:
        outcome = error.code
        raise CardRefused(error.code) from error
    finally:
        await SQL.note(
            party.pool, at=party.now(), asked_by=asked_by(request), client=client.name, outcome=outcome, acr=""
        )
    return Response(msgspec.json.encode(_verified(party, client, identity)), media_type=ATTRIBUTES_JSON)


async def keep_fetching(party: Party) -> None:
    """Fetches every client's provider's keys, every hour, for as long as this part runs."""
    await asyncio.sleep(_FIRST_AFTER)
    while True:
        kept = [False]
        with contextlib.suppress(asyncpg.PostgresError, OSError):  # the database may be away for a moment
            kept = [await fetch(party, client) for client in party.clients.values()]
        await asyncio.sleep(_FRESH.total_seconds() if all(kept) else _AGAIN_AFTER)


async def fetch(party: Party, client: RelyingClient) -> bool:
    """Fetches and keeps the keys of the client's provider; whether that went well."""
    now = party.now()
    try:
        provider = await client.provider(now)
        answer = await fetched(party.http, provider.jwks_uri, {"accept": "application/json"})
        jwks = offline.keys_of(answer.content) if answer.is_success else []
    except (OidcError, ValueError) as error:
        _log.info("provider_keys_not_fetched", client=client.name, reason=getattr(error, "code", "provider_invalid"))
        return False
    if not jwks:
        return False
    await SQL.keep_provider_keys(
        party.pool,
        client=client.name,
        provider=_configured(client),
        issuers=[provider.issuer, *sorted(provider.issuers - {provider.issuer})],
        jwks=json_of(jwks),
        fetched_at=now,
    )
    return True


async def _read(party: Party, client: RelyingClient, text: str) -> OfflineIdentity:
    """The identity on the card; keys are fetched first, or once more, where that may help. Raises CardError."""
    keys = await _kept(party, client)
    if keys is None or _age(party, keys) > _FRESH:
        keys = await _fetched(party, client) or keys
    if keys is None or _age(party, keys) > KEYS_KEPT:
        raise CardError("card_keys_missing")
    try:
        return offline.read(text, keys, party.now())
    except CardError as error:
        if error.code != "card_unknown_key" or _age(party, keys) < _FLOOR:
            raise
    return offline.read(text, await _fetched(party, client) or keys, party.now())


async def _fetched(party: Party, client: RelyingClient) -> ProviderKeys | None:
    """The keys after asking the provider, who is not waited for long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await fetch(party, client)
    return await _kept(party, client)


async def _kept(party: Party, client: RelyingClient) -> ProviderKeys | None:
    row = await SQL.provider_keys(party.pool, client=client.name, provider=_configured(client))
    if row is None:
        return None
    jwks = msgspec.json.decode(row["jwks"], type=list[dict[str, Any]])
    return ProviderKeys(tuple(row["issuers"]), jwks, row["fetched_at"])


def _configured(client: RelyingClient) -> str:
    return client.conf.endpoints.issuer_uri if client.conf.endpoints else client.conf.provider


def _age(party: Party, keys: ProviderKeys) -> timedelta:
    now: datetime = party.now()
    return now - keys.fetched_at


def _verified(party: Party, client: RelyingClient, identity: OfflineIdentity) -> Verified:
    """The card as attributes of the registry, by the client's mapping. It has no `acr`: nobody signed in."""
    mapping, claims = client.mapping, identity.claims | ({"sub": identity.subject} if identity.subject else {})
    filled = attributes_of(mapping, claims, today=party.today(), region=party.programme.phone_region)
    return Verified(
        status=VERIFIED_OFFLINE,
        provider=identity.issuer,
        acr="",
        verified_at=party.now(),
        subject=identity.subject,
        attributes=filled,
        withheld=withheld(mapping, claims),
        unreadable=unreadable(mapping, claims, filled),
    )
