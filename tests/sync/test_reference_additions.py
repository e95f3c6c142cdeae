"""What antenatal care here records beyond the reference (anc-programme.md §8) is in the programme and the table."""

import json

import pytest

from janani.kernel.ids import is_uid
from janani.record.validation import Validator
from janani.sync.back.event import sentence
from janani.sync.mapping.back import compile_back
from janani.sync.mapping.coverage import coverage
from janani.sync.mapping.table import codes
from sync import sample
from sync.test_reference_defects import ELEMENTS, MAPPER, made, of

BACK = compile_back(MAPPER.programme)
PACKAGE = json.loads((MAPPER.programme.folder / "metadata.json").read_bytes())
LOINC = {
    "height": "8302-2", "weight": "29463-7", "bmi": "39156-5", "blood group": "882-1", "haemoglobin": "718-7",
    "fetal heart rate": "55283-6", "presentation": "11876-0", "fetuses": "11878-6", "EDD by LMP": "11779-6",
    "EDD by ultrasound": "11781-2", "gestational age": "11885-1", "parity": "11977-6", "gravida": "11996-6",
    "living": "11638-4", "pregnancy status": "82810-3", "syphilis": "20507-0", "HIV": "56888-1",
    "glucose post 75 g": "1518-0", "glucose post meal": "1521-4", "Edinburgh scale": "99046-5",
    "fundal height": "11881-0", "urine protein": "20454-5", "urine glucose": "25428-4",
}  # fmt: skip
"""The codes for what the reference lacks."""
STAYS = {
    *("ANC_SPECIALIST_DIAGNOSES", "ANC_SPECIALIST_MEDICINES", "ANC_SPECIALIST_NOTES", "ANC_REFERRAL_ANSWER"),
    "ANC_RECORD_ORIGIN",  # these come from the record
    "ANC_AGE",  # the birth date says it
    *("ANC_IDENTITY_STATUS", "ANC_IDENTITY_VERIFIED_AT", "ANC_IDENTITY_PROVIDER", "ANC_IDENTITY_LEVEL"),
    *("ANC_IDENTITY_VERIFIED_FIELDS", "ANC_PHN_MISMATCH_REASON"),  # the registry's own business
    "ANC_GN_DIVISION",  # more exact than a record needs
    "ANC_VIOLENCE_SCREEN",  # others at home read her record with her
}
"""Deliberately not carried."""


@pytest.mark.parametrize("thing", LOINC)
def test_what_the_reference_lacks_has_its_code(thing: str) -> None:
    """§8.6."""
    known = {code.partition("|")[0] for row in MAPPER.table.observations for code in codes(row.code)}
    assert f"loinc#{LOINC[thing]}" in known


def test_what_is_not_carried_is_meant_to_stay() -> None:
    """§8: what has no row has none on purpose."""
    assert {field.code for field in coverage(MAPPER.table, MAPPER.catalogue).missing} == STAYS


@pytest.mark.parametrize("stage", MAPPER.programme.registry.stages)
def test_every_element_stands_in_one_section_of_its_stage_once(stage: str) -> None:
    """§8: what can be stored can be typed."""
    uid = MAPPER.programme.registry.stages[stage]
    held = [
        one["id"]
        for part in PACKAGE["programStageSections"]
        if part["programStage"]["id"] == uid
        for one in part["dataElements"]
    ]
    assert sorted(held) == sorted(MAPPER.catalogue.stages[uid])


def test_every_uid_is_a_valid_one_and_used_once() -> None:
    """§8: Identifiers of the additions."""
    uids = sorted(one["id"] for kind in PACKAGE.values() if isinstance(kind, list) for one in kind)
    uids += [one["id"] for stage in PACKAGE["programStages"] for one in stage["programStageDataElements"]]
    assert all(is_uid(uid) for uid in uids)
    assert len(uids) == len({*uids})


def test_an_earlier_pregnancy_is_one_observation_that_no_one_takes_for_todays() -> None:
    """§8.2: the repeating group."""
    values = {"ANC_EP_OUTCOME": "STILLBIRTH", "ANC_EP_ENDED": "2019-03-01", "ANC_EP_BIRTH_WEIGHT": "2900"}
    [found] = made(of("earlier", values), "Observation")
    assert found["code"]["text"] == "Earlier pregnancy"
    assert found["component"][0]["valueDateTime"] == "2019-03-01"
    assert found["component"][1]["valueCodeableConcept"]["coding"][0]["display"] == "Stillbirth"
    assert found["component"][2]["valueQuantity"] == {
        "value": 2900, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"
    }  # fmt: skip


def test_the_batch_of_a_dose_is_its_lot() -> None:
    """§8.3."""
    [found] = made(of("visit", {"ANC_TETANUS_DOSE": "2", "ANC_TETANUS_BATCH": "TT-7"}), "Immunization")
    assert found["lotNumber"] == "TT-7"


def test_violence_at_home_stays_in_the_registry() -> None:
    """§8.2 and §8.3: others read her record with her."""
    assert made(of("visit", {"ANC_VIOLENCE_SCREEN": "YES"}), "Observation") == []


TWINS = {
    "ANC_FOETUSES": "2", "ANC_FOETAL_HEART_RATE": "140", "ANC_FOETAL_HEART_RATE_2": "152", "ANC_LIE_2": "TRANSVERSE",
    "ANC_PRESENTATION": "CEPHALIC", "ANC_PRESENTATION_2": "BREECH", "ANC_FOETAL_HEART_SOUNDS_2": "true",
}  # fmt: skip
"""A visit of a woman with twins."""


def test_each_of_twins_has_observations_of_its_own() -> None:
    """§8.3: the second is named, the first is as it would be alone."""
    twins, alone = made(of("visit", TWINS), "Observation"), made(of("visit", {"ANC_FOETAL_HEART_RATE": "140"}))
    first, second = (one for one in twins if one["code"]["coding"][0]["code"] == "55283-6")
    assert first in alone
    assert second["valueQuantity"]["value"] == 152
    assert second["code"] == first["code"]
    assert second["focus"] == [
        {
            "type": "BodyStructure",
            "identifier": {"system": MAPPER.table.focus.system, "value": f"{sample.ENROLLMENT}-2"},
            "display": "Second foetus",
        }
    ]
    assert sum("focus" in one for one in twins) == 4


def test_what_is_said_of_twins_conforms() -> None:
    """§8.3 with the record's validator."""
    validator = Validator.load(MAPPER.programme.folder / "nehr")
    for one in made(of("visit", TWINS)):
        assert [issue for issue in validator.validate(one) if issue.severity in ("error", "fatal")] == []


def test_the_same_row_reads_each_of_twins_back() -> None:
    """A doctor's Observation has no identifier of ours: its focus says of which foetus it is."""
    found = {}
    for one in made(of("visit", TWINS), "Observation"):
        one.pop("identifier")
        found |= {value.uid: value.text for value in BACK.read(one, "visit")}
    assert found == {ELEMENTS[code]: text for code, text in TWINS.items()}


@pytest.mark.parametrize(
    "focus", [[{"reference": "BodyStructure/1"}], [{"identifier": {"value": "x-2"}}], [{}, {}], "?", [None]]
)
def test_a_foetus_that_is_not_ours_is_not_taken_for_one(focus: object) -> None:
    """A guess would write a value into the wrong data element."""
    [one] = made(of("visit", {"ANC_FOETAL_HEART_RATE_2": "152"}), "Observation")
    one |= {"identifier": [], "focus": focus}
    assert BACK.read(one, "visit") == []


def test_what_a_note_says_of_a_foetus_names_it() -> None:
    """What no row reads comes back in words."""
    [one] = made(of("visit", {"ANC_FOETAL_HEART_RATE_2": "152"}), "Observation")
    assert sentence(one) == "Fetal Heart rate, Second foetus: 152 per minute"
