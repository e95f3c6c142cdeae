"""What a person sees who opens the registry in a browser, and the old addresses of DHIS2's pages."""

from typing import Any
from urllib.parse import urlencode

from litestar import HttpMethod, Request, Response, get, route
from litestar.response import Redirect

from janani.kernel import i18n, pages
from janani.registry.access import session_account, state_of, user_named
from janani.registry.oauth_ends import close_session

_Request = Request[Any, Any, Any]
_jinja = pages.environment("janani.registry")
_LOGIN_PAGES = ["/dhis-web-login", "/dhis-web-login/index.html", "/dhis-web-commons/security/login.action"]


async def speak(request: _Request) -> None:
    """Chooses the language of pages and messages: `ui_locales`, else what the browser asks for."""
    accepted = i18n.accepted(request.headers.get("accept-language", ""))
    wanted = [*request.query_params.get("ui_locales", "").split(), *accepted]
    i18n.use(i18n.choose(wanted, "registry/", "clients/", "kernel/pages/"))


@get(["/", "/dhis-web-dashboard"], summary="Home page")
async def home(request: _Request) -> Response[str] | Redirect:
    """Who is logged in, and where to go from here; the login page to everybody else."""
    account = await session_account(request)
    user = await user_named(request, account) if account else None
    if user is None:
        return Redirect("/login")
    settings = state_of(request).settings
    return pages.page(
        _jinja,
        "home.html",
        name=f"{user.first_name} {user.surname}".strip(),
        portal=f"{settings.portals.url}/midwife",
        administrator=user.has("ALL"),
    )


@get(_LOGIN_PAGES, summary="Login page at DHIS2's addresses")
async def login_pages(request: _Request) -> Redirect:
    """Goes on to our own."""
    then = request.query_params.get("then", "")
    return Redirect(f"/login?{urlencode({'then': then})}" if then else "/login")


@route(
    "/dhis-web-commons-security/logout.action",
    http_method=[HttpMethod.GET, HttpMethod.POST],
    status_code=303,
    summary="Log out at DHIS2's address",
)
async def log_out(request: _Request) -> Redirect:
    """Closes this browser's session."""
    return await close_session(request, "/login")


handlers = [home, login_pages, log_out]
