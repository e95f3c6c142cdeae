"""What a country changes, as data: one folder a programme, read and checked at start.

`load(name)` gives the typed roles of `programme.yaml`; a fault names file, line and what was expected.
"""

import difflib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from janani.kernel.problems import RefusesToStart


class ProgrammeFault(RefusesToStart):
    """A file of a programme is wrong. Its text is `file:line  what is wrong, what was expected`."""


class Risk(Struct, frozen=True, forbid_unknown_fields=True):
    """A value of a data element that marks a woman as at risk. One of the three conditions is given."""

    element: str
    says: str
    at_least: float | None = None
    below: float | None = None
    equals: str | None = None

    def met(self, value: str) -> bool:
        """Whether `value` is such a value."""
        if self.equals is not None:
            return value == self.equals
        try:
            number = float(value)
        except ValueError:
            return False
        return (self.at_least is not None and number >= self.at_least) or (
            self.below is not None and number < self.below
        )


class RegistryRoles(Struct, frozen=True, forbid_unknown_fields=True):
    """DHIS2 identifiers by the role they play."""

    program: str
    tracked_entity_type: str
    metadata: str
    stages: dict[str, str]
    attributes: dict[str, str]
    elements: dict[str, str]
    risks: list[Risk]
    routes: dict[str, str]


class RecordRoles(Struct, frozen=True, forbid_unknown_fields=True):
    """FHIR identifier systems and profiles by the role they play."""

    systems: dict[str, str]
    identifier_types: str
    profiles: str


class Programme(Struct, frozen=True, forbid_unknown_fields=True):
    """A programme's identifiers by role, and where its other files are."""

    name: str
    title: str
    country: str
    phone_region: str
    registry: RegistryRoles
    record: RecordRoles

    @property
    def folder(self) -> Path:
        """The folder with the programme's files."""
        return folder(self.name)


def folder(name: str) -> Path:
    """The folder of programme `name`. Raises ProgrammeFault when there is none."""
    path = Path(str(files("janani.programmes"))) / name
    if not (path / "programme.yaml").is_file():
        raise ProgrammeFault(f"{path}/programme.yaml is missing; settings name programme {name!r}.")
    return path


def load(name: str) -> Programme:
    """The programme `name`. Raises ProgrammeFault."""
    path = folder(name) / "programme.yaml"
    programme: Programme = read_yaml(path, Programme)
    return programme


def read_yaml(path: Path, kind: type[Any]) -> Any:
    """The YAML file `path` as a value of `kind` (a msgspec type). Raises ProgrammeFault with the line."""
    try:
        tree = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
        values = yaml.safe_load(path.read_text())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProgrammeFault(f"{path}:{line}  {error.problem}") from error
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ProgrammeFault(f"{path}:{_line_of(tree, str(error))}  {error}") from error


def fault(path: Path, place: str, text: str) -> ProgrammeFault:
    """A fault to raise about one place of a YAML file that could be read.

    Args:
        place: a path into it, for example `$.attributes[2].claim`.
        text: what is wrong there and what was expected.
    """
    tree = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    return ProgrammeFault(f"{path}:{_line_of(tree, f'`{place}`')}  {text}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A half sentence for a fault: the known word that `word` probably meant, else all there are."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(choices)}"


def fault_at(path: Path, place: str, text: str) -> ProgrammeFault:
    """The fault that `text` says about `place` (`$.a.b[0]`) of the YAML file `path`, with its line."""
    tree = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    return ProgrammeFault(f"{path}:{_line_of(tree, f'`{place}`')}  {text}")


def _line_of(node: Any, message: str) -> int:
    """The line of the place a msgspec message names (`… - at `$.a.b[0]``)."""
    place = message.rpartition("`$")[2].rstrip("`") if "`$" in message else ""
    for step in place.replace("[", ".[").split(".")[1:]:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return int(node.start_mark.line) + 1 if node is not None else 1


def _child(node: Any, step: str) -> Any:
    if isinstance(node, yaml.SequenceNode) and step.startswith("["):
        place = step.strip("[]")
        return node.value[int(place)] if place.isdigit() and int(place) < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None
