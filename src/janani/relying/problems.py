"""The relying party's one error family: `{"error", "message", "hint"}` with the right status.

RelyingProblem
├─ Unauthorised       401  the Route's token is missing or wrong
├─ NoSuchClient       404  keys of a client that is not ours
├─ BadRequest         400  the call itself is wrong: `bad_request`, `other_client`, `other_redirect_uri`,
│                           `state_unknown`
└─ NotVerified        400, 502, 503  the provider refused, can't be trusted, or is away (codes of clients.oidc)

Messages carry nothing personal, no code and no token, whatever went wrong.
"""

from typing import Any

from litestar import Request, Response

from janani.clients.oidc import OidcError
from janani.kernel.i18n import _
from janani.kernel.problems import Problem

RETRY_SECONDS = 30


class RelyingProblem(Problem):
    """A refusal, with a hint what to do."""

    def __init__(self, status: int, code: str, text: str, hint: str = "") -> None:
        super().__init__(status, code, text)
        self.hint = hint


class Unauthorised(RelyingProblem):
    """Called without the token that the registry's Route presents."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "unauthorized",
            _("This service answers the registry only."),
            _("Set the Route's auth to api-token with the token of this installation (file relying-token)."),
        )


class NoSuchClient(RelyingProblem):
    """The keys of a client that is not ours were asked for."""

    def __init__(self) -> None:
        super().__init__(404, "unknown_client", _("There is no such client here."), "")


class BadRequest(RelyingProblem):
    """The call is wrong as it stands."""

    def __init__(self, code: str, text: str, hint: str = "") -> None:
        super().__init__(400, code, text, hint)


class NotVerified(RelyingProblem):
    """The identity provider gave no identity that can be trusted."""

    def __init__(self, error: OidcError) -> None:
        # A code that was refused, or a stop by the person, is the browser's matter; all else is between the services.
        status = 503 if error.retryable else 400 if error.code in ("code_refused", "access_refused") else 502
        hint = (
            _("Go on without verification; it can be done at the next visit.")
            if error.retryable
            else _("Start the verification again.")
            if status == 400
            else ""
        )
        super().__init__(status, error.code, error.text, hint)


def render(_request: Request[Any, Any, Any], problem: RelyingProblem) -> Response[Any]:
    """`problem` on the wire."""
    headers = {"cache-control": "no-store"}
    if problem.status == 401:
        headers["www-authenticate"] = "ApiToken"
    if problem.status == 503:
        headers["retry-after"] = str(RETRY_SECONDS)
    return _body(problem.status, problem.code, problem.text, problem.hint, headers)


def render_unforeseen(_request: Request[Any, Any, Any], status: int, code: str, text: str) -> Response[Any]:
    """No such path, wrong method, or a bug."""
    return _body(status, code, text, "", {"cache-control": "no-store"})


def _body(status: int, code: str, text: str, hint: str, headers: dict[str, str]) -> Response[Any]:
    return Response({"error": code, "message": text, "hint": hint}, status_code=status, headers=headers)
