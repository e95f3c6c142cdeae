"""HTML pages: a Jinja environment for a part's own templates, and the assets built from npm packages."""

from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.dates import format_date
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response
from litestar.static_files import create_static_files_router

from janani.kernel import i18n

ASSETS = Path(str(files("janani.kernel"))) / "static"


def environment(package: str) -> Environment:
    """The templates of `package` (its folder `pages/`), with those of the kernel (`base.html`) behind them.

    HTML is escaped; an undefined name is an error; `_`, `ngettext` and `language()` are there.
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
    jinja.filters["day"] = day
    return jinja


def day(value: date | datetime | str | None) -> str:
    """A date as people write it, in the language of this request: "4 Nov 2026". Text that is no date stays as it is."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value[:10])
        except ValueError:
            return str(value)
    return format_date(value, "d MMM y", locale=i18n.current()) if value else ""


def page(jinja: Environment, template: str, *, status: int = 200, **values: Any) -> Response[str]:
    """The rendered `template` as an HTML response."""
    return Response(jinja.get_template(template).render(**values), status_code=status, media_type=MediaType.HTML)


def assets() -> Any:
    """The route `/assets/…` that serves the built styles, scripts and fonts."""
    return create_static_files_router(path="/assets", directories=[ASSETS], include_in_schema=False)
