"""What R4 says about resource types and their search parameters, read from `search_parameters.json`.

The table holds, a type, parameter → [kind, paths, target types], taken from HL7's definitions (R4, CC0). A path is
element names joined by dots; `value[Quantity]` is one type of a choice, `effective[x]` any of them,
`telecom[system=phone]` those whose `system` is "phone", `deceased[exists]` whether it is there and not false.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct

from janani.record.problems import FhirProblem

Kind = Literal["token", "reference", "date", "string", "quantity", "number", "uri", "id", "updated"]


class Parameter(Struct, frozen=True):
    """A search parameter of one resource type.

    Args:
        key: "Observation.code".
        steps: for each of its paths, its element names and what is in brackets after each.
        targets: types a reference may point at; empty: any.
        rows: keys of the parameters whose index rows hold its values: its own, unless others lead to the same elements.
        narrower: whether those rows hold references to other types than its `targets`, too.
    """

    name: str
    key: str
    kind: Kind
    steps: tuple[tuple[tuple[str, str], ...], ...]
    targets: frozenset[str]
    rows: tuple[str, ...] = ()
    narrower: bool = False


# Of every resource (§search 3.1.1.4.1); `_id` and `_lastUpdated` need no index of their own.
_COMMON: Mapping[str, tuple[Kind, str]] = {
    "_id": ("id", ""),
    "_lastUpdated": ("updated", ""),
    "_profile": ("uri", "meta.profile"),
    "_security": ("token", "meta.security"),
    "_source": ("uri", "meta.source"),
    "_tag": ("token", "meta.tag"),
}

# Whose record is it: the parameters that name the person a resource is about. Narrower than R4's Patient
# compartment, which also holds what she merely wrote, performed or received about somebody else.
_ABOUT = ("patient", "subject")
_ABOUT_OF: Mapping[str, tuple[str, ...]] = {
    "Appointment": ("patient",),
    "AppointmentResponse": ("patient",),
    "Coverage": ("beneficiary",),
    "ResearchSubject": ("individual",),
    "Person": (),
    "Group": (),
    "Schedule": (),
}

SHARED_TYPES = frozenset(
    {
        "ActivityDefinition",
        "CodeSystem",
        "ConceptMap",
        "Device",
        "Endpoint",
        "HealthcareService",
        "Library",
        "Location",
        "Medication",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "StructureDefinition",
        "Substance",
        "ValueSet",
    }
)
"""Types that are about nobody (unless one names a patient): a patient may read those with an empty compartment."""


@cache
def types() -> Mapping[str, Mapping[str, Parameter]]:
    """The search parameters by name, of every resource type that the store keeps."""
    text = (files("janani.record") / "search_parameters.json").read_bytes()
    table = msgspec.json.decode(text, type=dict[str, dict[str, list[str]]])
    return {resource_type: _parameters(resource_type, rows) for resource_type, rows in table.items()}


def parameters(resource_type: str) -> Mapping[str, Parameter]:
    """The search parameters of `resource_type` by name. Raises FhirProblem when the store has no such type."""
    found = types().get(resource_type)
    if found is None:
        raise FhirProblem(404, "not-supported", f"HAPI-0302: Unknown resource type '{resource_type}'")
    return found


@cache
def about(resource_type: str) -> tuple[Parameter, ...]:
    """The parameters that say whose record a resource of this type belongs to."""
    known = parameters(resource_type)
    return tuple(known[name] for name in _ABOUT_OF.get(resource_type, _ABOUT) if name in known)


def _parameters(resource_type: str, rows: Mapping[str, list[str]]) -> dict[str, Parameter]:
    common = {name: _parameter(resource_type, name, [kind, path]) for name, (kind, path) in _COMMON.items()}
    known = common | {name: _parameter(resource_type, name, row) for name, row in rows.items()}
    found: dict[str, Parameter] = {}  # those with fewer paths and more targets first: their rows may serve the others
    for one in sorted(known.values(), key=lambda one: (len(one.steps), bool(one.targets), -len(one.targets))):
        found[one.name] = _with_rows(one, [other for other in found.values() if other.rows == (other.key,)])
    return {name: found[name] for name in known}


def _with_rows(one: Parameter, indexed: Sequence[Parameter]) -> Parameter:
    """`one` with the keys of its rows: those of `indexed` where they lead to all its elements (of `patient` those of
    `subject`, of `combo-code` those of `code` and `component-code`), else its own.

    What conditional requests look for (`identifier`, `_tag`) stands under its own key always.
    """
    paths = set(one.steps)
    serve = [
        other
        for other in indexed
        if other.kind == one.kind
        and set(other.steps) <= paths
        and (not other.targets or (one.targets and one.targets <= other.targets))
    ]
    serve = [other for other in serve if set(other.steps) == paths][:1] or serve
    reached = {steps for other in serve for steps in other.steps}
    if reached != paths or not paths or one.name == "identifier" or one.name in _COMMON:
        return msgspec.structs.replace(one, rows=(one.key,))
    narrower = any(other.targets != one.targets for other in serve)
    return msgspec.structs.replace(one, rows=tuple(other.key for other in serve), narrower=narrower)


def _parameter(resource_type: str, name: str, row: list[str]) -> Parameter:
    kind, paths, targets = (*row, "")[:3]
    steps = tuple(tuple(_step(step) for step in path.split(".")) for path in paths.split(" | ") if path)
    return msgspec.convert(
        {"name": name, "key": f"{resource_type}.{name}", "kind": kind, "steps": steps, "targets": targets.split()},
        Parameter,
    )


def _step(text: str) -> tuple[str, str]:
    name, _, bracket = text.partition("[")
    return name, bracket.rstrip("]")
