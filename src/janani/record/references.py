"""References inside resources: found, resolved and rewritten (R4 §http 3.1.0.11.2). Pure.

They are looked for in the JSON's bytes, which is far cheaper than walking the value: within a JSON string quotation
marks are escaped, so that what looks like an element there never matches.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec

_REST = rb'[^"\\]*(?:\\.[^"\\]*)*"'  # of a JSON string
_CONDITIONAL = re.compile(rb'"reference":("[A-Z][A-Za-z]+\?' + _REST + rb")")
_REFERENCE = re.compile(rb'"reference":("' + _REST + rb")")
_URN = re.compile(rb'"urn:(?:uuid|oid):' + _REST)
_IDENTIFIER = re.compile(r"([A-Z][A-Za-z]+\?identifier=)([^&;+%]*)(%7C|\|)([^&;+%]*)")
_BACKSLASH = ord("\\")
_PLACEHOLDER = ("urn:uuid:", "urn:oid:")
_text = msgspec.json.Decoder(str).decode
_json = msgspec.json.Encoder().encode


@lru_cache(maxsize=1024)  # shared resources are named by every bundle
def canonical(url: str) -> str:
    """One text for all spellings of a criterion "Type?a=b&c=d" (escapes, order of parameters)."""
    plain = _IDENTIFIER.fullmatch(url)
    if plain is not None:
        return f"{plain[1]}{plain[2]}|{plain[4]}"
    resource_type, _, text = url.partition("?")
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)


def conditional(body: bytes) -> set[str]:
    """The conditional references ("Patient?identifier=…") in the JSON `body` without blanks, as written."""
    return {_text(found) for found in _CONDITIONAL.findall(body)}


class Links:
    """What the references of a bundle's resources stand for.

    Args:
        full_urls: full URL (or relative URL) of a bundle entry → "Type/id".
        criteria: conditional reference as written → "Type/id".
    """

    def __init__(self, full_urls: Mapping[str, str], criteria: Mapping[str, str]) -> None:
        self._targets = {**full_urls, **criteria}
        self._full_urls = full_urls
        self._known: dict[bytes, bytes] = {}  # the entries of a bundle name the same few again and again

    def rewritten(self, body: bytes, unknown: set[str]) -> bytes:
        """The JSON `body` (without blanks) with placeholders, wherever they stand, and references replaced.

        `unknown` gets the placeholders that are referred to and no entry of the bundle has as its full URL.
        """

        def replaced(found: re.Match[bytes]) -> bytes:
            whole = found[0]
            known = self._known.get(whole)
            if known is None:
                known = self._known[whole] = b'"reference":' + self._target(_text(found[1]), unknown)
            return known

        linked = _REFERENCE.sub(replaced, body)
        return _URN.sub(self._placeholder, linked) if b'"urn:' in linked else linked

    def _target(self, text: str, unknown: set[str]) -> bytes:
        target = self._targets.get(text, text)
        if target.startswith(_PLACEHOLDER):
            unknown.add(target)
        return _json(target)

    def _placeholder(self, found: re.Match[bytes]) -> bytes:
        if found.string[found.start() - 1] == _BACKSLASH:  # within a text
            return found[0]
        text = _text(found[0])
        return _json(self._full_urls[text]) if text in self._full_urls else found[0]
