"""References inside resources: found, resolved and rewritten (R4 §http 3.1.0.11.2). Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from janani.record import indexing

Resource = dict[str, Any]
_CONDITIONAL = re.compile(r"^[A-Z][A-Za-z]+\?.+")
_PLACEHOLDER = ("urn:uuid:", "urn:oid:")


def canonical(url: str) -> str:
    """One text for all spellings of a criterion "Type?a=b&c=d" (escapes, order of parameters)."""
    resource_type, _, text = url.partition("?")
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)


def conditional(resource: Any) -> set[str]:
    """The conditional references ("Patient?identifier=…") in `resource`, as written."""
    return {text for text in _texts(resource) if _CONDITIONAL.match(text)}


def rewritten(value: Any, links: Mapping[str, str], criteria: Mapping[str, str], *, key: str = "") -> Any:
    """`value` with placeholders, wherever they stand, and references replaced.

    Args:
        links: full URL (or relative URL) of a bundle entry → "Type/id".
        criteria: conditional reference as written → "Type/id".
    """
    if isinstance(value, dict):
        return {name: rewritten(child, links, criteria, key=name) for name, child in value.items()}
    if isinstance(value, list):
        return [rewritten(child, links, criteria, key=key) for child in value]
    if not isinstance(value, str):
        return value
    if key == "reference":
        return criteria.get(value) or links.get(value, value)
    return links.get(value, value) if value.startswith(_PLACEHOLDER) else value


def placeholders(resource: Any) -> set[str]:
    """The placeholders that are still referred to: no entry of the bundle has that full URL."""
    return {text for text in _texts(resource) if text.startswith(_PLACEHOLDER)}


def local(resource: Any, base_url: str) -> set[tuple[str, str]]:
    """Type and id of everything in this store that `resource` refers to."""
    found = (indexing.local_reference({"reference": text}, base_url) for text in _texts(resource))
    return {reference for reference in found if reference is not None}


def _texts(value: Any) -> Iterator[str]:
    """The text of every `reference` element in `value`."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name == "reference" and isinstance(child, str):
                yield child
            else:
                yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
