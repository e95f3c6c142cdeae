"""The language of a page: as chosen on any page of the portals before, else what the browser asks for.

Each portal offers the languages in which all its own pages say is translated.
"""

from typing import Any

from litestar import Request
from litestar.response import Redirect

from janani.kernel import pages
from janani.portals.problems import page_of
from janani.portals.state import state_of

COOKIE = "janani_portals_language"
_EVERYWHERE = (
    "kernel/pages/",
    "portals/pages/problem.html",
    "portals/pages/welcome.html",
    "portals/oauth.py",
    "portals/problems.py",
    "portals/record_access.py",
    "programmes/",
)
PLACES = {
    "": (*_EVERYWHERE, "portals/pages/home.html"),
    "mother": (*_EVERYWHERE, "portals/mother/", "portals/pages/mother_"),
    "midwife": (*_EVERYWHERE, "portals/midwife/", "portals/pages/midwife_", "portals/pages/parts.html"),
    "doctor": (*_EVERYWHERE, "portals/doctor/", "portals/pages/doctor_", "portals/pages/charts.html"),
}
"""Where the words of each portal's pages stand, by the first part of its addresses."""


def speak(request: Request[Any, Any, Any]) -> Redirect | None:
    """Before every request: chooses its language; keeps a choice made just now and goes on to the page."""
    secure = state_of(request).settings.portals.url.startswith("https://")
    portal = str(request.scope["path"]).split("/")[1]
    places = PLACES.get(portal, PLACES[""])
    page = page_of(request) if request.method != "GET" or str(request.scope["path"]).endswith("/callback") else ""
    return pages.speak(request, *places, cookie=COOKIE, secure=secure, page=page)
