"""The pages say what the code does: settings, commands, parts, secrets and links."""

import re
from pathlib import Path

import pytest

from janani import cli
from janani.settings import PARTS
from janani.settings_page import page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_SECRET = re.compile(r'"([a-z][a-z-]*(?:\.pem|-token|-password|-key|-pairwise))"')
_NO_SECRETS = {"api-token", "oauth-details-hash", "oauth-details-key", "x-csrf-token", "x-xsrf-token"}
_PICTURES = {"docs/pictures/portals.png"}  # taken by the journey


def text(name: str) -> str:
    return (DOCS / name).read_text()


def test_the_settings_page_is_as_the_code_says() -> None:
    assert text("reference/settings.md") == page(), "run `make docs`"


def test_every_command_is_in_the_command_line_page() -> None:
    named = [name for name in cli.app if not name.startswith("-") and name != "sync"]
    named += [f"sync {name}" for name in cli.sync if not name.startswith("-")]
    assert {"up", "serve", "load", "check", "docs", "sync status"} <= set(named)
    assert [name for name in named if f"`janani {name}" not in text("reference/cli.md")] == []


@pytest.mark.parametrize("name", ["architecture.md", "reference/wires.md", "how-to/production.md"])
def test_every_part_is_named(name: str) -> None:
    assert [part for part in PARTS if part not in text(name)] == []


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link).resolve() for link in _LINK.findall(index.read_text())}
    pages = {one.resolve() for one in DOCS.rglob("*.md") if one not in (index, DOCS / "plan.md")}
    assert pages - linked == set()


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    links = [link for link in _LINK.findall(file.read_text()) if "://" not in link]
    broken = [link for link in links if not (file.parent / link).exists() and link not in _PICTURES]
    assert broken == []


def test_production_names_every_secret_the_code_asks_for() -> None:
    found = {name for file in (ROOT / "src/janani").rglob("*.py") for name in _SECRET.findall(file.read_text())}
    wanted = {name for name in found - _NO_SECRETS if "demo" not in name}
    assert {"esignet.pem", "registry-routes-key", "sync-password"} <= wanted
    assert [name for name in sorted(wanted) if f"`{name}`" not in text("how-to/production.md")] == []
