"""Errors of the sync's operations pages: `{"error", "message"}` with the right status."""

from typing import Any

from litestar import Request, Response

from janani.kernel.problems import Problem


class SyncProblem(Problem):
    """A refusal of an operator's request."""


class NotAllowed(SyncProblem):
    """Called without the operator's token."""

    def __init__(self) -> None:
        super().__init__(401, "unauthorized", "Send the token of the file sync-token: Authorization: Bearer …")


class NotSetAside(SyncProblem):
    """Nobody of that name was set aside."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "Nobody with that id was set aside.")


class NoSuchTarget(SyncProblem):
    """The settings name no such target."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "There is no target of that name. `janani sync status` lists them.")


class Busy(SyncProblem):
    """One reconciliation runs already."""

    def __init__(self) -> None:
        super().__init__(409, "busy", "A reconciliation runs already: GET /reconciliation says how far it is.")


class NotOpen(SyncProblem):
    """No such conflict is open, or the answer is neither side."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "No such conflict is open; keep is 'registry' or 'record'.")


def render(_: Request[Any, Any, Any], problem: SyncProblem) -> Response[dict[str, str]]:
    """The one rendering of the family."""
    headers = {"www-authenticate": "Bearer"} if problem.status == 401 else None
    body = {"error": problem.code, "message": problem.text}
    return Response(body, status_code=problem.status, headers=headers)


def render_unforeseen(_: Request[Any, Any, Any], status: int, code: str, text: str) -> Response[dict[str, str]]:
    """Errors nobody raised by name."""
    return Response({"error": code, "message": text}, status_code=status)
