"""What each row makes, a file a kind of resource: a change of the table or the mapper shows as a change of lines.

`GOLDEN=write pytest tests/sync/test_mapping_golden.py` writes the files anew; look at the difference before
it is committed.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from janani import programmes
from janani.sync import mapping
from janani.sync.mapping.examples import examples
from janani.sync.mapping.model import LeftOut

GOLDEN = Path(__file__).parent / "golden" / "examples"
KINDS = [
    *("AllergyIntolerance", "Appointment", "Condition", "Device", "Encounter", "EpisodeOfCare", "Immunization"),
    *("Location", "MedicationStatement", "Observation", "Organization", "Patient", "Practitioner", "Provenance"),
    "ServiceRequest",
    "Task",
]


@pytest.fixture(scope="module")
def made() -> dict[str, list[dict[str, Any]]]:
    """Every different resource that an example of every row and option gives, by kind, in order."""
    found: dict[str, dict[bytes, dict[str, Any]]] = {}
    for _, resource in examples(mapping.compile(programmes.load("anc_lk"))):
        assert not isinstance(resource, LeftOut)
        text = msgspec.json.encode(resource, order="sorted")
        found.setdefault(resource["resourceType"], {})[text] = msgspec.json.decode(text)
    return {kind: [one for _, one in sorted(texts.items())] for kind, texts in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_makes_what_it_made(made: dict[str, list[dict[str, Any]]], kind: str) -> None:
    file = GOLDEN / f"{kind}.jsonl"
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"".join(msgspec.json.encode(one, order="sorted") + b"\n" for one in made[kind]))
    assert made[kind] == [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
