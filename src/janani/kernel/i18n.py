"""Languages: gettext catalogues read from `locale/<language>/janani.po`, chosen per request.

In Python: `_("text")`; in templates the same. `pybabel extract` finds both (`make messages`).
"""

import gettext
import io
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "si", "ta")
NAMES = {"en": "English", "si": "සිංහල", "ta": "தமிழ்"}
"""What each language calls itself."""
_language: ContextVar[str] = ContextVar("language", default="en")


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The messages of `language`; those it lacks are given as written in the code."""
    path = files("janani") / "locale" / language / "janani.po"
    if not path.is_file():
        return gettext.NullTranslations()
    binary = io.BytesIO()
    write_mo(binary, read_po(io.BytesIO(path.read_bytes()), locale=language))
    binary.seek(0)
    return gettext.GNUTranslations(binary)


@cache
def spoken(*places: str) -> tuple[str, ...]:
    """English, and the languages in which everything is translated: only these are offered to people.

    Args:
        places: beginnings of paths below `janani` ("esignet/"), where only what is said there counts; none: everywhere.
    """

    def counts(paths: tuple[str, ...]) -> bool:
        return not places or any(path.startswith(places) for path in paths)

    def translated(language: str) -> bool:
        return all(done for paths, done in _translated(language) if counts(paths))

    return ("en", *(language for language in LANGUAGES if language != "en" and translated(language)))


@cache
def _translated(language: str) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Of each message, in which files it stands and whether it is translated."""
    text = (files("janani") / "locale" / language / "janani.po").read_bytes()
    # A plural has a tuple of strings, empty ones until it is translated.
    return tuple(
        (tuple(path for path, _ in message.locations), bool(message.string and all(message.string)))
        for message in read_po(io.BytesIO(text), locale=language)
        if message.id
    )


def choose(wanted: Iterable[str], *places: str) -> str:
    """The first of `wanted` (BCP 47 tags, best first) that is `spoken` at `places`, else English."""
    available = (tag.split("-")[0].lower() for tag in wanted)
    return next((language for language in available if language in spoken(*places)), "en")


def accepted(header: str) -> list[str]:
    """The tags of an `Accept-Language`, in its order."""
    return [tag for part in header.split(",") if (tag := part.partition(";")[0].strip())]


def use(language: str) -> None:
    """Speaks `language` for the rest of this request."""
    _language.set(language)


def current() -> str:
    """The language of this request."""
    return _language.get()


def _(text: str) -> str:
    """`text` in the language of this request."""
    return catalogue(_language.get()).gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """`one` or `many`, whichever suits `count`, in the language of this request."""
    return catalogue(_language.get()).ngettext(one, many, count)
