"""The validator: loads the compact definitions, compiles on demand, and checks resources."""

import gzip
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any, Self

import msgspec

from janani.record.problems import Issue
from janani.record.validation.conformance import Conformance, ProfileCheck
from janani.record.validation.context import Context, Path
from janani.record.validation.fhirpath import Test, invariant, mentioned
from janani.record.validation.fhirpath_syntax import NotUnderstood
from janani.record.validation.model import Definitions, Profile, Profiles, Rule, Type
from janani.record.validation.shapes import MOST_SHAPES, Element, Shape
from janani.record.validation.structure import Structure, TypeCheck
from janani.record.validation.terminology import ValueSet

BASE = File(__file__).with_name("r4.json.gz")
_LONGEST_CLAIM = 1000  # characters of a resource's profiles together


class Validator:
    """Checks resources against R4 and the profiles they claim. What it remembers of them changes no finding.

    Args:
        base: the R4 base.
        programme: the programme's profiles; None checks R4 alone.
    """

    def __init__(self, base: Definitions, programme: Profiles | None = None) -> None:
        self._base, self._programme = base, programme
        self._profiles: dict[str, ProfileCheck] = {}
        self._value_sets: dict[str, ValueSet | None] = {}
        self._tests: dict[str, Test | None] = {}
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self._elements: dict[tuple[Any, ...], Element] = {}
        self._structure = Structure(self._type, self._test, self.values)
        self._conformance = Conformance(
            base.choices, self._structure.rules, self.values, self.profile, self.resource_type
        )

    @classmethod
    def load(cls, folder: File | None) -> Self:
        """The validator with the profiles in `folder` (`profiles.json.gz`); None: R4 alone."""
        base = msgspec.json.decode(gzip.decompress(BASE.read_bytes()), type=Definitions)
        if folder is None:
            return cls(base)
        packed = (folder / "profiles.json.gz").read_bytes()
        return cls(base, msgspec.json.decode(gzip.decompress(packed), type=Profiles))

    @property
    def known(self) -> list[str]:
        """Canonical URLs of the resource profiles that are checked, for CapabilityStatement.supportedProfile."""
        if self._programme is None:
            return []
        return [url for url in self._programme.profiles if url not in self._programme.extensions]

    def resource_type(self, url: str) -> str:
        """The resource type that the known profile `url` constrains."""
        assert self._programme is not None
        return msgspec.json.decode(self._programme.profiles[url], type=Profile).type

    def validate(self, resource: dict[str, Any], said: Mapping[str, bytes] | None = None) -> list[Issue]:
        """Every finding about `resource`; empty when there is nothing to say. Errors mean it may not be stored.

        Structure is checked by FHIR R4 §json and the base definitions; then each profile of `meta.profile`, of which
        an unknown one is a warning. Diagnostics never quote what was sent.

        Args:
            said: the JSON of its elements as they were sent (as far as they still say that): what was found good
                before needs no further look.
        """
        key = _shape_key(resource, said) if said and "contained" not in resource else ()
        shape = self._shapes.get(key) if key else None
        if shape is not None and shape.good(resource, said or {}):
            return []
        context = Context(self, resource)
        self.check_resource(resource, (None, _name(resource), -1), context)
        if key and shape is None and not context.issues:
            self._remember(key, resource, said or {})
        return context.issues

    def check_resource(self, value: Any, path: Path, context: Context) -> None:
        """Checks one resource, possibly within another, into `context`."""
        name = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in self._base.types or not self._is_resource(name):
            context.report(path, "structure", "resourceType of an R4 resource was expected")
            return
        self._structure.of(name)(value, path, context)
        if "contained" in value:
            _contained(value, path, context)
        for url in _claimed(value):
            check = self.profile(url)
            if check is not None:
                check(value, path, context)
            elif self._programme is not None:
                context.report(
                    path, "not-found", f"profile {url[:200]} is not known here and was not checked", "warning"
                )

    def profile(self, url: str) -> ProfileCheck | None:
        """The check of profile `url` (a version after "|" is ignored); None when it is not known."""
        url = url.partition("|")[0]
        if url not in self._profiles:
            raw = self._programme.profiles.get(url) if self._programme is not None else None
            if raw is None:  # whatever anybody may claim: not remembered
                return None
            self._profiles[url] = self._conformance.profile(url, msgspec.json.decode(raw, type=Profile))
        return self._profiles[url]

    def extension(self, url: Any) -> ProfileCheck | None:
        """The check of an extension the programme defines."""
        if self._programme is None or not isinstance(url, str) or url not in self._programme.extensions:
            return None
        return self.profile(url)

    def claims_or_meets(self, resource: Any, url: str, context: Context) -> bool:
        """Whether `resource` claims profile `url`, or claims none and meets it."""
        if not isinstance(resource, dict):
            return False
        claimed = _claimed(resource)
        if claimed:
            return url in claimed
        check = self.profile(url)
        trial = Context(self, context.root)
        trial.resource = resource
        if check is not None:
            check(resource, (None, _name(resource), -1), trial)
        return not any(issue.severity == "error" for issue in trial.issues)

    def values(self, url: str) -> ValueSet | None:
        """Value set `url` when it can be enumerated."""
        if url not in self._value_sets:
            found = self._base.values.get(url)
            if found is None and self._programme is not None:
                found = self._programme.values.get(url)
            self._value_sets[url] = ValueSet(url, found) if found else None
        return self._value_sets[url]

    def known_codes(self) -> dict[str, set[str]]:
        """{code system: its codes} of the systems that the programme's own value sets list."""
        known: dict[str, set[str]] = {}
        for values in self._programme.values.values() if self._programme is not None else ():
            for system, listed in values.codes.items():
                known.setdefault(system, set()).update(listed.split("\n"))
        return known

    def _named(
        self, kind: TypeCheck, profiles: list[ProfileCheck], resource: dict[str, Any], said: Mapping[str, bytes]
    ) -> tuple[str, list[str]] | None:
        """The type, and which of its elements its invariants may look at; None when `said` doesn't tell all."""
        words: set[str] = set()
        for expressions in (kind.expressions(), *(profile.expressions for profile in profiles)):
            found = [None] if expressions is None else [mentioned(expression) for expression in expressions]
            if None in found:
                return None
            words.update(*(one for one in found if one is not None))
        words.update(*(self._base.choices.get(word, ()) for word in tuple(words)))
        names = [name for name in resource if name.removeprefix("_") in words and name != "resourceType"]
        return (resource["resourceType"], names) if said.keys() >= set(names) else None

    def _remember(self, key: tuple[Any, ...], resource: dict[str, Any], said: Mapping[str, bytes]) -> None:
        """The shape of `resource`, which was found good, is known from now on."""
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
            self._elements.clear()
        kind, path = self._structure.of(resource["resourceType"]), (None, _name(resource), -1)
        profiles = [check for url in _claimed(resource) if (check := self.profile(url)) is not None]
        elements = {}
        for name in resource:
            more = [owner for profile in profiles for owner in profile.element(name)]
            made = Element(self, name, path, [kind.element(name), *more])
            elements[name] = self._elements.setdefault((resource["resourceType"], name, *more), made)
        self._shapes[key] = Shape(
            self,
            [elements[name].known for name in said],
            [elements[name] for name in resource.keys() - said.keys() - {"resourceType"}],
            [kind.rules, *(rule for profile in profiles for rule in profile.rules)],
            self._named(kind, profiles, resource, said),
        )

    def _type(self, name: str) -> Type:
        return msgspec.json.decode(self._base.types[name], type=Type)

    def _is_resource(self, name: str) -> bool:
        return (
            name not in ("Resource", "DomainResource") and bytes(self._base.types[name]).find(b'"kind":"resource"') > 0
        )

    def _test(self, rule: Rule) -> Test | None:
        if rule.expression not in self._tests:
            try:
                self._tests[rule.expression] = invariant(rule.expression, self._base.choices)
            except NotUnderstood:
                self._tests[rule.expression] = None
        return self._tests[rule.expression]


def _shape_key(resource: dict[str, Any], said: Mapping[str, bytes]) -> tuple[Any, ...]:
    """What is the same in all of a shape; () when it says more of profiles than is worth remembering."""
    claimed = _claimed(resource)
    if sum(map(len, claimed)) > _LONGEST_CLAIM:
        return ()
    return (resource["resourceType"], tuple(claimed), tuple(said), tuple(resource))


def _name(resource: Any) -> str:
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    return name if isinstance(name, str) and name.isalpha() else "Resource"


def _claimed(resource: dict[str, Any]) -> list[str]:
    meta = resource.get("meta")
    urls = meta.get("profile") if isinstance(meta, dict) else None
    return [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []


def _contained(value: dict[str, Any], path: Path, context: Context) -> None:
    """dom-2 to dom-5: what contained resources may not have, and that something points at each of them."""
    contained = value["contained"]
    if not isinstance(contained, list):
        return
    used = _references(value)
    for index, inner in enumerate(contained):
        here = (path, "contained", index)
        if not isinstance(inner, dict):
            continue
        if "contained" in inner:
            context.report(here, "invariant", "dom-2: a contained resource contains no further ones")
        meta = inner.get("meta")
        if isinstance(meta, dict) and ({"versionId", "lastUpdated", "security"} & meta.keys()):
            context.report(
                here, "invariant", "dom-4, dom-5: a contained resource has no version and no security labels"
            )
        identity = f"#{inner.get('id')}"
        if identity not in used and "#" not in _references(inner):
            context.report(here, "invariant", "dom-3: nothing refers to this contained resource")


def _references(value: Any) -> set[str]:
    """Every literal reference and URI below `value`."""
    found: set[str] = set()
    level = [value]
    while level:
        item = level.pop()
        if isinstance(item, dict):
            level += item.values()
        elif isinstance(item, list):
            level += item
        elif isinstance(item, str) and item.startswith("#"):
            found.add(item)
    return found
