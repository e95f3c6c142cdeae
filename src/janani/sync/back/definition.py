"""`write_back.yaml` of a programme: where values land, and who is right when both sides changed one."""

from typing import Literal

from msgspec import Struct

from janani import programmes
from janani.programmes import Programme
from janani.sync.mapping.table import Catalogue

FILE = "write_back.yaml"
Rule = Literal["registry", "record", "newest", "ask"]


class _Conflicts(Struct, frozen=True, forbid_unknown_fields=True):
    otherwise: Rule = "ask"
    elements: dict[str, Rule] = {}


class _File(Struct, forbid_unknown_fields=True):
    stage: str
    origin: str
    words: dict[str, str] = {}
    answer: str = ""
    asks_again: list[str] = []
    appointment: dict[str, Literal["SCHEDULE", "SKIPPED"]] = {}
    conflicts: _Conflicts = _Conflicts()


class Definition(Struct, frozen=True):
    """The file with its names resolved.

    Attributes:
        program, stage: UIDs; `role` is the stage's role.
        origin, answer: UIDs of data elements; `answer` may be "".
        asks_again: UIDs of what refers anew when it changes; else an answered referral stays answered.
        words: {resource type: UID of the data element for what no row reads}.
        appointment: {status of an Appointment: status of the event}.
        elements: UIDs that the stage has.
        rules: {UID: rule}, for the others `otherwise`.
        names: {UID: code} of all data elements.
    """

    program: str
    stage: str
    role: str
    origin: str
    answer: str
    asks_again: frozenset[str]
    words: dict[str, str]
    appointment: dict[str, str]
    elements: frozenset[str]
    rules: dict[str, Rule]
    otherwise: Rule
    names: dict[str, str]

    def rule(self, uid: str) -> Rule:
        """Who is right about the data element `uid` when both changed it."""
        return self.rules.get(uid, self.otherwise)


def read(programme: Programme, catalogue: Catalogue) -> Definition | None:
    """The programme's write-back; None when it has none. Raises ProgrammeFault with file and line."""
    path = programme.folder / FILE
    if not path.is_file():
        return None
    file: _File = programmes.read_yaml(path, _File)
    stages = programme.registry.stages
    if file.stage not in stages:
        raise programmes.fault(path, "$.stage", f"no stage has this role; {programmes.nearest(file.stage, stages)}")
    stage = stages[file.stage]
    own = catalogue.stages.get(stage, frozenset())

    def uid(code: str, place: str, *, in_stage: bool = True) -> str:
        if code not in catalogue.elements:
            hint = programmes.nearest(code, catalogue.elements)
            raise programmes.fault(path, place, f"there is no data element {code!r}; {hint}")
        found = catalogue.elements[code].uid
        if in_stage and found not in own:
            raise programmes.fault(path, place, f"the stage {file.stage!r} does not have {code!r}")
        return found

    return Definition(
        program=programme.registry.program,
        stage=stage,
        role=file.stage,
        origin=uid(file.origin, "$.origin"),
        answer=uid(file.answer, "$.answer") if file.answer else "",
        asks_again=frozenset(uid(code, "$.asks_again", in_stage=False) for code in file.asks_again),
        words={kind: uid(code, f"$.words.{kind}") for kind, code in file.words.items()},
        appointment=dict(file.appointment),
        elements=own,
        rules={
            uid(code, f"$.conflicts.elements.{code}", in_stage=False): rule
            for code, rule in file.conflicts.elements.items()
        },
        otherwise=file.conflicts.otherwise,
        names={field.uid: code for code, field in catalogue.elements.items()},
    )
