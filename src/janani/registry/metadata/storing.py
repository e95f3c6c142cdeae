"""Writes what an import planned: objects, accounts and the version, in one transaction."""

import asyncio
from typing import Any

import asyncpg
import bcrypt

from janani.kernel.postgres import json_of
from janani.registry.metadata.importer import Plan
from janani.registry.metadata.snapshot import SQL, Store

Json = dict[str, Any]


async def save(pool: asyncpg.Pool, store: Store, found: Plan, package: Json) -> None:
    """Stores `found`; `package` is what was sent (passwords are in it and nowhere else)."""
    sent_users = {one.get("id"): one for one in package.get("users", [])}
    hashes = await _hashes(sent_users)
    async with pool.acquire() as connection, connection.transaction():
        if found.written:
            await SQL.save_metadata(
                connection,
                types=[kind for kind, _ in found.written],
                uids=[one["id"] for _, one in found.written],
                # Option codes are unique in their set only; the column is for types whose codes are unique.
                codes=[None if kind == "options" else one.get("code") for kind, one in found.written],
                names=[one.get("name") for _, one in found.written],
                bodies=[json_of(one) for _, one in found.written],
            )
        if found.deleted:
            types, uids = [kind for kind, _ in found.deleted], [one["id"] for _, one in found.deleted]
            await SQL.drop_metadata(connection, types=types, uids=uids)
            await SQL.drop_accounts(
                connection, uids=[uid for kind, uid in zip(types, uids, strict=True) if kind == "users"]
            )
        await _save_accounts(connection, [one for kind, one in found.written if kind == "users"], hashes)
        await SQL.bump_metadata_version(connection)
    store.changed()


async def _hashes(users: dict[Any, Json]) -> dict[Any, str]:
    """A bcrypt hash for each password that was sent, made off the event loop."""

    def all_hashed() -> dict[Any, str]:
        return {
            uid: bcrypt.hashpw(user["password"].encode(), bcrypt.gensalt(10)).decode()
            for uid, user in users.items()
            if user.get("password")
        }

    return await asyncio.to_thread(all_hashed) if any(user.get("password") for user in users.values()) else {}


async def _save_accounts(connection: asyncpg.Connection, users: list[Json], hashes: dict[Any, str]) -> None:
    if users:
        await SQL.save_accounts(
            connection,
            uids=[one["id"] for one in users],
            usernames=[one["username"] for one in users],
            hashes=[hashes.get(one["id"]) for one in users],
            open_ids=[one.get("openId") or None for one in users],
            disabled=[bool(one.get("disabled")) for one in users],
        )
