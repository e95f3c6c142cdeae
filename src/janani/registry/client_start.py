"""What the web applications read before they show anything (Web API §11.1): menu, settings, locales."""

from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, put
from litestar.params import FromPath

from janani.kernel.i18n import LANGUAGES
from janani.registry.access import state_of, user_of
from janani.registry.metadata.snapshot import SQL
from janani.registry.passwords import fault, hashed
from janani.registry.problems import Refusal, web_message

Json = dict[str, Any]
_Request = Request[Any, Any, Any]
USER_SETTINGS: Json = {"keyUiLocale": "en", "keyDbLocale": "en", "keyAnalysisDisplayProperty": "name"}
SYSTEM_SETTINGS: Json = {
    "applicationTitle": "Janani",
    "keyUiLocale": "en",
    "keyDbLocale": "en",
    "keyCalendar": "iso8601",
    "keyDateFormat": "yyyy-MM-dd",
    "helpPageLink": "",
    "startModule": "dhis-web-dashboard",
}
_LANGUAGE_NAMES = {"en": "English", "si": "සිංහල", "ta": "தமிழ்"}


class NewPassword(msgspec.Struct, rename="camel"):
    """Body of `PUT /api/me/changePassword`."""

    old_password: str
    new_password: str


@get(["/api/userSettings", "/api/me/settings"], summary="The caller's settings")
async def user_settings(request: _Request) -> Json:
    """Language and display settings; they can't be changed here yet."""
    await user_of(request)
    return USER_SETTINGS


@get("/api/systemSettings", summary="System settings")
async def system_settings(request: _Request) -> Json:
    """The settings that clients read at start."""
    await user_of(request)
    return SYSTEM_SETTINGS


@get("/api/systemSettings/{key:str}", summary="One system setting")
async def system_setting(request: _Request, key: FromPath[str]) -> Response[Any]:
    """The value as text, or as JSON when that is asked for."""
    await user_of(request)
    if key not in SYSTEM_SETTINGS:
        raise Refusal(404, f"Setting does not exist: {key}")
    if "application/json" in request.headers.get("accept", ""):
        return Response({key: SYSTEM_SETTINGS[key]})
    return Response(SYSTEM_SETTINGS[key], media_type=MediaType.TEXT)


@get(["/api/apps", "/api/apps/menu", "/api/me/dashboard"], summary="Applications")
async def applications(request: _Request) -> Response[Any]:
    """No application is installed on this server, and no message waits."""
    await user_of(request)
    path = request.scope["path"]
    if path.endswith("/menu"):
        return Response({"modules": []})
    return Response([] if path.endswith("/apps") else {"unreadInterpretations": 0, "unreadMessageConversations": 0})


@get(["/api/locales/ui", "/api/locales/dbLocales", "/api/locales/db"], summary="Languages")
async def locales(request: _Request) -> list[Json]:
    """The languages people can choose."""
    await user_of(request)
    return [{"locale": tag, "name": _LANGUAGE_NAMES[tag], "displayName": _LANGUAGE_NAMES[tag]} for tag in LANGUAGES]


@get("/api/userLookup", summary="Find colleagues")
async def user_lookup(request: _Request) -> Json:
    """Names and user names only of those whose names hold `query`, 25 at most: `{users: […]}`."""
    query = request.query_params.get("query", "").lower()
    users = await _colleagues(request)
    return {"users": [one for one in users if query in f"{one['username']} {one['displayName']}".lower()][:25]}


@get("/api/userLookup/{wanted:str}", summary="One colleague")
async def user_named(request: _Request, wanted: FromPath[str]) -> Json:
    """Names and user name of the one with this uid or user name."""
    found = next((one for one in await _colleagues(request) if wanted in (one["id"], one["username"])), None)
    if found is None:
        raise Refusal(404, f"User with id {wanted} could not be found.")
    return found


async def _colleagues(request: _Request) -> list[Json]:
    await user_of(request)
    return [
        {name: one.get(name) for name in ("id", "username", "firstName", "surname", "displayName")}
        for one in (await state_of(request).metadata.current()).objects("users")
        if not one.get("disabled")
    ]


@put("/api/me/changePassword", summary="Change the caller's password")
async def change_password(request: _Request) -> Json:
    """Ends every other login of the caller. 409 when the old one is wrong or the new one not good enough."""
    user, state = await user_of(request), state_of(request)
    try:
        wish = msgspec.json.decode(await request.body(), type=NewPassword)
    except msgspec.MsgspecError as error:
        raise Refusal(400, "Send oldPassword and newPassword.") from error
    known = await SQL.password_of(state.pool, uid=user.uid)
    if not await state.passwords.right(user.uid, wish.old_password, known):
        raise Refusal(409, "OldPassword is incorrect")
    if text := fault(wish.new_password):
        raise Refusal(409, text, "E4005")
    async with state.pool.acquire() as connection, connection.transaction():
        await SQL.change_password(connection, uid=user.uid, password_hash=await hashed(wish.new_password))
        await SQL.close_sessions(connection, accounts=[user.uid])
    return web_message(200)


handlers = [
    user_settings,
    system_settings,
    system_setting,
    applications,
    locales,
    user_lookup,
    user_named,
    change_password,
]
