"""The FHIR RESTful interactions as HTTP handlers: read the request, ask the door, write the answer (R4 §http)."""

from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, Response, delete, get, patch, post, put
from litestar.params import FromPath

from janani.record import bundles, changes, dates, json_text, preferences, query, searching, transactions
from janani.record.changes import Change, Done
from janani.record.door import Door, Read
from janani.record.history import HistoryRequest, history_bundle
from janani.record.problems import FHIR_JSON, FhirProblem, Issue

Http = Request[Any, Any, Any]
_MOST_PATIENTS = 1000
_EVERYTHING_COUNT = 100


async def door_of(request: Http) -> Door:
    """The door for whoever sent `request`. Raises FhirProblem 401, 406."""
    pairs = dict(parse_qsl(request.scope["query_string"].decode()))
    preferences.require_json(pairs.get("_format"), request.headers.get("accept"))
    state = request.app.state
    actor = await state.authenticate(request)
    return Door(state.pool, actor, state.validator, state.auditor, state.clock, state.base_url)


@get("/fhir/{resource_type:str}/{resource_id:str}")
async def read(request: Http, resource_type: FromPath[str], resource_id: FromPath[str]) -> Response[bytes]:
    """Read: the current version, or 304 for If-None-Match."""
    _refuse_operation(request, resource_id)
    found = await (await door_of(request)).read(resource_type, resource_id)
    if request.headers.get("if-none-match") == f'W/"{found.version}"':
        return Response(b"", status_code=304, headers=_version_headers(found))
    return _answer(found.body, headers=_version_headers(found), pairs=_pairs(request))


@get("/fhir/{resource_type:str}/{resource_id:str}/_history/{version:str}")
async def vread(
    request: Http, resource_type: FromPath[str], resource_id: FromPath[str], version: FromPath[str]
) -> Response[bytes]:
    """Read of a certain version."""
    door = await door_of(request)
    number = preferences.version(version, f"{resource_type}/{resource_id}")
    found = await door.vread(resource_type, resource_id, number)
    return _answer(found.body, headers=_version_headers(found))


@get(["/fhir/_history", "/fhir/{resource_type:str}/_history", "/fhir/{resource_type:str}/{resource_id:str}/_history"])
async def history(request: Http) -> Response[bytes]:
    """History of a resource, a type or everything."""
    resource_type, resource_id = _named(request)
    door, pairs = await door_of(request), dict(_pairs(request))
    since = dates.span(pairs["_since"]) if "_since" in pairs else None
    if "_since" in pairs and since is None:
        raise FhirProblem(400, "invalid", "_since must be an instant")
    before = pairs.get("_before")
    wanted = HistoryRequest(
        resource_type,
        resource_id,
        since[0] if since else None,
        None if before is None else preferences.number(before, "_before", most=2**62),
        preferences.number(pairs.get("_count", "20"), "_count", most=query.MAX_COUNT),
    )
    total, found = await door.history(wanted)
    return _answer(history_bundle(wanted, total, found, door.base_url, _self_url(request, door), door.now()))


@get("/fhir/{resource_type:str}")
async def search(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """Search with the parameters of the query string."""
    _refuse_operation(request, resource_type)
    return await _search(request, resource_type, _pairs(request))


@post("/fhir/{resource_type:str}/_search", status_code=200)
async def search_by_post(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """Search with the parameters of a form, so that they stand in no URL."""
    if "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
        raise FhirProblem(415, "not-supported", "_search takes application/x-www-form-urlencoded")
    form = parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)
    return await _search(request, resource_type, [*_pairs(request), *form], self_query=False)


@get("/fhir")
async def page(request: Http) -> Response[bytes]:
    """A further page of a search (link `next` or `previous`)."""
    door, pairs = await door_of(request), dict(_pairs(request))
    if "_getpages" not in pairs:
        raise FhirProblem(400, "not-supported", "A search across all types is not supported")
    offset = preferences.number(pairs.get("_getpagesoffset", "0"), "_getpagesoffset", most=2**31)
    count = preferences.number(pairs.get("_count", str(query.DEFAULT_COUNT)), "_count", most=query.MAX_COUNT)
    found = await door.page(pairs["_getpages"], offset, max(count, 1))
    return _answer(searching.searchset(found, door.base_url, _self_url(request, door), door.now()))


@get("/fhir/{resource_type:str}/{resource_id:str}/$everything")
async def everything(request: Http, resource_type: FromPath[str], resource_id: FromPath[str]) -> Response[bytes]:
    """A Patient's whole record, paged; `_type`, `_since` and `_count` as in R4 Patient/$everything."""
    if resource_type != "Patient":
        _refuse_operation(request, "$everything")
    door, pairs = await door_of(request), dict(_pairs(request))
    unknown = pairs.keys() - {"_type", "_since", "_count", "_format", "_pretty"}
    if unknown:
        raise FhirProblem(400, "not-supported", f"$everything does not support {', '.join(sorted(unknown))[:80]}")
    since = dates.span(pairs["_since"]) if "_since" in pairs else None
    if "_since" in pairs and since is None:
        raise FhirProblem(400, "invalid", "_since must be an instant")
    count = preferences.number(pairs.get("_count", str(_EVERYTHING_COUNT)), "_count", most=query.MAX_COUNT)
    types = [name for name in pairs.get("_type", "").split(",") if name]
    found = await door.everything(resource_id, types, since[0] if since else None, max(count, 1))
    return _answer(searching.searchset(found, door.base_url, _self_url(request, door), door.now()))


@post("/fhir/{resource_type:str}", status_code=201)
async def create(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """Create, conditional with If-None-Exist."""
    _refuse_operation(request, resource_type)
    door, condition = await door_of(request), request.headers.get("if-none-exist")
    criteria = f"{resource_type}?{condition.rpartition('?')[2]}" if condition else ""
    change = Change("POST", resource_type, criteria=criteria, resource=json_text.sent(await _json(request)))
    return await _write(request, door, change)


@put("/fhir/{resource_type:str}/{resource_id:str}")
async def update(request: Http, resource_type: FromPath[str], resource_id: FromPath[str]) -> Response[bytes]:
    """Update, or create under the client's own id."""
    door = await door_of(request)
    resource = json_text.sent(await _json(request))
    if resource.id is None:
        text = "HAPI-0419: Can not update resource, resource body must contain an ID element for update (PUT) operation"
        raise FhirProblem(400, "invalid", text)
    if not json_text.is_id(resource_id):
        raise FhirProblem(400, "invalid", "HAPI-0521: An id has 1 to 64 letters, digits, - and .")
    return await _write(
        request, door, _conditions(request, Change("PUT", resource_type, resource_id, resource=resource))
    )


@put("/fhir/{resource_type:str}")
async def conditional_update(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """Update of what the query string finds, else create."""
    door = await door_of(request)
    resource = json_text.sent(await _json(request))
    change = Change("PUT", resource_type, criteria=_criteria(request, resource_type), resource=resource)
    return await _write(request, door, _conditions(request, change))


@patch("/fhir/{resource_type:str}/{resource_id:str}")
async def patch_by_id(request: Http, resource_type: FromPath[str], resource_id: FromPath[str]) -> Response[bytes]:
    """JSON Patch of a resource."""
    door = await door_of(request)
    change = Change("PATCH", resource_type, resource_id, patch=await _patch(request))
    return await _write(request, door, _conditions(request, change))


@patch("/fhir/{resource_type:str}")
async def conditional_patch(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """JSON Patch of the one resource that the query string finds."""
    door = await door_of(request)
    criteria = _criteria(request, resource_type)
    change = Change("PATCH", resource_type, criteria=criteria, patch=await _patch(request))
    return await _write(request, door, _conditions(request, change))


@delete("/fhir/{resource_type:str}/{resource_id:str}", status_code=200)
async def delete_by_id(request: Http, resource_type: FromPath[str], resource_id: FromPath[str]) -> Response[bytes]:
    """Delete; what is not there is not an error."""
    door = await door_of(request)
    return await _write(request, door, _conditions(request, Change("DELETE", resource_type, resource_id)))


@delete("/fhir/{resource_type:str}", status_code=200)
async def conditional_delete(request: Http, resource_type: FromPath[str]) -> Response[bytes]:
    """Delete of the one resource that the query string finds, if any."""
    door = await door_of(request)
    change = Change("DELETE", resource_type, criteria=_criteria(request, resource_type))
    return await _write(request, door, change)


@post("/fhir", status_code=200)
async def transaction(request: Http) -> Response[bytes]:
    """Transaction or batch."""
    door = await door_of(request)
    wanted = transactions.plan(await _json(request))
    prefer = request.headers.get("prefer")
    # As HAPI: a transaction answers without the resources unless they are asked for.
    representation = prefer is not None and preferences.preference(prefer) == "representation"
    return _answer(await transactions.run(door, wanted, representation=representation))


@post(["/fhir/{resource_type:str}/$validate", "/fhir/{resource_type:str}/{resource_id:str}/$validate"], status_code=200)
async def validate(request: Http) -> Response[bytes]:
    """$validate of the resource sent, bare or in Parameters: every finding, 200 when there are only warnings."""
    resource_type, resource_id = _named(request)
    door = await door_of(request)
    resource = await _resource(request)
    if resource.get("resourceType") == "Parameters":
        parts = {part["name"]: part for part in _parameters(resource)}
        if "profile" in parts or "mode" in parts:
            raise FhirProblem(400, "not-supported", "$validate takes the parameter resource only")
        inner = parts.get("resource", {}).get("resource")
        resource = inner if isinstance(inner, dict) else {}
    if resource.get("resourceType") != resource_type or (resource_id and resource.get("id") != resource_id):
        raise FhirProblem(400, "invalid", "The resource does not go with the URL")
    issues = door.validate(resource)
    failed = any(issue.severity in ("fatal", "error") for issue in issues)
    found = issues or [Issue("information", "informational", "No issues detected during validation")]
    return _answer(bundles.outcome_bytes(found), status=412 if failed else 200)


@post("/fhir/$sent-digests", status_code=200)
async def sent_digests(request: Http) -> Response[bytes]:
    """$sent-digests (ours): whether the store holds what a service sent, without saying what that is.

    Takes Parameters with `patient` (valueIdentifier, up to 1000) and `system` (valueUri); gives Parameters with a
    `digest` (valueString) each: the patient's identifier value, type, id, system, value, and digest of the JSON as it
    was sent (24 hex digits of SHA-256, empty after a patch), with tabs between. With `summary` (valueBoolean) one
    `digest` a patient: her identifier value, a tab, and the SHA-256 in hex of her lines "digest type system value",
    sorted and joined by newlines.
    """
    door, sent = await door_of(request), await _resource(request)
    parts = _parameters(sent)
    given = [part.get("valueIdentifier") for part in parts if part["name"] == "patient"]
    patients = [(one.get("system", ""), one.get("value", "")) for one in given if isinstance(one, dict)]
    owned = [part.get("valueUri") for part in parts if part["name"] == "system"]
    if len(patients) > _MOST_PATIENTS or not all(isinstance(text, str) for one in (*patients, owned) for text in one):
        raise FhirProblem(400, "invalid", f"$sent-digests takes up to {_MOST_PATIENTS} identifiers and systems")
    summary = any(part["name"] == "summary" and part.get("valueBoolean") is True for part in parts)
    rows = await door.sent_digests(patients, [text for text in owned if isinstance(text, str)], summary=summary)
    answer = [{"name": "digest", "valueString": "\t".join(row)} for row in rows]
    return _answer(json_text.encode({"resourceType": "Parameters", "parameter": answer}))


@get("/fhir/metadata", sync_to_thread=False)
def metadata(request: Http) -> Response[bytes]:
    """The CapabilityStatement; anyone may read it."""
    preferences.require_json(dict(_pairs(request)).get("_format"), request.headers.get("accept"))
    return _answer(request.app.state.capability)


async def _search(request: Http, resource_type: str, pairs: query.Pairs, *, self_query: bool = True) -> Response[bytes]:
    door = await door_of(request)
    found = await door.search(query.parse(resource_type, pairs))
    url = _self_url(request, door) if self_query else f"{door.base_url}/{resource_type}"
    return _answer(searching.searchset(found, door.base_url, url, door.now()), pairs=pairs)


async def _write(request: Http, door: Door, change: Change) -> Response[bytes]:
    if change.resource is not None:
        transactions.check_resource(change, "")
    done = (await door.write([change]))[0]
    headers = _written_headers(done, door)
    preference = preferences.preference(request.headers.get("prefer"))
    if change.method == "DELETE" or preference == "OperationOutcome":
        said = done.issues or (Issue("information", "informational", "Successfully stored."),)
        return _answer(bundles.outcome_bytes(said), status=done.status, headers=headers)
    if preference == "minimal":
        return Response(b"", status_code=done.status, headers=headers, media_type=FHIR_JSON)
    return _answer(done.body or b"", status=done.status, headers=headers)


def _written_headers(done: Done, door: Door) -> dict[str, str]:
    if not done.version or done.last_updated is None:
        return {}
    location = f"{door.base_url}/{done.type}/{done.id}/_history/{done.version}"
    found = Read(done.version, done.last_updated, b"")
    headers = _version_headers(found) | {"content-location": location}
    return headers | {"location": location} if done.status == 201 else headers


def _version_headers(found: Read) -> dict[str, str]:
    modified = found.last_updated.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {"etag": f'W/"{found.version}"', "last-modified": modified}


def _answer(
    body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, pairs: query.Pairs = ()
) -> Response[bytes]:
    if dict(pairs).get("_pretty") == "true":
        body = json_text.pretty(body)
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


def _named(request: Http) -> tuple[str, str]:
    """Type and id in the path, each empty when it isn't there."""
    return request.path_params.get("resource_type", ""), request.path_params.get("resource_id", "")


def _pairs(request: Http) -> list[tuple[str, str]]:
    return parse_qsl(request.scope["query_string"].decode(errors="replace"), keep_blank_values=True)


def _criteria(request: Http, resource_type: str) -> str:
    text = request.scope["query_string"].decode(errors="replace")
    if not text:
        raise FhirProblem(400, "invalid", "HAPI-0929: A conditional interaction needs search parameters in the URL")
    return f"{resource_type}?{text}"


def _conditions(request: Http, change: Change) -> Change:
    change.if_match = preferences.version_of(request.headers.get("if-match"))
    change.only_new = request.headers.get("if-none-match") == "*"
    return change


async def _resource(request: Http) -> changes.Resource:
    return json_text.decode(await _json(request))


def _parameters(resource: changes.Resource) -> list[dict[str, Any]]:
    """The parameters of a Parameters resource, each with its name. Raises FhirProblem 400."""
    parts = resource.get("parameter", [])
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise FhirProblem(400, "structure", "parameter must be an array of objects", "Parameters.parameter")
    if not all(isinstance(part.get("name"), str) for part in parts):
        raise FhirProblem(400, "required", "A parameter needs a name", "Parameters.parameter.name")
    return parts


async def _json(request: Http) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and "json" not in kind:
        raise FhirProblem(415, "not-supported", "Only JSON is supported: Content-Type: application/fhir+json")
    return await request.body()


async def _patch(request: Http) -> list[Any]:
    if "json-patch" not in request.headers.get("content-type", ""):
        raise FhirProblem(415, "not-supported", "Only application/json-patch+json is supported; FHIRPath Patch is not")
    return preferences.patch_operations(await request.body())


def _self_url(request: Http, door: Door) -> str:
    text = request.scope["query_string"].decode(errors="replace")
    path = request.scope["path"].removeprefix("/fhir").rstrip("/")
    return f"{door.base_url}{path}?{text}" if text else f"{door.base_url}{path}"


def _refuse_operation(request: Http, name: str) -> None:
    if name.startswith("$"):
        text = f"HAPI-0287: This endpoint does not know how to handle {request.method} operation[{name[:40]}]"
        raise FhirProblem(400, "not-supported", text)
