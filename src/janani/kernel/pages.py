"""HTML pages: a Jinja environment for a part's own templates, and the assets built from npm packages."""

from contextvars import ContextVar
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from janani.kernel import i18n

ASSETS = Path(str(files("janani.kernel"))) / "static"
_REMEMBERED_SECONDS = 365 * 24 * 3600
_switch: ContextVar[tuple[tuple[str, str, str], ...]] = ContextVar("switch", default=())


def speak(request: Request[Any, Any, Any], *places: str, cookie: str, secure: bool, page: str = "") -> Redirect | None:
    """Chooses the page's language: as was chosen in this browser before, else what it asks for.

    `?ui_locales=si` on any page is the choice: it is kept in `cookie`, and the browser sent on to the page itself.

    Args:
        places: where everything must be translated before a language is offered (`i18n.spoken`).
        page: the path that the links to the other languages lead to, if not the one asked for.
    """
    path = "/" + str(request.scope["path"]).lstrip("/\\")
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "ui_locales"]
    here = f"{page or path}?{urlencode(query)}" if query and not page else page or path
    chosen = i18n.choose(request.query_params.get("ui_locales", "").split(), *places)
    if "ui_locales" in request.query_params and request.method == "GET":
        kept = Cookie(key=cookie, value=chosen, path="/", max_age=_REMEMBERED_SECONDS, samesite="lax", secure=secure)
        kept.httponly = True
        return Redirect(here, status_code=303, cookies=[kept])
    accepted = i18n.accepted(request.headers.get("accept-language", ""))
    i18n.use(i18n.choose(filter(None, [request.cookies.get(cookie, ""), *accepted]), *places))
    spoken, joint = i18n.spoken(*places), "&" if "?" in here else "?"
    links = tuple((code, i18n.NAMES[code], f"{here}{joint}ui_locales={code}") for code in spoken)
    _switch.set(links if len(spoken) > 1 else ())
    return None


def environment(package: str) -> Environment:
    """The templates of `package` (its folder `pages/`), with those of the kernel (`base.html`) behind them.

    HTML is escaped; an undefined name is an error; `_`, `ngettext`, `language()` and `switch()` are there.
    """
    jinja = Environment(
        loader=ChoiceLoader([PackageLoader(package, "pages"), PackageLoader("janani.kernel", "pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.add_extension("jinja2.ext.i18n")
    jinja.install_gettext_callables(i18n._, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    jinja.globals["language"] = i18n.current
    jinja.globals["switch"] = _switch.get
    jinja.filters["day"] = day
    return jinja


def day(value: date | datetime | str | None) -> str:
    """A date as people write it, in the language of this request: "4 Nov 2026", "2026 නොවැ 4", "4 நவ., 2026".

    Text that is no date stays as it is.
    """
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value[:10])
        except ValueError:
            return str(value)
    language = i18n.current()
    # "en" alone would be the United States' way.
    return format_date(value, "d MMM y" if language == "en" else "medium", locale=language) if value else ""


def page(jinja: Environment, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """The rendered `template` as an HTML response."""
    return Response(jinja.get_template(template).render(**values), status_code=status, media_type=MediaType.HTML)


def assets() -> Any:
    """The route `/assets/…` that serves the built styles, scripts and fonts."""
    return create_static_files_router(path="/assets", directories=[ASSETS], include_in_schema=False)
