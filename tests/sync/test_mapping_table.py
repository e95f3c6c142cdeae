"""A mistake in the table is found before anything starts, with file and line."""

import gzip
import re
import shutil
from pathlib import Path

import pytest
import yaml

from janani import programmes
from janani.programmes import ProgrammeFault
from janani.record.validation import Validator
from janani.sync import mapping
from janani.sync.mapping import checking, table
from janani.sync.mapping.examples import examples
from janani.sync.mapping.listed import known_codes


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the programme's folder that may be spoilt."""
    folder = programmes.load("anc_lk").folder
    for name in ("programme.yaml", "mapping.yaml", "metadata.json"):
        shutil.copy(folder / name, tmp_path / name)
    shutil.copytree(folder / "nehr", tmp_path / "nehr")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("element: ANC_HB,", "element: ANC_HBB,", "no data element with code 'ANC_HBB'"),
        ("{element: ANC_HB, code:", "{elemnt: ANC_HB, code:", "unknown field `elemnt`"),
        ("loinc#8665-2|", "lonc#8665-2|", "no system 'lonc' under `systems`"),
        (
            'ANC_GRAVIDA, code: "loinc#11996-6|[#] Pregnancies", value: integer',
            'ANC_GRAVIDA, code: "loinc#11996-6|[#] Pregnancies", value: date',
            "ANC_GRAVIDA is INTEGER",
        ),
        ("value: blood_group,", "value: bloodgroup,", "no value map 'bloodgroup'"),
        ("    O_NEG: sct#278148006|Blood group O Rh(D) negative\n", "", "lacks O_NEG of ANC_BLOOD_GROUP"),
        ("attribute: ANC_NIC, system: nic", "attribute: ANC_NIC, system: nick", "names no system 'nick'"),
        ("{element: ANC_HB,", "{element: ANC_HBB,", "did you mean 'ANC_HB'?"),
        ("{element: ANC_HB, code:", "{element: ANC_HB, kode:", "did you mean 'code'?"),
        ("value: positive, category: laboratory}", "value: positve, category: laboratory}", "did you mean 'positive'?"),
        ("sct#56265001|Heart disease", "56265001|Heart disease", "is no code; expected system#code|display"),
        ("zone: Asia/Colombo", "zone: Asia/Kolombo", "did you mean 'Asia/Colombo'?"),
        (
            "{element: ANC_CARDIAC, code: [sct",
            "{element: ANC_GRAVIDA, code: [sct",
            "ANC_GRAVIDA is INTEGER; expected BOOLEAN",
        ),
        ("values: {Female: female", "values: {Femal: female", "no option 'Femal'; did you mean 'Female'?"),
        ("  - stage: referral\n", "  - stage: referal\n", "did you mean 'referral'?"),
        ('opens: "08:00"', 'opens: "8 am"', "is no time of day"),
        ("clinical: [COMPLETED]", "clinical: [COMPLETE]", "has no Encounter: name it under `statuses`; did you mean"),
        ("repeats: [ANC_LIE_2,", "repeats: [ANC_LIE_4,", "did you mean 'ANC_LIE_3'?"),
        ("ANC_LIE, repeats: [ANC_LIE_2,", "ANC_LIE, repeats: [ANC_FOETAL_HEART_RATE_2,", "is INTEGER_POSITIVE without"),
        ("repeats: [ANC_LIE_2,", "repeats: [ANC_LIE, ANC_LIE_2,", "repeats 3 times, and `focus` has 2 names"),
        ("{name: edd,", "{name: edd, repeats: [ANC_LIE_2],", "only a row with `element` repeats"),
    ],
)
def test_a_mistake_names_its_line(copy: Path, old: str, new: str, words: str) -> None:
    file = copy / "mapping.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ProgrammeFault) as fault:
        checking.read(programmes.load(str(copy)))
    place, _, said = str(fault.value).partition("  ")
    assert words in said
    assert place.startswith(f"{file}:")
    if new:
        assert int(place.rpartition(":")[2]) == _line(file, new)


def test_every_mistake_is_told_not_only_the_first(copy: Path) -> None:
    file, roles = copy / "mapping.yaml", copy / "programme.yaml"
    file.write_text(file.read_text().replace("{element: ANC_HB,", "{element: ANC_HBB,"))
    file.write_text(file.read_text().replace("value: blood_group,", "value: bloodgroup,"))
    roles.write_text(roles.read_text().replace("visit: GX0z9IXFaso", "visit: GX0z9IXFasO"))
    _, _, faults = checking.inspect(programmes.load(str(copy)))
    said = [f"{name} {place}: {text}" for name, place, text in faults]
    assert any("program stage 'GX0z9IXFasO'; did you mean 'GX0z9IXFaso'" in one for one in said)
    assert any("'ANC_HBB'" in one for one in said)
    assert any("'bloodgroup'" in one for one in said)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lk-medicine#00401601|", "lk-medicine#00401603|", "has no code '00401603'; did you mean"),
        ("type: lk-identifier#PHN,", "type: lk-identifier#PHM,", "has no code 'PHM'"),
    ],
)
def test_a_code_that_its_list_lacks_stops_the_start(copy: Path, old: str, new: str, words: str) -> None:
    """The sync compiles the table when it starts; `janani mapping check` says the same."""
    file = copy / "mapping.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ProgrammeFault) as fault:
        mapping.mapper_of(programmes.load(str(copy)))
    place, _, said = str(fault.value).partition("  ")
    assert words in said
    assert place == f"{file}:{_line(file, new)}"


def test_where_no_list_is_known_any_code_will_do(copy: Path) -> None:
    """A programme that is delivered to another server only may have no profiles."""
    file = copy / "mapping.yaml"
    file.write_text(file.read_text().replace("lk-medicine#00401601|", "lk-medicine#00401603|"))
    (copy / "nehr/profiles.json.gz").unlink()
    assert mapping.compile(programmes.load(str(copy)))


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"no gzip", gzip.compress(b"{}")[:-9], gzip.compress(b"[1]")],
    ids=["empty", "no gzip", "cut off", "a list"],  # a gzip file has the second in which it was made
)
def test_lists_that_cannot_be_read_are_named(copy: Path, spoilt: bytes) -> None:
    path = copy / "nehr/profiles.json.gz"
    path.write_bytes(spoilt)
    with pytest.raises(ProgrammeFault, match=r"profiles\.json\.gz:1  "):
        mapping.compile(programmes.load(str(copy)))


def test_the_lists_are_those_of_the_record() -> None:
    """Two parts read the same file: they must find the same codes in it."""
    folder = programmes.load("anc_lk").profiles
    of_record = Validator.load(folder).known_codes()
    assert of_record
    assert known_codes(folder, of_record) == of_record


def _line(file: Path, new: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if new.splitlines()[0] in line)


def test_every_data_element_of_the_programme_is_mapped_or_named_here() -> None:
    """Coverage: what stays in the registry does so on purpose."""
    found, catalogue = checking.read(programmes.load("anc_lk"))
    text = (programmes.load("anc_lk").folder / table.FILE).read_text()
    assert found.observations
    unmapped = {code for code in catalogue.elements if not re.search(rf"\b{code}\b", text)}
    assert unmapped == {  # these come from the record, and stay where they come to: write_back.yaml
        "ANC_SPECIALIST_DIAGNOSES",
        "ANC_SPECIALIST_MEDICINES",
        "ANC_SPECIALIST_NOTES",
        "ANC_RECORD_ORIGIN",
        "ANC_REFERRAL_ANSWER",
        "ANC_VIOLENCE_SCREEN",  # others at home read her record with her
    }
    kept = {code for code in catalogue.attributes if not re.search(rf"\b{code}\b", text)}
    state = {
        code for code in kept if code.startswith("ANC_IDENTITY_")
    }  # how sure the registry is; the record asks eSignet
    assert "ANC_IDENTITY_STATUS" in state
    assert kept - state == {"ANC_AGE", "ANC_GN_DIVISION", "ANC_PHN_MISMATCH_REASON"}


HOSTILE = "it's {1/0} \"\"\" ''' \\\\ {{x}} \\n\n%s $1 සිංහල \u2028"


def test_the_words_of_a_table_are_only_words(copy: Path) -> None:
    """Whatever a display, text, code or option says, it arrives as it is: nothing of a table is run as code."""
    file = copy / "mapping.yaml"
    tree = yaml.safe_load(file.read_text())
    row = next(one for one in tree["observations"] if one.get("element") == "ANC_HB")
    row["text"], row["code"], row["unit"] = HOSTILE, f"loinc#718-7|{HOSTILE}", f"g/dL|{HOSTILE}"
    tree["value_maps"]["present"]["true"] = f"sct#52101004|{HOSTILE}"
    tree["encounter"]["reason_text"] = tree["device"]["version_text"] = HOSTILE
    tree["patient"]["identifiers"][0]["text"] = HOSTILE
    tree["conditions"][0]["text"] = tree["medicines"][0]["text"] = tree["panels"][0]["text"] = HOSTILE
    file.write_text(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))
    mapper = mapping.compile(programmes.load(str(copy)))
    made = [one for _, one in examples(mapper) if isinstance(one, dict)]
    [haemoglobin] = [one for one in made if one.get("code", {}).get("coding", [{}])[0].get("code") == "718-7"][:1]
    assert haemoglobin["code"]["text"] == HOSTILE
    assert haemoglobin["code"]["coding"][0]["display"] == HOSTILE
    assert haemoglobin["valueQuantity"]["unit"] == HOSTILE
    said = {kind: [one for one in made if one["resourceType"] == kind] for kind in ("Patient", "Encounter", "Device")}
    assert said["Patient"][0]["identifier"][0]["type"]["text"] == HOSTILE
    assert said["Encounter"][0]["reasonCode"][0]["text"] == HOSTILE
    assert said["Device"][0]["version"][0]["type"]["text"] == HOSTILE
    present = [
        one for one in made if one.get("valueCodeableConcept", {}).get("coding", [{}])[0].get("code") == "52101004"
    ]
    assert present
    assert {one["valueCodeableConcept"]["text"] for one in present} == {HOSTILE}
    assert {one["code"]["text"] for one in made if one["resourceType"] == "Condition"} >= {HOSTILE}
