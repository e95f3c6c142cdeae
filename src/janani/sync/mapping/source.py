"""The table as a Python module: its text, which a person may read, and what the text defines."""

from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

from msgspec import Struct

from janani.programmes import Programme
from janani.sync.mapping.clinical import clinical_source
from janani.sync.mapping.people import patient_source
from janani.sync.mapping.table import Catalogue, Table
from janani.sync.mapping.visits import visit_source

_HEAD = '''"""Made by Janani from mapping.yaml of {programme}; not to be edited.

`e` is the event on its way (mapping/model.py, Visit), `text` a value as DHIS2 keeps it, `a` {{attribute UID: text}}.
Every function gives JSON text; Unfit is raised for what can't be carried.
"""

from janani.sync.mapping.people import (
    Addresses, born, contact_of, died_on, form_of, formed, human_name_text, stripped, telephone,
)
from janani.sync.mapping.values import (
    Unfit, chosen, day, days_later, decimal, divided, dose_number, integer, quoted, text_of, truth, words,
)
from janani.sync.mapping.visits import morning
'''


class Generated(Struct, frozen=True):
    """What the generated module defines. References and statuses that its functions take are JSON texts."""

    identifiers: Callable[..., list[tuple[str, str, str, str]]]
    patient: Callable[..., str]
    episode: Callable[..., str]
    encounter: Callable[..., str]
    appointment: Callable[..., str]
    provenance: Callable[..., str]
    clinical: Callable[..., Iterator[tuple[str, str, str]]]
    referrals: list[tuple[str, str, str, str, Mapping[str, str], Callable[..., str], Callable[..., str] | None]]


def source(programme: Programme, table: Table, catalogue: Catalogue) -> str:
    """The text of the module."""
    stages = programme.registry.stages
    parts = [
        _HEAD.format(programme=programme.folder.name),
        *patient_source(programme, table, catalogue),
        *visit_source(table, catalogue, stages),
        *clinical_source(table, catalogue, stages),
    ]
    return "\n\n".join(parts)


def load(text: str) -> Generated:
    """What the module defines. Its text comes from `source`: names and texts of the table stand in it as literals."""
    code: CodeType = compile(text, "<mapping.yaml>", "exec")
    module: dict[str, Any] = {"__name__": "mapping"}
    exec(code, module)  # noqa: S102 — the text is made above; what the table says stands in it as literals only
    return Generated(
        module["identifiers"],
        module["patient"],
        module["episode"],
        module["encounter"],
        module["appointment"],
        module["provenance"],
        module["clinical"],
        module["REFERRALS"],
    )
