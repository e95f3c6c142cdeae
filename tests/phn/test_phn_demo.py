"""The demo people who hold a PHN: a mistake in their file is found before anything starts."""

from pathlib import Path

import pytest

from janani import programmes
from janani.phn.demo import holders_in
from janani.programmes import ProgrammeFault
from janani.programmes.sri_lanka import parse_phn

FILE = programmes.folder("anc_lk") / "demo" / "phn.yaml"


def test_each_kind_of_number_is_there() -> None:
    kinds = [(parse_phn(one.phn).version, parse_phn(one.phn).valid) for one in holders_in(FILE)]
    assert kinds == [(2, True), (2, True), (1, True), (None, None)]


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("KANDYTH1MKH7R47", "KANDYTH1MKH7R48", "'KANDYTH1MKH7R48': its last digit does not fit the others"),
        ("birthDate: 1990-07-02", "birthDate: 2 July 1990", "Invalid RFC3339"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, right: str, wrong: str, words: str) -> None:
    text = FILE.read_text()
    line = text[: text.index(right)].count("\n") + 1
    (tmp_path / "phn.yaml").write_text(text.replace(right, wrong, 1))
    with pytest.raises(ProgrammeFault) as caught:
        holders_in(tmp_path / "phn.yaml")
    assert f"phn.yaml:{line}  " in str(caught.value)
    assert words in str(caught.value)
