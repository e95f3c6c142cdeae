"""A table of somebody's own is tried whole before the sync starts, once each time it changes."""

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from janani import mapping_desk, programmes
from janani.programmes import ProgrammeFault
from janani.settings import PARTS, Settings
from system import System

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial/immunisation"
WRONG = ("profile: weight}", "profile: wait}")  # which only an example shows to be none


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A programme's folder that is not of the package."""
    folder = tmp_path / "mine"
    shutil.copytree(TUTORIAL, folder)
    return folder


def _settings(tmp_path: Path, programme: str) -> Settings:
    return msgspec.structs.replace(Settings(), home=str(tmp_path / "home"), programme=programme)


async def _steps(settings: Settings, parts: tuple[str, ...] = ("sync",)) -> list[str]:
    steps: list[str] = []
    await mapping_desk.try_before_start(settings, parts, steps.append)
    return steps


async def test_it_is_tried_at_the_first_start_and_after_each_change(own: Path, tmp_path: Path) -> None:
    settings = _settings(tmp_path, str(own))
    assert await _steps(settings) == [f"an example of each row of {own}/mapping.yaml"]
    began = time.process_time()
    assert await _steps(settings) == []
    assert time.process_time() - began < 0.2, "reading files is all that is left of it"
    file = own / "mapping.yaml"
    right = file.read_text()
    file.write_text(right.replace(*WRONG))
    with pytest.raises(ProgrammeFault, match=rf"(?s){own}/mapping\.yaml:\d+  no profile .*1 mistake"):
        await _steps(settings)
    file.write_text(right)
    assert await _steps(settings) == []


@pytest.mark.parametrize(
    ("programme", "parts"),
    [("anc_lk", PARTS), ("mine", ("registry", "record"))],
    ids=["ours, which its tests try", "where the sync does not run"],
)
async def test_it_is_not_tried(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programme: str, parts: tuple[str, ...]
) -> None:
    async def started(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    assert await _steps(_settings(tmp_path, str(own) if programme == "mine" else programme), parts) == []


@pytest.mark.parametrize("name", ["programme.yaml", "mapping.yaml", "metadata.json"])
def test_a_change_of_any_of_its_files_counts(own: Path, name: str) -> None:
    before = mapping_desk._digest(programmes.load(str(own)))
    with (own / name).open("a") as file:
        file.write("\n")
    assert mapping_desk._digest(programmes.load(str(own))) != before


def test_a_start_with_a_mistake_says_where_and_begins_nothing(own: Path, tmp_path: Path) -> None:
    file = own / "mapping.yaml"
    file.write_text(file.read_text().replace(*WRONG))
    system = System(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-m", "janani", "serve", "sync"],
        env=system.environment | {"JANANI_PROGRAMME": str(own)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if WRONG[1] in text)
    assert f"{file}:{line}  no profile " in done.stderr
    assert not (tmp_path / "home/postgres").exists()
