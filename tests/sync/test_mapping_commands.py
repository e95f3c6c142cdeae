"""`janani mapping …`: what a person at the terminal sees."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from janani import programmes
from janani.cli import app
from janani.sync.mapping import cases

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `janani mapping …`; gives its exit code, output and errors."""

    def do(*words: str) -> tuple[int, str, str]:
        try:
            app(["mapping", *words])
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return do


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the programme that may be spoilt."""
    folder = tmp_path / "mine"
    shutil.copytree(programmes.folder("anc_lk"), folder, ignore=shutil.ignore_patterns("demo"))
    return folder


def _spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_shipped_programme_is_in_order(run: Run) -> None:
    code, out, _ = run("check")
    assert code == 0
    assert re.search(r"in order\. \d+ of \d+ fields are carried", out)


def test_every_mistake_has_its_line_and_a_hint(run: Run, copy: Path) -> None:
    _spoil(copy / "mapping.yaml", "{element: ANC_HB,", "{element: ANC_HBB,")
    _spoil(copy / "mapping.yaml", "value: blood_group,", "value: bloodgroup,")
    code, _, err = run("check", str(copy))
    assert code == 1
    assert f"{copy}/mapping.yaml:" in err
    assert "did you mean 'ANC_HB'?" in err
    assert "did you mean 'blood_group'?" in err
    assert err.endswith("2 mistakes.\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lk-medicine#00401601|", "lk-medicine#00401603|", "has no code '00401603'; did you mean"),
        ("category: vital-signs, profile: height", "category: vital-sign, profile: height", "the record refuses"),
        ("profile: random-blood-sugar", "profile: random-blood-suger", "random-blood-sugar'?"),
        ("taken: active, not_taken: not-taken", "taken: activ, not_taken: not-taken", "the record refuses"),
    ],
)
def test_what_only_the_record_knows_is_found_by_an_example_of_each_row(
    run: Run, copy: Path, old: str, new: str, words: str
) -> None:
    file = copy / "mapping.yaml"
    _spoil(file, old, new)
    code, _, err = run("check", str(copy))
    assert code == 1
    assert words in err
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if new in text)
    assert f"{file}:{line}" in err


def test_show_prints_a_row_a_line(run: Run) -> None:
    code, out, _ = run("show")
    assert code == 0
    [line] = [line for line in out.splitlines() if line.startswith("ANC_HB ")]
    assert line.split()[:3] == ["ANC_HB", "Observation", "loinc#718-7"]
    assert "quantity g/dL" in line
    _, back, _ = run("show", "--back")
    assert "worked out from ANC_LMP" in back


def test_cases_hold_and_a_broken_one_says_what_is_nearest(run: Run, copy: Path) -> None:
    code, out, _ = run("test")
    assert code == 0
    assert out.endswith("8 cases hold.\n")
    _spoil(copy / cases.FOLDER / "journey.yaml", "{value: 142, code", "{value: 143, code")
    code, out, err = run("test", str(copy))
    assert code == 1
    assert "✗ journey.yaml: blood pressure is one Observation with two parts" in out
    assert "nothing gives {resourceType: Observation" in out
    assert "the nearest has {component: [" in out
    assert "1 of 8 cases failed" in err


def test_a_case_with_a_wrong_word_names_the_line(run: Run, copy: Path) -> None:
    _spoil(copy / cases.FOLDER / "journey.yaml", "ANC_SYSTOLIC: 142", "ANC_SISTOLIC: 142")
    code, _, err = run("test", str(copy))
    assert code == 1
    assert "journey.yaml:" in err
    assert "did you mean 'ANC_SYSTOLIC'?" in err


def test_coverage_can_fail_a_build(run: Run) -> None:
    code, out, _ = run("coverage")
    assert code == 0
    assert "attribute  u5AESfSOhIG  ANC_AGE" in out
    said = re.search(r"(\d+) of (\d+) fields have a row: ([\d.]+) %\.\n$", out)
    assert said
    assert float(said[3]) == round(100 * int(said[1]) / int(said[2]), 1)
    assert len(out.splitlines()) - 1 == int(said[2]) - int(said[1])
    assert run("coverage", "--at-least", "80")[0] == 0
    assert run("coverage", "--at-least", "99")[0] == 1


def test_a_wrong_word_is_answered_with_the_one_meant(run: Run) -> None:
    code, out, err = run("check", "anc_lx")
    assert code == 1
    assert "did you mean 'anc_lk'?" in err
    code, out, err = run("cover")
    assert code == 2
    assert 'Did you mean "coverage"?' in out + err
