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

from janani.clients.oidc import Identity, OidcError, authorization_request, redeem
from janani.kernel.i18n import _
from janani.relying.claims import Attribute, attributes_of, unreadable, withheld
from janani.relying.party import SQL, Http, Party, The, asked_by, body_of
from janani.relying.problems import BadRequest, NotVerified

STATE_MINUTES = 10
ATTRIBUTES_JSON = "application/vnd.dhis2.attributes+json"


class Beginning(Struct, frozen=True):
    """Body of `POST /authorizations`. Without `redirect_uri` the default page receives the code."""

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
    client_id: str = ""
    redirect_uri: str = ""
    grant_type: str = ""
    state: str = ""
    nonce: str | None = None
    code_verifier: str | None = None
    iss: str | None = None
    error: str = ""


class Verified(Struct, frozen=True, rename="camel"):
    """A verified person as values of tracked entity attributes (application/vnd.dhis2.attributes+json).

    `provider` is the issuer's URL, `verifiedAt` an instant with offset, `subject` her pairwise id. `withheld` are
    the claims she did not share, `unreadable` those whose value fits no attribute.
    """

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
    client, now = party.client(body.redirect_uri), party.now()
    try:
        provider = await party.provider()
    except OidcError as error:
        raise NotVerified(error) from error
    extra = {"ui_locales": body.ui_locales} if body.ui_locales else {}
    made = authorization_request(provider, client, now, **extra)
    await SQL.sweep(party.pool, now=now)
    await SQL.begin(
        party.pool,
        state_digest=_digest(made.state),
        nonce=made.nonce,
        code_verifier=made.code_verifier,
        redirect_uri=client.redirect_uri,
        begun_by=asked_by(request),
        expires_at=now + timedelta(minutes=STATE_MINUTES),
    )
    return Begun(made.url, made.state, STATE_MINUTES * 60)


@post("/fetchUserInfo", status_code=200)
async def fetch_user_info(request: Http, party: The) -> Response[Any]:
    """The verified person behind a code: claims, or with `Accept: application/vnd.dhis2.attributes+json` attributes.

    Raises BadRequest, NotVerified.
    """
    body = await body_of(request, Return)
    _check(party, body)
    user = asked_by(request)
    try:
        if body.error:  # the provider's page sent the person back without a code
            raise OidcError("access_refused")
        identity = await _identity(party, body, user)
    except OidcError as error:
        await SQL.note(party.pool, at=party.now(), asked_by=user, outcome=error.code, acr="")
        raise NotVerified(error) from error
    await SQL.note(party.pool, at=party.now(), asked_by=user, outcome="verified", acr=identity.acr)
    if ATTRIBUTES_JSON in request.headers.get("accept", ""):
        verified = _verified(party, identity)
        return Response(msgspec.json.encode(verified), media_type=ATTRIBUTES_JSON)
    shape = identity.claims | {"sub": identity.sub, "iss": identity.issuer, "aud": party.settings.relying.client_id}
    return Response(shape, headers={"vary": "accept"})


@get("/schemas/attributes.json", sync_to_thread=False)
def attributes_schema() -> dict[str, Any]:
    """The JSON Schema of the answer of `/fetchUserInfo` in attributes form."""
    return msgspec.json.schema(Verified)


def _check(party: Party, body: Return) -> None:
    """Refuses what this server does not sign for: callers choose neither client nor page (reference §11.6 no. 7)."""
    if not body.code and not body.error:
        raise BadRequest("bad_request", _("The code is missing."), _("Start the verification again."))
    if body.client_id and body.client_id != party.settings.relying.client_id:
        raise BadRequest("other_client", _("This service verifies for one client only, and not for the one named."))
    if body.grant_type and body.grant_type != "authorization_code":
        raise BadRequest("bad_request", _("Only the authorization code grant is possible here."))
    party.client(body.redirect_uri)


async def _identity(party: Party, body: Return, user: str) -> Identity:
    """The identity behind the code. Raises OidcError; then the state is spent, unless the provider was away."""
    now, digest = party.now(), _digest(body.state)
    begun: Any = {"nonce": body.nonce, "code_verifier": body.code_verifier, "redirect_uri": body.redirect_uri}
    if body.state:
        begun = await SQL.finish(party.pool, state_digest=digest, begun_by=user, now=now)
        if begun is None:
            text = _("This verification has ended or was used already. Please start it again.")
            raise BadRequest("state_unknown", text, _("Start the verification again."))
    try:
        return await redeem(
            party.http,
            await party.provider(),
            party.client(begun["redirect_uri"] or ""),
            code=body.code,
            nonce=begun["nonce"],
            code_verifier=begun["code_verifier"],
            now=now,
            issuer=body.iss,
        )
    except OidcError as error:
        if body.state and error.retryable:
            await SQL.begin(party.pool, state_digest=digest, begun_by=user, **dict(begun))
        raise


def _verified(party: Party, identity: Identity) -> Verified:
    mapping, claims = party.mapping, identity.claims | {"sub": identity.sub}
    filled = attributes_of(mapping, claims, today=party.today(), region=party.programme.phone_region)
    return Verified(
        provider=identity.issuer,
        acr=identity.acr,
        verified_at=party.now(),
        subject=identity.sub,
        attributes=filled,
        withheld=withheld(mapping, claims),
        unreadable=unreadable(mapping, claims, filled),
    )


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
