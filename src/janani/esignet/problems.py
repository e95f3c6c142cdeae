"""eSignet's error families, raised anywhere in this part and rendered here (reference §1.1, §5.4, §6.1).

EsignetProblem
├─ Refused           envelope, HTTP 200, one or more codes        /client-mgmt, /authorization
├─ Unauthorised      HTTP 401, envelope                            client management without its token
├─ CsrfFailed        HTTP 403                                      unsafe call without cookie or header
├─ TokenRefused      HTTP 400, OAuth 2 error                       /oauth
└─ UserinfoRefused   status and WWW-Authenticate, empty body       /oidc/userinfo
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response

from janani.esignet.envelope import Fault, failure
from janani.kernel.problems import Problem

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
# The token endpoint says these codes aloud; every other becomes invalid_request (reference §5.4).
_OAUTH_CODES = ("invalid_client", "unsupported_grant_type", "invalid_scope", "invalid_grant", "unknown_error")


class EsignetProblem(Problem):
    """A refusal in one of eSignet's forms."""


class Refused(EsignetProblem):
    """Envelope errors with HTTP 200: one code, or the faults of several fields."""

    def __init__(self, code: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(200, code, code)
        self.faults = tuple(faults) or (Fault(code),)


class Unauthorised(EsignetProblem):
    """Client management was called without its bearer token."""

    def __init__(self) -> None:
        super().__init__(401, "invalid_token", "This needs the bearer token of client management.")


class CsrfFailed(EsignetProblem):
    """The XSRF-TOKEN cookie and the X-XSRF-TOKEN header are not both there and equal."""

    def __init__(self) -> None:
        super().__init__(403, "Forbidden", "Forbidden")


class TokenRefused(EsignetProblem):
    """An OAuth 2 error of the token endpoint; the internal code stands in the description."""

    def __init__(self, code: str, *, status: int = 400) -> None:
        super().__init__(status, code, code)


class UserinfoRefused(EsignetProblem):
    """An error of userinfo: a status, `error="…"` in WWW-Authenticate, no body."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code, code)


def render(problem: EsignetProblem, now: datetime) -> Response[Any]:
    """`problem` in its protocol's form."""
    match problem:
        case Refused():
            return _json(failure(problem.faults, now), 200)
        case TokenRefused():
            return _oauth(problem.code, problem.status)
        case UserinfoRefused():
            headers = {"www-authenticate": f'error="{problem.code}"'}
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
        error = {405: "invalid_request", 413: "payload_too_large", 500: "unknown_error"}.get(status, "invalid_request")
        return _oauth(error, status)
    if path.endswith("/oidc/userinfo"):
        return render(UserinfoRefused(status, "Method Not Allowed" if status == 405 else "unknown_error"), now)
    if status >= 500 and path.startswith("/v1/esignet/"):
        return _json(failure([Fault("unknown_error")], now), 200)
    body = {"type": "about:blank", "title": text, "status": status, "instance": path}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/problem+json")


def _oauth(code: str, status: int) -> Response[Any]:
    error = code if code in (*_OAUTH_CODES, "invalid_request", "payload_too_large") else "invalid_request"
    return _json(msgspec.json.encode({"error": error, "error_description": code}), status, _NO_STORE)


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response[Any]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)
