"""The PHN authority's one error family: a FHIR OperationOutcome with the right status.

PhnProblem
├─ Unauthorised   401 login           the Route's token is missing or wrong
├─ Unreadable     400 structure       no Patient or Parameters in JSON
├─ Refused        4xx                 its code says why (invalid, required, not-supported, duplicate, conflict, value)
└─ NotFound       404 not-found
"""

from typing import Any

from litestar import Request, Response

from janani.kernel.i18n import _
from janani.kernel.problems import Problem

FHIR_JSON = "application/fhir+json"


class PhnProblem(Problem):
    """A refusal; `code` is of FHIR's issue-type value set, `detail` a stable word of our own."""

    def __init__(self, status: int, code: str, text: str, detail: str = "", expression: str = "") -> None:
        super().__init__(status, code, text)
        self.detail, self.expression = detail, expression


class Unauthorised(PhnProblem):
    """Called without the token that the registry's Route presents."""

    def __init__(self) -> None:
        super().__init__(401, "login", _("This service answers the registry only."))


class Unreadable(PhnProblem):
    """The body is not what the interaction takes."""

    def __init__(self, text: str, expression: str = "") -> None:
        super().__init__(400, "structure", text, expression=expression)


class Refused(PhnProblem):
    """A request that could be read and won't be done."""


class NotFound(PhnProblem):
    """Nobody there."""

    def __init__(self) -> None:
        super().__init__(404, "not-found", _("Nobody is known under this."))


# Issue types of what Litestar refuses itself.
_CODES = {404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def render(_request: Request[Any, Any, Any], problem: PhnProblem) -> Response[Any]:
    """`problem` on the wire."""
    issue: dict[str, Any] = {"severity": "error", "code": problem.code, "diagnostics": problem.text}
    if problem.detail:
        issue["details"] = {"coding": [{"code": problem.detail}], "text": problem.text}
    if problem.expression:
        issue["expression"] = [problem.expression]
    headers = {"www-authenticate": "ApiToken"} if problem.status == 401 else {}
    return outcome(issue, problem.status, headers)


def render_unforeseen(_request: Request[Any, Any, Any], status: int, _code: str, text: str) -> Response[Any]:
    """No such path, wrong method, or a bug."""
    code = _CODES.get(status, "exception" if status >= 500 else "processing")
    return outcome({"severity": "error", "code": code, "diagnostics": text}, status, {})


def outcome(issue: dict[str, Any], status: int, headers: dict[str, str]) -> Response[Any]:
    """An OperationOutcome with this issue."""
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)
