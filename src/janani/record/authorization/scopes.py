"""SMART scopes: what is asked, what may be granted (SMART App Launch 2.2 §scopes-and-launch-context). Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Context = Literal["patient", "user", "system"]
_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(c?r?u?d?s?|read|write|\*)")
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
PLAIN = ("openid", "fhirUser", "profile", "launch/patient", "online_access", "offline_access")


class Scope(Struct, frozen=True):
    """One resource scope: `context`/`type`.`letters` (of "cruds")."""

    context: Context
    type: str
    letters: str

    def __str__(self) -> str:
        return f"{self.context}/{self.type}.{self.letters}"


def resource_scopes(scopes: Iterable[str]) -> list[Scope]:
    """The resource scopes among `scopes`, version 1 turned into version 2. Those with a query are left out:
    granting one without its restriction would give more than was asked."""
    found = []
    for text in scopes:
        match = _SCOPE.fullmatch(text)
        if match and match[3]:
            context: Context = match[1]  # type: ignore[assignment]
            found.append(Scope(context, match[2], _VERSION_1.get(match[3], match[3])))
    return found


def contexts(scopes: Iterable[str]) -> set[Context]:
    """The contexts of the resource scopes among `scopes`."""
    return {scope.context for scope in resource_scopes(scopes)}


def granted(asked: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """What of `asked` lies within `allowed`, narrowed where only a part does; in order, without doubles."""
    limits = resource_scopes(allowed)
    given = [text for text in asked if text in PLAIN and text in allowed]
    for wanted in resource_scopes(asked):
        for limit in limits:
            kind = wanted.type if limit.type == "*" else limit.type
            letters = "".join(letter for letter in wanted.letters if letter in limit.letters)
            if wanted.context == limit.context and wanted.type in ("*", kind) and letters:
                given.append(str(Scope(wanted.context, kind, letters)))
    return list(dict.fromkeys(given))
