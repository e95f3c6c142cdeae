"""The messages of `pgoutput`: recorded ones, made ones, and broken ones, which are refused in clear words."""

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from janani.sync.feeds.pgoutput import BadMessage, Begin, Change, Commit, Decoder, Relation, Truncate

# create table trackedentity (trackedentityid bigint primary key, uid varchar(11) not null, deleted boolean), identity
# full: an insert and an update in one transaction, a delete, a truncate.
_TABLE = (
    "52000040007075626c696300747261636b6564656e746974790066000301747261636b6564656e7469747969640000000014ffffffff"
    "0175696400000004130000000f0164656c657465640000000010ffffffff"
)
_FALSE, _TRUE = (f"0003740000000131740000000b5051664d63706d586546457400000001{last}" for last in ("66", "74"))
RECORDED = [
    "4200000000016fd040000303c534fa7fa7000002f2",
    _TABLE,
    f"49000040004e{_FALSE}",
    f"55000040004f{_FALSE}4e{_TRUE}",
    "430000000000016fd04000000000016fd070000303c534fa7fa7",
    "4200000000016fd0c8000303c534fa80d0000002f3",
    f"44000040004f{_TRUE}",
    "430000000000016fd0c800000000016fd0f8000303c534fa80d0",
    "4200000000016fd6a0000303c534fa8521000002f4",
    _TABLE,
    "54000000010000004000",
    "430000000000016fd6a000000000016fd770000303c534fa8521",
]
WANTED = frozenset(("trackedentityid", "uid"))


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def relation(*columns: str, identity: str = "f", number: int = 7, name: str = "trackedentity") -> bytes:
    told = b"".join(b"\0" + text(column) + struct.pack(">Ii", 25, -1) for column in columns)
    return (
        b"R" + struct.pack(">I", number) + text("public") + text(name) + identity.encode()
        + struct.pack(">H", len(columns)) + told
    )  # fmt: skip


def row(*values: Any) -> bytes:
    """A tuple; `...` is a long value that did not change."""

    def one(value: Any) -> bytes:
        if value is None or value is ...:
            return b"n" if value is None else b"u"
        return b"t" + struct.pack(">I", len(value.encode())) + value.encode()

    return struct.pack(">H", len(values)) + b"".join(map(one, values))


def test_recorded_by_postgresql_18() -> None:
    decoder = Decoder(WANTED)
    found = [decoder.decode(bytes.fromhex(line)) for line in RECORDED]
    table = Relation(16384, "public", "trackedentity", "f", ("trackedentityid", "uid", "deleted"))
    person: dict[str, str | None] = {"trackedentityid": "1", "uid": "PQfMcpmXeFE"}
    assert found == [
        Begin(0x2F2),
        table,
        Change("insert", table, {}, person),
        Change("update", table, person, person),
        Commit(0x16FD070),
        Begin(0x2F3),
        Change("delete", table, person, {}),
        Commit(0x16FD0F8),
        Begin(0x2F4),
        table,
        Truncate(("trackedentity",)),
        Commit(0x16FD770),
    ]


def test_a_moved_key_and_an_unchanged_long_value() -> None:
    decoder = Decoder(WANTED)
    table = decoder.decode(relation("trackedentityid", "uid", "geometry", identity="d"))
    assert isinstance(table, Relation)
    told = b"U\0\0\0\7K" + row("1", None, None) + b"N" + row("2", "p2", ...)
    assert decoder.decode(told) == Change(
        "update", table, {"trackedentityid": "1", "uid": None}, {"trackedentityid": "2", "uid": "p2"}
    )


def test_kinds_that_say_nothing_of_rows_are_passed() -> None:
    decoder = Decoder(WANTED)
    assert decoder.decode(b"O" + bytes(8) + text("elsewhere")) is None
    assert decoder.decode(b"Y\0\0\0\1" + text("public") + text("geometry")) is None


COLUMN = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
VALUE = st.none() | st.text(st.characters(codec="utf-8"), max_size=30)


@settings(deadline=None)
@given(st.dictionaries(COLUMN, st.tuples(VALUE, VALUE), min_size=1, max_size=8), st.data())
def test_what_is_written_is_read_and_only_the_columns_asked_for(columns: dict[str, Any], data: st.DataObject) -> None:
    wanted = frozenset(data.draw(st.sets(st.sampled_from(sorted(columns)))))
    decoder = Decoder(wanted)
    decoder.decode(relation(*columns))
    old, new = ([values[side] for values in columns.values()] for side in (0, 1))
    told = decoder.decode(b"U\0\0\0\7O" + row(*old) + b"N" + row(*new))
    assert isinstance(told, Change)
    assert (told.old, told.new) == tuple(
        {name: values[side] for name, values in columns.items() if name in wanted} for side in (0, 1)
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "ends at byte 0"),
        (b"B\0\0", "b'B' ends at byte 3"),
        (b"X", "no message begins with 'X'"),
        (b"I\0\0\0\1N\0\0", "table 1 was not told before"),
        (b"T\0\0\0\1\0\0\0\0\1", "table 1 was not told before"),
        (b"C" + bytes(26), "1 bytes too many"),
        (b"I\0\0\0\7N" + row("1"), "1 values for 2 columns of trackedentity"),
        (b"I\0\0\0\7K" + row("1", "x"), "'I' has a part 'K'"),
        (b"D\0\0\0\7N" + row("1", "x"), "'D' has a part 'N'"),
        (b"I\0\0\0\7N\0\2n?", "a value of the form '?'"),
        (b"I\0\0\0\7N\0\2nt\0\0\0\1\xff", "not UTF-8"),
        (b"I\0\0\0\7N\0\2nt\xff\xff\xff\xff", "ends at byte"),
        (relation("a", identity="q"), "the identity 'q'"),
    ],
)
def test_broken_messages_are_refused_in_clear_words(data: bytes, says: str) -> None:
    decoder = Decoder(WANTED)
    decoder.decode(relation("trackedentityid", "uid"))
    with pytest.raises(BadMessage) as refused:
        decoder.decode(data)
    assert says in str(refused.value)


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from([*b"BCRIUDTOY", None]))
def test_whatever_bytes_come_there_is_no_other_error(data: bytes, kind: int | None) -> None:
    decoder = Decoder(WANTED)
    decoder.decode(relation("trackedentityid", "uid"))
    with contextlib.suppress(BadMessage):
        decoder.decode(data if kind is None else bytes([kind]) + data)


@settings(deadline=None)
@given(st.data())
def test_a_message_that_is_cut_is_refused(data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from(
            [
                relation("a", "b"),
                b"I\0\0\0\7N" + row("1", "x"),
                b"B" + bytes(20),
                b"T\0\0\0\1\0\0\0\0\7",
                b"C" + bytes(25),
            ]
        )
    )
    decoder = Decoder(WANTED)
    decoder.decode(relation("trackedentityid", "uid"))
    with pytest.raises(BadMessage):
        decoder.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
