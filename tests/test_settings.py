"""Settings: one file, the environment over it, and what each profile refuses."""

from pathlib import Path

import pytest

from janani.settings import InvalidSettings, load


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
