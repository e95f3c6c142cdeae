"""`docs/reference/settings.md`, made from `janani.settings` so that code and page can't drift apart."""

import typing
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

from janani.settings import Section, Settings, Sync, Target

PAGE = Path("docs/reference/settings.md")

_HEAD = """# Settings

Made from `src/janani/settings.py` by `make docs`.

One TOML file (`$JANANI_HOME/janani.toml`) and environment variables, which win over the file. `JANANI_HOME` is the
data folder; every other key is `JANANI_<PART>__<KEY>`, for example `JANANI_RECORD__AUTHORIZATION=open`. A list is
written with commas. Unknown keys and wrong types are refused at start.
"""


def write() -> Path:
    """Writes the page below the current folder; gives its path."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return PAGE


def page() -> str:
    """The page as Markdown."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    sections = {name: kind for name, kind in hints.items() if isinstance(kind, type) and issubclass(kind, Section)}
    parts = [_HEAD, "\n## General\n\n", _table(Settings, leave_out=set(sections))]
    for name, kind in sections.items():
        parts += [f"\n## `[{name}]`\n\n{(kind.__doc__ or '').strip()}\n\n", _table(kind, prefix=name)]
        if kind is Sync:
            parts += [f"\n### `[[sync.targets]]`\n\n{(Target.__doc__ or '').strip()}\n\n", _table(Target)]
    return "".join(parts)


def _table(kind: type[Struct], *, prefix: str = "", leave_out: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    hints = typing.get_type_hints(kind, include_extras=True)
    rows = ["| key | environment | default | meaning |\n| --- | --- | --- | --- |\n"]
    for one in fields(kind):
        if one.name in leave_out:
            continue
        default = one.default if one.default is not NODEFAULT else one.default_factory
        default = default() if callable(default) else "(required)" if default is NODEFAULT else default
        variable = (
            "(file only)"
            if kind is Target
            else "JANANI_HOME"
            if one.name == "home"
            else f"JANANI_{prefix.upper() + '__' if prefix else ''}{one.name.upper()}"
        )
        rows.append(f"| `{one.name}` | `{variable}` | {_shown(default)} | {_meaning(hints[one.name])} |\n")
    return "".join(rows)


def _shown(default: Any) -> str:
    text = (
        ",".join(map(str, default))
        if isinstance(default, list)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return f"`{text}`" if text else "(empty)"


def _meaning(hint: Any) -> str:
    kind, *metas = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
    text = next((meta.description or "" for meta in metas if isinstance(meta, Meta)), "")
    choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
    return text + (" One of " + ", ".join(f"`{choice}`" for choice in choices) + "." if choices else "")
