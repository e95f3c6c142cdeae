"""What a country changes, as data: one folder a programme, read and checked at start.

`load(name)` gives the typed roles of `programme.yaml`; a fault names file, line and what was expected. A programme
is one of this package (`anc_lk`), or a folder anywhere (`/srv/immunisation`, `./immunisation`).
"""

import difflib
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

import msgspec
import yaml
from msgspec import Struct

from janani.kernel.problems import RefusesToStart


class ProgrammeFault(RefusesToStart):
    """A file of a programme is wrong. Its text is `file:line  what is wrong, what was expected`."""


class Risk(Struct, frozen=True, forbid_unknown_fields=True):
    """A value of a data element that marks a woman as at risk. One of the three conditions is given.

    `newest_visit`: only her newest visit counts, as with a box to tick, by which no later visit can say no.
    """

    element: str
    says: str
    at_least: float | None = None
    below: float | None = None
    equals: str | None = None
    newest_visit: bool = False

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


class Plausible(Struct, frozen=True, forbid_unknown_fields=True):
    """What a value of a data element can be; what can't be is a slip of the finger.

    `least` and `most` are of numbers; a date lies `days` back at most.
    """

    element: str
    least: float | None = None
    most: float | None = None
    days: int | None = None


class RegistryRoles(Struct, frozen=True, forbid_unknown_fields=True):
    """DHIS2 identifiers by the role they play. `folded` are sections of stages that a form shows folded."""

    program: str
    tracked_entity_type: str
    metadata: str
    stages: dict[str, str]
    attributes: dict[str, str] = {}
    elements: dict[str, str] = {}
    risks: list[Risk] = []
    plausible: list[Plausible] = []
    routes: dict[str, str] = {}
    folded: frozenset[str] = frozenset()


class RecordRoles(Struct, frozen=True, forbid_unknown_fields=True):
    """FHIR identifier systems and profiles by the role they play."""

    systems: dict[str, str]
    identifier_types: str
    profiles: str


class Programme(Struct, frozen=True, forbid_unknown_fields=True):
    """A programme's identifiers by role, and where its other files are. `place` is filled by `load`.

    `mapper` says what makes FHIR of it: mapping.yaml, mapping.jsonnet or mapping.py.
    """

    name: str
    title: str
    country: str
    phone_region: str
    registry: RegistryRoles
    record: RecordRoles
    mapper: Literal["table", "jsonnet", "python"] = "table"
    place: str = ""

    @property
    def folder(self) -> Path:
        """The folder with the programme's files."""
        return Path(self.place) if self.place else folder(self.name)

    @property
    def profiles(self) -> Path:
        """The folder of the profiles that the record checks: below the programme's own, else of this package."""
        own = self.folder / self.record.profiles
        return own if own.is_dir() else _PACKAGE / self.record.profiles


_PACKAGE = Path(str(files("janani.programmes")))
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times as fast, and a start reads much


def folder(name: str) -> Path:
    """The folder of programme `name`: of this package, or the path of a folder. Raises ProgrammeFault."""
    path = Path(name).expanduser().resolve() if "/" in name or name.startswith("~") else _PACKAGE / name
    if not (path / "programme.yaml").is_file():
        if path.parent == _PACKAGE:
            known = [one.parent.name for one in _PACKAGE.glob("*/programme.yaml")]
            raise ProgrammeFault(
                f"There is no programme {name!r} ({nearest(name, known)}). A folder of yours is named with a slash: "
                f"./{name}"
            )
        raise ProgrammeFault(f"{path}/programme.yaml is missing; settings name programme {name!r}.")
    return path


def load(name: str) -> Programme:
    """The programme `name` (of this package) or in the folder `name` (a path). Raises ProgrammeFault."""
    path = folder(name) / "programme.yaml"
    programme: Programme = read_yaml(path, Programme)
    return msgspec.structs.replace(programme, place=str(path.parent))


def read_yaml(path: Path, kind: type[Any]) -> Any:
    """The YAML file `path` as a value of `kind` (a msgspec type). Raises ProgrammeFault with the line."""
    try:
        values = yaml.load(path.read_text(), Loader=_LOADER)  # noqa: S506 (a safe one)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProgrammeFault(f"{path}:{line}  {error.problem}") from error
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ProgrammeFault(
            f"{path}:{_line_of(_tree(path), str(error))}  {error}{_meant(values, kind, str(error))}"
        ) from error


def fault(path: Path, place: str, text: str) -> ProgrammeFault:
    """A fault to raise about one place of a YAML file that could be read.

    Args:
        place: a path into it, for example `$.attributes[2].claim`.
        text: what is wrong there and what was expected.
    """
    return ProgrammeFault(f"{path}:{_line_of(_tree(path), f'`{place}`')}  {text}")


def _tree(path: Path) -> Any:
    return yaml.compose(path.read_text(), Loader=_LOADER)


def nearest(word: str, known: Iterable[str]) -> str:
    """A half sentence for a fault: the known word that `word` probably meant, else all there are."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(choices)}"


def _meant(values: Any, kind: Any, message: str) -> str:
    """For an unknown key: which one was probably meant. `message` is msgspec's."""
    found = re.search(r"unknown field `([^`]*)`(?: - at `\$([^`]*)`)?", message)
    if not found:
        return ""
    for step in (found[2] or "").replace("[", ".[").split(".")[1:]:
        kind = _inside(kind, step)
    fields = getattr(kind, "__struct_encode_fields__", None)
    return f"; {nearest(found[1], fields)}" if fields else ""


def _inside(kind: Any, step: str) -> Any:
    """The type of what stands under `step` (`name`, `[2]` or `[...]`) of a value of the type `kind`."""
    kind = next((one for one in get_args(kind) if one is not NoneType), kind) if _is_optional(kind) else kind
    if step.startswith("["):
        return (get_args(kind) or (None,))[-1]
    found = [field for field in msgspec.structs.fields(kind) if field.encode_name == step]
    return found[0].type if found else None


def _is_optional(kind: Any) -> bool:
    return NoneType in get_args(kind)


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
