"""The record's one error family: refusals that become an OperationOutcome (FHIR R4 §http 3.1.0.1.5).

Problem
└─ FhirProblem      one refusal: HTTP status, issue code, sentence, place
   └─ Invalid       422, every fault that validation found
"""

from collections.abc import Sequence
from typing import Any, Literal

import asyncpg
import msgspec
from litestar import Request, Response
from msgspec import Struct

from janani.kernel.problems import Problem
from janani.kernel.telemetry import log

FHIR_JSON = "application/fhir+json;charset=utf-8"
Severity = Literal["fatal", "error", "warning", "information"]


class Issue(Struct, frozen=True):
    """One finding: `code` of value set issue-type, `expression` a FHIRPath place ("Patient.name[0]") or empty."""

    severity: Severity
    code: str
    diagnostics: str
    expression: str = ""


class FhirProblem(Problem):
    """A refusal in FHIR's words. No personal data in `diagnostics`.

    Args:
        status: the HTTP status.
        issue_code: of value set issue-type: not-found, deleted, conflict, not-supported, forbidden, login …
        headers: further response headers (WWW-Authenticate, Retry-After).
    """

    def __init__(
        self,
        status: int,
        issue_code: str,
        diagnostics: str,
        expression: str = "",
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, issue_code, diagnostics)
        self.issues: Sequence[Issue] = (Issue("error", issue_code, diagnostics, expression),)
        self.headers = headers or {}


class Invalid(FhirProblem):
    """What was sent breaks R4 or a profile it claims; answers 422 with every issue."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        first = next((issue for issue in issues if issue.severity in ("fatal", "error")), issues[0])
        super().__init__(422, first.code, first.diagnostics, first.expression)
        self.issues = issues


def outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    """The OperationOutcome resource of `issues` (at least one)."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def render(_request: Request[Any, Any, Any], problem: FhirProblem) -> Response[bytes]:
    """The HTTP answer of `problem`."""
    return _answer(problem.status, problem.issues, problem.headers)


def render_error(_request: Request[Any, Any, Any], status: int, _code: str, text: str) -> Response[bytes]:
    """The HTTP answer of an error nobody raised by name: no such route, unreadable body, a bug."""
    codes = {400: "structure", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 413: "too-long"}
    code = codes.get(status, "exception" if status >= 500 else "processing")
    return _answer(status, (Issue("error", code, text),), {})


AWAY = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, OSError, TimeoutError)
"""The database does not answer, or not in time."""


def render_away(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The HTTP answer while the database is away: the same request may succeed later."""
    log("record").warning("database_away", path=request.scope["path"].split("/")[:3], reason=type(error).__name__)
    issue = Issue("error", "transient", "The record can't be reached at the moment. Please try again.")
    return _answer(503, (issue,), {"retry-after": "5"})


UNSTORABLE = (asyncpg.DataError, RecursionError)
"""Text or numbers that no database holds (a NUL character), or nesting without end."""


def unstorable() -> FhirProblem:
    """What an `UNSTORABLE` error is in FHIR's words."""
    text = "A value can't be stored: a NUL character, a number out of range, or nested too deep."
    return FhirProblem(400, "value", text)


def render_unstorable(request: Request[Any, Any, Any], _error: Exception) -> Response[bytes]:
    """The HTTP answer to an `UNSTORABLE` error."""
    return render(request, unstorable())


def _answer(status: int, issues: Sequence[Issue], headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(outcome(issues)), status_code=status, media_type=FHIR_JSON, headers=headers)


def _issue(issue: Issue) -> dict[str, Any]:
    said: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.diagnostics}
    if issue.expression:
        said["expression"] = [issue.expression]
    return said
