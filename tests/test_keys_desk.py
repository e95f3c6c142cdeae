"""`janani keys`: three steps of a rotation, and what is printed for a registration."""

import json
import os
import shutil
from pathlib import Path

import pytest

from janani import cli


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.app(list(words))
    found = capsys.readouterr()
    return f"{ended.value.code} {found.out}{found.err}"


def test_a_key_is_rotated_in_three_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JANANI_HOME", str(tmp_path))
    assert "signs" in ran(capsys, "keys", "show")
    old = json.loads(ran(capsys, "keys", "export", "--new").partition(" ")[2])["kid"]
    assert "make the next key first" in ran(capsys, "keys", "rotate", "--switch").replace("\n", " ")
    assert "publishes" in ran(capsys, "keys", "rotate")
    new = json.loads(ran(capsys, "keys", "export", "--new").partition(" ")[2])
    assert new["kid"] != old
    assert not {"d", "p", "q"} & set(new)
    both = json.loads(ran(capsys, "keys", "export").partition(" ")[2])["keys"]
    assert [one["kid"] for one in both] == [old, new["kid"]]
    assert "signs with" in ran(capsys, "keys", "rotate", "verify", "--switch")
    assert "withdrawn" in ran(capsys, "keys", "rotate", "--finish")
    left = json.loads(ran(capsys, "keys", "export").partition(" ")[2])["keys"]
    assert [one["kid"] for one in left] == [new["kid"]]
    assert ran(
        capsys,
        "keys",
        "show",
    ).startswith("0")
    assert "There is no client 'nobody'. Clients: verify, esignet." in ran(capsys, "keys", "rotate", "nobody")


def test_the_provider_waits_between_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made_keys: Path
) -> None:
    monkeypatch.setenv("JANANI_HOME", str(tmp_path))
    shutil.copytree(made_keys, tmp_path / "secrets")
    assert "In five minutes: janani keys rotate esignet --switch" in ran(capsys, "keys", "rotate", "esignet")
    early = ran(capsys, "keys", "rotate", "esignet", "--switch")
    assert early.startswith("1 Wait until")
    os.utime(tmp_path / "secrets" / "esignet.next.pem", (0, 0))
    assert "esignet signs with" in ran(capsys, "keys", "rotate", "esignet", "--switch")
    assert "tokens of the old key are still good" in ran(capsys, "keys", "rotate", "esignet", "--finish")
    os.utime(tmp_path / "secrets" / "esignet.previous.pem", (0, 0))
    assert "withdrawn" in ran(capsys, "keys", "rotate", "esignet", "--finish")
