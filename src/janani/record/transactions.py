"""Transaction and batch bundles (R4 §http 3.1.0.11): entries as changes and reads, and the response bundle."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Raw, Struct

from janani.record import bundles, definitions, json_text, query, searching
from janani.record.bundles import Entry
from janani.record.changes import Change, Done, instant
from janani.record.door import Door
from janani.record.history import HistoryRequest, history_bundle
from janani.record.preferences import json_patch, version, version_of
from janani.record.problems import UNSTORABLE, FhirProblem, outcome, unstorable

_REASONS = {200: "200 OK", 201: "201 Created", 204: "204 No Content"}


class _Asked(Struct, rename="camel"):
    full_url: Any = ""
    request: Any = None
    resource: Raw = Raw()


class _Bundle(Struct, rename="camel"):
    resource_type: Any = None
    type: Any = None
    entry: list[_Asked] = []


_bundle = msgspec.json.Decoder(_Bundle)


class Get(Struct):
    """A read or search within a bundle."""

    url: str
    place: int


class Plan(Struct):
    """A bundle's entries in their order; those of a batch that can't be understood as what is wrong with them."""

    kind: str
    steps: list[Change | Get | FhirProblem]


def plan(content: bytes) -> Plan:
    """What the bundle in `content` asks for. Raises FhirProblem 400, 422 on what is no transaction or batch."""
    try:
        bundle = _bundle.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        json_text.decode(content)
        text = "Bundle.entry must be an array of objects"
        raise FhirProblem(400, "structure", text, "Bundle.entry") from error
    if bundle.resource_type != "Bundle":
        raise FhirProblem(400, "invalid", "HAPI-0446: The base URL takes a Bundle of type transaction or batch")
    kind = bundle.type
    if kind not in ("transaction", "batch"):
        raise FhirProblem(
            400, "invalid", f"HAPI-0526: Unable to process transaction where incoming Bundle.type = {kind!s:.20}"
        )
    read = _step_or_problem if kind == "batch" else _step
    return Plan(kind, [read(entry, place) for place, entry in enumerate(bundle.entry)])


async def run(door: Door, wanted: Plan, *, representation: bool) -> bytes:
    """Does all that `wanted` says and gives the response Bundle.

    A transaction is done wholly or not at all; in a batch each entry stands for itself.
    """
    if wanted.kind == "batch":
        entries = [await _alone(door, step, representation=representation) for step in wanted.steps]
        return bundles.bundle("batch-response", entries, links=[("self", door.base_url)])
    answers: dict[int, Entry] = {}
    async with door.together() as inside:
        writes = [step for step in wanted.steps if isinstance(step, Change)]
        for change, done in zip(writes, await inside.write(writes), strict=True):
            answers[id(change)] = written(done, representation=representation)
        for step in wanted.steps:
            if isinstance(step, Get):
                answers[id(step)] = await _get(inside, step)
    entries = [answers[id(step)] for step in wanted.steps]
    return bundles.bundle("transaction-response", entries, links=[("self", door.base_url)])


def written(done: Done, *, representation: bool) -> Entry:
    """The response entry of a write."""
    response: dict[str, Any] = {"status": _REASONS[done.status]}
    if done.id and done.version and done.last_updated is not None:
        response["location"] = f"{done.type}/{done.id}/_history/{done.version}"
        response["etag"] = f'W/"{done.version}"'
        response["lastModified"] = instant(done.last_updated)
    if done.issues:
        response["outcome"] = outcome(done.issues)
    return Entry(resource=done.body if representation else None, response=response)


async def _alone(door: Door, step: Change | Get | FhirProblem, *, representation: bool) -> Entry:
    try:
        if isinstance(step, FhirProblem):
            return _refused(step)
        if isinstance(step, Get):
            return await _get(door, step)
        return written((await door.write([step]))[0], representation=representation)
    except FhirProblem as problem:
        return _refused(problem)
    except UNSTORABLE:
        return _refused(unstorable())


def _refused(problem: FhirProblem) -> Entry:
    return Entry(response={"status": str(problem.status), "outcome": outcome(problem.issues)})


async def _get(door: Door, step: Get) -> Entry:
    path, _, text = step.url.partition("?")
    parts = [part for part in path.removeprefix(door.base_url).split("/") if part]
    pairs = parse_qsl(text, keep_blank_values=True)
    self_url, now = f"{door.base_url}/{step.url.lstrip('/')}", door.now()
    if len(parts) == 1:
        page = await door.search(query.parse(parts[0], pairs))
        return Entry(searching.searchset(page, door.base_url, self_url, now), response={"status": "200 OK"})
    if len(parts) == 3 and parts[2] == "_history":
        wanted = HistoryRequest(parts[0], parts[1])
        total, found = await door.history(wanted)
        body = history_bundle(wanted, total, found, door.base_url, self_url, now)
        return Entry(body, response={"status": "200 OK"})
    if len(parts) == 2 and not parts[1].startswith(("$", "_")):
        read = await door.read(parts[0], parts[1])
    elif len(parts) == 4 and parts[2] == "_history":
        read = await door.vread(parts[0], parts[1], version(parts[3], f"{parts[0]}/{parts[1]}"))
    else:
        raise FhirProblem(
            400, "not-supported", "This GET is not supported within a bundle", f"Bundle.entry[{step.place}]"
        )
    response = {"status": "200 OK", "etag": f'W/"{read.version}"', "lastModified": instant(read.last_updated)}
    return Entry(read.body, f"{door.base_url}/{parts[0]}/{parts[1]}", response=response)


def _step_or_problem(entry: _Asked, place: int) -> Change | Get | FhirProblem:
    try:
        return _step(entry, place)
    except FhirProblem as problem:
        return problem


def _step(entry: _Asked, place: int) -> Change | Get:
    where, request = f"Bundle.entry[{place}]", entry.request
    if not isinstance(request, dict) or not all(isinstance(request.get(name), str) for name in ("method", "url")):
        raise FhirProblem(400, "required", "An entry needs request.method and request.url", f"{where}.request")
    method, url = request["method"], request["url"].lstrip("/")
    if method in ("GET", "HEAD"):
        return Get(url, place)
    if method not in ("POST", "PUT", "PATCH", "DELETE"):
        raise FhirProblem(400, "value", "HAPI-0527: Unable to handle verb of the entry", f"{where}.request.method")
    resource = bytes(entry.resource)
    if method != "DELETE" and not resource.startswith(b"{"):
        raise FhirProblem(400, "required", "HAPI-0531: The entry has no resource", f"{where}.resource")
    change = _change(method, url, request, resource, where)
    if not isinstance(entry.full_url, str):
        raise FhirProblem(400, "structure", "fullUrl must be a string", f"{where}.fullUrl")
    change.place, change.full_url = place, entry.full_url
    return change


def _change(method: Any, url: str, request: Mapping[str, Any], resource: bytes, where: str) -> Change:
    path, question, _ = url.partition("?")
    resource_type, _, resource_id = path.partition("/")
    definitions.parameters(resource_type)
    change = Change(
        method,
        resource_type,
        id=unquote(resource_id) if method != "POST" else "",
        criteria=url if question and method != "POST" else "",
        if_match=version_of(request.get("ifMatch")),
        only_new=request.get("ifNoneMatch") == "*",
    )
    if method == "PATCH":
        change.patch = json_patch(json_text.decode(resource))
        return change
    if method == "POST" and isinstance(request.get("ifNoneExist"), str):
        change.criteria = f"{resource_type}?{request['ifNoneExist'].rpartition('?')[2]}"
    if method != "DELETE":
        change.resource = json_text.sent(resource)
        check_resource(change, where)
    elif not change.id and not change.criteria:
        raise FhirProblem(400, "invalid", "HAPI-0532: A DELETE needs an id or criteria", f"{where}.request.url")
    return change


def check_resource(change: Change, where: str) -> None:
    """Raises FhirProblem 400 when the body does not go with the URL."""
    found = change.resource
    if found is None or found.type != change.type:
        text = f'HAPI-1837: Incorrect resource type found, expected "{change.type}"'
        raise FhirProblem(400, "invalid", text, where)
    if change.method == "PUT" and change.id and found.id not in (None, change.id):
        text = (
            "HAPI-0420: Can not update resource, resource body must contain an ID element which matches the request URL"
        )
        raise FhirProblem(400, "invalid", text, where)
    if change.method == "PUT" and not change.id and not change.criteria:
        raise FhirProblem(400, "invalid", "HAPI-0533: A PUT needs an id or criteria", where)
