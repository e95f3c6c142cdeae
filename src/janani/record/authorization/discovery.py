"""What the authorization server says of itself (SMART App Launch 2.2 §conformance, RFC 8414, RFC 7517)."""

from typing import Any

from litestar import Request, Response, get

from janani.kernel.jose import jwks
from janani.record.authorization.clients import ALGORITHMS
from janani.record.authorization.scopes import PLAIN
from janani.record.authorization.service import Authorization

_OPEN = {"access-control-allow-origin": "*", "cache-control": "public, max-age=300"}
_CAPABILITIES = [
    "client-confidential-asymmetric",
    "context-standalone-patient",
    "launch-standalone",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "sso-openid-connect",
]


def configuration(authorization: Authorization) -> dict[str, Any]:
    """The metadata of the authorization server; the same for SMART and OpenID Connect."""
    url = authorization.url
    return {
        "issuer": url,
        "jwks_uri": f"{url}/jwks",
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "introspection_endpoint": f"{url}/introspect",
        "revocation_endpoint": f"{url}/revoke",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*PLAIN, "user/*.cruds", "patient/*.rs", "system/*.cruds"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "authorization_response_iss_parameter_supported": True,
        "capabilities": _CAPABILITIES,
    }


@get(["/fhir/.well-known/smart-configuration", "/auth/.well-known/openid-configuration"])
async def smart_configuration(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The metadata, open to every origin."""
    return Response(configuration(request.app.state.authorization), headers=_OPEN)


@get("/auth/jwks")
async def keys(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The keys that sign the tokens, and with which the record signs in at eSignet."""
    return Response(jwks(request.app.state.authorization.key), headers=_OPEN)
