"""R4's own structure: each type compiled to a check when it is first met (FHIR R4 §json, §elements).

A check walks the JSON value, not the definition: every name found must be known, every value fit its type; then
what is missing, then the invariants.
"""

from collections.abc import Callable
from typing import Any

from janani.record.validation import narrative
from janani.record.validation.context import Check, Context, Path, target_type
from janani.record.validation.fhirpath import Test
from janani.record.validation.model import MANY, Element, Rule, Type, choice_name
from janani.record.validation.primitives import EXPECTED, TESTS
from janani.record.validation.terminology import ValueSet

Field = Callable[[Any, dict[str, Any], Path, Context], None]
Compiled = tuple[Test, Rule]


class TypeCheck:
    """The check of one type; compiled at its first call, because types contain each other."""

    __slots__ = ("_choices", "_fields", "_name", "_required", "_rules", "_structure")

    def __init__(self, structure: "Structure", name: str) -> None:
        self._structure, self._name = structure, name
        self._fields: dict[str, tuple[Field, str]] | None = None
        self._required: list[tuple[str, str]] = []
        self._choices: list[str] = []
        self._rules: list[Compiled] = []

    def __call__(self, value: Any, path: Path, context: Context) -> None:
        """Reports what is wrong with `value` as this type."""
        fields = self._prepare() if self._fields is None else self._fields
        if type(value) is not dict:
            context.report(path, "structure", f"an object ({self._name}) was expected")
            return
        if not value:
            context.report(path, "invariant", "an object must not be empty (ele-1)")
        chosen: list[str] = []
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                context.report(path, "structure", f"{self._name} has no element {name[:64]!r}")
                continue
            if field[1] and name[0] != "_":
                if field[1] in chosen:
                    context.report(path, "structure", f"only one type of {field[1]}[x] may be given")
                chosen.append(field[1])
            field[0](item, value, path, context)
        for name, shadow in self._required:
            if name not in value and shadow not in value:
                context.report(path, "required", f"{name} is missing (at least 1 needed)")
        for name in self._choices:
            if name not in chosen:
                context.report(path, "required", f"{name}[x] is missing (1 needed)")
        if self._rules:
            self.rules(value, path, context)

    def element(self, name: str) -> Callable[[dict[str, Any], Path, Context], None]:
        """The check of the element `name` (which there is) of an object, by itself."""
        fields = self._prepare() if self._fields is None else self._fields
        check = fields[name][0]
        return lambda owner, path, context: check(owner[name], owner, path, context)

    def expressions(self) -> list[str]:
        """The invariants of an object as a whole."""
        self._prepare()
        return [rule.expression for _, rule in self._rules]

    def rules(self, value: dict[str, Any], path: Path, context: Context) -> None:
        """Reports the invariants that don't hold of an object as a whole."""
        for test, rule in self._rules:
            if not test(value, context):
                context.report(path, "invariant", f"{rule.key}: {rule.text}", rule.severity)

    def _prepare(self) -> dict[str, tuple[Field, str]]:
        kind = self._structure.read(self._name)
        fields: dict[str, tuple[Field, str]] = {}
        if kind.kind == "resource":
            fields["resourceType"] = (_nothing, "")
        for name, element in kind.elements.items():
            if name.endswith("[x]"):
                self._choice(name[:-3], element, fields)
            else:
                fields |= self._structure.fields(name, name, element, element.types[0], "")
                if element.min:
                    self._required.append((name, "_" + name))
        self._rules = self._structure.rules(kind.rules)
        self._fields = fields
        return fields

    def _choice(self, name: str, element: Element, fields: dict[str, tuple[Field, str]]) -> None:
        for kind in element.types:
            fields |= self._structure.fields(choice_name(name, kind), name, element, kind, name)
        if element.min:
            self._choices.append(name)


class Structure:
    """All types of R4, compiled on demand.

    Args:
        read: gives a type by name.
        compile_rule: compiles an invariant; None when its expression is not understood.
        value_set: gives a value set that can be enumerated, else None.
    """

    def __init__(
        self,
        read: Callable[[str], Type],
        compile_rule: Callable[[Rule], Test | None],
        value_set: Callable[[str], ValueSet | None],
    ) -> None:
        self.read, self._compile_rule, self._value_set = read, compile_rule, value_set
        self._checks: dict[str, TypeCheck] = {}

    def of(self, name: str) -> TypeCheck:
        """The check of type `name`."""
        found = self._checks.get(name)
        if found is None:
            found = self._checks[name] = TypeCheck(self, name)
        return found

    def rules(self, rules: list[Rule]) -> list[Compiled]:
        """The invariants among `rules` that can be evaluated."""
        return [(test, rule) for rule in rules if (test := self._compile_rule(rule)) is not None]

    def fields(self, name: str, label: str, element: Element, kind: str, group: str) -> dict[str, tuple[Field, str]]:
        """The fields a JSON object has for one element: itself and, for a primitive, its shadow "_name"."""
        values = self._value_set(element.binding) if element.binding else None
        if kind in TESTS or kind == "xhtml":
            check = _xhtml if kind == "xhtml" else _primitive(kind, values)
            field = _field(check, label, element, "_" + name)
            if not element.repeats and kind != "xhtml":
                field = _one_primitive(kind, values, label)
            return {
                name: (field, group),
                "_" + name: (_shadow(self.of("Element"), label, element.repeats), group),
            }
        return {name: (_field(self._complex(kind, element, values), label, element, ""), group)}

    def _complex(self, kind: str, element: Element, values: ValueSet | None) -> Check:
        check: Check = resource if kind == "Resource" else self.of(kind.removeprefix("@"))
        checks = [check]
        if kind == "Reference":
            checks.append(reference(frozenset(element.targets)))
        if kind == "Extension":
            checks.append(_extension)
        if values is not None:
            checks.append(bound(values, "error"))
        if compiled := self.rules(element.rules):
            checks.append(rules_check(compiled))
        return checks[0] if len(checks) == 1 else _all(checks)


def _nothing(_value: Any, _owner: Any, _path: Path, _context: Context) -> None:
    """`resourceType`: told the types apart already."""


def _all(checks: list[Check]) -> Check:
    def run(value: Any, path: Path, context: Context) -> None:
        for check in checks:
            check(value, path, context)

    return run


def _field(check: Check, label: str, element: Element, shadow: str) -> Field:
    if not element.repeats:

        def one(value: Any, _owner: dict[str, Any], path: Path, context: Context) -> None:
            if type(value) is list:
                context.report((path, label, -1), "structure", "one value was expected, not a list")
            else:
                check(value, (path, label, -1), context)

        return one

    def many(value: Any, owner: dict[str, Any], path: Path, context: Context) -> None:
        if type(value) is not list:
            context.report((path, label, -1), "structure", "a list was expected")
            return
        if not value:
            context.report((path, label, -1), "structure", "a list must not be empty")
        if element.max != MANY and len(value) > element.max:
            context.report((path, label, -1), "structure", f"at most {element.max} allowed, {len(value)} given")
        for index, item in enumerate(value):
            if item is None and shadow and _has_shadow(owner.get(shadow), index):
                continue
            check(item, (path, label, index), context)

    return many


def _has_shadow(shadows: Any, index: int) -> bool:
    return isinstance(shadows, list) and index < len(shadows) and isinstance(shadows[index], dict)


def _shadow(element: TypeCheck, label: str, listed: bool) -> Field:
    """`_name`: id and extensions of a primitive, a list with gaps for a list (FHIR R4 §json-primitives)."""

    def run(value: Any, _owner: dict[str, Any], path: Path, context: Context) -> None:
        if listed != isinstance(value, list):
            context.report((path, "_" + label, -1), "structure", "a list was expected" if listed else "no list here")
            return
        for index, item in enumerate(value if listed else [value]):
            if item is not None or not listed:
                element(item, (path, label, index if listed else -1), context)

    return run


def _primitive(kind: str, values: ValueSet | None) -> Check:
    test, expected = TESTS[kind], EXPECTED.get(kind, kind)

    def run(value: Any, path: Path, context: Context) -> None:
        if not test(value):
            context.report(path, "value", f"{kind}: {expected} was expected")
        elif values is not None and not values.has_code(value):
            context.report(path, "code-invalid", f"{values.says()} was expected")

    return run


def _one_primitive(kind: str, values: ValueSet | None, label: str) -> Field:
    """`_field` of a `_primitive` that doesn't repeat: most fields are, so it is one call less."""
    check, test = _primitive(kind, values), TESTS[kind]

    def run(value: Any, _owner: dict[str, Any], path: Path, context: Context) -> None:
        if type(value) is list:
            context.report((path, label, -1), "structure", "one value was expected, not a list")
        elif not test(value) or values is not None:
            check(value, (path, label, -1), context)

    return run


def _xhtml(value: Any, path: Path, context: Context) -> None:
    said = narrative.fault(value)
    if said is not None:
        context.report(path, "value", said)


def _extension(value: Any, path: Path, context: Context) -> None:
    """ext-1, and the definition of the extension when the programme has one."""
    if type(value) is not dict:
        return
    has_value = any(name.startswith(("value", "_value")) for name in value)
    if has_value == ("extension" in value):
        context.report(path, "invariant", "ext-1: Must have either extensions or value[x], not both")
    profile = context.validator.extension(value.get("url"))
    if profile is not None:
        profile(value, path, context)


def resource(value: Any, path: Path, context: Context) -> None:
    """A resource within a resource (contained, Bundle.entry.resource, Parameters): structure, then its profiles."""
    outer, context.resource = context.resource, value
    if path[1] == "contained":
        context.resource = outer  # %resource and local references stay with the container
    context.validator.check_resource(value, path, context)
    context.resource = outer


def reference(targets: frozenset[str]) -> Check:
    """A Reference that may point at resources of the types `targets` (empty: any); ref-1."""

    def run(value: Any, path: Path, context: Context) -> None:
        literal = value.get("reference") if type(value) is dict else None
        if type(literal) is not str:
            return
        kind = target_type(literal)
        if kind is None:
            context.report(path, "value", "a reference is Type/id, an absolute URL, urn:uuid:… or #contained")
            return
        if literal[0] == "#":
            found = context.contained(literal)
            if found is None:
                context.report(path, "invariant", "ref-1: no contained resource has that id")
                return
            kind = str(found.get("resourceType"))
        elif not kind:
            found = context.resolve(literal)
            kind = str(found.get("resourceType")) if found is not None else ""
        if kind and targets and kind not in targets:
            context.report(path, "structure", f"a reference to {' or '.join(sorted(targets))} was expected, not {kind}")

    return run


def bound(values: ValueSet, severity: Any) -> Check:
    """A coded value (code, Coding, CodeableConcept, Quantity) that has to be in `values`.

    An extensible binding (severity "warning") leaves a concept of text alone to its author.
    """
    word = "was expected" if severity == "error" else "would be better"

    def run(value: Any, path: Path, context: Context) -> None:
        if severity == "warning" and isinstance(value, dict) and "text" in value and "coding" not in value:
            return
        if not values.has(value):
            context.report(path, "code-invalid", f"{values.says()} {word}", severity)

    return run


def rules_check(compiled: list[Compiled]) -> Check:
    """The invariants of an element."""

    def run(value: Any, path: Path, context: Context) -> None:
        for test, rule in compiled:
            if not test(value, context):
                context.report(path, "invariant", f"{rule.key}: {rule.text}", rule.severity)

    return run


__all__ = ["Structure", "bound", "reference", "resource", "rules_check"]
