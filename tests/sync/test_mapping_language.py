"""The reference of the mapping language names every key of the table, and no other."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani.sync.mapping import cases, table

PAGE = (Path(__file__).parents[2] / "docs/reference/mapping-language.md").read_text()
_SECTION = re.compile(r"^#+ (.*?)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = {
    heading: set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)) for heading, text in _SECTION.findall(PAGE)
}
STRUCTS = {
    "The whole file": table.Table,
    "`patient`": table.PatientTemplate,
    "`patient.identifiers[]`": table.IdentifierRow,
    "`patient.contact`": table.ContactRow,
    "A choice": table.Choice,
    "`practitioner`, `location`": table.PlainTemplate,
    "`organization`": table.OrganizationTemplate,
    "`organization.hin`": table.Hin,
    "`device`": table.DeviceTemplate,
    "`encounter`": table.EncounterTemplate,
    "`encounter.examiner`": table.Examiner,
    "`episode`": table.EpisodeTemplate,
    "`appointment`": table.AppointmentTemplate,
    "`provenance`": table.ProvenanceTemplate,
    "`provenance.enterer`, `provenance.assembler`": table.AgentTemplate,
    "`referrals[]`": table.ReferralTemplate,
    "`focus`": table.FocusTemplate,
    "`observations[]`": table.ObservationRow,
    "`panels[]`": table.PanelRow,
    "`panels[].components[]`": table.ComponentRow,
    "`conditions[]`": table.ConditionRow,
    "`medicines[]`": table.MedicineRow,
    "`immunizations[]`": table.ImmunizationRow,
    "`allergies[]`": table.AllergyRow,
    "Cases": cases.Case,
    "`events[]`": cases.Event,
}


@pytest.mark.parametrize("heading", STRUCTS)
def test_every_key_is_described(heading: str) -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(STRUCTS[heading])}
    assert SECTIONS[heading] == keys


def test_every_part_of_the_table_has_a_section() -> None:
    parts: set[Any] = {one for one in vars(table).values() if isinstance(one, type) and issubclass(one, table.Strict)}
    assert parts - {table.Strict} == set(STRUCTS.values()) - {cases.Case, cases.Event}
