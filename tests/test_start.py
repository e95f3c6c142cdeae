"""`janani up` on bad days: one clear line, an exit code, nothing damaged (README, "When it can't start")."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from janani import assembly
from janani.settings import Settings
from system import System


def up(system: System, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(system, "up", "--no-demo", **environment)


def run(system: System, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "janani", *command],
        env=system.environment | environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def only_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of the error; steps that went well before it are on standard output."""
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    return line


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    system = System(tmp_path / "home")
    with socket.socket() as other:
        other.bind(("127.0.0.1", system.ports["record"]))
        other.listen()
        line = only_line(up(system))
    assert f"Port {system.ports['record']} (record) is taken" in line
    assert "JANANI_RECORD__PORT" in line


def test_data_of_another_postgresql_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "postgres"
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("15\n")
    line = only_line(up(System(tmp_path / "home")))
    assert "PostgreSQL 15" in line
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    assert "can't be written" in only_line(up(System(tmp_path / "home")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the test above covers the words")
def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o500)
    assert "can't be written" in only_line(up(System(tmp_path / "home")))


def production(system: System) -> dict[str, str]:
    """The environment of the profile, as far as it is settings."""
    urls = {f"JANANI_{part.upper()}__URL": f"https://{part}.example" for part in system.ports}
    return urls | {"JANANI_PROFILE": "production", "JANANI_ESIGNET__WILDCARD_REDIRECTS": "false"}


def test_production_names_the_first_secret_it_lacks_and_makes_none(tmp_path: Path) -> None:
    system = System(tmp_path / "home")
    done = up(system, **production(system))
    try:
        assert ".pem is missing" in only_line(done) or "is missing" in only_line(done)
        assert not list((tmp_path / "home" / "secrets").glob("*")) if (tmp_path / "home" / "secrets").exists() else True
    finally:
        system.destroy()


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(assembly.CannotStart, match="has 10 MB free"):
        assembly._check_folder(msgspec.structs.replace(Settings(), home=str(tmp_path)))


def test_a_database_that_does_not_answer_is_said_by_a_part_served_alone(tmp_path: Path) -> None:
    system = System(tmp_path / "home")
    line = only_line(run(system, "serve", "portals", JANANI_DATABASE__DSN="postgresql://x:hush@127.0.0.1:1/x"))
    assert "no PostgreSQL answers" in line
    assert "hush" not in line


def test_loading_without_the_password_of_admin_names_the_file(tmp_path: Path) -> None:
    system = System(tmp_path / "home")
    (tmp_path / "people.json").write_text('{"trackedEntities": []}')
    line = only_line(run(system, "load", str(tmp_path / "people.json"), **production(system)))
    assert "admin-password is missing" in line
