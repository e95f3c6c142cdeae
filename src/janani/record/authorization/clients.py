"""The registered clients, and how they prove who they are (SMART Backend Services, RFC 7523 `private_key_jwt`)."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from janani.kernel import jose, postgres
from janani.record.authorization.problems import InvalidClient
from janani.settings import Settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "RS384", "PS256", "ES256", "ES384"]
ASSERTION_MOST_SECONDS = 300
SKEW_SECONDS = 60
_REFRESH_FLOOR_SECONDS = 10

queries = postgres.queries("janani.record.authorization")


class RegisteredClient(Struct, frozen=True):
    """A client: where its keys are, where people are sent back to, and the most it may be granted."""

    client_id: str
    jwks_uri: str
    grants: tuple[str, ...]
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()


def registered(settings: Settings) -> dict[str, RegisteredClient]:
    """The clients of this record: the portals (people behind them) and the sync (a service)."""
    portals, sync = settings.portals, settings.sync
    people = ("openid", "fhirUser", "launch/patient", "online_access", "offline_access", "user/*.cruds", "patient/*.rs")
    return {
        portals.record_client_id: RegisteredClient(
            portals.record_client_id,
            f"{portals.url}/jwks.json",
            ("authorization_code", "refresh_token"),
            people,
            (f"{portals.url}/doctor/callback", f"{portals.url}/mother/callback"),
        ),
        sync.client_id: RegisteredClient(
            sync.client_id, f"{sync.url}/jwks.json", ("client_credentials",), ("system/*.cruds",)
        ),
    }


class Keys:
    """The clients' public keys: from `$JANANI_HOME/clients/<client id>.jwks.json` when there, else from `jwks_uri`."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self._http, self._folder = http, settings.folder / "clients"
        self._known: dict[str, tuple[KeySet, float]] = {}

    async def of(self, client: RegisteredClient, kid: str) -> KeySet:
        """The client's keys; fetched again when `kid` is not among them. Raises InvalidClient."""
        known = self._known.get(client.client_id)
        if known and (_has(known[0], kid) or time.monotonic() - known[1] < _REFRESH_FLOOR_SECONDS):
            return known[0]
        keys = await self._read(client)
        self._known[client.client_id] = keys, time.monotonic()
        return keys

    async def _read(self, client: RegisteredClient) -> KeySet:
        file = self._folder / f"{client.client_id}.jwks.json"
        try:
            if file.is_file():
                document = json.loads(file.read_bytes())
            else:
                answer = await self._http.get(client.jwks_uri)
                document = answer.raise_for_status().json()
            return KeySet.import_key_set(document)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, JoseError) as error:
            raise InvalidClient("The client's keys can't be read.") from error


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys.keys)


class Authenticator(Struct, frozen=True):
    """Knows the clients of the record.

    Args:
        audiences: what an assertion may name as `aud`: the token endpoint or the issuer.
    """

    pool: asyncpg.Pool
    clients: Mapping[str, RegisteredClient]
    keys: Keys
    audiences: frozenset[str]

    async def client(self, form: Mapping[str, str], now: datetime) -> RegisteredClient:
        """The client behind a request to the token endpoint; its assertion is spent. Raises InvalidClient."""
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
            raise InvalidClient("A client_assertion (private_key_jwt) is needed.")
        kid, name = _unverified(assertion)
        client = self.clients.get(name)
        if client is None or form.get("client_id", name) != name:
            raise InvalidClient("The client is not registered.")
        try:
            claims = jose.verify(assertion, await self.keys.of(client, kid), algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise InvalidClient("The signature of the client_assertion is wrong.") from error
        fault = assertion_fault(claims, name, self.audiences, now)
        if fault:
            raise InvalidClient(fault)
        expires = datetime.fromtimestamp(claims["exp"] + SKEW_SECONDS, UTC)
        async with self.pool.acquire() as connection:
            done = await queries.spend_assertion(connection, client_id=name, jti=claims["jti"], expires_at=expires)
        if not str(done).endswith(" 1"):
            raise InvalidClient("The client_assertion was used before.")
        return client


def assertion_fault(claims: Mapping[str, Any], name: str, audiences: frozenset[str], now: datetime) -> str | None:
    """What is wrong with the claims of a client assertion (RFC 7523 §3), or None."""
    instant, audience = now.timestamp(), claims.get("aud")
    named = set(audience) if isinstance(audience, list) else {audience}
    ends, jti = claims.get("exp"), claims.get("jti")
    faults = {
        "The client_assertion's iss and sub must be the client.": claims.get("iss") != name
        or claims.get("sub") != name,
        "The client_assertion is for another audience.": not named & audiences,
        "The client_assertion has expired.": not isinstance(ends, int | float) or ends < instant - SKEW_SECONDS,
        "The client_assertion lives longer than 5 minutes.": isinstance(ends, int | float)
        and ends > instant + ASSERTION_MOST_SECONDS + SKEW_SECONDS,
        "The client_assertion needs a jti.": not isinstance(jti, str) or not 1 <= len(jti) <= 256 or "\0" in jti,
    }
    return next((text for text, found in faults.items() if found), None)


def _unverified(assertion: str) -> tuple[str, str]:
    """Key id and issuer as the assertion itself says, to find the keys that verify it. Raises InvalidClient."""
    try:
        read = jws.extract_compact(assertion.encode())
        return str(read.headers().get("kid", "")), str(json.loads(read.payload).get("iss", ""))
    except (JoseError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidClient("The client_assertion can't be read.") from error
