"""Bundles made of stored JSON: the bytes of the resources are joined, never read and written again. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from janani.record import json_text
from janani.record.changes import instant
from janani.record.problems import outcome

Link = tuple[str, str]
_encode = msgspec.json.Encoder().encode


class Entry(Struct):
    """One entry: `resource` as stored JSON, and its further members ready to encode."""

    resource: bytes | None = None
    full_url: str = ""
    request: dict[str, str] | None = None
    response: dict[str, Any] | None = None
    search: dict[str, str] | None = None


def bundle(
    kind: str,
    entries: Iterable[Entry],
    *,
    total: int | None = None,
    links: Sequence[Link] = (),
    now: datetime | None = None,
    identity: str = "",
) -> bytes:
    """The Bundle of type `kind` (searchset, history, transaction-response, batch-response)."""
    head: dict[str, Any] = {"resourceType": "Bundle"}
    if identity:
        head["id"] = identity
    if now is not None:
        head["meta"] = {"lastUpdated": instant(now)}
    head["type"] = kind
    if total is not None:
        head["total"] = total
    if links:
        head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    joined = b",".join(_entry(entry) for entry in entries)
    start = msgspec.json.encode(head)[:-1]
    return start + b',"entry":[' + joined + b"]}" if joined else start + b"}"


def subset(body: bytes, elements: frozenset[str]) -> bytes:
    """The resource `body` with `elements` alone (and what every resource has), tagged SUBSETTED (§search _elements)."""
    resource = json_text.decode(body)
    kept = {"resourceType", "id", "meta", *elements}
    found = {name: value for name, value in resource.items() if name in kept}
    tag = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    found["meta"] = found["meta"] | {"tag": [*found["meta"].get("tag", ()), tag]}
    return json_text.encode(found)


def outcome_bytes(issues: Sequence[Any]) -> bytes:
    """The OperationOutcome of `issues` as JSON."""
    return msgspec.json.encode(outcome(issues))


def _entry(entry: Entry) -> bytes:
    parts = []
    if entry.full_url:
        parts.append(b'"fullUrl":' + msgspec.json.encode(entry.full_url))
    if entry.resource is not None:
        parts.append(b'"resource":' + entry.resource)
    for name, member in ((b"search", entry.search), (b"request", entry.request), (b"response", entry.response)):
        if member is not None:
            parts.append(b'"%b":%b' % (name, _encode(member)))
    return b"{" + b",".join(parts) + b"}"
