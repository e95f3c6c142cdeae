"""A programme that asks for little has a table all the same: what it does not know is left out, not refused.

Each test takes something from the tutorial's table, and holds what comes out against the record's validator.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from janani import programmes
from janani.cli import app
from janani.programmes import ProgrammeFault
from janani.record.validation import Validator
from janani.sync import mapping
from janani.sync.mapping import checking
from janani.sync.mapping.back import compile_back
from janani.sync.mapping.coverage import uses
from janani.sync.mapping.examples import examples
from janani.sync.mapping.showing import lines

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial/immunisation"
EXAMINER = "  examiner: {element: EPI_GIVEN_BY, system: given-by}\n"
NUMBER = "  registration_number: EPI_CARD_NUMBER\n"
SYSTEM = "  registration_number: http://epi.example.org/identifier/immunisation-registration\n"

Without = Callable[..., programmes.Programme]


@pytest.fixture
def without(tmp_path: Path) -> Without:
    """The tutorial's programme with pieces of its table replaced: by nothing, if not said otherwise."""
    folder = tmp_path / "mine"
    shutil.copytree(TUTORIAL, folder)

    def do(*pieces: str, by: str = "") -> programmes.Programme:
        file = folder / "mapping.yaml"
        text = file.read_text()
        for piece in pieces:
            assert text.count(piece) == 1
            text = text.replace(piece, by)
        file.write_text(text)
        return programmes.load(str(folder))

    return do


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator.load(programmes.load(str(TUTORIAL)).profiles)


def _made(programme: programmes.Programme, validator: Validator) -> list[dict[str, Any]]:
    """What the table makes of everybody's every value, each of which the record takes; all that reads rows is read."""
    mapper = mapping.compile(programme)
    made = [one for _, one in examples(mapper) if isinstance(one, dict)]
    for resource in made:
        assert not [issue for issue in validator.validate(resource) if issue.severity in ("error", "fatal")], resource
    back = compile_back(programme)
    for resource in made:
        back.read(resource)
    assert list(lines(mapper.table))
    return made


@pytest.mark.parametrize("number", ["", '  registration_number: ""\n'])
def test_without_a_registration_number_the_episode_has_its_own_identifier(
    without: Without, validator: Validator, number: str
) -> None:
    programme = without(NUMBER, by=number)
    episodes = [one for one in _made(programme, validator) if one["resourceType"] == "EpisodeOfCare"]
    table, _ = checking.read(programme)
    assert episodes
    assert {one["system"] for each in episodes for one in each["identifier"]} == {table.identifiers["enrollment"]}
    assert not [use for use in uses(table) if use.place.startswith("$.episode")]


def test_its_identifier_system_is_not_needed_then(without: Without, validator: Validator) -> None:
    assert _made(without(NUMBER, SYSTEM), validator)


def test_a_registration_number_still_needs_its_system(without: Without) -> None:
    with pytest.raises(ProgrammeFault, match="the system 'registration_number' is missing"):
        mapping.compile(without(SYSTEM))


def test_without_an_examiner_who_took_part_is_who_typed_it(without: Without, validator: Validator) -> None:
    made = _made(without(EXAMINER), validator)
    participants = [one for each in made if each["resourceType"] == "Encounter" for one in each["participant"]]
    assert participants
    assert {*participants[0]} == {"individual"}


def test_nothing_else_changes_without_either(without: Without, validator: Validator) -> None:
    def others(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in made if one["resourceType"] not in ("Encounter", "EpisodeOfCare")]

    whole = _made(programmes.load(str(TUTORIAL)), validator)
    assert others(_made(without(NUMBER, EXAMINER), validator)) == others(whole)


@pytest.mark.parametrize("key", ["name", "birth_date", "phone", "address", "attribute", "contact"])
def test_a_person_of_whom_a_part_is_not_asked_has_none(without: Without, validator: Validator, key: str) -> None:
    """ "" in place of an attribute: the programme does not ask for it."""
    text = (TUTORIAL / "mapping.yaml").read_text()
    person = text[text.index("  name: EPI") : text.index("provinces:")]
    wanted = r"(?<=name: |hone: )EPI_MOTHER_\w+" if key == "contact" else rf"(?<=\b{key}: )EPI_\w+"
    made = _made(without(person, by=re.sub(wanted, '""', person)), validator)
    patient = next(one for one in made if one["resourceType"] == "Patient")
    assert {"name": "name", "birth_date": "birthDate", "phone": "telecom", "attribute": "gender"}.get(
        key, key
    ) not in patient


def test_a_person_without_any_number_is_refused_in_words(without: Without) -> None:
    rows = re.search(r"  identifiers:\n(    - .*\n)+", (TUTORIAL / "mapping.yaml").read_text())
    assert rows
    with pytest.raises(ProgrammeFault, match="at least one is needed"):
        mapping.compile(without(rows[0], by="  identifiers: []\n"))


@pytest.mark.parametrize(("category", "code"), [("vital-signs", 0), ('"in two\\twords "', 1)])
def test_without_profiles_an_example_is_held_against_r4(
    without: Without, capsys: pytest.CaptureFixture[str], category: str, code: int
) -> None:
    """Who is delivered to another server only may have none."""
    row = "value: quantity, unit: kg, category: vital-signs}"
    folder = without(row, by=row.replace("vital-signs", category)).folder
    file = folder / "programme.yaml"
    file.write_text(file.read_text().replace("profiles: anc_lk/nehr", "profiles: nowhere"))
    with pytest.raises(SystemExit) as end:
        app(["mapping", "check", str(folder)])
    said = capsys.readouterr()
    assert end.value.code == code, said.err
    assert ("the record refuses an example" in said.err) == bool(code)


def test_the_check_finds_it_in_order(without: Without, capsys: pytest.CaptureFixture[str]) -> None:
    folder = without(EXAMINER, NUMBER).folder
    with pytest.raises(SystemExit) as end:
        app(["mapping", "check", str(folder)])
    assert (end.value.code, "in order" in capsys.readouterr().out) == (0, True)
