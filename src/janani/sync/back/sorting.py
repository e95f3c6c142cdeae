"""What a version in the record's history is to the sync: its own words, an edit of them, or something new. Pure."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from janani.kernel.ids import is_uid
from janani.sync.back.judging import plain
from janani.sync.mapping.back import Back

Json = dict[str, Any]
TYPES = frozenset(
    (
        "Observation",
        "Condition",
        "MedicationStatement",
        "MedicationRequest",
        "Immunization",
        "AllergyIntolerance",
        "ServiceRequest",
        "Encounter",
        "Appointment",
    )
)
"""Resource types that come back."""


class Version(Struct, frozen=True):
    """One version of one resource; `resource` is None when it was deleted."""

    type: str
    id: str
    number: int
    at: str
    resource: Json | None

    @property
    def reference(self) -> str:
        """`Type/id`."""
        return f"{self.type}/{self.id}"


class Source(Struct, frozen=True):
    """Something to bring back. `name` is `{event}-{name}` when it is an edit of what the registry delivered."""

    source: str
    name: str
    version: int


def versions(entries: Iterable[Json]) -> Iterator[Version]:
    """The versions of a history bundle's entries, those of the types that come back."""
    for entry in entries:
        resource = entry.get("resource")
        response = entry.get("response") or {}
        place = _place(entry, response)
        if len(place) < 2 or place[0] not in TYPES:
            continue
        meta = resource.get("meta", {}) if isinstance(resource, dict) else {}
        number = str(meta.get("versionId") or response.get("etag", "").strip('W/"') or [*place, "", ""][3])
        gone = not isinstance(resource, dict) or entry.get("request", {}).get("method") == "DELETE"
        yield Version(
            place[0], place[1], int(number) if number.isdigit() else 0, instant_of(entry), None if gone else resource
        )


def instant_of(entry: Json) -> str:
    """When the version of a history entry was written; "" when it does not say."""
    resource = entry.get("resource")
    meta = resource.get("meta", {}) if isinstance(resource, dict) else {}
    return str(meta.get("lastUpdated") or (entry.get("response") or {}).get("lastModified") or "")


def _place(entry: Json, response: Json) -> list[str]:
    """[type, id, …] of an entry."""
    resource = entry.get("resource")
    if isinstance(resource, dict) and resource.get("id"):
        return [resource["resourceType"], resource["id"]]
    url = str(response.get("location") or entry.get("request", {}).get("url") or entry.get("fullUrl") or "")
    parts = url.partition("?")[0].strip("/").split("/")
    start = next((number for number, part in enumerate(parts) if part in TYPES), len(parts))
    return parts[start:]


class Sorter:
    """Tells versions apart. `identifiers` are the systems of the table."""

    def __init__(self, back: Back, identifiers: Mapping[str, str]) -> None:
        self._back, self._identifiers = back, identifiers

    def delivered_as(self, resource: Json) -> str:
        """`{event}-{name}` of what the registry delivered as a value, the event's UID of a visit; else ""."""
        for one in resource.get("identifier") or ():
            if isinstance(one, dict) and one.get("system") in (self._identifiers["value"], self._identifiers["event"]):
                value = str(one.get("value", ""))
                if is_uid(value.partition("-")[0]):
                    return value
        return ""

    def source(self, version: Version, said: Mapping[str, Mapping[str, str]]) -> Source | None:
        """What `version` asks to be brought back; None for the sync's own words and what does not come back.

        Args:
            said: {event: {data element: digests}} of the events that the sync delivered.
        """
        resource = version.resource
        if resource is None:
            return None
        name = self.delivered_as(resource)
        if name:
            if version.type in ("Encounter", "Appointment") or self._own_words(resource, name, said):
                return None
            return Source(version.reference, name, version.number)
        if version.type in ("Encounter", "Appointment"):
            return Source(version.reference, "", version.number)
        return Source(encounter_of(resource) or version.reference, "", version.number)

    def _own_words(self, resource: Json, name: str, said: Mapping[str, Mapping[str, str]]) -> bool:
        event, _, rest = name.partition("-")
        known = said.get(event)
        if known is None:
            return False
        if resource["resourceType"] == "ServiceRequest":
            # The sync answers referrals itself (`completed`), but never with words or a refusal.
            return not resource.get("note") and resource.get("status") in ("active", "completed")
        refused: list[str] = []
        found = self._back.read(resource, refuse=lambda field, reason: refused.append(field))
        if refused:
            return False
        if not found:
            return not is_uid(rest) and resource.get("status") != "entered-in-error"  # worked out, never read back
        return all(digest(event, one.uid, one.text) in known.get(one.uid, "").split() for one in found)


OF_ENCOUNTER = {
    "Observation": "encounter",
    "Condition": "encounter",
    "MedicationStatement": "context",
    "MedicationRequest": "encounter",
    "ServiceRequest": "encounter",
}
"""Element and search parameter by which a resource belongs to an Encounter; the other types stand alone."""


def encounter_of(resource: Json) -> str:
    """`Encounter/id` that a resource belongs to, or ""."""
    key = OF_ENCOUNTER.get(resource["resourceType"], "")
    reference = str((resource.get(key) or {}).get("reference", ""))
    return reference.partition("/_history")[0] if reference.startswith("Encounter/") else ""


def digest(event: str, element: str, text: str) -> str:
    """A short digest of a text, so that what was said need not be kept; the same for 24.0 and 24."""
    found = hashlib.blake2b(f"{event}/{element}/{plain(text)}".encode(), digest_size=9).digest()
    return base64.urlsafe_b64encode(found).decode()


def seen(registry: str | None, record: str | None) -> str:
    """What a person sees who decides between two texts, as a short digest; None stands for "says nothing"."""
    return digest("", "", msgspec.json.encode([registry, record]).decode())
