"""`/api/{type}` and `GET /api/metadata`: reading with fields, filters, orders and pages. Writing is in `writing`."""

import hashlib
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.params import FromPath

from janani.registry.access import state_of, user_of
from janani.registry.metadata import org_units
from janani.registry.metadata.fields import parse
from janani.registry.metadata.filters import compile_filters, sorted_by
from janani.registry.metadata.shown import View
from janani.registry.metadata.types import CLASSES, singular
from janani.registry.numbers import whole_number
from janani.registry.problems import Refusal, not_found

Json = dict[str, Any]
_Request = Request[Any, Any, Any]
# Where a longer fixed path begins with a type, the router wants that type spelt out too.
_SPELT_OUT = ("programs", "routes", "trackedEntityAttributes")
LISTS = ["/api/{kind:str}", *(f"/api/{kind}" for kind in _SPELT_OUT)]
OBJECTS = ["/api/{kind:str}/{uid:str}", *(f"/api/{kind}/{{uid:str}}" for kind in _SPELT_OUT)]
_DEFAULT_LIST, _DEFAULT_ONE = "id,displayName", "*"


@get(LISTS, summary="List metadata objects")
async def list_objects(request: _Request) -> Response[Any]:
    """Objects of a type (Web API §4.1): `fields`, `filter`, `rootJunction`, `query`, `order`, paging."""
    kind = kind_of(request)
    view = await view_of(request, kind)
    if (unchanged := not_modified(request, view)) is not None:
        return unchanged
    found = _matching(request, view, kind, request.query_params.getall("filter", []))
    if kind == "organisationUnits":
        found = org_units.within(found, view.user, request.query_params)
    ordered = found
    orders = [each for text in request.query_params.getall("order", []) for each in text.split(",")]
    if orders or request.query_params.get("levelSorted") != "true":
        ordered = sorted_by(found, orders)
    shown, pager = _page(request, ordered)
    selection = parse(",".join(request.query_params.getall("fields", [])) or _DEFAULT_LIST)
    rows = [view.shown(kind, one, selection) for one in shown]
    return Response(({"pager": pager} if pager else {}) | {kind: rows}, headers=_tag(request, view))


@get(OBJECTS, summary="One metadata object")
async def read_object(request: _Request, uid: FromPath[str]) -> Response[Any]:
    """One object (Web API §4.1). 404 (E1005) when it is not there or not hers to see."""
    kind = kind_of(request)
    view = await view_of(request, kind)
    if (unchanged := not_modified(request, view)) is not None:
        return unchanged
    one = _one(view, kind, uid)
    selection = parse(",".join(request.query_params.getall("fields", [])) or _DEFAULT_ONE)
    if kind == "organisationUnits" and (several := org_units.around(one, view.snapshot, request.query_params)):
        rows = [view.shown(kind, each, selection) for each in several]
        return Response({kind: rows}, headers=_tag(request, view))
    return Response(view.shown(kind, one, selection), headers=_tag(request, view))


@get(
    ["/api/{kind:str}/{uid:str}/{member:str}", "/api/programs/{uid:str}/{member:str}"],
    summary="One property of a metadata object",
)
async def read_property(request: _Request, uid: FromPath[str], member: FromPath[str]) -> Json:
    """`{"<property>": …}` of one object (Web API §4.1)."""
    kind = kind_of(request)
    view = await view_of(request, kind)
    fields = ",".join(request.query_params.getall("fields", []))
    selection = parse(f"{member}[{fields}]" if fields else member)
    found = view.shown(kind, _one(view, kind, uid), selection)
    if not found:
        raise Refusal(404, f"Property {member} does not exist on {singular(kind)}.")
    return found


@get("/api/programs/orgUnits", summary="Organisation units of programmes")
async def units_of_programs(request: _Request) -> dict[str, list[str]]:
    """Programme uid → unit uids, of the programmes in `programs` that the caller may see."""
    view = await view_of(request, "programs")
    wanted = request.query_params.get("programs", "").split(",")
    return org_units.of_programs(view.snapshot, view.user, wanted)


@get("/api/identifiableObjects/{uid:str}", summary="An object of any type")
async def read_any(request: _Request, uid: FromPath[str]) -> Json:
    """The object with `uid`, whatever its type."""
    view = await view_of(request, "")
    for kind in CLASSES:
        if kind not in _GUARDED and (one := view.resolve(kind, uid)) is not None:
            return view.shown(kind, one, parse(request.query_params.get("fields") or "id,code,name,displayName,href"))
    raise not_found("IdentifiableObject", uid)


@get("/api/metadata", summary="Export metadata")
async def export_package(request: _Request) -> Response[Json]:
    """A package of the types asked for (`programs=true`), or of all (Web API §4.2).

    `fields` and `filter` hold for all types, `programs:fields` and `programs:filter` for one.
    """
    view = await view_of(request, "")
    view.user.require("F_METADATA_EXPORT")
    parameters = request.query_params
    wanted = [kind for kind in CLASSES if parameters.get(kind) == "true"] or list(CLASSES)
    package: Json = {}
    for kind in wanted:
        filters = [*parameters.getall("filter", []), *parameters.getall(f"{kind}:filter", [])]
        fields = parameters.getall(f"{kind}:fields", []) or parameters.getall("fields", [])
        selection = parse(",".join(fields) or ":owner")
        rows = [view.shown(kind, one, selection) for one in sorted_by(_matching(request, view, kind, filters), [])]
        package |= {kind: rows} if rows else {}
    system = {"id": state_of(request).system_id, "date": state_of(request).clock().isoformat()}
    return Response({"system": system} | package)


_GUARDED = ("oAuth2Clients", "userRoles")


async def view_of(request: _Request, kind: str) -> View:
    """What the caller sees. Clients and roles are for those who may export metadata."""
    user = await user_of(request)
    if kind in _GUARDED:
        user.require("F_METADATA_EXPORT")
    state = state_of(request)
    return View(await state.metadata.current(), user, state.settings.registry.url)


def kind_of(request: _Request) -> str:
    """The type the path names: /api/<kind>/... Raises Refusal (404) for one this server does not keep."""
    kind = request.scope["path"].split("/")[2]
    if kind not in CLASSES:
        raise Refusal(404, f"The API path /api/{kind} is not supported by this server.")
    return kind


def _one(view: View, kind: str, uid: str) -> Json:
    found = view.snapshot.find(kind, uid) if kind == "routes" else view.snapshot.get(kind, uid)
    one = view.resolve(kind, found["id"]) if found is not None else None
    if one is None:
        raise not_found(singular(kind), uid)
    return one


def _matching(request: _Request, view: View, kind: str, filters: list[str]) -> list[Json]:
    query = request.query_params.get("query")
    texts = [*filters, f"identifiable:token:{query}"] if query else filters
    matches = compile_filters(texts, request.query_params.get("rootJunction", "AND"), view.resolve)
    return [one for one in view.objects(kind) if matches(one)]


def not_modified(request: _Request, view: View) -> Response[Any] | None:
    """304 when the caller has what they would get now (`If-None-Match`)."""
    tag = _tag(request, view)
    return Response(None, status_code=304, headers=tag) if request.headers.get("if-none-match") == tag["etag"] else None


def _tag(request: _Request, view: View) -> dict[str, str]:
    """An answer is made of the metadata, who asks, and what is asked."""
    asked = f"{view.snapshot.version} {view.user.uid} {request.scope['path']}?{request.scope['query_string']!r}"
    digest = hashlib.md5(asked.encode(), usedforsecurity=False).hexdigest()
    return {"etag": f'"0{digest}"', "cache-control": "no-cache, private"}


def _page(request: _Request, ordered: list[Json]) -> tuple[list[Json], Json | None]:
    parameters = request.query_params
    if parameters.get("paging") == "false" or parameters.get("skipPaging") == "true":
        return ordered, None
    page, size = _positive(parameters.get("page"), 1), _positive(parameters.get("pageSize"), 50)
    pages = max(1, -(-len(ordered) // size))
    pager: Json = {"page": page, "total": len(ordered), "pageSize": size, "pageCount": pages}

    def link(number: int) -> str:
        others = [(name, value) for name, value in parameters.multi_items() if name != "page"]
        path = request.scope["path"]
        return f"{state_of(request).settings.registry.url}{path}?{urlencode([*others, ('page', number)])}"

    if page < pages:
        pager["nextPage"] = link(page + 1)
    if page > 1:
        pager["prevPage"] = link(page - 1)
    return ordered[(page - 1) * size : page * size], pager


def _positive(text: str | None, default: int) -> int:
    if text is None:
        return default
    number = whole_number(text)
    if not number:
        raise Refusal(400, f"Value {text!r} is not valid for a page parameter; a positive whole number is expected.")
    return number


handlers = [list_objects, read_object, read_property, units_of_programs, read_any, export_package]
