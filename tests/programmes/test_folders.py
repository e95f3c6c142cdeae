"""A programme is one of the package, or a folder anywhere; a wrong word is answered with the one that was meant."""

import shutil
from pathlib import Path

import pytest

from janani import programmes
from janani.programmes import ProgrammeFault


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A programme in a folder of its own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(programmes.folder("anc_lk") / "programme.yaml", folder)
    return folder


def test_a_folder_anywhere_is_a_programme(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert programmes.load(str(outside)).folder == outside
    monkeypatch.chdir(outside.parent)
    assert programmes.load("./mine").folder == outside


def test_profiles_are_its_own_or_of_the_package(outside: Path) -> None:
    file = outside / "programme.yaml"
    file.write_text(file.read_text().replace("profiles: nehr ", "profiles: anc_lk/nehr "))
    packaged = programmes.load("anc_lk").profiles
    assert programmes.load(str(outside)).profiles == packaged
    (outside / "anc_lk" / "nehr").mkdir(parents=True)
    assert programmes.load(str(outside)).profiles == outside / "anc_lk" / "nehr"


def test_a_wrong_name_is_answered_with_the_one_meant(outside: Path) -> None:
    with pytest.raises(ProgrammeFault, match=r"no programme 'anc_lx' \(did you mean 'anc_lk'\?\)\. .* \./anc_lx"):
        programmes.load("anc_lx")
    with pytest.raises(ProgrammeFault, match=r"/nothing/programme\.yaml is missing"):
        programmes.load(str(outside / "nothing"))


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("phone_region:", "phone_regoin:", "phone_region"),
        ("  tracked_entity_type:", "  tracked_entity_typ:", "tracked_entity_type"),
        ("at_least: 140", "at_leest: 140", "at_least"),
    ],
)
def test_a_wrong_key_is_answered_with_the_one_meant(outside: Path, old: str, new: str, meant: str) -> None:
    file = outside / "programme.yaml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ProgrammeFault, match=f"did you mean '{meant}'"):
        programmes.load(str(outside))
