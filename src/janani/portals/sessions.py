"""Sessions of people at the portals: tokens stay on the server, encrypted with the cookie that names them."""

import base64
import hashlib
from typing import Any

import asyncpg
import msgspec
from cryptography.fernet import Fernet, InvalidToken
from litestar import Request
from litestar.datastructures import Cookie
from msgspec import Struct

from janani.kernel.ids import token
from janani.kernel.postgres import queries

SQL = queries("janani.portals")
_Request = Request[Any, Any, Any]


class Session(Struct):
    """Who is logged in, and with which tokens. `expires` is the access token's end (seconds since 1970)."""

    portal: str
    username: str
    name: str
    access_token: str
    expires: float
    refresh_token: str = ""
    id_token: str = ""
    patient: str = ""
    cookie: str = ""


def cookie_name(portal: str) -> str:
    """The cookie of a portal; each has its own, since ports of one host share cookies."""
    return f"janani_portals_{portal}"


async def open_session(pool: asyncpg.Pool, session: Session, seconds: int, *, secure: bool) -> Cookie:
    """Keeps `session` under a fresh random cookie."""
    session.cookie = token()
    await save(pool, session, seconds)
    return Cookie(
        key=cookie_name(session.portal), value=session.cookie, path="/", httponly=True, samesite="lax", secure=secure
    )


async def save(pool: asyncpg.Pool, session: Session, seconds: int) -> None:
    """Keeps what changed of `session` (renewed tokens)."""
    content = _box(session.cookie).encrypt(msgspec.json.encode(msgspec.structs.replace(session, cookie="")))
    await SQL.save_session(
        pool, id_hash=digest(session.cookie), portal=session.portal, content=content, seconds=seconds
    )


async def find(pool: asyncpg.Pool, request: _Request, portal: str, seconds: int) -> Session | None:
    """The session of the request's cookie, if it lives."""
    cookie = request.cookies.get(cookie_name(portal), "")
    content = await SQL.use_session(pool, id_hash=digest(cookie), portal=portal, seconds=seconds) if cookie else None
    if content is None:
        return None
    try:
        session = msgspec.json.decode(_box(cookie).decrypt(bytes(content)), type=Session)
    except (InvalidToken, msgspec.DecodeError):
        return None
    session.cookie = cookie
    return session


async def close(pool: asyncpg.Pool, request: _Request, portal: str) -> None:
    """Ends the session of the request's cookie."""
    if cookie := request.cookies.get(cookie_name(portal)):
        await SQL.drop_session(pool, id_hash=digest(cookie))


def digest(secret: str) -> bytes:
    """What is stored of a random secret."""
    return hashlib.sha256(secret.encode()).digest()


def _box(cookie: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"janani portal session\0" + cookie.encode()).digest()))
