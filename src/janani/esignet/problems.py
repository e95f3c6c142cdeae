"""eSignet's error families, raised anywhere in this part and rendered here (reference §1.1, §5.4, §6.1).

EsignetProblem
├─ Refused           envelope, HTTP 200, one or more codes        /client-mgmt, /authorization, the identity system
├─ Unauthorised      HTTP 401, envelope                            client management without its token
├─ CsrfFailed        HTTP 403                                      unsafe call without cookie or header
├─ TokenRefused      HTTP 400, OAuth 2 error                       /oauth
└─ UserinfoRefused   status and WWW-Authenticate, empty body       /oidc/userinfo

`reason` says more than the wire may, to the audit trail only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response

from janani.esignet.envelope import Fault, failure
from janani.kernel.problems import Problem

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
# The token endpoint says these codes aloud; every other becomes invalid_request (reference §5.4).
_OAUTH_CODES = (
    "invalid_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_grant",
    "invalid_request",
    "use_dpop_nonce",
    "invalid_dpop_proof",
    "payload_too_large",
    "unknown_error",
)


class EsignetProblem(Problem):
    """A refusal in one of eSignet's forms."""

    reason = ""


class Refused(EsignetProblem):
    """Envelope errors with HTTP 200: one code, or the faults of several fields."""

    def __init__(self, code: str, faults: Sequence[Fault] = (), *, reason: str = "") -> None:
        super().__init__(200, code, code)
        self.faults = tuple(faults) or (Fault(code),)
        self.reason = reason


class Unauthorised(EsignetProblem):
    """Client management was called without its bearer token."""

    def __init__(self) -> None:
        super().__init__(401, "invalid_token", "This needs the bearer token of client management.")


class CsrfFailed(EsignetProblem):
    """The XSRF-TOKEN cookie and the X-XSRF-TOKEN header are not both there and equal."""

    def __init__(self) -> None:
        super().__init__(403, "Forbidden", "Forbidden")


class TokenRefused(EsignetProblem):
    """An OAuth 2 error of the token or PAR endpoint; the internal code stands in the description.

    Args:
        old: what release 1.6.1 calls it, where it differs, and `old_status` its HTTP status (reference §5.4).
    """

    def __init__(
        self,
        code: str,
        *,
        reason: str = "",
        old: str = "",
        old_status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(400, code, code)
        self.reason, self.old, self.old_status, self.headers = reason, old or code, old_status, dict(headers or {})


class UserinfoRefused(EsignetProblem):
    """An error of userinfo: a status, `error="…"` in WWW-Authenticate (after `scheme` if given), no body."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        reason: str = "",
        scheme: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, code)
        self.reason, self.scheme, self.headers = reason, scheme, dict(headers or {})


def render(problem: EsignetProblem, now: datetime, *, old: bool = False) -> Response[Any]:
    """`problem` in its protocol's form; with `old` as release 1.6.1 words it."""
    match problem:
        case Refused():
            return _json(failure(problem.faults, now), 200)
        case TokenRefused() if old:
            description = problem.code if problem.old == "invalid_input" else problem.old
            return _oauth(problem.old, description, problem.old_status, problem.headers)
        case TokenRefused():
            error = problem.code if problem.code in _OAUTH_CODES else "invalid_request"
            return _oauth(error, problem.code, problem.status, problem.headers)
        case UserinfoRefused():
            challenge = f'{problem.scheme} error="{problem.code}"'.strip()
            headers = {"www-authenticate": challenge, **problem.headers}
            return Response(b"", status_code=problem.status, headers=headers, media_type=MediaType.TEXT)
        case Unauthorised():
            return _json(failure([Fault(problem.code)], now), 401, {"www-authenticate": "Bearer"})
        case _:
            return _json(failure([Fault(problem.code)], now), problem.status)


def render_unforeseen(
    request: Request[Any, Any, Any], status: int, code: str, text: str, now: datetime
) -> Response[Any]:
    """No such path, wrong method, body too large, or a bug, in the form of the path's protocol."""
    path = request.scope["path"]
    if "/oauth/" in path and ".well-known" not in path:
        error = {413: "payload_too_large", 500: "unknown_error"}.get(status, "invalid_request")
        return _oauth(error, error, status, {})
    if path.endswith("/oidc/userinfo"):
        return render(UserinfoRefused(status, "Method Not Allowed" if status == 405 else "unknown_error"), now)
    if status >= 500 and path.startswith("/v1/"):
        return _json(failure([Fault("unknown_error")], now), 200)
    body = {"type": "about:blank", "title": text, "status": status, "instance": path}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/problem+json")


def _oauth(error: str, description: str, status: int, headers: Mapping[str, str]) -> Response[Any]:
    body = msgspec.json.encode({"error": error, "error_description": description})
    return _json(body, status, {**_NO_STORE, **headers})


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response[Any]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)
