"""Logical decoding of a real DHIS2's database: every commit, read from a replication slot without plug-in or broker.

Read, then queue and move our position in one transaction, then advance the slot: a kill between repeats, loses nothing.
An empty position says that the slot must be begun anew, and that everybody is read once behind it.
"""

import asyncio
import time

import asyncpg
from msgspec import Struct

from janani.kernel.telemetry import log
from janani.sync.feeds.dhis2_tables import COLUMNS, Tables, Touched
from janani.sync.feeds.keeping import SQL, Desk, FeedTrouble
from janani.sync.feeds.pgoutput import BadMessage, Begin, Change, Commit, Decoder, Truncate
from janani.sync.feeds.slot import Slot, SlotState, position_of, text_of

NAME = "cdc"
_MOST = 5_000  # messages read at once; a transaction is never divided
_CONNECT_SECONDS, _CALL_SECONDS = 10, 600
_MEGABYTE = 1024 * 1024
_UNHEEDED = _MEGABYTE  # of log without rows for us that may be read again, rather than write a position for each look


class CdcSource(Struct, frozen=True):
    """Where the changes are: the database, what is published there, and how much log may be kept for us."""

    dsn: str
    publication: str = "janani"
    slot: str = "janani"
    seconds: float = 0.2
    max_lag_megabytes: int = 1024


class _Read(Struct):
    """What one reading found: `upto` is where the next begins; `more` may be there already."""

    touched: Touched
    transactions: set[int]
    messages: int
    changes: int
    upto: int
    more: bool


class CdcFeed:
    """Reads transaction by transaction. `word` is what an operator must know, until everybody was read again."""

    def __init__(self, desk: Desk, source: CdcSource) -> None:
        self._desk, self._source = desk, source
        self._connection: asyncpg.Connection | None = None
        self._seen = 0
        self.lag_megabytes = 0.0
        self.word = ""

    async def step(self, wait: int) -> None:
        """One reading and, when nothing is left, the pause after it. Raises FeedTrouble and asyncpg's errors."""
        begun = time.monotonic()
        try:
            more = await self._step()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, FeedTrouble):
            self.close()
            raise
        except asyncpg.InternalClientError as error:  # asyncpg's word when a server ends in the middle of an answer
            self.close()
            raise ConnectionResetError("DHIS2's database went away") from error
        if wait and not more:
            await asyncio.sleep(max(self._source.seconds, time.monotonic() - begun))

    def close(self) -> None:
        """Leaves the database; the next step comes back."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    async def _step(self) -> bool:
        connection = await self._connected()
        slot = Slot(connection, self._source.slot, self._source.publication)
        position, state = await self._desk.position(NAME), await slot.state()
        self.lag_megabytes = round(state.lag / _MEGABYTE, 1) if state else 0.0
        if state and not state.ours:
            raise FeedTrouble(f"the slot {self._source.slot} is of another plug-in or database")
        if position and (reason := self._gap(state, position_of(position))):
            log("sync").error("cdc_slot_given_up", reason=reason, does="reads everybody once (backfill)")
            self.word, position = reason, ""
            await self._desk.keep((), NAME, position)
        if not position:
            await self._begin(slot, state)
            return True
        if self.word:
            await self._forget_word()
        return await self._go_on(slot, connection, position_of(position))

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._source.dsn,
                timeout=_CONNECT_SECONDS,
                command_timeout=_CALL_SECONDS,
                server_settings={"application_name": "janani sync"},
            )
            self._seen = 0
            self._tables = await Tables.read(self._connection, self._source.publication)
        return self._connection

    def _gap(self, state: SlotState | None, position: int) -> str:
        """Why changes are missing, or can't be waited for."""
        if state is None:
            return "the replication slot is gone"
        if state.lost:
            return "the database has discarded the log of the replication slot"
        if state.confirmed > position:
            return "the replication slot was moved by somebody else"
        if state.lag > self._source.max_lag_megabytes * _MEGABYTE:
            return f"the database kept more than {self._source.max_lag_megabytes} MB of log for the replication slot"
        return ""

    async def _begin(self, slot: Slot, state: SlotState | None) -> None:
        """The slot is there before anybody is listed, so what changes meanwhile comes by it."""
        if state and self._gap(state, state.confirmed):
            await slot.drop()
            state = None
        start = state.confirmed if state else await slot.create()
        reason = self.word or "logical decoding begins here"
        await self._desk.keep((), NAME, text_of(start), backfill=reason)

    async def _go_on(self, slot: Slot, connection: asyncpg.Connection, position: int) -> bool:
        flushed = await slot.flushed()
        if flushed == self._seen:
            return False
        read = await self._read(slot, flushed)
        if read.changes or read.more or read.upto - position > _UNHEEDED:
            await slot.ended(read.transactions)
            people = await self._tables.people(connection, read.touched, self._desk.program)
            if read.touched.unnamed:
                self.word = read.touched.unnamed
                log("sync").error("cdc_unnamed_change", reason=self.word, does="reads everybody once (backfill)")
            await self._desk.keep(people, NAME, text_of(read.upto), backfill=read.touched.unnamed)
            await slot.advance(read.upto)
        self._seen = 0 if read.more else read.upto
        return read.more

    async def _read(self, slot: Slot, flushed: int) -> _Read:
        decoder = Decoder(COLUMNS)
        read = _Read(Touched(self._tables), set(), 0, 0, flushed, more=False)
        end = 0
        try:
            async for transaction, data in slot.peek(flushed, _MOST):
                read.messages += 1
                message = decoder.decode(data)
                if isinstance(message, Change | Truncate):
                    read.changes += 1
                    read.touched.note(message)
                elif isinstance(message, Begin):
                    read.transactions.add(transaction)
                elif isinstance(message, Commit):
                    end = message.end
        except BadMessage as error:
            raise FeedTrouble(str(error)) from error
        if read.messages >= _MOST:
            read.upto, read.more = end, True
        return read

    async def _forget_word(self) -> None:
        progress = await SQL.backfill_progress(self._desk.pool)
        if progress and progress["finished_at"]:
            self.word = ""
