"""Questions and answers are asked in each language: by the metadata's own `translations`, from the catalogues."""

import json

import pytest

from janani import programmes
from janani.programmes.translations import translated

SAME_EVERYWHERE = {"HIV", "MCH (pg)", "MCV (fl)"}
METADATA = programmes.folder("anc_lk") / "metadata.json"


@pytest.mark.parametrize("language", ["si", "ta"])
def test_every_question_and_answer_is_translated(language: str) -> None:
    metadata = json.loads(METADATA.read_text())
    for kind in ("trackedEntityAttributes", "dataElements", "options", "programStages", "programStageSections"):
        for one in metadata[kind]:
            asked = "FORM_NAME" if one.get("formName") else "NAME"
            said = {each["property"] for each in one.get("translations", []) if each["locale"] == language}
            assert asked in said or one["name"] in SAME_EVERYWHERE, one["name"]


def test_the_metadata_says_what_the_catalogues_say() -> None:
    text = METADATA.read_text()
    assert translated(json.loads(text)) == json.loads(text), "run `make messages`"


def test_a_translation_made_elsewhere_is_kept() -> None:
    elsewhere = {"locale": "fr", "property": "SHORT_NAME", "value": "Âge"}
    option = {"name": "Girl", "translations": [elsewhere]}
    [first, *more] = translated({"options": [option]})["options"][0]["translations"]
    assert first == elsewhere
    assert {each["locale"] for each in more} == {"si", "ta"}
