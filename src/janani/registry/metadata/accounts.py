"""What else is checked of users: their names are nobody else's, their passwords good enough."""

import re
from typing import Any

import asyncpg

from janani.registry.metadata.importer import Fault, Plan
from janani.registry.metadata.snapshot import SQL
from janani.registry.passwords import fault as password_fault

Json = dict[str, Any]
_USERNAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,253}$")


def modern(user: Json) -> Json:
    """`user` with what older clients send in `userCredentials` (Web API §4.6)."""
    old = user.get("userCredentials")
    if not isinstance(old, dict):
        return user
    known = {name: old[name] for name in ("username", "password", "userRoles", "openId", "externalAuth") if name in old}
    return known | {name: value for name, value in user.items() if name != "userCredentials"}


async def faults(pool: asyncpg.Pool, found: Plan, sent: list[Json]) -> list[Fault]:
    """What is wrong with the users that would be written (E4005, E4049, E5003). `sent` has the passwords."""
    users = [one for kind, one in found.written if kind == "users" and one.get("username")]
    wrong = [
        Fault("users", one["id"], "E4049", "Property `username` is invalid.", "username")
        for one in users
        if not _USERNAME.match(str(one["username"]))
    ]
    for one in sent:
        if one.get("password") and (text := password_fault(str(one["password"]))):
            wrong.append(Fault("users", str(one.get("id", "")), "E4005", text, "password"))
    return wrong + await _taken(pool, users)


async def _taken(pool: asyncpg.Pool, users: list[Json]) -> list[Fault]:
    names: dict[str, str] = {}
    open_ids: dict[str, str] = {}
    if users:
        rows = SQL.taken_names(
            pool,
            usernames=[str(one["username"]).lower() for one in users],
            open_ids=[one["openId"] for one in users if one.get("openId")],
        )
        async for row in rows:
            names[row["username"]] = row["uid"]
            open_ids |= {row["open_id"]: row["uid"]} if row["open_id"] else {}
    wrong = []
    for one in users:
        for property_, value, owners in (
            ("username", str(one["username"]).lower(), names),
            ("openId", one.get("openId"), open_ids),
        ):
            if value and owners.setdefault(value, one["id"]) != one["id"]:
                text = f"Property `{property_}` is already in use by another user."
                wrong.append(Fault("users", one["id"], "E5003", text, property_))
    return wrong
