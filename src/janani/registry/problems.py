"""The registry's one error family: refusals that become a DHIS2 WebMessage (Web API, "Web messages").

Problem
└─ Refusal       400 … 504, with the E code DHIS2 uses for it
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import asyncpg
from litestar import Request, Response
from litestar.response import Redirect

from janani.kernel.problems import Problem
from janani.kernel.telemetry import log

_DEFAULT_CODES = {400: "E1003", 403: "E1006", 404: "E1005", 409: "E1004"}


class Refusal(Problem):
    """A refusal in DHIS2's words. `code` defaults to DHIS2's own for the status; `response` is the typed detail."""

    def __init__(self, status: int, text: str, code: str = "", *, response: dict[str, Any] | None = None) -> None:
        super().__init__(status, code or _DEFAULT_CODES.get(status, ""), text)
        self.response = response


def not_found(kind: str, uid: str) -> Refusal:
    """The object is not there, or not visible to who asks."""
    return Refusal(404, f"{kind} with id {uid} could not be found.")


def web_message(
    status: int, text: str = "", *, code: str = "", state: str = "", response: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The WebMessage envelope; members that say nothing are left out."""
    message: dict[str, Any] = {
        "httpStatus": HTTPStatus(status).phrase,
        "httpStatusCode": status,
        "status": state or ("OK" if status < 400 else "ERROR"),
    }
    optional = {"message": text, "errorCode": code, "response": response}
    return message | {key: value for key, value in optional.items() if value}


def render(request: Request[Any, Any, Any], problem: Refusal) -> Response[dict[str, Any]] | Redirect:
    """The HTTP answer of `problem`. A person in a browser who is not logged in is sent to the login page."""
    navigating = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if problem.status == 401 and navigating and "authorization" not in request.headers:
        here = f"{request.scope['path']}?{request.scope['query_string'].decode()}".rstrip("?")
        return Redirect(f"/login?{urlencode({'then': here})}")
    body = web_message(problem.status, problem.text, code=problem.code, response=problem.response)
    return Response(body, status_code=problem.status)


def render_error(_request: Request[Any, Any, Any], status: int, _code: str, text: str) -> Response[dict[str, Any]]:
    """The HTTP answer of an error nobody raised by name: no such route, unreadable body, a bug."""
    return Response(web_message(status, text, code=_DEFAULT_CODES.get(status, "")), status_code=status)


UNSTORABLE = (asyncpg.DataError, RecursionError)
"""Text or numbers that no database holds (a NUL character), or nesting without end."""


def render_unstorable(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The HTTP answer to an `UNSTORABLE` error; logged by its kind, as it might be ours."""
    log("registry").warning("unstorable", route=_route(request), reason=type(error).__name__)
    text = "A value can't be stored or compared: a NUL character, a number out of range, or nested too deep."
    return render_error(request, 400, "", text)


AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""The database does not answer, or not in time."""


def render_away(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The HTTP answer while the database is away: the same request may succeed later."""
    log("registry").warning("database_away", route=_route(request), reason=type(error).__name__)
    answer = render_error(request, 503, "", "The registry can't be reached at the moment. Please try again.")
    answer.headers["retry-after"] = "5"
    return answer


def _route(request: Request[Any, Any, Any]) -> str:
    return str(request.scope.get("path_template") or "")
