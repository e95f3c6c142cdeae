"""The shapes of what is asked and answered, for the OpenAPI document only: handlers read and write bytes themselves.

Where handlers read a type, that type is here as they read it, less the members that a version does not know.
"""

from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from janani.esignet.clients import Registration
from janani.esignet.identity import TEXTS, Alias, Identity, LanguageValue

T = TypeVar("T")


class Asked(Struct, Generic[T], rename="camel", forbid_unknown_fields=True):
    """The envelope of every request; `requestTime` is `yyyy-MM-ddTHH:mm:ss.SSSZ`, within two minutes of ours."""

    request_time: str
    request: T


class ErrorEntry(Struct, rename="camel", forbid_unknown_fields=True):
    """One error: its code, and the code again or `<field>: <code>`."""

    error_code: str
    error_message: str


class Answered(Struct, Generic[T], rename="camel", forbid_unknown_fields=True):
    """The envelope of every answer: `response`, or null and at least one of `errors` (reference §1.1)."""

    response_time: str
    response: T | None
    errors: list[ErrorEntry]


class OauthError(Struct, forbid_unknown_fields=True):
    """An OAuth 2 error (RFC 6749 §5.2); the internal code is the description."""

    error: str
    error_description: str


class CsrfToken(Struct, rename="camel", forbid_unknown_fields=True):
    """The CSRF token, which the cookie XSRF-TOKEN carries too."""

    header_name: str
    parameter_name: str
    token: str


class AuthFactor(Struct, rename="camel", forbid_unknown_fields=True):
    """A way to sign in."""

    type: str
    count: int
    sub_types: list[str] | None


class DetailsV1(Struct, rename="camel"):
    """What a sign-in is about (reference §4.1)."""

    transaction_id: str
    logo_url: str
    auth_factors: list[list[AuthFactor]]
    authorize_scopes: list[str]
    essential_claims: list[str]
    voluntary_claims: list[str]
    configs: dict[str, Any]
    redirect_uri: str
    client_name: str


class Details(Struct, rename="camel"):
    """What a sign-in is about, the client's name by language (reference §4.1)."""

    transaction_id: str
    logo_url: str
    auth_factors: list[list[AuthFactor]]
    authorize_scopes: list[str]
    essential_claims: list[str]
    voluntary_claims: list[str]
    configs: dict[str, Any]
    redirect_uri: str
    client_name: dict[str, str]
    credential_scopes: list[str]


class OtpSent(Struct, rename="camel", forbid_unknown_fields=True):
    """Where the code went."""

    transaction_id: str
    masked_email: str | None
    masked_mobile: str | None


class AuthenticatedV1(Struct, rename="camel", forbid_unknown_fields=True):
    """She is who she says."""

    transaction_id: str


class Authenticated(Struct, rename="camel", forbid_unknown_fields=True):
    """She is who she says; `CAPTURE` when she must be asked."""

    transaction_id: str
    consent_action: Literal["CAPTURE", "NOCAPTURE"]


class ClaimStatus(Struct, rename="camel", forbid_unknown_fields=True):
    """Whether a claim is on record."""

    claim: str
    verified: bool
    available: bool


class ClaimDetails(Struct, rename="camel", forbid_unknown_fields=True):
    """Which of the requested claims are on record."""

    transaction_id: str
    consent_action: Literal["CAPTURE", "NOCAPTURE"]
    profile_update_required: bool
    claim_status: list[ClaimStatus]


class Code(Struct, rename="camel", forbid_unknown_fields=True):
    """The code, and where it goes."""

    nonce: str | None
    state: str | None
    code: str
    redirect_uri: str


class ClientStatus(Struct, rename="camel", forbid_unknown_fields=True):
    """How a client stands."""

    client_id: str
    status: Literal["ACTIVE", "INACTIVE"]


class Done(Struct, forbid_unknown_fields=True):
    """A sentence that says so."""

    status: str


class TokenForm(Struct):
    """The form of the token endpoint (reference §5.1)."""

    grant_type: Literal["authorization_code"]
    code: str
    redirect_uri: str
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    client_assertion: str
    client_id: str = ""
    code_verifier: str = ""


class PushedForm(Struct):
    """The form of a pushed authorization request (RFC 9126); `claims` is JSON, `max_age` seconds."""

    client_id: str
    scope: str
    response_type: Literal["code"]
    redirect_uri: str
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    client_assertion: str
    display: str = ""
    prompt: str = ""
    acr_values: str = ""
    claims: str = ""
    nonce: str = ""
    state: str = ""
    max_age: str = ""
    claims_locales: str = ""
    ui_locales: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    dpop_jkt: str = ""


class Pushed(Struct, forbid_unknown_fields=True):
    """What to send the person with, and for how many seconds."""

    request_uri: str
    expires_in: int


class Tokens(Struct, forbid_unknown_fields=True):
    """The tokens; `expires_in` seconds."""

    id_token: str
    token_type: Literal["Bearer", "DPoP"]
    access_token: str
    expires_in: int


class KeySet(Struct):
    """A JWK Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class ServerMetadata(Struct):
    """Authorization server metadata (RFC 8414), and with OpenID Connect Discovery its members too."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    response_types_supported: list[str]


def _part(kind: type[Struct], name: str, /, *left_out: str, **others: Any) -> Any:
    """`kind` as `name`, without some members, some of another type; all may be left out."""
    kept = [(one.name, others.get(one.name, one.type) | None, None) for one in fields(kind) if one.name not in left_out]
    made = msgspec.defstruct(name, kept, rename="camel", forbid_unknown_fields=True)
    made.__doc__ = kind.__doc__
    return made


_ON_WIRE: dict[str, Any] = {one.name: list[LanguageValue] for one in fields(Identity) if one.encode_name in TEXTS} | {
    "aliases": list[Alias]
}
_FIXED = ("client_id", "public_key", "relying_party_id")
_V3 = ("additional_config",)
_V2 = ("additional_config", "client_name_lang_map")
_NEW = ("status", "enc_public_key")
NewIdentity = _part(Identity, "NewIdentity", **_ON_WIRE)
IdentityChange = _part(Identity, "IdentityChange", **_ON_WIRE)
NewClient = _part(Registration, "NewClient", *_NEW)
NewClientV2 = _part(Registration, "NewClientV2", *_NEW, *_V3)
NewClientV1 = _part(Registration, "NewClientV1", *_NEW, *_V2)
ClientChange = _part(Registration, "ClientChange", *_FIXED, "enc_public_key")
ClientChangeV2 = _part(Registration, "ClientChangeV2", *_FIXED, "enc_public_key", *_V3)
ClientChangeV1 = _part(Registration, "ClientChangeV1", *_FIXED, "enc_public_key", *_V2)
ClientPatch = _part(Registration, "ClientPatch", *_FIXED)
