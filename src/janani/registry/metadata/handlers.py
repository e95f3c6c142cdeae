"""`/api/metadata` and `/api/{type}`: reading with fields, filters and pages; importing packages and single objects."""

from typing import Any, get_args
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath

from janani.registry.access import state_of, user_of
from janani.registry.metadata import importer
from janani.registry.metadata.fields import parse, select
from janani.registry.metadata.filters import compile_filters, sorted_by
from janani.registry.metadata.importer import Plan, Strategy
from janani.registry.metadata.snapshot import Snapshot
from janani.registry.metadata.storing import save
from janani.registry.metadata.types import CLASSES, klass, singular
from janani.registry.problems import Refusal, not_found, web_message
from janani.registry.users import User

Json = dict[str, Any]
_Request = Request[Any, Any, Any]
# Where a longer fixed path begins with a type, the router wants that type spelt out too.
_SPELT_OUT = ("routes", "trackedEntityAttributes")
_LISTS = ["/api/{kind:str}", *(f"/api/{kind}" for kind in _SPELT_OUT)]
_OBJECTS = ["/api/{kind:str}/{uid:str}", *(f"/api/{kind}/{{uid:str}}" for kind in _SPELT_OUT)]
_DEFAULT_LIST, _DEFAULT_ONE = "id,displayName", "*"
_CONFLICT = "One or more errors occurred, please see full details in import report."


@get(_LISTS, summary="List metadata objects")
async def list_objects(request: _Request) -> Response[Json]:
    """Objects of a type (Web API §4.1): `fields`, `filter`, `rootJunction`, `query`, `order`, paging."""
    kind = _kind(request)
    snapshot, user = await _reading(request, kind)
    texts = request.query_params.getall("filter", [])
    if query := request.query_params.get("query"):
        texts = [*texts, f"identifiable:token:{query}"]
    matches = compile_filters(texts, request.query_params.get("rootJunction", "AND"), snapshot.get)
    readable = [one for one in snapshot.objects(kind) if user.may_read(one) and matches(one)]
    ordered = sorted_by(
        readable, [each for text in request.query_params.getall("order", []) for each in text.split(",")]
    )
    shown, pager = _page(request, ordered)
    selection = parse(",".join(request.query_params.getall("fields", [])) or _DEFAULT_LIST)
    rows = [select(_public(kind, one), selection, snapshot.get) for one in shown]
    return Response(({"pager": pager} if pager else {}) | {kind: rows})


@get(_OBJECTS, summary="One metadata object")
async def read_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """One object (Web API §4.1). 404 (E1005) when it is not there or not hers to see."""
    kind = _kind(request)
    snapshot, user = await _reading(request, kind)
    one = snapshot.find(kind, uid) if kind == "routes" else snapshot.get(kind, uid)
    if one is None or not user.may_read(one):
        raise not_found(singular(kind), uid)
    selection = parse(",".join(request.query_params.getall("fields", [])) or _DEFAULT_ONE)
    return Response(select(_public(kind, one), selection, snapshot.get))


@post("/api/metadata", status_code=200, summary="Import a metadata package")
async def import_package(request: _Request) -> Response[Json]:
    """A package (Web API §4.3): everything or nothing. 409 with the report when anything is wrong."""
    user = await user_of(request)
    user.require("F_METADATA_IMPORT")
    package = _body(await request.body())
    _refuse_unsupported(request, package)
    strategy = request.query_params.get("importStrategy", "CREATE_AND_UPDATE")
    if strategy not in get_args(Strategy):
        raise Refusal(400, f"Value {strategy!r} is not valid for parameter importStrategy.")
    only_check = request.query_params.get("importMode", "COMMIT").upper() == "VALIDATE"
    found = await _import(request, package, strategy, store=not only_check)
    body = importer.report(found, stored_any=not found.faults)
    status = 409 if found.faults else 200
    return Response(web_message(status, _CONFLICT if found.faults else "", response=body), status_code=status)


@get("/api/metadata", summary="Export metadata")
async def export_package(request: _Request) -> Response[Json]:
    """A package of the types asked for (`programs=true`), or of all (Web API §4.2)."""
    user = await user_of(request)
    user.require("F_METADATA_EXPORT")
    snapshot = await state_of(request).metadata.current()
    wanted = [kind for kind in CLASSES if request.query_params.get(kind) == "true"] or list(CLASSES)
    selection = parse(request.query_params.get("fields") or ":owner")
    return Response(
        {
            kind: [
                select(_public(kind, one), selection, snapshot.get)
                for one in sorted_by(list(snapshot.objects(kind)), [])
            ]
            for kind in wanted
            if any(True for _ in snapshot.objects(kind))
        }
    )


@post(_LISTS, summary="Create a metadata object")
async def create_object(request: _Request) -> Response[Json]:
    """Creates one object (Web API §4.1): 201 with its uid, 409 with the faults."""
    return await _write_one(request, _body(await request.body()), "CREATE")


@put(_OBJECTS, summary="Replace a metadata object")
async def replace_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """Replaces one object whole (Web API §4.1)."""
    return await _write_one(request, _body(await request.body()) | {"id": uid}, "UPDATE")


@delete(_OBJECTS, status_code=200, summary="Delete a metadata object")
async def delete_object(request: _Request, uid: FromPath[str]) -> Response[Json]:
    """Deletes one object; 409 (E4030) while something refers to it."""
    return await _write_one(request, {"id": uid}, "DELETE")


async def _write_one(request: _Request, one: Json, strategy: Strategy) -> Response[Json]:
    user = await user_of(request)
    kind = _kind(request)
    user.require(_authority(kind, strategy))
    store = state_of(request)
    if kind == "routes" and strategy != "DELETE":
        one = store.routes.sealed(one, (await store.metadata.current()).get(kind, str(one.get("id", ""))))
    if strategy != "CREATE" and (await store.metadata.current()).get(kind, one["id"]) is None:
        raise not_found(singular(kind), one["id"])
    found = await _import(request, {kind: [one]}, strategy, store=True)
    done = found.written + found.deleted
    uid = done[0][1]["id"] if done else one.get("id", "")
    errors = importer.errors(found)
    body = {"responseType": "ObjectReport", "uid": uid, "klass": klass(kind), "errorReports": errors}
    status = 409 if errors else 201 if strategy == "CREATE" else 200
    headers = {"location": f"{store.settings.registry.url}/api/{kind}/{uid}"} if status == 201 else {}
    return Response(
        web_message(status, _CONFLICT if errors else "", response=body), status_code=status, headers=headers
    )


async def _import(request: _Request, package: Json, strategy: Any, *, store: bool) -> Plan:
    state = state_of(request)
    snapshot = await state.metadata.current()
    if "routes" in package and strategy != "DELETE":
        routes = [state.routes.sealed(one, snapshot.get("routes", str(one.get("id", "")))) for one in package["routes"]]
        package = package | {"routes": routes}
    found = importer.plan(package, snapshot, strategy)
    if store and not found.faults:
        await save(state.pool, state.metadata, found, package)
    return found


def _refuse_unsupported(request: _Request, package: Json) -> None:
    if request.query_params.get("atomicMode", "ALL").upper() not in ("ALL", "OBJECT"):
        raise Refusal(400, "atomicMode NONE is not supported: a package is imported whole or not at all.")
    if request.query_params.get("async") == "true":
        raise Refusal(400, "async metadata import is not supported: leave async away.")
    if request.query_params.get("identifier", "UID").upper() != "UID":
        raise Refusal(400, "Only identifier=UID is supported.")
    if unknown := importer.unknown_types(package):
        raise Refusal(409, f"Metadata of type {', '.join(unknown)} is not supported by this server.")


async def _reading(request: _Request, kind: str) -> tuple[Snapshot, User]:
    user = await user_of(request)
    if kind in ("oAuth2Clients", "userRoles"):
        user.require("F_METADATA_EXPORT")
    return await state_of(request).metadata.current(), user


def _kind(request: _Request) -> str:
    """The type the path names: /api/<kind>/... Raises Refusal (404) for one this server does not keep."""
    kind = request.scope["path"].split("/")[2]
    if kind not in CLASSES:
        raise Refusal(404, f"The API path /api/{kind} is not supported by this server.")
    return kind


def _authority(kind: str, strategy: Strategy) -> str:
    names = {"organisationUnits": "ORGANISATIONUNIT", "dataElements": "DATAELEMENT", "users": "USER", "routes": "ROUTE"}
    name = names.get(kind, singular(kind).upper())
    public = "" if kind in ("organisationUnits", "users") else "_PUBLIC"
    return f"F_{name}_DELETE" if strategy == "DELETE" else f"F_{name}{public}_ADD"


def _public(kind: str, one: Json) -> Json:
    """`one` without its secrets; of a Route's authentication only the type is shown."""
    if kind == "routes" and "auth" in one:
        return one | {"auth": {"type": one["auth"].get("type")}}
    if kind == "oAuth2Clients":
        return {name: value for name, value in one.items() if name != "clientSecret"}
    return one


def _page(request: _Request, ordered: list[Json]) -> tuple[list[Json], Json | None]:
    parameters = request.query_params
    if parameters.get("paging") == "false" or parameters.get("skipPaging") == "true":
        return ordered, None
    page, size = _positive(parameters.get("page"), 1), _positive(parameters.get("pageSize"), 50)
    pages = max(1, -(-len(ordered) // size))
    pager: Json = {"page": page, "total": len(ordered), "pageSize": size, "pageCount": pages}

    def link(number: int) -> str:
        others = [(name, value) for name, value in parameters.multi_items() if name != "page"]
        return f"{state_of(request).settings.registry.url}{request.url.path}?{urlencode([*others, ('page', number)])}"

    if page < pages:
        pager["nextPage"] = link(page + 1)
    if page > 1:
        pager["prevPage"] = link(page - 1)
    return ordered[(page - 1) * size : page * size], pager


def _positive(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise Refusal(400, f"Value {text!r} is not valid for a page parameter; a positive whole number is expected.")
    return int(text)


def _body(content: bytes) -> Json:
    try:
        return msgspec.json.decode(content, type=Json)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"Invalid JSON: {error}") from error


handlers = [list_objects, read_object, import_package, export_package, create_object, replace_object, delete_object]
