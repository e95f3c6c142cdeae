"""What one validation carries along: the findings, where it stands, and what it may look up."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from janani.record.problems import Issue, Severity

if TYPE_CHECKING:
    from janani.record.validation.validator import Validator

Path = tuple[Any, str, int]
"""(parent path or None, label, index or -1): rendered only when there is something to say."""
Check = Callable[[Any, Path, "Context"], None]

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?\S+=\S*")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]*:\S+")


class Context:
    """The state of one `Validator.validate`.

    `looked_around` tells whether a check asked for `root` or `resource`, and so hangs on more than its own value.
    """

    __slots__ = ("_known", "_resource", "_root", "issues", "looked_around", "validator")

    def __init__(self, validator: "Validator", root: dict[str, Any]) -> None:
        self.validator = validator
        self._root = self._resource = root
        self.issues: list[Issue] = []
        self.looked_around = False
        self._known: dict[str, Any] | None = None

    @property
    def root(self) -> dict[str, Any]:
        """What was given."""
        self.looked_around = True
        return self._root

    @property
    def resource(self) -> dict[str, Any]:
        """The innermost resource around the node being checked (FHIRPath's %resource)."""
        self.looked_around = True
        return self._resource

    @resource.setter
    def resource(self, value: dict[str, Any]) -> None:
        self._resource = value

    def report(self, path: Path, code: str, text: str, severity: Severity = "error") -> None:
        """Adds a finding (`code` of value set issue-type) unless it was found before."""
        issue = Issue(severity, code, text, place(path))
        if issue not in self.issues:
            self.issues.append(issue)

    def contained(self, fragment: str) -> Any:
        """The resource contained in the current one with that id ("#id"; "#" is the resource itself), else None."""
        if fragment == "#":
            return self.resource
        contained = self.resource.get("contained")
        items = contained if isinstance(contained, list) else []
        return next((r for r in items if isinstance(r, dict) and r.get("id") == fragment[1:]), None)

    def resolve(self, reference: str) -> Any:
        """The resource `reference` points at, when it is contained or in the same Bundle; else None."""
        if reference.startswith("#"):
            return self.contained(reference)
        if self._known is None:
            self._known = _addresses(self.root)
        return self._known.get(reference)

    def member_of(self, value: Any, url: str) -> bool | None:
        """Whether `value` is in value set `url`; None when that can't be known."""
        values = self.validator.values(url)
        return None if values is None else values.has(value)


def _addresses(root: dict[str, Any]) -> dict[str, Any]:
    known = {}
    entries = root.get("entry")
    for entry in entries if isinstance(entries, list) and root.get("resourceType") == "Bundle" else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            if isinstance(entry.get("fullUrl"), str):
                known[entry["fullUrl"]] = resource
            known[f"{resource.get('resourceType')}/{resource.get('id')}"] = resource
    return known


def place(path: Path) -> str:
    """`path` as a FHIRPath place: "Observation.component[0].code"."""
    parts = []
    step: Any = path
    while step is not None:
        step, label, index = step
        parts.append(label if index < 0 else f"{label}[{index}]")
    return ".".join(reversed(parts))


def target_type(reference: str) -> str | None:
    """The resource type a literal reference names; "" when it names none (urn:uuid, foreign URL, contained);
    None when it is no reference at all (FHIR R4 §references)."""
    match = _RELATIVE.fullmatch(reference) or _CONDITIONAL.fullmatch(reference)
    if match:
        return match[1]
    if reference.startswith("#"):
        return ""
    if not _ABSOLUTE.fullmatch(reference):
        return None
    last = "/".join(reference.split("/_history/")[0].rsplit("/", 2)[-2:]) if reference.startswith("http") else ""
    found = _RELATIVE.fullmatch(last)
    return found[1] if found else ""
