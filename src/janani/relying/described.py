"""What the OpenAPI document says of every operation: bodies, answers, errors. It describes; nothing here decides."""

from typing import Any

from msgspec import Struct

from janani.kernel.openapi import Answer, Described, Operation
from janani.relying.cards import Card
from janani.relying.phone import PhoneBeginning, PhoneBegun, PhoneState
from janani.relying.verification import ATTRIBUTES_JSON, FHIR_JSON, Beginning, Begun, Return, Verified


class Refusal(Struct, forbid_unknown_fields=True):
    """The one error family: a stable code, what happened, and what helps (may be empty)."""

    error: str
    message: str
    hint: str


class Claims(Struct):
    """The verified claims as the provider sent them, among them these."""

    sub: str
    iss: str
    aud: str


class KeySet(Struct):
    """A JWK Set (RFC 7517)."""

    keys: list[dict[str, Any]]


_SECURITY = {
    "route": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`ApiToken` and the token in `secrets/relying-token`: what the registry's Route presents.",
    }
}
_REFUSED = {
    400: (Answer("The call is wrong, or the person or her card gave no identity that can be trusted.", Refusal),),
    401: (Answer("The Route's token is missing or wrong.", Refusal, headers={"WWW-Authenticate": "`ApiToken`"}),),
}
_PROVIDER = {
    502: (Answer("The provider and this service disagree.", Refusal),),
    503: (Answer("The provider is away; try again.", Refusal, headers={"Retry-After": "Seconds."}),),
}


def _guarded(answers: dict[int, tuple[Answer, ...]], body: Any = None, *, provider: bool = True) -> Operation:
    """An operation for the Route. An empty body means `{}`; members that are not named are ignored."""
    refusals = _REFUSED | (_PROVIDER if provider else {})
    return Operation(answers | refusals, body=body, optional_body=True, security="route")


def table() -> Described:
    """What the document says."""
    keys = (Answer("The public keys.", KeySet),)
    one_client = Operation({200: keys, 404: (Answer("No such client.", Refusal),)})
    verified = (
        Answer("The claims", Claims),
        Answer("as attributes of the registry, when `Accept` says so", Verified, ATTRIBUTES_JSON),
        Answer("as a FHIR Patient, when `Accept` says so.", dict[str, Any], FHIR_JSON),
    )
    operations = {
        "POST /authorizations": _guarded({201: (Answer("Where to send the person.", Begun),)}, Beginning),
        "POST /fetchUserInfo": _guarded({200: verified}, Return),
        "POST /offline": _guarded({200: (Answer("The person on the card.", Verified, ATTRIBUTES_JSON),)}, Card),
        "POST /verifications": _guarded(
            {201: (Answer("The link for her phone.", PhoneBegun),)}, PhoneBeginning, provider=False
        ),
        "GET /verifications/{handle}": _guarded({200: (Answer("How it stands.", PhoneState),)}, provider=False),
        "DELETE /verifications/{handle}": Operation(
            {204: (Answer("Forgotten."),), 401: _REFUSED[401]}, security="route"
        ),
        "GET /schemas/attributes.json": Operation({200: (Answer("A JSON Schema.", dict[str, Any]),)}),
        "GET /jwks.json": Operation({200: keys}),
        "GET /.well-known/jwks.json": Operation({200: keys}),
        "GET /clients/{name}/jwks.json": one_client,
        "GET /api/publicKeys/{name}/jwks.json": one_client,
    }
    return Described(operations, security=_SECURITY)
