"""Value sets the validator can look into, unpacked when first asked."""

import re
from typing import Any

from janani.record.validation.model import Values


class ValueSet:
    """The codes of a value set, by code system."""

    __slots__ = ("_all", "_codes", "_matches", "url")

    def __init__(self, url: str, values: Values) -> None:
        self.url = url
        self._codes = {system: frozenset(listed.split("\n")) for system, listed in values.codes.items()}
        self._matches = {system: re.compile(pattern).fullmatch for system, pattern in values.matches.items()}
        self._all = frozenset().union(*self._codes.values())

    def has(self, value: Any) -> bool:
        """Whether a code, a Coding, or any coding of a CodeableConcept is a member."""
        if isinstance(value, str):
            return self.has_code(value)
        if not isinstance(value, dict):
            return False
        if "coding" in value:
            codings = value["coding"]
            return isinstance(codings, list) and any(self.has_coding(coding) for coding in codings)
        return self.has_coding(value)

    def has_code(self, code: str) -> bool:
        """Whether a bare code is a member, whatever its system."""
        return code in self._all or any(matches(code) for matches in self._matches.values())

    def has_coding(self, coding: Any) -> bool:
        """Whether a Coding or Quantity (system and code) is a member."""
        if not isinstance(coding, dict):
            return False
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(code, str) or not isinstance(system, str):
            return False
        matches = self._matches.get(system)
        return code in self._codes.get(system, ()) or (matches is not None and matches(code) is not None)

    def says(self) -> str:
        """The value set in a sentence: its codes when they are few, else its URL."""
        if len(self._all) <= 12 and not self._matches:
            return f"one of {', '.join(sorted(self._all))} ({self.url})"
        return f"a code of {self.url}"
