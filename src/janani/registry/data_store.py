"""`/api/dataStore` and `/api/userDataStore`: JSON documents of applications (Web API §6.1), without the query grammar.

Everybody reads; writing a namespace of the Capture app needs its authority, any other one F_METADATA_IMPORT or the
application's own `M_<namespace>`. A user's own store is theirs.
"""

from typing import Any

import msgspec
from litestar import MediaType, Request, Response, delete, get, post, put
from litestar.params import FromPath

from janani.kernel.ids import uid
from janani.registry.access import state_of, user_of
from janani.registry.metadata.snapshot import SQL
from janani.registry.problems import Refusal, web_message
from janani.registry.times import instant
from janani.registry.users import User

Json = dict[str, Any]
_Request = Request[Any, Any, Any]
_CAPTURE = "capture"


def _paths(tail: str = "") -> list[str]:
    return [f"/api/dataStore{tail}", f"/api/userDataStore{tail}"]


async def _owner(request: _Request) -> str:
    user = await user_of(request)
    return user.uid if request.scope["path"].startswith("/api/userDataStore") else ""


async def _writer(request: _Request, namespace: str) -> str:
    owner = await _owner(request)
    user = await user_of(request)
    if not owner and not _may_write(user, namespace):
        raise Refusal(403, f"Namespace {namespace!r} is protected; the access is denied.")
    return owner


def _may_write(user: User, namespace: str) -> bool:
    if namespace == _CAPTURE:
        return user.has("F_CAPTURE_DATASTORE_UPDATE")
    return user.has("F_METADATA_IMPORT") or user.has(f"M_{namespace}")


@get(_paths(), summary="Namespaces of the data store")
async def namespaces(request: _Request) -> list[str]:
    """The namespaces that hold anything."""
    rows = SQL.data_namespaces(state_of(request).pool, owner=await _owner(request))
    return [row["namespace"] async for row in rows]


@get(_paths("/{namespace:str}"), summary="Keys of a namespace")
async def keys(request: _Request, namespace: FromPath[str]) -> Response[Any]:
    """The keys; with `fields=.` entries with their values. 404 for an empty namespace."""
    owner, pool = await _owner(request), state_of(request).pool
    fields = request.query_params.get("fields")
    if fields not in (None, "", "."):
        raise Refusal(400, "Only fields=. is supported here.", "E7651")
    rows = [row async for row in SQL.data_entries(pool, owner=owner, namespace=namespace)]
    if not rows:
        raise Refusal(404, f"Namespace not found: '{namespace}'")
    if fields is None:
        return Response([row["key"] for row in rows])
    entries: list[Json] = [{"key": row["key"]} for row in rows]
    if fields == ".":
        entries = [{"key": row["key"], "value": msgspec.json.decode(row["value"])} for row in rows]
    if "false" in (request.query_params.get("paging"), request.query_params.get("headless")):
        return Response(entries)
    return Response({"pager": {"page": 1, "pageSize": max(50, len(entries))}, "entries": entries})


@get(_paths("/{namespace:str}/{key:str}"), media_type=MediaType.JSON, summary="A value of the data store")
async def read(request: _Request, namespace: FromPath[str], key: FromPath[str]) -> Response[bytes]:
    """The value, as it was stored."""
    row = await _entry(request, namespace, key)
    return Response(row["value"].encode(), media_type=MediaType.JSON)


@get(_paths("/{namespace:str}/{key:str}/metaData"), summary="About a value of the data store")
async def about(request: _Request, namespace: FromPath[str], key: FromPath[str]) -> Json:
    """When it was made and changed."""
    row = await _entry(request, namespace, key)
    times = {"created": instant(row["created"]), "lastUpdated": instant(row["last_updated"])}
    return {"id": row["uid"], "namespace": namespace, "key": key} | times


@post(_paths("/{namespace:str}/{key:str}"), summary="Add a value to the data store")
async def add(request: _Request, namespace: FromPath[str], key: FromPath[str]) -> Json:
    """201; 409 when the key is there already."""
    owner = await _writer(request, namespace)
    made = await SQL.add_data_entry(
        state_of(request).pool, owner=owner, namespace=namespace, key=key, uid=uid(), value=await _value(request)
    )
    if made is None:
        raise Refusal(409, f"Key '{key}' already exists in namespace '{namespace}'")
    return web_message(201, f"Key '{key}' created.")


@put(_paths("/{namespace:str}/{key:str}"), summary="Replace a value of the data store")
async def replace(request: _Request, namespace: FromPath[str], key: FromPath[str]) -> Response[Json]:
    """200, or 201 when the key is new. Partial updates (`path`, `roll`) are refused."""
    owner = await _writer(request, namespace)
    if {"path", "roll"} & set(request.query_params):
        raise Refusal(400, "Partial updates (path, roll) are not supported by this server.")
    new = await SQL.put_data_entry(
        state_of(request).pool, owner=owner, namespace=namespace, key=key, uid=uid(), value=await _value(request)
    )
    status, verb = (201, "created") if new else (200, "updated")
    return Response(web_message(status, f"Key '{key}' {verb}."), status_code=status)


@delete(_paths("/{namespace:str}/{key:str}"), status_code=200, summary="Delete a value of the data store")
async def drop(request: _Request, namespace: FromPath[str], key: FromPath[str]) -> Json:
    """200 or 404."""
    await _drop(request, namespace, key)
    return web_message(200, f"Key '{key}' deleted from namespace '{namespace}'.")


@delete(_paths("/{namespace:str}"), status_code=200, summary="Delete a namespace of the data store")
async def drop_namespace(request: _Request, namespace: FromPath[str]) -> Json:
    """200 or 404."""
    await _drop(request, namespace, None)
    return web_message(200, f"Namespace '{namespace}' deleted.")


async def _drop(request: _Request, namespace: str, key: str | None) -> None:
    owner = await _writer(request, namespace)
    rows = SQL.drop_data_entries(state_of(request).pool, owner=owner, namespace=namespace, key=key)
    if not [row async for row in rows]:
        raise Refusal(404, f"Namespace or key not found: '{namespace}'")


async def _entry(request: _Request, namespace: str, key: str) -> Any:
    owner = await _owner(request)
    row = await SQL.data_entry(state_of(request).pool, owner=owner, namespace=namespace, key=key)
    if row is None:
        raise Refusal(404, f"Key '{key}' not found in namespace '{namespace}'")
    return row


async def _value(request: _Request) -> str:
    body = await request.body()
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refusal(400, f"The data is not valid JSON: {error}") from error
    return body.decode()


handlers = [namespaces, keys, read, about, add, replace, drop, drop_namespace]
