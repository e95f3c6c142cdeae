"""References inside resources: found, resolved and rewritten (R4 §http 3.1.0.11.2). Pure."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

_CONDITIONAL = re.compile(r"^[A-Z][A-Za-z]+\?.+")
_PLACEHOLDER = ("urn:uuid:", "urn:oid:")


@lru_cache(maxsize=1024)  # shared resources are named by every bundle
def canonical(url: str) -> str:
    """One text for all spellings of a criterion "Type?a=b&c=d" (escapes, order of parameters)."""
    resource_type, _, text = url.partition("?")
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)


def conditional(resource: Any) -> set[str]:
    """The conditional references ("Patient?identifier=…") in `resource`, as written."""
    return {text for text in _texts(resource) if _CONDITIONAL.match(text)}


def rewritten(value: Any, links: Mapping[str, str], criteria: Mapping[str, str], unknown: set[str]) -> Any:
    """`value` with placeholders, wherever they stand, and references replaced.

    Args:
        links: full URL (or relative URL) of a bundle entry → "Type/id".
        criteria: conditional reference as written → "Type/id".
        unknown: gets the placeholders that are referred to and no entry of the bundle has as its full URL.
    """
    if isinstance(value, list):
        return [rewritten(child, links, criteria, unknown) for child in value]
    if not isinstance(value, dict):
        return links.get(value, value) if isinstance(value, str) and value.startswith(_PLACEHOLDER) else value
    made = {}
    for name, child in value.items():
        if isinstance(child, (dict, list)):
            child = rewritten(child, links, criteria, unknown)
        elif isinstance(child, str) and name == "reference":
            child = criteria.get(child) or links.get(child, child)
            if child.startswith(_PLACEHOLDER):
                unknown.add(child)
        elif isinstance(child, str) and child.startswith(_PLACEHOLDER):
            child = links.get(child, child)
        made[name] = child
    return made


def _texts(value: Any) -> Iterator[str]:
    """The text of every `reference` element in `value`."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            text = node.get("reference")
            if isinstance(text, str):
                yield text
            waiting += [child for child in node.values() if isinstance(child, (dict, list))]
        elif isinstance(node, list):
            waiting += [child for child in node if isinstance(child, (dict, list))]
