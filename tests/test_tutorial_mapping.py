"""The tutorial "map your own programme in an hour", followed literally: its files, its checks, its record."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from system import System

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/tutorial/map-your-own-programme.md").read_text()
FINISHED = ROOT / "docs/tutorial/immunisation"
BLOCKS = re.findall(r"```yaml (\S+)\n(.*?)```", PAGE, re.DOTALL)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", ["programme.yaml", "mapping.yaml", "tests/cards.yaml"])
def test_who_types_what_the_page_shows_has_the_finished_file(name: str) -> None:
    typed = [line for file, block in BLOCKS if file == name for line in _lines(block)]
    assert typed == _lines((FINISHED / name).read_text())


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made as the page says."""
    folder = tmp_path_factory.mktemp("tutorial") / "immunisation"
    (folder / "tests").mkdir(parents=True)
    for name in ("metadata.json", "children.json"):
        shutil.copy(FINISHED / name, folder)
    for name, block in BLOCKS:
        with (folder / name).open("a") as file:
            file.write(block)
    return folder


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("check", "in order. 18 of 20 fields are carried"),
        ("coverage", "18 of 20 fields have a row: 90.0 %"),
        ("show", "cvx#198 DTP-hepB-Hib"),
        ("test", "3 cases hold"),
    ],
)
def test_each_command_says_what_the_page_says(followed: Path, command: str, said: str) -> None:
    done = _janani("mapping", command, str(followed))
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_check_after_the_first_row_finds_the_planted_mistake(followed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    shutil.copytree(followed, folder)
    until_first_row = PAGE[: PAGE.index("Look whether it is right")]
    rows = [
        block for name, block in re.findall(r"```yaml (\S+)\n(.*?)```", until_first_row, re.DOTALL) if name[0] == "m"
    ]
    (folder / "mapping.yaml").write_text("".join(rows))
    assert _janani("mapping", "check", str(folder)).returncode == 0
    (folder / "mapping.yaml").write_text("".join(rows).replace("EPI_BCG", "EPI_BCGG"))
    wrong = _janani("mapping", "check", str(folder))
    assert wrong.returncode == 1
    assert "did you mean 'EPI_BCG'?" in wrong.stderr


def _janani(*words: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "janani", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def running(followed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Registry, record and sync for the programme, as the page's `export` lines say, on free ports."""
    exports = dict(re.findall(r"(JANANI_\w+)=(\S+)", PAGE[PAGE.index("## 8.") :]))
    here = {name: value for name, value in exports.items() if name.endswith("__HERE")}
    assert exports.pop("JANANI_HOME").startswith("$PWD/var")
    assert exports.pop("JANANI_PROGRAMME") == "./immunisation"
    monkeypatch.setenv("JANANI_PROGRAMME", str(followed))

    class Tutorial(System):
        @property
        def environment(self) -> dict[str, str]:
            return super().environment | exports | here

    system = Tutorial(tmp_path / "home")
    try:
        system.start()
        yield system
    finally:
        system.stop()


def test_children_and_their_doses_are_in_the_record(running: System, followed: Path) -> None:
    assert _janani("load", str(followed / "children.json"), environment=running.environment).returncode == 0
    record = running.url("record") + "/fhir"
    _until(lambda: _total(f"{record}/Immunization?vaccine-code=198") == 2)
    assert _total(f"{record}/Patient?family=Perera") == 1
    event = re.search(r"-d '(\{.*?\})'\n", PAGE, re.DOTALL)
    assert event
    answer = httpx.post(
        running.url("registry") + "/api/tracker?async=false",
        content=event[1],
        auth=("admin", "district"),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    _until(lambda: _total(f"{record}/Immunization?vaccine-code=198") == 3)


def _total(url: str) -> int:
    return int(httpx.get(url).json()["total"])


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)
