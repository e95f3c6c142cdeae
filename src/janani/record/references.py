"""References inside resources: found, resolved and rewritten (R4 §http 3.1.0.11.2). Pure.

They are looked for in the JSON's bytes, which is far cheaper than walking the value: within a JSON string quotation
marks are escaped, so that what looks like an element there never matches.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

import msgspec

_REST = rb'[^"\\]*(?:\\.[^"\\]*)*"'  # of a JSON string
_CONDITIONAL = re.compile(rb'"reference":("[A-Z][A-Za-z]+\?' + _REST + rb")")
_REFERENCE = re.compile(rb'"reference":("' + _REST + rb")")
_URN = re.compile(rb'"urn:(?:uuid|oid):' + _REST)
# Elements of type uri, url, oid or uuid; those (few, of definitions) whose names are elsewhere of other texts are not.
_LINKING = re.compile(
    rb'"(?:[a-z][A-Za-z]*(?:Uri|Url|Oid|Uuid)|uri|url|system|source|policy|address|authority|endpoint|instantiates'
    rb'|issuer|jurisdiction|onlineInformation|project|protocol|rendering|target)":'
    rb'("urn:' + _REST + rb'|\[(?:(?:null|"' + _REST + rb"),?)+\])"
)
_DIV = re.compile(rb'"div":"' + _REST)
_NARRATED = re.compile(rb"""(<(?:a|img)\s[^<>]*?\b(?:href|src)=(?:\\"|'))(urn:(?:uuid|oid):[^<>"'\\]*)""")
_TOKEN = re.compile(r"([A-Z][A-Za-z]+\?(?:identifier|_tag)=)([^&;+|%]*(?:%(?!7C)[^&;+|%]*)*)(?:%7C|\|)([^&;+%]*)")
_PLACEHOLDER = ("urn:uuid:", "urn:oid:")
_text = msgspec.json.Decoder(str).decode
_json = msgspec.json.Encoder().encode
_LONG = 500


def canonical(url: str) -> str:
    """One text for all spellings of a criterion "Type?a=b&c=d" (escapes, order of parameters)."""
    return _remembered(url) if len(url) <= _LONG else _canonical(url)


def _canonical(url: str) -> str:
    plain = _TOKEN.fullmatch(url)
    if plain is not None:
        return f"{plain[1]}{unquote(plain[2])}|{plain[3]}"
    resource_type, _, text = url.partition("?")
    pairs = sorted(parse_qsl(text, keep_blank_values=True))
    return f"{resource_type}?" + "&".join(f"{name}={value}" for name, value in pairs)


_remembered = lru_cache(maxsize=1024)(_canonical)  # asked several times of each entry; what is long is not kept


def conditional(body: bytes) -> set[str]:
    """The conditional references ("Patient?identifier=…") in the JSON `body` without blanks, as written."""
    return {_text(found) for found in _CONDITIONAL.findall(body)} if b"?" in body else set()


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
        """The JSON `body` (without blanks) with references, and the placeholders in links, replaced (§http trules).

        `unknown` gets the placeholders that are referred to and no entry of the bundle has as its full URL.
        """

        parts = _REFERENCE.split(body)  # what is around references, and between that what each says
        for place in range(1, len(parts), 2):
            said = parts[place]
            known = self._known.get(said)
            if known is None:
                known = self._known[said] = b'"reference":' + self._target(_text(said), unknown)
            parts[place] = known
        linked = b"".join(parts)
        if b"urn:" in linked and (b"urn:uuid:" in linked or b"urn:oid:" in linked):
            linked = _LINKING.sub(lambda found: _URN.sub(self._placeholder, found[0]), linked)
            linked = _DIV.sub(lambda found: _NARRATED.sub(self._narrated, found[0]), linked)
        return linked

    def _target(self, text: str, unknown: set[str]) -> bytes:
        target = self._targets.get(text, text)
        if target.startswith(_PLACEHOLDER):
            unknown.add(target)
        return _json(target)

    def _placeholder(self, found: re.Match[bytes]) -> bytes:
        target = self._full_urls.get(_text(found[0]))
        return found[0] if target is None else _json(target)

    def _narrated(self, found: re.Match[bytes]) -> bytes:
        target = self._full_urls.get(found[2].decode(errors="replace"))
        return found[0] if target is None else found[1] + target.encode()
