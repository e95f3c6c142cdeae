"""What PostgreSQL's output plug-in `pgoutput` says, protocol version 1 in text (manual, "Logical Replication Message
Formats"). Only the columns that are asked for are kept, so that no other value leaves this module.
"""

import struct
from collections.abc import Set

from msgspec import Struct


class BadMessage(Exception):
    """Bytes that are no message of this protocol. Its text names the kind and the place, never a value."""


class Begin(Struct, frozen=True):
    """A committed transaction begins; `xid` is its number."""

    xid: int


class Commit(Struct, frozen=True):
    """A transaction ends; `end` is the position (LSN) behind it."""

    end: int


class Relation(Struct, frozen=True):
    """A table, told before its first row. `identity`: d(efault), n(othing), f(ull) or i(ndex)."""

    number: int
    schema: str
    name: str
    identity: str
    columns: tuple[str, ...]


Values = dict[str, str | None]


class Change(Struct, frozen=True):
    """A row, with the values of the columns asked for. `kind`: insert, update or delete.

    `old` is what the table's REPLICA IDENTITY keeps (empty where nothing is told), `new` the row now. A long value
    that did not change is in neither.
    """

    kind: str
    table: Relation
    old: Values
    new: Values


class Truncate(Struct, frozen=True):
    """Tables that were emptied."""

    tables: tuple[str, ...]


Message = Begin | Commit | Relation | Change | Truncate | None

_IDENTITIES = {"d", "n", "f", "i"}


class Decoder:
    """Decodes the messages of one reading, in order: rows refer to tables told before."""

    def __init__(self, columns: Set[str]) -> None:
        self._wanted = columns
        self._relations: dict[int, Relation] = {}

    def decode(self, data: bytes) -> Message:
        """The message; None for kinds that say nothing of rows (origin, type). Raises BadMessage."""
        reader = _Reader(data)
        try:
            message = self._decode(reader)
        except struct.error as error:
            raise BadMessage(f"pgoutput: a message {data[:1]!r} ends at byte {len(data)}") from error
        except UnicodeDecodeError as error:
            raise BadMessage(f"pgoutput: a message {data[:1]!r} has text that is not UTF-8") from error
        if reader.at != len(data):
            raise BadMessage(f"pgoutput: a message {data[:1]!r} has {len(data) - reader.at} bytes too many")
        return message

    def _decode(self, reader: "_Reader") -> Message:
        kind = reader.letter()
        if kind == "B":
            _, _, xid = reader.take(">qqI")
            return Begin(xid)
        if kind == "C":
            _, _, end, _ = reader.take(">BQQq")
            return Commit(end)
        if kind == "R":
            relation = _relation(reader)
            self._relations[relation.number] = relation
            return relation
        if kind in "IUD":
            return self._change(kind, reader)
        if kind == "T":
            count, _ = reader.take(">IB")
            return Truncate(tuple(self._table(*reader.take(">I")).name for _ in range(count)))
        if kind in "OY":
            reader.skip_rest()
            return None
        raise BadMessage(f"pgoutput: no message begins with {kind!r}")

    def _change(self, kind: str, reader: "_Reader") -> Change:
        table = self._table(*reader.take(">I"))
        old: Values = {}
        mark = reader.letter()
        if kind != "I" and mark in "KO":
            old = self._values(table, reader)
            if kind == "D":
                return Change("delete", table, old, {})
            mark = reader.letter()
        if kind == "D" or mark != "N":
            raise BadMessage(f"pgoutput: a message {kind!r} has a part {mark!r}")
        return Change("insert" if kind == "I" else "update", table, old, self._values(table, reader))

    def _table(self, number: int) -> Relation:
        if number not in self._relations:
            raise BadMessage(f"pgoutput: table {number} was not told before")
        return self._relations[number]

    def _values(self, table: Relation, reader: "_Reader") -> Values:
        (count,) = reader.take(">H")
        if count != len(table.columns):
            raise BadMessage(f"pgoutput: {count} values for {len(table.columns)} columns of {table.name}")
        values: Values = {}
        for column in table.columns:
            form = reader.letter()
            if form == "t":
                (length,) = reader.take(">I")
                text = reader.bytes(length)
                if column in self._wanted:
                    values[column] = text.decode()
            elif form == "n":
                if column in self._wanted:
                    values[column] = None
            elif form != "u":
                raise BadMessage(f"pgoutput: a value of the form {form!r}")
        return values


def _relation(reader: "_Reader") -> Relation:
    (number,) = reader.take(">I")
    schema, name, identity = reader.text() or "pg_catalog", reader.text(), reader.letter()
    if identity not in _IDENTITIES:
        raise BadMessage(f"pgoutput: a table with the identity {identity!r}")
    columns = []
    for _ in range(reader.take(">H")[0]):
        reader.take(">B")
        columns.append(reader.text())
        reader.take(">Ii")
    return Relation(number, schema, name, identity, tuple(columns))


class _Reader:
    """A place in bytes. Reading past their end raises struct.error."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return found

    def letter(self) -> str:
        return chr(self.take(">B")[0])

    def bytes(self, length: int) -> bytes:
        if self.at + length > len(self.data):
            raise struct.error("past the end")
        self.at += length
        return self.data[self.at - length : self.at]

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise struct.error("past the end")
        found = self.data[self.at : end].decode()
        self.at = end + 1
        return found

    def skip_rest(self) -> None:
        self.at = len(self.data)
