"""Errors of the sync's operations pages: a page for browsers, else `{"error", "message"}` with the right status."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.response import Redirect

from janani.kernel import pages
from janani.kernel.i18n import _
from janani.kernel.problems import Problem

_jinja = pages.environment("janani.sync")
_Request = Request[Any, Any, Any]


class SyncProblem(Problem):
    """A refusal of an operator's request."""


class NotAllowed(SyncProblem):
    """Called without the operator's token."""

    def __init__(self) -> None:
        super().__init__(401, "unauthorized", "Send the token of the file sync-token: Authorization: Bearer …")


class LoginNeeded(SyncProblem):
    """A browser in which nobody is logged in; `then` is the page to go on with afterwards."""

    def __init__(self, then: str) -> None:
        super().__init__(303, "login_needed", "")
        self.then = then


class NotLoggedIn(SyncProblem):
    """A login that did not succeed. Its text is for people."""

    def __init__(self, text: str) -> None:
        super().__init__(403, "not_logged_in", text)


class ForeignForm(SyncProblem):
    """A change that another site asks for."""

    def __init__(self) -> None:
        super().__init__(403, "foreign_form", "Sent from another site; nothing was changed.")


class NotSetAside(SyncProblem):
    """Nobody of that name was set aside."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "Nobody with that id was set aside.")


class NothingSetAside(SyncProblem):
    """No such document was set aside on the way back."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "No document of that name was set aside.")


class NoSuchTarget(SyncProblem):
    """The settings name no such target."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "There is no target of that name. `janani sync status` lists them.")


class NoTable(SyncProblem):
    """The programme is mapped by a script: nothing says which resources of the record are the sync's."""

    def __init__(self) -> None:
        super().__init__(
            409, "no_table", "Only what mapping.yaml maps can be compared; this programme's mapper is a script."
        )


class NoSuchProgramme(SyncProblem):
    """The registry has no such programme, or keeps it from the sync's user."""

    def __init__(self) -> None:
        super().__init__(
            404, "not_found", "The registry has no programme of that UID, or the sync's user may not see it."
        )


class Busy(SyncProblem):
    """One reconciliation runs already."""

    def __init__(self) -> None:
        super().__init__(409, "busy", "A reconciliation runs already: GET /reconciliation says how far it is.")


class NotOpen(SyncProblem):
    """No such conflict is open, or the answer is neither side."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "No such conflict is open; keep is 'registry' or 'record'.")


def render(request: _Request, problem: SyncProblem) -> Response[Any]:
    """The one rendering of the family."""
    if isinstance(problem, LoginNeeded):
        return Redirect(f"/login?{urlencode({'then': problem.then})}", status_code=303)
    answer = render_unforeseen(request, problem.status, problem.code, problem.text)
    if problem.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


def render_unforeseen(request: _Request, status: int, code: str, text: str) -> Response[Any]:
    """Errors nobody raised by name, too."""
    if "text/html" in request.headers.get("accept", ""):
        words = _("Nothing was lost. Please try again.") if code in ("http", "internal") else text
        title = _("You are not logged in") if code == "not_logged_in" else _("That did not work")
        return pages.page(_jinja, "sync_problem.html", status=status, title=title, text=words)
    return Response({"error": code, "message": text}, status_code=status)
