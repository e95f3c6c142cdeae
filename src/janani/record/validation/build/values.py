"""Value sets that can be enumerated, as lists of codes (FHIR R4 §terminology, ValueSet.compose)."""

from typing import Any

from janani.record.validation.model import Values


class Terminology:
    """The code systems and value sets among `resources`."""

    def __init__(self, resources: list[dict[str, Any]]) -> None:
        self._systems = {r["url"]: r for r in resources if r["resourceType"] == "CodeSystem"}
        self._sets = {r["url"]: r for r in resources if r["resourceType"] == "ValueSet"}

    def values(self, url: str) -> Values | None:
        """The value set `url` (a version after "|" is ignored); None when it can't be enumerated from what is here."""
        found = self._sets.get(url.partition("|")[0])
        if found is None or "compose" not in found or found["compose"].get("exclude"):
            return None
        codes: dict[str, dict[str, None]] = {}
        matches: dict[str, str] = {}
        for include in found["compose"]["include"]:
            if not self._include(include, codes, matches):
                return None
        return Values({system: "\n".join(listed) for system, listed in codes.items()}, matches)

    def _include(self, include: dict[str, Any], codes: dict[str, dict[str, None]], matches: dict[str, str]) -> bool:
        for other in include.get("valueSet", []):
            imported = self.values(other)
            if imported is None:
                return False
            for name, listed in imported.codes.items():
                codes.setdefault(name, {}).update(dict.fromkeys(listed.split("\n")))
            matches |= imported.matches
        system = include.get("system")
        if system is None:
            return bool(include.get("valueSet"))
        if "concept" in include:
            codes.setdefault(system, {}).update(dict.fromkeys(c["code"] for c in include["concept"]))
            return True
        if "filter" in include:
            return _filter(system, include["filter"], matches)
        whole = self._whole(system)
        codes.setdefault(system, {}).update(dict.fromkeys(whole))
        return bool(whole)

    def _whole(self, url: str) -> list[str]:
        system = self._systems.get(url)
        if system is None or system.get("content") != "complete":
            return []
        return _codes(system.get("concept", []))


def _filter(system: str, filters: list[dict[str, Any]], matches: dict[str, str]) -> bool:
    if len(filters) == 1 and filters[0]["op"] == "regex" and filters[0]["property"] == "code":
        matches[system] = filters[0]["value"]
        return True
    return False


def _codes(concepts: list[dict[str, Any]]) -> list[str]:
    return [code for c in concepts for code in (c["code"], *_codes(c.get("concept", [])))]
