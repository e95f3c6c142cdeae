"""What the OpenAPI document says of every operation: bodies, answers, errors. It describes; nothing here decides.

Members are optional in the types that handlers read, because each one that is missing has its own code; `REQUIRED`
says which of them a call can't go without.
"""

from typing import Any

from msgspec import Struct

from janani.esignet import shapes
from janani.esignet.authenticate import Authenticate
from janani.esignet.authorization import AuthorizationRequest
from janani.esignet.consent import AuthCode
from janani.esignet.identity import NEEDED
from janani.esignet.otp import SendOtp
from janani.esignet.pushed import Reference
from janani.esignet.shapes import Answered, Asked
from janani.kernel.openapi import FORM, HTML, Answer, Described, Operation

_CLIENT = ("clientName", "userClaims", "authContextRefs", "logoUri", "redirectUris", "grantTypes", "clientAuthMethods")
_NEW_CLIENT = ("clientId", "publicKey", "relyingPartyId", *_CLIENT)
REQUIRED: dict[str, tuple[str, ...]] = {
    "AuthorizationRequest": ("clientId", "scope", "responseType", "redirectUri"),
    "Reference": ("clientId", "requestUri"),
    "SendOtp": ("transactionId", "individualId", "otpChannels"),
    "Authenticate": ("transactionId", "individualId", "challengeList"),
    "Challenge": ("authFactorType", "challenge", "format"),
    "AuthCode": ("transactionId",),
    "NewClient": _NEW_CLIENT,
    "NewClientV2": _NEW_CLIENT,
    "NewClientV1": _NEW_CLIENT,
    "ClientChange": ("status", *_CLIENT),
    "ClientChangeV2": ("status", *_CLIENT),
    "ClientChangeV1": ("status", *_CLIENT),
    "NewIdentity": NEEDED,
    "IdentityChange": ("individualId",),
}
_SECURITY = {
    "clientManagement": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token in `secrets/esignet-clients-token`.",
    },
    "identities": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token in `secrets/esignet-identities-token`.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access token; with `DPoP` when it is bound.",
    },
}
_CSRF = {
    "X-XSRF-TOKEN": ("header", "The CSRF token of `/v1/esignet/csrf/token`."),
    "XSRF-TOKEN": ("cookie", "The same token."),
}
_BOUND = {
    "oauth-details-key": ("header", "The transactionId of oauth-details."),
    "oauth-details-hash": ("header", "base64url(SHA-256) of the `response` of oauth-details, as it was sent."),
}
_AT = "/v1/esignet"
_FORBIDDEN = (Answer("The CSRF token is missing in header or cookie.", Answered[None]),)
_UNAUTHORISED = (
    Answer("The bearer token is missing or wrong.", Answered[None], headers={"WWW-Authenticate": "`Bearer`"}),
)
_OAUTH = (Answer("Refused; nothing was spent.", shapes.OauthError),)


def _enveloped(body: Any, answer: Any, *, bound: bool = True) -> Operation:
    """A step of the sign-in: CSRF, mostly bound to its transaction; refusals are answered with 200."""
    return Operation(
        {200: (Answer("Done, or refused with `errors`.", Answered[answer]),), 403: _FORBIDDEN},
        body=Asked[body],
        needs=_CSRF | (_BOUND if bound else {}),
    )


def _managed(body: Any, answer: Any, security: str) -> Operation:
    return Operation(
        {200: (Answer("Done, or refused with `errors`.", Answered[answer]),), 401: _UNAUTHORISED},
        body=None if body is None else Asked[body],
        security=security,
    )


def _clients() -> dict[str, Operation]:
    status, at = shapes.ClientStatus, f"{_AT}/client-mgmt"
    kinds: dict[str, tuple[type[Struct], type[Struct]]] = {
        "client": (shapes.NewClient, shapes.ClientChange),
        "oauth-client": (shapes.NewClientV2, shapes.ClientChangeV2),
        "oidc-client": (shapes.NewClientV1, shapes.ClientChangeV1),
    }
    made = {f"PATCH {at}/client/{{client_id}}": _managed(shapes.ClientPatch, status, "clientManagement")}
    for name, (new, change) in kinds.items():
        made[f"POST {at}/{name}"] = _managed(new, status, "clientManagement")
        made[f"PUT {at}/{name}/{{client_id}}"] = _managed(change, status, "clientManagement")
    return made


def _sign_in() -> dict[str, Operation]:
    at = f"{_AT}/authorization"
    details = _enveloped(AuthorizationRequest, shapes.Details, bound=False)
    authenticated = _enveloped(Authenticate, shapes.Authenticated)
    return {
        f"GET {_AT}/csrf/token": Operation({200: (Answer("The token; a cookie carries it too.", shapes.CsrfToken),)}),
        f"POST {at}/oauth-details": _enveloped(AuthorizationRequest, shapes.DetailsV1, bound=False),
        f"POST {at}/v2/oauth-details": details,
        f"POST {at}/v3/oauth-details": details,
        f"POST {at}/par-oauth-details": _enveloped(Reference, shapes.Details, bound=False),
        f"POST {at}/send-otp": _enveloped(SendOtp, shapes.OtpSent),
        f"POST {at}/authenticate": _enveloped(Authenticate, shapes.AuthenticatedV1),
        f"POST {at}/v2/authenticate": authenticated,
        f"POST {at}/v3/authenticate": authenticated,
        f"POST {at}/auth-code": _enveloped(AuthCode, shapes.Code),
        f"GET {at}/claim-details": Operation(
            {200: (Answer("Which claims are on record, or refused with `errors`.", Answered[shapes.ClaimDetails]),)},
            needs=_BOUND,
        ),
    }


def _tokens(*, old: bool) -> dict[str, Operation]:
    answers = {200: (Answer("The tokens.", shapes.Tokens),), 400: _OAUTH, 413: _OAUTH} | ({500: _OAUTH} if old else {})
    token = Operation(answers, body=shapes.TokenForm, media=FORM)
    refused = (Answer("Refused.", headers={"WWW-Authenticate": 'The scheme, and `error="…"`.'}),)
    return {
        f"POST {_AT}/oauth/token": token,
        f"POST {_AT}/oauth/v2/token": token,
        f"POST {_AT}/oauth/par": Operation(
            {201: (Answer("Kept for a minute.", shapes.Pushed),), 400: _OAUTH, 413: _OAUTH},
            body=shapes.PushedForm,
            media=FORM,
        ),
        f"GET {_AT}/oidc/userinfo": Operation(
            {
                200: (Answer("The claims agreed to: a signed JWT, or a JWE around it.", str, "application/jwt"),),
                **dict.fromkeys((400, 401, 406), refused),
            },
            security="accessToken",
        ),
    }


def _documents() -> dict[str, Operation]:
    metadata = Operation({200: (Answer("The metadata.", shapes.ServerMetadata),)})
    keys = Operation({200: (Answer("The keys that sign.", shapes.KeySet),)})
    page = Operation({200: (Answer("The page.", str, HTML),)})
    return {
        **{f"GET {at}/.well-known/openid-configuration": metadata for at in ("", f"{_AT}/oidc")},
        **{f"GET {at}/.well-known/oauth-authorization-server": metadata for at in ("", f"{_AT}/oauth")},
        **{f"GET {at}/.well-known/jwks.json": keys for at in ("", f"{_AT}/oauth")},
        "GET /authorize": page,
        "GET /sandbox/inbox": page,
        "GET /authorize.js": Operation({200: (Answer("The page's script.", str, "text/javascript"),)}),
        "GET /authorize.css": Operation({200: (Answer("The page's style.", str, "text/css"),)}),
    }


def _people() -> dict[str, Operation]:
    at = "/v1/mock-identity-system/identity"
    return {
        f"POST {at}": _managed(shapes.NewIdentity, shapes.Done, "identities"),
        f"PUT {at}": _managed(shapes.IdentityChange, shapes.Done, "identities"),
        f"GET {at}/{{individual_id}}": _managed(None, shapes.IdentityChange, "identities"),
    }


def table(*, old: bool) -> Described:
    """What the document says; `old`: as release 1.6.1, whose token endpoint answers some refusals with 500."""
    operations = _sign_in() | _clients() | _tokens(old=old) | _documents() | _people()
    return Described(operations, REQUIRED, _SECURITY)
