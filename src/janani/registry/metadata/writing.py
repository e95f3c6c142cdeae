"""Writing metadata: packages and single objects, by import, replacement, JSON patch and deletion."""

import copy
from collections.abc import Callable
from typing import Any, get_args

import jsonpatch
import jsonpointer
import msgspec
from litestar import Request, Response, delete, patch, post, put
from litestar.params import FromPath

from janani.registry import routes
from janani.registry.access import state_of, user_of
from janani.registry.metadata import accounts, importer, permissions, shapes, uniqueness
from janani.registry.metadata.handlers import LISTS, OBJECTS, kind_of
from janani.registry.metadata.importer import Plan, Strategy
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.metadata.storing import save
from janani.registry.metadata.types import klass, singular
from janani.registry.passwords import hashed
from janani.registry.problems import Refusal, not_found, web_message
from janani.registry.state import State

Json = dict[str, Any]
_Request = Request[Any, Any, Any]
_ATTEMPTS = 5
_CONFLICT = "One or more errors occurred, please see full details in import report."
# The only value each may have here; what would change the meaning is refused, never dropped.
_FIXED = {
    "atomicMode": ("ALL", "OBJECT"),
    "identifier": ("UID", "AUTO"),
    "mergeMode": ("REPLACE",),
    "async": ("FALSE",),
    "skipValidation": ("FALSE",),
}


@post("/api/metadata", status_code=200, summary="Import a metadata package")
async def import_package(request: _Request) -> Response[Json]:
    """A package (Web API §4.3): everything or nothing. 409 with the report when anything is wrong."""
    user = await user_of(request)
    user.require("F_METADATA_IMPORT")
    package = _body(await request.body())
    _refuse_unsupported(request, package)
    strategy: Any = request.query_params.get("importStrategy", "CREATE_AND_UPDATE")
    if strategy not in get_args(Strategy):
        raise Refusal(400, f"Value {strategy!r} is not valid for parameter importStrategy.")
    checking = request.query_params.get("importMode", "COMMIT").upper() == "VALIDATE"
    checking = checking or request.query_params.get("dryRun") == "true"
    found = await _import(request, lambda _: package, strategy, store=not checking)
    body = importer.report(found, stored_any=not found.faults)
    status = 409 if found.faults else 200
    return Response(web_message(status, _CONFLICT if found.faults else "", response=body), status_code=status)


@post(LISTS, summary="Create a metadata object")
async def create_object(request: _Request) -> Response[Json]:
    """Creates one object (Web API §4.1): 201 with its uid, 409 with the faults."""
    one = _body(await request.body())
    return await _write_one(request, lambda _: one, "CREATE")


@put(OBJECTS, summary="Replace a metadata object")
async def replace_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """Replaces one object whole (Web API §4.1); only its sharing stays when it was not sent."""
    one = _body(await request.body()) | {"id": uid}
    return await _write_one(request, lambda _: one, "UPDATE")


@patch(OBJECTS, status_code=200, summary="Change a metadata object")
async def patch_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """Applies a JSON patch (RFC 6902, and `remove-by-id`) to one object (Web API §4.1)."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json-patch+json":
        raise Refusal(415, "Content-Type application/json-patch+json is needed for a patch.", "E1003")
    kind, body = kind_of(request), await request.body()

    def changed(snapshot: Snapshot) -> Json:
        old = snapshot.get(kind, uid)
        if old is None:
            raise not_found(singular(kind), uid)
        return patched(importer.stored(kind, old), body) | {"id": uid}

    return await _write_one(request, changed, "UPDATE")


@delete(OBJECTS, status_code=200, summary="Delete a metadata object")
async def delete_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """Deletes one object; 409 (E4030) while something refers to it."""
    return await _write_one(request, lambda _: {"id": uid}, "DELETE")


def patched(one: Json, body: bytes) -> Json:
    """`one` after the patch in `body`. Raises Refusal (400)."""
    one = copy.deepcopy(one)
    try:
        for step in msgspec.json.decode(body, type=list[Json]):
            if step.get("op") == "remove-by-id":
                rows = jsonpointer.resolve_pointer(one, step["path"])
                rows[:] = [row for row in rows if row.get("id") != step["id"]]
            else:
                one = jsonpatch.apply_patch(one, [step])
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise Refusal(400, f"Invalid path {step.get('path')}") from error
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(400, "The JSON patch is not valid: a list of {op, path, value} is expected.") from error
    return one


async def _write_one(request: _Request, made: Callable[[Snapshot], Json], strategy: Strategy) -> Response[Json]:
    """Writes the object that `made` gives of the metadata as it is."""
    user = await user_of(request)
    kind = kind_of(request)
    needed = permissions.authorities(kind, deleting=strategy == "DELETE")
    if not any(user.has(each) for each in needed):
        user.require(needed[0])
    state = state_of(request)

    def package(snapshot: Snapshot) -> Json:
        one = made(snapshot)
        if strategy != "CREATE" and snapshot.get(kind, one["id"]) is None:
            raise not_found(singular(kind), one["id"])
        return {kind: [one]}

    found = await _import(request, package, strategy, store=True)
    uid = next(iter(found.places))[1]
    errors = importer.errors(found)
    body = {"responseType": "ObjectReport", "uid": uid, "klass": klass(kind), "errorReports": errors}
    status = 409 if errors else 201 if strategy == "CREATE" else 200
    headers = {"location": f"{state.settings.registry.url}/api/{kind}/{uid}"} if status == 201 else {}
    return Response(
        web_message(status, _CONFLICT if errors else "", response=body), status_code=status, headers=headers
    )


async def _import(request: _Request, made: Callable[[Snapshot], Json], strategy: Strategy, *, store: bool) -> Plan:
    """Plans and checks the package that `made` gives, and stores it when nothing is wrong and `store` says so.

    Done anew when somebody else wrote metadata meanwhile.
    """
    metadata = state_of(request).metadata
    for _ in range(_ATTEMPTS):
        metadata.changed()
        snapshot = await metadata.current()
        package = importer.with_uids(made(snapshot))
        for kind, objects in package.items():
            for one in objects:
                shapes.check(one, singular(kind))
        found, package = await _checked(request, package, snapshot, strategy)
        done = not store or found.faults
        if done or await save(state_of(request).pool, metadata, found, package, snapshot):
            return found
    raise Refusal(409, "Others are changing metadata at the same time. Please try again.")


async def _checked(request: _Request, package: Json, snapshot: Snapshot, strategy: Strategy) -> tuple[Plan, Json]:
    """The plan for `package` with all its faults, and the package as it may be stored."""
    state, user = state_of(request), await user_of(request)
    if strategy != "DELETE":
        package = await _prepared(package, snapshot, state)
    found = importer.plan(package, snapshot, strategy)
    found.faults += permissions.faults(found, snapshot, user)
    found.faults += await uniqueness.faults(state.pool, found, snapshot)
    if "users" in package and strategy != "DELETE":
        found.faults += await accounts.faults(state.pool, found, package["users"])
    return found, package


async def _prepared(package: Json, snapshot: Snapshot, state: State) -> Json:
    """`package` with its secrets made unreadable and older forms made new. Raises Refusal (409) for a wrong Route."""
    changed: Json = {}
    if "routes" in package:
        for one in package["routes"]:
            routes.check(one, routes.allowed_hosts(state.settings))
        changed["routes"] = [state.routes.sealed(one, snapshot.get("routes", one["id"])) for one in package["routes"]]
    if "oAuth2Clients" in package:
        changed["oAuth2Clients"] = [
            await _client(one, snapshot.get("oAuth2Clients", one["id"])) for one in package["oAuth2Clients"]
        ]
    if "users" in package:
        changed["users"] = [accounts.modern(one) for one in package["users"]]
    return package | changed


async def _client(one: Json, known: Json | None) -> Json:
    """An OAuth2 client with the hash of its secret; a secret that was not sent (no GET shows it) stays."""
    secret = one.get("clientSecret")
    if secret and secret != (known or {}).get("clientSecret"):
        return one | {"clientSecret": await hashed(str(secret)[:72])}
    return one | ({"clientSecret": known["clientSecret"]} if known and known.get("clientSecret") else {})


def _refuse_unsupported(request: _Request, package: Json) -> None:
    for name, allowed in _FIXED.items():
        value = request.query_params.get(name)
        if value is not None and value.upper() not in allowed:
            raise Refusal(400, f"Parameter {name}={value} is not supported; only {allowed[0]} is.")
    if unknown := importer.unknown_types(package):
        raise Refusal(409, f"Metadata of type {', '.join(unknown)} is not supported by this server.")


def _body(content: bytes) -> Json:
    try:
        return msgspec.json.decode(content, type=Json)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Invalid JSON: {error}") from error


handlers = [import_package, create_object, replace_object, patch_object, delete_object]
