"""A verification from begin to end: an authorization request, then the code that came back for a person.

The nonce and the PKCE verifier never leave this server; the browser carries only the state, which is good once, for
ten minutes, and for the user of the registry who began.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from msgspec import Struct

from janani.clients import oidc
from janani.clients.oidc import Identity, OidcError, redeem
from janani.kernel.i18n import _
from janani.relying.claims import withheld
from janani.relying.clients import RelyingClient
from janani.relying.filling import Attribute, attributes_of, patient_of, unreadable
from janani.relying.party import SQL, Http, Party, The, asked_by, body_of
from janani.relying.problems import BadRequest, NotVerified, hint_of, words_of

STATE_MINUTES = 10
ATTRIBUTES_JSON = "application/vnd.dhis2.attributes+json"
FHIR_JSON = "application/fhir+json"
VERIFIED = "VERIFIED"


class Beginning(Struct, frozen=True):
    """Body of `POST /authorizations`. Without `client` and `redirect_uri` the first of each is meant."""

    client: str = ""
    redirect_uri: str = ""
    ui_locales: str = ""


class Begun(Struct, frozen=True):
    """Where to open the provider's page, and the state to expect back."""

    authorization_url: str
    state: str
    expires_in: int


class Return(Struct, frozen=True):
    """Body of `POST /fetchUserInfo` (reference §11.2, with what a careful caller adds)."""

    code: str = ""
    client: str = ""
    client_id: str = ""
    redirect_uri: str = ""
    grant_type: str = ""
    state: str = ""
    nonce: str | None = None
    code_verifier: str | None = None
    iss: str | None = None
    error: str = ""


class Kept(Struct, frozen=True):
    """An identity that waits for who asked for it, and when it was verified."""

    identity: Identity
    at: datetime


class Verified(Struct, frozen=True, rename="camel"):
    """A verified person as values of tracked entity attributes (application/vnd.dhis2.attributes+json).

    `status` is VERIFIED (or VERIFIED_OFFLINE), `provider` the issuer's URL, `verifiedAt` an instant with offset,
    `subject` her pairwise id. `withheld` are the claims she did not share, `unreadable` those whose value fits no
    attribute.
    """

    status: str
    provider: str
    acr: str
    verified_at: datetime
    subject: str
    attributes: list[Attribute]
    withheld: list[str]
    unreadable: list[str]


@post("/authorizations", status_code=201)
async def begin(request: Http, party: The) -> Begun:
    """Begins a verification. Raises BadRequest for another page, NotVerified when the provider is away."""
    body = await body_of(request, Beginning)
    client = party.client(name=body.client, redirect_uri=body.redirect_uri)
    extra = {"ui_locales": body.ui_locales} if body.ui_locales else {}
    made = await opened(party, client, body.redirect_uri, asked_by(request), extra)
    return Begun(made.url, made.state, STATE_MINUTES * 60)


async def opened(
    party: Party, client: RelyingClient, redirect_uri: str, begun_by: str, extra: dict[str, str]
) -> oidc.AuthorizationRequest:
    """An authorization request of `client` that only `begun_by` can finish, within ten minutes. Raises NotVerified."""
    now, asked = party.now(), client.at(redirect_uri)
    try:
        made = await oidc.begin(party.http, await client.provider(now), asked, now, **extra)
    except OidcError as error:
        raise NotVerified(error) from error
    await SQL.sweep(party.pool, now=now)
    await SQL.begin(
        party.pool,
        state_digest=digest(made.state),
        client=client.name,
        nonce=made.nonce,
        code_verifier=made.code_verifier,
        redirect_uri=asked.redirect_uri,
        begun_by=begun_by,
        expires_at=now + timedelta(minutes=STATE_MINUTES),
    )
    return made


@post("/fetchUserInfo", status_code=200)
async def fetch_user_info(request: Http, party: The) -> Response[Any]:
    """The verified person behind a code: claims, or with `Accept: application/vnd.dhis2.attributes+json` attributes.

    Raises BadRequest, NotVerified.
    """
    body = await body_of(request, Return)
    client, user = _checked(party, body), asked_by(request)
    client, identity = await finished(party, client, body, user)
    accept = request.headers.get("accept", "")
    if ATTRIBUTES_JSON in accept:
        return Response(
            msgspec.json.encode(verified_by(party, client, identity, party.now())), media_type=ATTRIBUTES_JSON
        )
    if FHIR_JSON in accept:
        return Response(msgspec.json.encode(patient_by(party, client, identity)), media_type=FHIR_JSON)
    shape = identity.claims | {"sub": identity.sub, "iss": identity.issuer, "aud": client.conf.client_id}
    return Response(shape, headers={"vary": "accept"})


@get("/schemas/attributes.json", sync_to_thread=False)
def attributes_schema() -> dict[str, Any]:
    """The JSON Schema of the answer of `/fetchUserInfo` in attributes form."""
    return msgspec.json.schema(Verified)


def _checked(party: Party, body: Return) -> RelyingClient:
    """The client meant. Refuses what this server does not sign for (reference §11.6 no. 7)."""
    if not body.code and not body.error:
        raise BadRequest("bad_request", _("The code is missing."), _("Start the verification again."))
    if body.grant_type and body.grant_type != "authorization_code":
        raise BadRequest("bad_request", _("Only the authorization code grant is possible here."))
    return party.client(client_id=body.client_id, redirect_uri=body.redirect_uri, name=body.client)


async def finished(
    party: Party, client: RelyingClient, body: Return, user: str, owner: str = ""
) -> tuple[RelyingClient, Identity]:
    """The client that began and the identity behind the code, noted in the trail as asked for by `user`.

    `owner` is who began the authorization request when that is not `user`. Raises BadRequest, NotVerified.
    """
    outcome, acr = "state_unknown", ""
    try:
        if body.error:  # the provider's page sent the person back without a code
            raise OidcError("access_refused")
        client, identity = await _identity(party, client, body, owner or user)
        outcome, acr = "verified", identity.acr
        return client, identity
    except OidcError as error:
        outcome = error.code
        raise NotVerified(error) from error
    finally:
        await SQL.note(party.pool, at=party.now(), asked_by=user, client=client.name, outcome=outcome, acr=acr)


async def _identity(party: Party, client: RelyingClient, body: Return, user: str) -> tuple[RelyingClient, Identity]:
    """The identity behind the code. Raises OidcError; then the state is spent, unless the code never left here."""
    now, state = party.now(), digest(body.state)
    provider = await client.provider(now)  # before the state is spent: when it is away, the same state serves again
    begun: Any = {"nonce": body.nonce, "code_verifier": body.code_verifier, "redirect_uri": body.redirect_uri}
    if body.state:
        begun = await SQL.finish(party.pool, state_digest=state, begun_by=user, now=now)
        if begun is None:
            raise BadRequest("state_unknown", words_of("state_unknown"), hint_of("state_unknown"))
        if begun["client"] != client.name and begun["client"] in party.clients:
            client = party.clients[begun["client"]]
            provider = await client.provider(now)
    try:
        identity = await redeem(
            party.http,
            provider,
            client.at(begun["redirect_uri"] or ""),
            code=body.code,
            nonce=begun["nonce"],
            code_verifier=begun["code_verifier"],
            now=now,
            issuer=body.iss,
        )
    except OidcError as error:
        if body.state and error.code_kept:
            await SQL.begin(party.pool, state_digest=state, begun_by=user, **dict(begun))
        raise
    return client, identity


def verified_by(party: Party, client: RelyingClient, identity: Identity, at: datetime) -> Verified:
    """`identity` as attributes of the registry, by the client's mapping."""
    mapping, claims = client.mapping, identity.claims | {"sub": identity.sub}
    filled = attributes_of(mapping, claims, today=party.today(), region=party.programme.phone_region)
    return Verified(
        status=VERIFIED,
        provider=identity.issuer,
        acr=identity.acr,
        verified_at=at,
        subject=identity.sub,
        attributes=filled,
        withheld=withheld(mapping, claims),
        unreadable=unreadable(mapping, claims, filled),
    )


def patient_by(party: Party, client: RelyingClient, identity: Identity) -> dict[str, Any]:
    """`identity` as a FHIR Patient, by the client's mapping; its `meta.source` is the provider."""
    claims = identity.claims | {"sub": identity.sub}
    patient = patient_of(client.mapping, claims, today=party.today(), region=party.programme.phone_region)
    return patient | {"meta": {"source": identity.issuer}}


def digest(state: str) -> bytes:
    """What of a secret is kept in the database."""
    return hashlib.sha256(state.encode()).digest()
