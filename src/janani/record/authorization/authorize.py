"""From a client's request to a signed-in person with a role: the checks and the look-ups."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from janani.clients.oidc import Identity
from janani.record import json_text
from janani.record.actor import Actor
from janani.record.authorization import scopes
from janani.record.authorization.clients import RegisteredClient, queries
from janani.record.authorization.problems import OAuthProblem
from janani.record.authorization.service import Authorization
from janani.record.authorization.staff import Member, practitioner
from janani.record.authorization.tokens import Login
from janani.record.changes import Change
from janani.record.writing import Writer

_ITSELF = Actor(kind="system", id="record", scopes=frozenset({"system/Practitioner.cs"}))


class Asked(Struct, frozen=True):
    """A valid authorization request of a client (SMART App Launch §obtain-authorization-code).

    `context` says as what the person wants in: `user` as staff, `patient` as herself.
    """

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    context: str
    state: str
    code_challenge: str
    nonce: str = ""
    ui_locales: str = ""

    def back(self, issuer: str, **answer: str) -> str:
        """The client's redirect URI with `answer`, its state and our issuer (RFC 6749 §4.1.2, RFC 9207)."""
        joint = "&" if urlsplit(self.redirect_uri).query else "?"
        return self.redirect_uri + joint + urlencode({**answer, "state": self.state, "iss": issuer})


class NotLetIn(Exception):
    """The person is who she says, but has no place here. `reason`: not_staff, no_email, no_record, two_records."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def known_return(query: Mapping[str, str], clients: Mapping[str, RegisteredClient]) -> RegisteredClient:
    """The client, when it and its redirect URI are registered exactly so.

    Raises OAuthProblem otherwise: then nobody may be sent anywhere (RFC 6749 §4.1.2.1).
    """
    client = clients.get(query.get("client_id", ""))
    if client is None or "authorization_code" not in client.grants:
        raise OAuthProblem("unauthorized_client", "The application is not registered here.")
    if query.get("redirect_uri") not in client.redirect_uris:
        raise OAuthProblem("invalid_request", "The application's return address is not registered here.")
    return client


def asked(query: Mapping[str, str], client: RegisteredClient, fhir: str) -> Asked:
    """The checked request. Raises OAuthProblem, to be told to the client by redirect."""
    if query.get("response_type") != "code":
        raise OAuthProblem("unsupported_response_type", "Only response_type=code is supported.")
    if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
        raise OAuthProblem("invalid_request", "PKCE with code_challenge_method=S256 is needed.")
    if query.get("aud", "").rstrip("/") != fhir:
        raise OAuthProblem("invalid_request", "aud must be the URL of this FHIR server.")
    if not query.get("state"):
        raise OAuthProblem("invalid_request", "state is needed.")
    granted = scopes.granted(query.get("scope", "").split(), client.scopes)
    contexts = scopes.contexts(granted)
    if contexts not in ({"user"}, {"patient"}):
        raise OAuthProblem("invalid_scope", "Ask for user/… or for patient/… scopes, not both.")
    return Asked(
        client.client_id,
        query["redirect_uri"],
        tuple(granted),
        contexts.pop(),
        query["state"],
        query["code_challenge"],
        query.get("nonce", ""),
        query.get("ui_locales", ""),
    )


async def login(authorization: Authorization, wanted: Asked, person: Identity) -> Login:
    """Who signed in, in the role that was asked for. Raises NotLetIn."""
    async with authorization.pool.acquire() as connection:
        if wanted.context == "patient":
            return await _mother(authorization, connection, wanted, person)
        return await _staff(authorization, connection, wanted, person)


async def confirmed(authorization: Authorization, connection: asyncpg.Connection, known: Login) -> Login | None:
    """`known` as it is now: less the scopes that were taken away, None for a person who would not be let in as that."""
    systems = authorization.programme.record.systems
    if known.kind == "patient":
        found = await _identified(connection, "Patient", systems["subject"], known.account)
        return known if found == [known.patient] else None
    member = authorization.staff.get(known.account)
    granted = _allowed(member, known.scopes)
    if member is None or not granted:
        return None
    found = await _identified(connection, "Practitioner", systems["practitioner"], member.identifier)
    return replace(known, scopes=granted) if known.sub in (f"Practitioner/{identity}" for identity in found) else None


def _allowed(member: Member | None, asked: Sequence[str]) -> tuple[str, ...]:
    """What of the `asked` scopes the staff list allows; nothing when that opens no resource."""
    granted = scopes.granted(asked, [*scopes.PLAIN, *member.scopes]) if member else []
    return tuple(granted) if scopes.contexts(granted) else ()


async def _mother(
    authorization: Authorization, connection: asyncpg.Connection, wanted: Asked, person: Identity
) -> Login:
    system = authorization.programme.record.systems["subject"]
    found = await _identified(connection, "Patient", system, person.sub)
    if len(found) != 1:
        raise NotLetIn("two_records" if found else "no_record")
    name = str(person.claims.get("name") or "")
    return Login("patient", f"Patient/{found[0]}", wanted.scopes, found[0], name, person.sub)


async def _staff(
    authorization: Authorization, connection: asyncpg.Connection, wanted: Asked, person: Identity
) -> Login:
    claim = person.claims.get(authorization.settings.record.staff_claim)
    if not isinstance(claim, str) or not claim:
        raise NotLetIn("no_email")
    member = authorization.staff.get(claim.casefold())
    granted = _allowed(member, wanted.scopes)
    if member is None or not granted:
        raise NotLetIn("not_staff")
    identity = await _practitioner(authorization, connection, member)
    return Login("staff", f"Practitioner/{identity}", granted, None, member.name, claim.casefold())


async def _practitioner(authorization: Authorization, connection: asyncpg.Connection, member: Member) -> str:
    """The id of the member's Practitioner, made when there is none yet (a conditional create: two at once agree)."""
    system = authorization.programme.record.systems["practitioner"]
    found = await _identified(connection, "Practitioner", system, member.identifier)
    if found:
        return found[0]
    made = practitioner(member, authorization.programme, authorization.practitioner_profile)
    resource = json_text.sent(json_text.encode(made))
    criteria = f"Practitioner?{urlencode({'identifier': f'{system}|{member.identifier}'})}"
    now = authorization.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    async with connection.transaction():
        writer = Writer(connection, authorization.fhir, _ITSELF, now, authorization.validator)
        done = await writer.apply([Change("POST", "Practitioner", criteria=criteria, resource=resource)])
    return done[0].id


async def _identified(connection: asyncpg.Connection, kind: str, system: str, value: str) -> list[str]:
    rows = queries.resources_identified(
        connection, type=kind, parameter=f"{kind}.identifier", system=system, value=value
    )
    return [row["id"] async for row in rows]


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def told(problem: OAuthProblem) -> dict[str, Any]:
    """The parameters that tell a client of `problem` by redirect."""
    return {"error": problem.code, "error_description": problem.text}
