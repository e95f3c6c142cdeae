"""Every string a person reads is in the catalogue (`make messages` keeps it so)."""

import io
import re
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from janani.kernel.i18n import LANGUAGES, choose, spoken
from janani.kernel.messages import catalogue_path, collected

ROOT = Path(str(files("janani")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_has_every_string_and_no_other(language: str) -> None:
    known = {
        message.id for message in read_po(io.BytesIO(catalogue_path(ROOT, language).read_bytes()), locale=language)
    }
    assert {message.id for message in collected(ROOT)} == known, "run `make messages`"


def test_the_first_language_there_is_a_catalogue_for_is_spoken() -> None:
    assert choose(["fr-FR", "en-GB"]) == "en"
    assert choose(["fr"]) == "en"
    assert spoken()[0] == "en"


@pytest.mark.parametrize("language", ["si", "ta"])
def test_a_translation_fills_in_what_the_message_does(language: str) -> None:
    holes = re.compile(r"\{\w+\}|%\(\w+\)\w")
    for message in read_po(io.BytesIO(catalogue_path(ROOT, language).read_bytes()), locale=language):
        if isinstance(message.id, str) and message.id and message.string:
            assert sorted(holes.findall(message.id)) == sorted(holes.findall(str(message.string))), message.id


def test_what_a_mother_meets_when_she_signs_in_is_spoken_in_her_language() -> None:
    assert spoken("esignet/", "kernel/pages/") == LANGUAGES
    assert spoken("relying/phone.py", "relying/pages/", "kernel/pages/") == LANGUAGES
