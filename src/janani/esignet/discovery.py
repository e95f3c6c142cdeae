"""The well-known documents and the key set (reference §7). JSON, no envelope, open to every origin."""

import base64
from typing import Any

from cryptography import x509
from litestar import Response, get

from janani.esignet import vocabulary as words
from janani.esignet.page import PLACES
from janani.esignet.provider import Idp, Provider
from janani.kernel.i18n import LANGUAGES, spoken
from janani.kernel.jose import jwks
from janani.settings import Esignet

KEPT_SECONDS = 300
_OPEN = {"access-control-allow-origin": "*", "cache-control": f"public, max-age={KEPT_SECONDS}"}


def authorization_server(options: Esignet) -> dict[str, Any]:
    """The OAuth 2 authorization server metadata (RFC 8414)."""
    issuer = options.url.rstrip("/")
    document: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": options.authorize_url or f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/v1/esignet/oauth/v2/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(words.ASSERTION_ALGORITHMS),
        "scopes_supported": list(words.SCOPE_CLAIMS),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
    }
    if options.generation == "1.6.1":
        return document | {
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["profile", "email", "phone"],
        }
    return document | {
        "pushed_authorization_request_endpoint": f"{issuer}/v1/esignet/oauth/par",
        "require_pushed_authorization_requests": False,
        "dpop_signing_alg_values_supported": list(words.DPOP_ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
    }


def openid_provider(options: Esignet, languages: tuple[str, ...]) -> dict[str, Any]:
    """The OpenID provider metadata (OpenID Connect Discovery §3); `languages` are those of the pages."""
    alg, enc = words.ENCRYPTION
    return authorization_server(options) | {
        "userinfo_endpoint": f"{options.url.rstrip('/')}/v1/esignet/oidc/userinfo",
        "acr_values_supported": list(words.FACTOR_OF_ACR),
        "subject_types_supported": ["pairwise"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "claims_supported": list(words.CLAIMS),
        "claims_locales_supported": list(LANGUAGES),
        "ui_locales_supported": list(languages),
        "display_values_supported": list(words.DISPLAYS),
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "userinfo_signing_alg_values_supported": list(words.SIGNING_ALGORITHMS),
        "userinfo_encryption_alg_values_supported": [alg],
        "userinfo_encryption_enc_values_supported": [enc],
        "id_token_signing_alg_values_supported": list(words.SIGNING_ALGORITHMS),
    }


def key_set(idp: Provider) -> dict[str, Any]:
    """The key that signs, then those of a rotation, each with its certificate's end as `exp` (reference §7.3)."""
    keys = jwks(*idp.ring.published)
    for key in keys["keys"]:
        certificate = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
        key["exp"] = int(certificate.not_valid_after_utc.timestamp())
    return keys


@get(["/v1/esignet/oidc/.well-known/openid-configuration", "/.well-known/openid-configuration"])
async def openid_configuration(idp: Idp) -> Response[dict[str, Any]]:
    """OpenID Connect Discovery."""
    return Response(openid_provider(idp.options, spoken(*PLACES)), headers=_OPEN)


@get(["/v1/esignet/oauth/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"])
async def oauth_authorization_server(idp: Idp) -> Response[dict[str, Any]]:
    """RFC 8414."""
    return Response(authorization_server(idp.options), headers=_OPEN)


@get(["/v1/esignet/oauth/.well-known/jwks.json", "/.well-known/jwks.json"])
async def jwks_document(idp: Idp) -> Response[dict[str, Any]]:
    """The keys that sign id_token, access token and userinfo."""
    return Response(key_set(idp), headers=_OPEN)
