"""The R4 base from the official StructureDefinitions."""

from typing import Any

import msgspec

from janani.record.validation.build.values import Terminology
from janani.record.validation.model import MANY, Definitions, Element, Rule, Type, choice_name

# Checked natively on every node by the validator, or a matter of style (dom-6 asks for a narrative).
NATIVE = {"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "ref-1", "txt-1", "txt-2"}
_DERIVED = ("SimpleQuantity", "MoneyQuantity")
_COUNTRIES = ("http://hl7.org/fhir/ValueSet/iso3166-1-2", "http://hl7.org/fhir/ValueSet/iso3166-1-3")


def definitions_of(resources: list[dict[str, Any]]) -> Definitions:
    """Every R4 resource and data type, with the required value sets that can be enumerated."""
    types: dict[str, Type] = {}
    for resource in resources:
        if resource["resourceType"] == "StructureDefinition" and _wanted(resource):
            types |= _types(resource)
    terminology = Terminology(resources)
    bound = {element.binding for kind in types.values() for element in kind.elements.values() if element.binding}
    values = {url: found for url in bound if (found := terminology.values(url))}
    values |= {url: found for url in _COUNTRIES if (found := terminology.values(url))}
    return Definitions("4.0.1", {name: _raw(kind) for name, kind in types.items()}, values, _choices(types))


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value, order="deterministic"))


def _wanted(definition: dict[str, Any]) -> bool:
    if definition["kind"] not in ("resource", "complex-type"):
        return False
    return definition.get("derivation") == "specialization" or definition["id"] in (*_DERIVED, "Element", "Resource")


def _types(definition: dict[str, Any]) -> dict[str, Type]:
    name = definition["id"]
    root, *elements = definition["snapshot"]["element"]
    found = {name: Type("resource" if definition["kind"] == "resource" else "complex", {}, rules_of(root))}
    for element in elements:
        parent, _, own = element["path"].rpartition(".")
        parent = name + parent[len(root["path"]) :]
        path = f"{parent}.{own}"
        if _is_backbone(element):
            found[path] = Type("backbone", {}, rules_of(element))
        found[parent].elements[own] = _element(path, element)
    return found


def _is_backbone(element: dict[str, Any]) -> bool:
    return [kind["code"] for kind in element.get("type", [])] in (["BackboneElement"], ["Element"])


def _element(path: str, element: dict[str, Any]) -> Element:
    if "contentReference" in element:
        types = ["@" + element["contentReference"].partition("#")[2]]
    elif _is_backbone(element):
        types = [f"@{path}"]
    elif element["base"]["path"] == "Resource.id":
        types = ["id"]  # R4's own definition says string there; FHIR R4 §resource says id
    else:
        types = [type_name(kind) for kind in element["type"]]
    binding = element.get("binding", {})
    return Element(
        types=types,
        min=element["min"],
        max=MANY if element["max"] == "*" else int(element["max"]),
        repeats=element["base"]["max"] != "1",
        binding=binding.get("valueSet", "").partition("|")[0] if binding.get("strength") == "required" else "",
        targets=sorted({target for kind in element.get("type", []) for target in targets_of(kind)}),
        rules=[] if _is_backbone(element) else rules_of(element),
    )


def type_name(kind: dict[str, Any]) -> str:
    """The name of an element's type; the quantity profiles of R4 count as types of their own."""
    profile: str = (kind.get("profile") or [""])[0].rpartition("/")[2]
    if profile in _DERIVED:
        return profile
    code: str = kind["code"]
    if code.startswith("http://hl7.org/fhirpath/"):
        said = [e["valueUrl"] for e in kind.get("extension", []) if e["url"].endswith("structuredefinition-fhir-type")]
        return str(said[0]) if said else "string"
    return code


def targets_of(kind: dict[str, Any]) -> list[str]:
    """The R4 resource types a base Reference may point at; none: any."""
    names = [url.rpartition("/")[2] for url in kind.get("targetProfile", []) if kind["code"] == "Reference"]
    return [] if "Resource" in names else names


def rules_of(element: dict[str, Any]) -> list[Rule]:
    """The invariants of an element that FHIRPath has to decide."""
    return [
        Rule(c["key"], c["expression"], c["human"], c["severity"])
        for c in element.get("constraint", [])
        if c["key"] not in NATIVE and "expression" in c
    ]


def _choices(types: dict[str, Type]) -> dict[str, list[str]]:
    """Choice element → every JSON name it can have ("value": ["valueQuantity", …])."""
    found: dict[str, dict[str, None]] = {}
    for kind in types.values():
        for name, element in kind.elements.items():
            if name.endswith("[x]"):
                names = (choice_name(name, one) for one in element.types)
                found.setdefault(name[:-3], {}).update(dict.fromkeys(names))
    return {name: sorted(names) for name, names in found.items()}
