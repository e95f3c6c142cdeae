"""Settings: one file, the environment over it, and what each profile refuses."""

import textwrap
from itertools import takewhile
from pathlib import Path

import pytest

from janani.settings import PARTS, InvalidSettings, load


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "janani.toml").write_text("[record]\nport = 9001\ntoken_seconds = 60\n")
    settings = load(environ={"JANANI_HOME": str(tmp_path), "JANANI_RECORD__PORT": "9002"})
    assert (settings.record.port, settings.record.token_seconds) == (9002, 60)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JANANI_RECORD__PORT", "many"),
        ("JANANI_RECORD__NO_SUCH_KEY", "1"),
        ("JANANI_NO_SUCH_PART__PORT", "1"),
        ("JANANI_RECORD__AUTHORIZATION", "maybe"),
    ],
)
def test_an_unknown_key_or_a_wrong_type_is_refused(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(InvalidSettings):
        load(environ={"JANANI_HOME": str(tmp_path), variable: value})


def test_the_sandbox_listens_on_loopback_only(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="loopback"):
        load(environ={"JANANI_HOME": str(tmp_path), "JANANI_RECORD__HOST": "0.0.0.0"})


def test_production_refuses_http_open_authorization_and_wildcards_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as refused:
        load(
            environ={
                "JANANI_HOME": str(tmp_path),
                "JANANI_PROFILE": "production",
                "JANANI_RECORD__AUTHORIZATION": "open",
            }
        )
    text = str(refused.value)
    assert "needs https" in text
    assert "authorization = open" in text
    assert "wildcard_redirects" in text


def _sync_alone(tmp_path: Path) -> str:
    """The settings that the how-to gives for the sync between a DHIS2 and a HAPI."""
    page = (Path(__file__).parent.parent / "docs/how-to/sync-dhis2-to-hapi.md").read_text()
    lines = page.partition("`$JANANI_HOME/janani.toml`:\n\n")[2].splitlines()
    text = textwrap.dedent("\n".join(takewhile(lambda line: not line or line.startswith("    "), lines)))
    (tmp_path / "janani.toml").write_text(text)
    return text


def test_the_sync_alone_starts_with_what_the_how_to_gives(tmp_path: Path) -> None:
    _sync_alone(tmp_path)
    settings = load(environ={"JANANI_HOME": str(tmp_path)})
    assert [target.name for target in settings.sync.targets] == ["record"]
    assert [name for name in PARTS if getattr(settings, name).here] == ["sync"]


def test_the_sync_alone_still_needs_https_to_whom_it_calls(tmp_path: Path) -> None:
    text = _sync_alone(tmp_path)
    for mistake, fault in (
        (text.replace("https://dhis2", "http://dhis2"), "registry.url"),
        (text.partition("[[sync.targets]]")[0], "record.url"),
        (text.replace("portals.here = false\n", ""), "esignet.url"),
    ):
        assert mistake != text
        (tmp_path / "janani.toml").write_text(mistake)
        with pytest.raises(InvalidSettings, match=fault):
            load(environ={"JANANI_HOME": str(tmp_path)})


def test_a_list_is_written_with_commas_in_the_environment(tmp_path: Path) -> None:
    settings = load(environ={"JANANI_HOME": str(tmp_path), "JANANI_SYNC__ORG_UNITS": "a,b"})
    assert settings.sync.org_units == ["a", "b"]


@pytest.mark.parametrize("part", ["portals", "registry"])
@pytest.mark.parametrize("name", ["Asia/Colomb", "Asia", "/etc/localtime", ""])
def test_a_time_zone_that_is_none_is_refused(tmp_path: Path, part: str, name: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"{part}.time_zone"):
        load(environ={"JANANI_HOME": str(tmp_path), f"JANANI_{part.upper()}__TIME_ZONE": name})
