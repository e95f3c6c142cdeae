"""What can go wrong on a page, in words for the person in front of it.

Problem
├─ NotFound          404: not there, or not hers to see
├─ ForeignForm       403: a form sent from another site
├─ Away              503: a service behind the page does not answer; nothing is lost
├─ LoginNeeded       303: to the portal's door, and back here afterwards
├─ NotSent           401: a form whose sender's session had ended; the page holds what was typed
└─ SentAlready       303: a form that was sent before with other answers; to the new one that holds these
"""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.response import Redirect

from janani.kernel import pages
from janani.kernel.i18n import _
from janani.kernel.problems import Problem

_PAGE_DEPTH = 4  # /<portal>/<kind>/<id>
_jinja = pages.environment("janani.portals")


class NotFound(Problem):
    """Not there, or not this person's: the page does not say which."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "")


class ForeignForm(Problem):
    """A form that another site sent."""

    def __init__(self) -> None:
        super().__init__(403, "foreign_form", "")


class Away(Problem):
    """A service behind the page does not answer. `text` says which and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(503, "away", text)


class LoginNeeded(Problem):
    """Nobody is logged in at `portal`; `then` is the page to go on with afterwards."""

    def __init__(self, portal: str, then: str = "") -> None:
        super().__init__(303, "login_needed", "")
        self.portal, self.then = portal, then


class NotSent(Problem):
    """A form came after the midwife's session had ended; `typed` is all that it sent."""

    def __init__(self, typed: dict[str, str]) -> None:
        super().__init__(401, "not_sent", "")
        self.typed = typed


class SentAlready(Problem):
    """A form came after it was sent with other answers; `page` has a new one with what it brought."""

    def __init__(self, page: str) -> None:
        super().__init__(303, "sent_already", "")
        self.page = page


def page_of(request: Request[Any, Any, Any]) -> str:
    """The page that a request belongs to: itself, of a form's request the page the form is on, of a login the first."""
    path = str(request.scope["path"])
    if path.endswith("/callback"):
        return "/" + path.split("/")[1]
    return path if request.method == "GET" else "/".join(path.split("/")[:_PAGE_DEPTH])


def render(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """The page that says it."""
    if isinstance(problem, LoginNeeded):
        then = f"?{urlencode({'then': problem.then})}" if problem.then else ""
        return Redirect(f"/{problem.portal}{then}", status_code=303)
    if isinstance(problem, SentAlready):
        return Redirect(problem.page, status_code=303)
    if isinstance(problem, NotSent):
        path = str(request.scope["path"])
        return pages.page(_jinja, "midwife_kept.html", status=problem.status, path=path, typed=problem.typed)
    return render_error(request, problem.status, problem.code, problem.text)


def render_error(request: Request[Any, Any, Any], status: int, code: str, text: str) -> Response[Any]:
    """The page for `status`; `text` is shown where it was written for people."""
    titles = {
        403: _("This was sent from another site"),
        404: _("There is no such page"),
        503: _("Something is away just now"),
    }
    words = {
        403: _("Nothing was changed. Please open the page again and repeat it there."),
        404: _("It may have been moved, or it is not yours to see."),
    }
    title = titles.get(status, _("That did not work"))
    shown = (
        text
        if code not in ("http", "internal") and text
        else words.get(status, _("Nothing was lost. Please try again."))
    )
    again = page_of(request) if status == 503 else ""
    return pages.page(_jinja, "problem.html", status=status, title=title, text=shown, again=again)
