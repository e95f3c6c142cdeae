"""What each profile's snapshot adds to the R4 base.

The snapshot is a flat list of elements with ids ("Observation.component:Systolic.code"); it becomes a tree of `Node`s
that holds only the differences: the base is always checked anyway, so equal facets would be checked twice.
"""

from typing import Any

import msgspec

from janani.record.validation.build.base import NATIVE, type_name
from janani.record.validation.build.values import Terminology
from janani.record.validation.model import (
    MANY,
    Binding,
    Definitions,
    Element,
    Node,
    Profile,
    Profiles,
    Rule,
    Slicing,
    Type,
    Values,
    choice_name,
)

_ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"


def profiles_of(resources: list[dict[str, Any]], base: Definitions, terminology: Terminology) -> Profiles:
    """Every StructureDefinition among `resources` with a snapshot, and the value sets they bind."""
    definitions = [r for r in resources if r["resourceType"] == "StructureDefinition" and "snapshot" in r]
    reader = _Reader(base, terminology, {r["url"]: r["type"] for r in definitions})
    made = {r["url"]: Profile(r["type"], reader.read(r)) for r in definitions}
    guide = next(r for r in resources if r["resourceType"] == "ImplementationGuide")
    return Profiles(
        f"{guide['packageId']}#{guide['version']}",
        {url: msgspec.Raw(msgspec.json.encode(profile, order="deterministic")) for url, profile in made.items()},
        [url for url, profile in made.items() if profile.type == "Extension"],
        reader.values,
    )


class _Reader:
    """Reads snapshots; gathers the value sets they bind."""

    def __init__(self, base: Definitions, terminology: Terminology, own: dict[str, str]) -> None:
        self._types = {name: msgspec.json.decode(raw, type=Type) for name, raw in base.types.items()}
        self._known_values, self._terminology, self._own = base.values, terminology, own
        self._rules = {rule.key for kind in self._types.values() for rule in _all_rules(kind)} | NATIVE
        self.values: dict[str, Values] = {}

    def read(self, definition: dict[str, Any]) -> Node:
        elements = definition["snapshot"]["element"]
        kinds = {e["id"]: [type_name(kind) for kind in e.get("type", [])] for e in elements}
        root = Node(rules=self._own_rules(elements[0]))
        for element in elements[1:]:
            base = self._base(definition["type"], element["id"], kinds)
            if base is not None:
                self._fill(_place(root, element, kinds), element, base)
        _inherit(root)
        return _prune(root) or Node()

    def _base(self, root: str, identity: str, kinds: dict[str, list[str]]) -> Element | None:
        """The base element below which the profile's element `identity` stands; None where types differ."""
        owner, element, trail = root, None, identity.split(".")[0]
        for step in identity.split(".")[1:]:
            if element is not None:
                owner = self._owner(element, kinds.get(trail, []))
            name = step.partition(":")[0]
            trail += "." + step
            element = self._types[owner].elements.get(name) if owner in self._types else None
            if element is None:
                return None
        return element

    def _owner(self, element: Element, kinds: list[str]) -> str:
        if element.types[0].startswith("@"):
            return element.types[0][1:]
        return kinds[0] if len(kinds) == 1 else element.types[0]

    def _fill(self, node: Node, element: dict[str, Any], base: Element) -> None:
        sliced = "sliceName" in element
        most = MANY if element["max"] == "*" else int(element["max"])
        if element["min"] > (0 if sliced else base.min):
            node.min = element["min"]
        if most != (MANY if sliced and base.max == MANY else base.max):
            node.max = most
        kinds = [type_name(kind) for kind in element.get("type", [])]
        narrowed = element["path"].endswith("[x]") and not sliced and len(kinds) < len(base.types)
        if narrowed or (base.types == ["Resource"] and kinds != base.types):
            node.types = kinds
        node.targets = self._targets(element, base)
        node.meets = [u for k in element.get("type", []) for u in k.get("targetProfile", []) if u in self._own] or None
        node.profiles = [u for k in element.get("type", []) for u in k.get("profile", []) if u in self._own] or None
        node.fixed = _facet(element, "fixed")
        node.pattern = _facet(element, "pattern")
        node.binding = self._binding(element, base)
        node.rules = self._own_rules(element)
        if "slicing" in element:
            by = [(d["type"], d["path"]) for d in element["slicing"].get("discriminator", [])]
            node.slicing = node.slicing or Slicing()
            node.slicing.by, node.slicing.closed = by, element["slicing"]["rules"] == "closed"

    def _targets(self, element: dict[str, Any], base: Element) -> list[str] | None:
        urls = [url for kind in element.get("type", []) for url in kind.get("targetProfile", [])]
        names = sorted({self._resource_of(url) for url in urls})
        return names if names and names != base.targets and "Resource" not in names else None

    def _resource_of(self, url: str) -> str:
        if url in self._own:
            return self._own[url]
        return url.rpartition("/")[2].removesuffix("-uv-ips").partition("-")[0]

    def _binding(self, element: dict[str, Any], base: Element) -> Binding | None:
        said = element.get("binding", {})
        strength = said.get("strength")
        if strength not in ("required", "extensible") or "valueSet" not in said:
            return None
        urls = [said["valueSet"].partition("|")[0]]
        if urls[0] == base.binding:
            return None
        urls += _additional(said)
        known = [url for url in urls if self._gather(url)]
        return Binding(known, strength) if known == urls else None

    def _gather(self, url: str) -> bool:
        found = self._known_values.get(url) or self._terminology.values(url)
        if found is not None and url not in self._known_values:
            self.values[url] = found
        return found is not None

    def _own_rules(self, element: dict[str, Any]) -> list[Rule] | None:
        return [
            Rule(c["key"], c["expression"], c["human"], c["severity"])
            for c in element.get("constraint", [])
            if c["key"] not in self._rules and "expression" in c
        ] or None


def _all_rules(kind: Type) -> list[Rule]:
    return [*kind.rules, *(rule for element in kind.elements.values() for rule in element.rules)]


def _facet(element: dict[str, Any], prefix: str) -> Any:
    return next((value for key, value in element.items() if key.startswith(prefix)), None)


def _additional(binding: dict[str, Any]) -> list[str]:
    found = []
    for extension in binding.get("extension", []):
        if extension["url"] == _ADDITIONAL:
            parts = {part["url"]: part for part in extension["extension"]}
            if parts["purpose"]["valueCode"] in ("required", "extensible"):
                found.append(parts["valueSet"]["valueCanonical"])
    return found


def _place(root: Node, element: dict[str, Any], kinds: dict[str, list[str]]) -> Node:
    """The node of the element with this id, made on the way there."""
    node, trail = root, element["id"].split(".")[0]
    for step in element["id"].split(".")[1:]:
        trail += "." + step
        name, _, part = step.partition(":")
        parent, node = node, node.children.setdefault(name, Node())
        if part and name.endswith("[x]"):
            if node.slicing is None:
                node.slicing = Slicing()
            concrete = choice_name(name, kinds[trail][0])
            node.slicing.slices.setdefault(kinds[trail][0], Node())  # remembered for a closed choice
            node = parent.children.setdefault(concrete, Node())
        elif part:
            node.slicing = node.slicing or Slicing()
            node = node.slicing.slices.setdefault(part, Node())
    return node


def _inherit(node: Node) -> None:
    """Drops from slices what the unsliced element says already; turns closed choices into lists of types."""
    for name, child in node.children.items():
        if child.slicing is not None and name.endswith("[x]"):
            if child.slicing.closed:
                kinds = list(child.slicing.slices)
                child.types = kinds if child.types is None else [kind for kind in child.types if kind in kinds]
                _one_missing(name, child, node)
            child.slicing = None
        if child.slicing is not None:
            whole = msgspec.structs.replace(child, slicing=None, min=None, max=None)
            for part in child.slicing.slices.values():
                _subtract(part, whole)
                _inherit(part)
        _inherit(child)


def _one_missing(name: str, choice: Node, owner: Node) -> None:
    """A choice of one type only: what is missing is then said of the choice, not of the type once more."""
    only = owner.children.get(choice_name(name, choice.types[0])) if choice.types and len(choice.types) == 1 else None
    if only is not None and only.min:
        choice.min, only.min = only.min, None


def _subtract(part: Node, whole: Node) -> None:
    for facet in ("targets", "meets", "profiles", "fixed", "pattern", "binding", "rules", "types"):
        if getattr(part, facet) is not None and getattr(part, facet) == getattr(whole, facet):
            setattr(part, facet, None)
    for name, child in part.children.items():
        if name in whole.children:
            other = whole.children[name]
            if child.min == other.min:
                child.min = None
            if child.max == other.max:
                child.max = None
            _subtract(child, other)


def _prune(node: Node) -> Node | None:
    """`node` without what says nothing; None when nothing is left."""
    node.children = {name: kept for name, child in node.children.items() if (kept := _prune(child))}
    if node.slicing is not None:
        slices = {name: _prune(part) or Node() for name, part in node.slicing.slices.items()}
        node.slicing.slices = {name: part for name, part in slices.items() if part != Node()}
        if not node.slicing.slices:
            node.slicing = None
    return None if node == Node() else node
