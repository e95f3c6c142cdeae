"""What a write asks for, and what came of it; deciding the next version of one resource. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jsonpatch
import jsonpointer
from msgspec import Struct

from janani.record import json_text
from janani.record.json_text import Sent
from janani.record.problems import FhirProblem, Issue
from janani.record.store import Current

Resource = dict[str, Any]
Method = Literal["POST", "PUT", "PATCH", "DELETE"]


class Change(Struct):
    """One create, update, patch or delete.

    Args:
        id: the logical id in the URL, or (once resolved) of the resource that is written.
        criteria: "Type?query" of a conditional interaction; for a POST its If-None-Exist.
        if_match: the version it is for.
        only_new: If-None-Match: * (update only when there is none).
        full_url: name of the entry within its bundle.
        place: number of the entry in its bundle; None for a single interaction.
    """

    method: Method
    type: str
    id: str = ""
    criteria: str = ""
    resource: Sent | None = None
    patch: list[Any] | None = None
    if_match: int | None = None
    only_new: bool = False
    full_url: str = ""
    place: int | None = None
    found: bool = False
    absent: bool = False

    @property
    def where(self) -> str:
        """FHIRPath of the entry, empty for a single interaction."""
        return "" if self.place is None else f"Bundle.entry[{self.place}]"


class Done(Struct):
    """What came of a change. `body` is the resource's JSON (None after a delete), `issues` what to tell."""

    status: int
    type: str
    id: str = ""
    version: int = 0
    last_updated: datetime | None = None
    body: bytes | None = None
    issues: tuple[Issue, ...] = ()
    patients: tuple[str, ...] = ()


class Content(NamedTuple):
    """What a change would store: the resource without server-set meta, and the JSON of its elements as it was sent (of
    those that still say that)."""

    resource: Resource
    said: dict[str, bytes]


def check_preconditions(change: Change, current: Current | None) -> None:
    """Raises FhirProblem 404, 410 or 412 when `change` can't be made on `current`."""
    name = f"{change.type}/{change.id}"
    if change.method == "PATCH" and current is None:
        raise FhirProblem(404, "not-found", f"HAPI-2001: Resource {name} is not known")
    if change.method == "PATCH" and current is not None and current.deleted:
        raise FhirProblem(410, "deleted", f"HAPI-0979: Resource {name} was deleted")
    if change.only_new and current is not None and not current.deleted:
        raise FhirProblem(412, "conflict", f"{name} is there already (If-None-Match: *)")
    version = 0 if current is None else current.version
    if change.if_match is not None and change.if_match != version:
        text = f"HAPI-0989: Trying to update {name}/_history/{change.if_match} but this is not the current version"
        raise FhirProblem(412, "conflict", text)


def patched(change: Change, current: Current | None) -> Resource:
    """What the JSON Patch of `change` makes of `current` (which is there). Raises FhirProblem 400, 422."""
    assert current is not None
    assert current.body is not None
    return _patched(json_text.decode(current.body), change.patch or [])


def next_content(change: Change, body: bytes) -> Content:
    """What `change` stores of the resource in `body`. Raises FhirProblem 400, 422."""
    content = json_text.decode(body)
    said = json_text.elements(body)
    if content.get("resourceType") != change.type or (change.method == "PATCH" and content.get("id") != change.id):
        raise FhirProblem(422, "invalid", "A patch may change neither resourceType nor id")
    meta = content.pop("meta", {})
    if not isinstance(meta, dict):
        raise FhirProblem(400, "structure", "meta must be an object", f"{change.type}.meta")
    if "versionId" in meta or "lastUpdated" in meta:
        meta = {name: value for name, value in meta.items() if name not in ("versionId", "lastUpdated")}
        said.pop("meta", None)
    del content["resourceType"]
    content.pop("id", None)
    said.pop("id", None)
    head = {"resourceType": change.type, "id": change.id}
    if meta:
        return Content({**head, "meta": meta, **content}, said)
    said.pop("meta", None)
    return Content({**head, **content}, said)


def same_content(content: Resource, current: Current) -> bool:
    """Whether `content` says what `current` says already: then no new version is made, as HAPI does."""
    if current.body is None:
        return False
    if json_text.encode(stamped(content, current.version, current.last_updated)) == current.body:
        return True
    stored = json_text.decode(current.body)
    for name in ("versionId", "lastUpdated"):
        stored["meta"].pop(name, None)
    said = {"meta": {}, **content}
    # Python holds 12.5 and 12.50 for equal; in FHIR they differ in precision (R4 §datatypes, decimal).
    return stored == said and json_text.ordered(stored) == json_text.ordered(said)


def stamped(content: Resource, version: int, now: datetime) -> Resource:
    """`content` with version and time in its meta."""
    meta = {"versionId": str(version), "lastUpdated": instant(now), **content.get("meta", {})}
    found = {"resourceType": content["resourceType"], "id": content["id"], "meta": meta, **content}
    found["meta"] = meta
    return found


@lru_cache(maxsize=64)  # all versions that a request makes are of one moment
def instant(moment: datetime) -> str:
    """`moment` as a FHIR instant in milliseconds, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _patched(resource: Resource, operations: list[Any]) -> Resource:
    try:
        patched = jsonpatch.apply_patch(resource, operations)
    except jsonpatch.JsonPatchTestFailed as error:
        raise FhirProblem(422, "processing", "HAPI-1271: A test operation of the JSON Patch failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
        raise FhirProblem(400, "invalid", "HAPI-1272: The JSON Patch could not be applied") from error
    if not isinstance(patched, dict):
        raise FhirProblem(400, "invalid", "HAPI-1272: The JSON Patch leaves no resource")
    return patched
