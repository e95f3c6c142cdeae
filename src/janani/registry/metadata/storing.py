"""Writes what an import planned: objects, accounts and the version, in one transaction."""

from typing import Any

import asyncpg

from janani.kernel.postgres import json_of
from janani.registry.metadata import uniqueness
from janani.registry.metadata.importer import Plan
from janani.registry.metadata.snapshot import SQL, Snapshot, Store
from janani.registry.passwords import hashed
from janani.registry.problems import Refusal

Json = dict[str, Any]


async def save(pool: asyncpg.Pool, store: Store, found: Plan, package: Json, snapshot: Snapshot) -> bool:
    """Stores `found`; `package` is what was sent (passwords are in it and nowhere else).

    False, and nothing stored, when metadata is no longer at the version of `snapshot`: plan again then.

    Raises Refusal (409, E5003) when another import took a code, user name or unique value in the meantime.
    """
    sent = {one["id"]: one["password"] for one in package.get("users", []) if one.get("id") and one.get("password")}
    hashes = {uid: await hashed(password) for uid, password in sent.items()}
    try:
        return await _store(pool, found, hashes, snapshot)
    except asyncpg.UniqueViolationError as error:
        raise Refusal(
            409, "A code, user name, openId or unique value is already in use by another object.", "E5003"
        ) from error
    finally:
        store.changed()


async def _store(pool: asyncpg.Pool, found: Plan, hashes: dict[str, str], snapshot: Snapshot) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        if await SQL.claim_metadata_version(connection, seen=snapshot.version) is None:
            return False
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
        await uniqueness.settle(connection, uniqueness.rescoped(found, snapshot))
        if hashes:
            await SQL.close_sessions(connection, accounts=list(hashes))
    return True


async def _save_accounts(connection: asyncpg.Connection, users: list[Json], hashes: dict[str, str]) -> None:
    if users:
        await SQL.save_accounts(
            connection,
            uids=[one["id"] for one in users],
            usernames=[one["username"] for one in users],
            hashes=[hashes.get(one["id"]) for one in users],
            open_ids=[one.get("openId") or None for one in users],
            disabled=[bool(one.get("disabled")) for one in users],
            external=[bool(one.get("externalAuth")) for one in users],
        )
