"""`/api/me`, `/api/system/*`, `/api/ping`: who I am, what this server is."""

import platform
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from litestar import MediaType, Request, get
from litestar.params import FromPath, FromQuery

from janani import __version__
from janani.kernel.ids import uid
from janani.registry.access import state_of, user_of
from janani.registry.client_start import USER_SETTINGS
from janani.registry.metadata.fields import parse, select
from janani.registry.metadata.shown import View
from janani.registry.metadata.types import CLASSES
from janani.registry.problems import Refusal
from janani.registry.times import instant

# The Web API version whose behaviour this server follows.
API_VERSION = "2.42.1"
_MAX_IDS = 10_000
_Request = Request[Any, Any, Any]
Json = dict[str, Any]


@get("/api/ping", media_type=MediaType.TEXT, summary="Is the server there")
async def ping() -> str:
    """Says `pong`, to anyone."""
    return "pong"


@get("/api/me", summary="The caller")
async def me(request: _Request) -> Json:
    """The calling user with units, roles and authorities (Web API §1.5); honours `fields`."""
    user = await user_of(request)
    snapshot = await state_of(request).metadata.current()
    one = snapshot.get("users", user.uid) or {}
    programs = [row["id"] for row in snapshot.objects("programs") if user.may_read(row)]
    whole = one | {
        "authorities": sorted(user.authorities),
        "programs": programs,
        "dataSets": [],
        "patTokens": [],
        "settings": USER_SETTINGS,
        "userGroups": [{"id": group} for group in sorted(user.groups)],
    }
    for name in ("organisationUnits", "dataViewOrganisationUnits", "teiSearchOrganisationUnits", "userRoles"):
        whole.setdefault(name, [])
    fields = ",".join(request.query_params.getall("fields", []))
    view = View(snapshot, user, state_of(request).settings.registry.url)
    return view.shown("users", whole, parse(fields or "*"))


@get(["/api/me/authorization", "/api/me/authorities"], summary="The caller's authorities")
async def my_authorities(request: _Request) -> list[str]:
    """The authority strings of the caller."""
    return sorted((await user_of(request)).authorities)


@get("/api/me/authorization/{authority:str}", summary="Has the caller an authority")
async def my_authority(request: _Request, authority: FromPath[str]) -> bool:
    """Whether the caller has `authority`."""
    return (await user_of(request)).has(authority)


@get("/api/system/info", summary="What this server is")
async def info(request: _Request) -> Json:
    """Version, times and ids (Web API §1.5); administrators also see what it runs on."""
    user = await user_of(request)
    state = state_of(request)
    zone = state.settings.registry.time_zone
    now = state.clock().astimezone(ZoneInfo(zone))
    base = {
        "contextPath": state.settings.registry.url,
        "userAgent": request.headers.get("user-agent", ""),
        "calendar": "iso8601",
        "dateFormat": "yyyy-mm-dd",
        "serverDate": instant(now),
        "serverTimeZoneId": zone,
        "serverTimeZoneDisplayName": now.tzname() or zone,
        "lastAnalyticsTableSuccess": "1970-01-01T00:00:00.000",
        "version": API_VERSION,
        "revision": f"janani-{__version__}",
        "systemId": state.system_id,
        "systemName": "Janani",
        "instanceBaseUrl": state.settings.registry.url,
        "isMetadataVersionEnabled": False,
        "isMetadataSyncEnabled": False,
    }
    selection = parse(request.query_params.get("fields") or "*")
    if not user.has("F_VIEW_SERVER_INFO"):
        return select(base, selection, _nothing)
    server = await state.pool.fetchval("show server_version")
    whole = base | {
        "databaseInfo": {"name": "registry", "databaseVersion": f"PostgreSQL {server}", "spatialSupport": False},
        "osName": platform.system(),
        "osArchitecture": platform.machine(),
        "readOnlyMode": "off",
        "encryption": True,
        "emailConfigured": False,
        "redisEnabled": False,
    }
    return select(whole, selection, _nothing)


@get("/api/system/id", summary="Fresh UIDs")
async def fresh_ids(request: _Request, limit: FromQuery[int] = 1) -> Json:
    """`limit` random UIDs."""
    await user_of(request)
    if not 1 <= limit <= _MAX_IDS:
        raise Refusal(400, f"limit must be between 1 and {_MAX_IDS}.")
    return {"codes": [uid() for _ in range(limit)]}


@get("/api/system/uuid", summary="Fresh UUIDs")
async def fresh_uuids(request: _Request, limit: FromQuery[int] = 1) -> Json:
    """`limit` random UUIDs."""
    await user_of(request)
    if not 1 <= limit <= _MAX_IDS:
        raise Refusal(400, f"limit must be between 1 and {_MAX_IDS}.")
    return {"codes": [str(uuid.uuid4()) for _ in range(limit)]}


@get("/api/system/objectCounts", summary="How much metadata there is")
async def object_counts(request: _Request) -> Json:
    """Objects by type."""
    await user_of(request)
    snapshot = await state_of(request).metadata.current()
    return {kind: sum(1 for _ in snapshot.objects(kind)) for kind in CLASSES}


def _nothing(_kind: str, _uid: str) -> None:
    """Nothing in the system's information refers to an object."""


def fresh_system_id() -> str:
    """A new system id; the first one an installation keeps is its own for ever."""
    return str(uuid.uuid4())


handlers = [ping, me, my_authorities, my_authority, info, fresh_ids, fresh_uuids, object_counts]
