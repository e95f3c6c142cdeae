"""A profile as checks: what it adds to R4, compiled once (FHIR R4 §profiling).

An owner check looks at one name of an object (how often, which type, which slices); an item check at one value.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from janani.record.validation.context import Check, Context, Path
from janani.record.validation.matching import UNKNOWN, matcher, matches
from janani.record.validation.model import MANY, Binding, Node, Profile, Rule, Slicing, choice_name
from janani.record.validation.structure import Compiled, bound, reference, rules_check
from janani.record.validation.terminology import ValueSet

Owner = Callable[[dict[str, Any], Path, Context], None]


class Conformance:
    """Compiles profiles.

    Args:
        choices: choice element → its JSON names.
        rules: compiles invariants, leaving out those not understood.
        value_set: gives a value set that can be enumerated, else None.
        claim: gives the check of a profile by canonical URL, else None.
        type_of: gives the type a profile constrains.
    """

    def __init__(
        self,
        choices: dict[str, list[str]],
        rules: Callable[[list[Rule]], list[Compiled]],
        value_set: Callable[[str], ValueSet | None],
        claim: Callable[[str], Check | None],
        type_of: Callable[[str], str],
    ) -> None:
        self._choices, self._rules, self._value_set = choices, rules, value_set
        self._claim, self._resource_of = claim, type_of
        self._made: dict[tuple[str, bytes], list[Owner]] = {}

    def profile(self, url: str, profile: Profile) -> "ProfileCheck":
        """The check of a whole resource or extension against `profile`."""
        children = {name: self._owners(name, child) for name, child in profile.root.children.items()}
        return ProfileCheck(url.rpartition("/")[2], profile, self._own(profile.root), children, self._choices)

    def item(self, node: Node) -> Check | None:
        """The check of one value of an element; None when the profile adds nothing."""
        checks = self._own(node)
        owners = [owner for name, child in node.children.items() for owner in self._owners(name, child)]
        if owners:
            checks.append(_children(owners))
        return _together(checks)

    def _own(self, node: Node) -> list[Check]:
        """The checks of a value but for those of its children."""
        checks: list[Check] = []
        if node.fixed is not None:
            checks.append(_fixed(node.fixed))
        if node.pattern is not None:
            checks.append(_pattern(node.pattern))
        if node.binding is not None:
            checks += self._binding(node.binding)
        if node.targets is not None:
            checks.append(reference(frozenset(node.targets)))
        # The structure check looks every extension up by its url, so it must not run twice.
        urls = [url for url in node.profiles or () if self._resource_of(url) != "Extension"]
        if urls:
            checks.append(self._meets_one(urls))
        if node.rules and (compiled := self._rules(node.rules)):
            checks.append(rules_check(compiled))
        return checks

    def _meets_one(self, urls: list[str]) -> Check:
        def run(value: Any, path: Path, context: Context) -> None:
            for url in urls:
                if len(urls) == 1 and (check := self._claim(url)) is not None:
                    check(value, path, context)
                elif context.validator.claims_or_meets(value, url, context):
                    return
            if len(urls) > 1:
                names = " or ".join(url.rpartition("/")[2] for url in urls)
                context.report(path, "structure", f"a resource of profile {names} was expected")

        return run

    def _binding(self, binding: Binding) -> list[Check]:
        sets = [found for url in binding.values if (found := self._value_set(url)) is not None]
        if len(sets) != len(binding.values):
            return []
        severity = "error" if binding.strength == "required" else "warning"
        if len(sets) == 1:
            return [bound(sets[0], severity)]

        def run(value: Any, path: Path, context: Context) -> None:
            if not any(values.has(value) for values in sets):
                bound(sets[0], severity)(value, path, context)

        return [run]

    def _owners(self, name: str, node: Node) -> list[Owner]:
        """The checks of a child; the same for all that say the same of it."""
        key = (name, msgspec.json.encode(node))
        if key not in self._made:
            self._made[key] = self._made_owners(name, node)
        return self._made[key]

    def _made_owners(self, name: str, node: Node) -> list[Owner]:
        if name.endswith("[x]"):
            return [self._choice(name[:-3], node)]
        concrete = next((choice for choice, names in self._choices.items() if name in names), name)
        label = concrete if name != concrete else name
        owners = []
        if node.min or node.max is not None:
            owners.append(_cardinality(name, label, node.min or 0, MANY if node.max is None else node.max))
        check = self.item(node)
        if check is not None:
            owners.append(_each(name, label, check))
        if node.slicing is not None:
            owners.append(self._slicing(name, label, node.slicing))
        return owners

    def _choice(self, name: str, node: Node) -> Owner:
        names = frozenset(self._choices.get(name, ()))
        allowed = None if node.types is None else {choice_name(name, kind) for kind in node.types}
        check, least, most = self.item(node), node.min or 0, node.max

        def run(owner: dict[str, Any], path: Path, context: Context) -> None:
            found = next((key for key in owner if key in names), None)
            if found is None:
                if least:
                    context.report(path, "required", f"{name}[x] is missing (at least {least} needed)")
                return
            here = (path, name, -1)
            if most == 0:
                context.report(here, "structure", "the profile does not allow this element")
            elif allowed is not None and found not in allowed:
                context.report(here, "structure", f"the profile allows {' or '.join(sorted(allowed))} here")
            elif check is not None:
                check(owner[found], here, context)

        return run

    def _slicing(self, name: str, label: str, slicing: Slicing) -> Owner:
        parts = [
            (part, test, self.item(node) or _no_check, node.min or 0, MANY if node.max is None else node.max)
            for part, node in slicing.slices.items()
            if (test := matcher(node, slicing.by)) is not None
        ]

        def run(owner: dict[str, Any], path: Path, context: Context) -> None:
            value = owner.get(name)
            items = value if type(value) is list else [] if value is None else [value]
            counts, unsure = [0] * len(parts), False
            for index, item in enumerate(items):
                here = (path, label, index if type(value) is list else -1)
                found = None
                for place, (_, test, check, _, _) in enumerate(parts):
                    found = test(item, context)
                    if found is UNKNOWN:
                        unsure = True
                    elif found:
                        counts[place] += 1
                        check(item, here, context)
                        break
                if slicing.closed and not found:
                    context.report(here, "structure", "the profile allows no other kind of entry here (closed slicing)")
            for (part, _, _, least, most), count in zip(parts, counts, strict=True):
                if count < least and not unsure:
                    context.report((path, label, -1), "required", f"slice {part}: {count} given, {least} needed")
                if count > most >= 0:
                    context.report((path, label, -1), "structure", f"slice {part}: {count} given, {most} allowed")

        return run


class ProfileCheck:
    """The check of a whole resource or extension against one profile.

    Attributes:
        rules: what is checked of the resource as a whole.
        expressions: the invariants of which `rules` are made; None when they are of more.
    """

    __slots__ = ("_check", "_children", "_choices", "_name", "_type", "expressions", "rules")

    def __init__(
        self,
        name: str,
        profile: Profile,
        rules: list[Check],
        children: dict[str, list[Owner]],
        choices: dict[str, list[str]],
    ) -> None:
        self._name, self._type, self._children, self._choices = name, profile.type, children, choices
        root, self.rules = profile.root, rules
        more = any(one is not None for one in (root.fixed, root.pattern, root.binding, root.targets, root.profiles))
        self.expressions = None if more else [rule.expression for rule in root.rules or ()]
        owners = [owner for found in children.values() for owner in found]
        self._check = _together([*rules, _children(owners)]) or _no_check

    def __call__(self, value: Any, path: Path, context: Context) -> None:
        """Reports where `value` does not meet the profile."""
        kind = value.get("resourceType", "Extension") if isinstance(value, dict) else ""
        if kind != self._type:
            context.report(path, "structure", f"profile {self._name} is for {self._type}")
            return
        self._check(value, path, context)

    def element(self, name: str) -> list[Owner]:
        """The checks that element `name` of a resource (or its shadow "_name") bears on."""
        plain = name.removeprefix("_")
        return [
            owner
            for child, owners in self._children.items()
            if child == plain or (child.endswith("[x]") and plain in self._choices.get(child[:-3], ()))
            for owner in owners
        ]


def _no_check(_value: Any, _path: Path, _context: Context) -> None:
    """Nothing to check."""


def _together(checks: list[Check]) -> Check | None:
    if len(checks) < 2:
        return checks[0] if checks else None

    def run(value: Any, path: Path, context: Context) -> None:
        for check in checks:
            check(value, path, context)

    return run


def _fixed(expected: Any) -> Check:
    def run(value: Any, path: Path, context: Context) -> None:
        if value != expected:
            context.report(path, "value", f"the profile wants exactly {expected!r}")

    return run


def _pattern(expected: Any) -> Check:
    def run(value: Any, path: Path, context: Context) -> None:
        if not matches(expected, value):
            context.report(path, "value", f"the profile wants {_said(expected)}")

    return run


def _said(pattern: Any) -> str:
    if isinstance(pattern, dict):
        codings = pattern.get("coding", [pattern] if "code" in pattern else [])
        if codings:
            return " and ".join(f"{coding.get('system', '')}#{coding.get('code', '')}" for coding in codings)
    return repr(pattern)


def _children(owners: list[Owner]) -> Check:
    def run(value: Any, path: Path, context: Context) -> None:
        if type(value) is dict:
            for owner in owners:
                owner(value, path, context)

    return run


def _cardinality(name: str, label: str, least: int, most: int) -> Owner:
    shadow = "_" + name

    def run(owner: dict[str, Any], path: Path, context: Context) -> None:
        value = owner.get(name)
        if value is None:
            value = owner.get(shadow)
        count = 0 if value is None else len(value) if type(value) is list else 1
        if count < least:
            said = f"{name} is missing" if count == 0 else f"{name}: {count} given"
            context.report(path, "required", f"{said} (at least {least} needed)")
        elif most == 0 and count:
            context.report((path, label, -1), "structure", "the profile does not allow this element")
        elif count > most >= 0:
            context.report((path, label, -1), "structure", f"{count} given, at most {most} allowed")

    return run


def _each(name: str, label: str, check: Check) -> Owner:
    def run(owner: dict[str, Any], path: Path, context: Context) -> None:
        value = owner.get(name)
        if value is None:
            return
        if type(value) is list:
            for index, item in enumerate(value):
                check(item, (path, label, index), context)
        else:
            check(value, (path, label, -1), context)

    return run
