"""A logical replication slot, read by SQL functions (manual, "Replication Management Functions").

Positions (LSN) are integers here. Reading does not move the slot: `peek`, keep what was read, then `advance`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

import asyncpg
from msgspec import Struct

_PREFETCH = 500
_LOOK_SECONDS = 0.01

_STATE = """
select coalesce(wal_status = 'lost', false) as lost, plugin, database = current_database() as here,
  confirmed_flush_lsn - '0/0' as confirmed, pg_current_wal_lsn() - restart_lsn as lag
from pg_replication_slots where slot_name = $1
"""
_FLUSHED = "select pg_current_wal_flush_lsn() - '0/0'"
_CREATE = "select lsn - '0/0' from pg_create_logical_replication_slot($1, 'pgoutput')"
_PEEK = """
select xid, data from pg_logical_slot_peek_binary_changes(
  $1, $2::text::pg_lsn, $3, 'proto_version', '1', 'publication_names', $4)
"""
_ADVANCE = "select pg_replication_slot_advance($1, $2::text::pg_lsn)"
_RUNNING = """
select exists (select from pg_locks where locktype = 'transactionid' and granted and transactionid = any($1::xid[]))
"""


def text_of(position: int) -> str:
    """A position as PostgreSQL writes it: "0/16B3748"."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def position_of(text: str) -> int:
    """The position of "0/16B3748"."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


class SlotState(Struct, frozen=True):
    """A slot as it is; `lag` is the log (bytes) that the server keeps for it."""

    lost: bool
    ours: bool
    confirmed: int
    lag: int


class Slot:
    """The slot `name` of the database that `connection` is at."""

    def __init__(self, connection: asyncpg.Connection, name: str, publication: str) -> None:
        self._connection, self._name = connection, name
        self._publication = '"' + publication.replace('"', '""') + '"'

    async def state(self) -> SlotState | None:
        """None when there is no such slot."""
        row = await self._connection.fetchrow(_STATE, self._name)
        if row is None:
            return None
        ours = row["plugin"] == "pgoutput" and bool(row["here"])
        return SlotState(row["lost"], ours, int(row["confirmed"] or 0), int(row["lag"] or 0))

    async def flushed(self) -> int:
        """How far the server's log is safe on its disk."""
        return int(await self._connection.fetchval(_FLUSHED))

    async def create(self) -> int:
        """Makes the slot; the position from which it sees everything. Waits for transactions that run now."""
        return int(await self._connection.fetchval(_CREATE, self._name))

    async def drop(self) -> None:
        """The server may discard its log."""
        await self._connection.execute("select pg_drop_replication_slot($1)", self._name)

    async def peek(self, upto: int, most: int) -> AsyncIterator[tuple[int, bytes]]:
        """(transaction, message) of whole transactions up to `upto`, or until `most` messages are passed."""
        async with self._connection.transaction():
            rows = self._connection.cursor(
                _PEEK, self._name, text_of(upto), most, self._publication, prefetch=_PREFETCH
            )
            async for row in rows:
                yield row["xid"], row["data"]

    async def ended(self, transactions: Iterable[int]) -> None:
        """Waits until all can see what these transactions did: the log knows of it a moment before."""
        numbers = list(transactions)
        while await self._connection.fetchval(_RUNNING, numbers):  # noqa: ASYNC110 (the lock is in another server)
            await asyncio.sleep(_LOOK_SECONDS)

    async def advance(self, upto: int) -> None:
        """What is before `upto` is not read again."""
        await self._connection.execute(_ADVANCE, self._name, text_of(upto))
