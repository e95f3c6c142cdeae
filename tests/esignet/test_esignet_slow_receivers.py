"""A client that answers its notices slowly keeps them from nobody else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from janani.esignet import notices

QUICK = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
BODY_WITHOUT_END = b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000000\r\n\r\n"
HEAD_WITHOUT_END = b"HTTP/1.1 202 Accepted\r\nx-slow: "


@contextlib.asynccontextmanager
async def answering(beginning: bytes) -> AsyncIterator[str]:
    """Begins its answer so, then sends a byte at a time, each well within a limit on single reads."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(beginning)
            while beginning is not QUICK:
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.write(b"x")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


class Kept:
    """Notices in memory, in place of the database; `ends` has what became of each."""

    def __init__(self, *addresses: str) -> None:
        self.rows: list[dict[str, Any]] = [
            {
                "id": number,
                "address": address,
                "client_id": "c",
                "person_id": 1,
                "tries": 1,
                "withdrawn_at": datetime.max,
            }
            for number, address in enumerate(addresses)
        ]
        self.ends: list[tuple[int, str]] = []

    async def notices_due(self, *_: Any, **__: Any) -> AsyncIterator[dict[str, Any]]:
        for row in self.rows:
            yield row

    async def end_notice(self, *_: Any, id: int, **__: Any) -> None:
        self.ends.append((id, "ok"))

    async def put_off_notice(self, *_: Any, id: int, fault: str, **__: Any) -> None:
        self.ends.append((id, fault))


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(notices, "event", lambda *_: "an event")
    monkeypatch.setattr(notices, "_ANSWER_SECONDS", 0.3)

    async def run(*addresses: str) -> list[tuple[int, str]]:
        kept = Kept(*addresses)
        monkeypatch.setattr(notices, "SQL", kept)

        async def note(*_: Any, **__: Any) -> None: ...

        async with httpx.AsyncClient(trust_env=False) as client:
            idp: Any = SimpleNamespace(http=client, pool=None, note=note, now=lambda: datetime(2026, 1, 1))
            async with asyncio.timeout(5):
                await notices.tell(idp)
        return kept.ends

    return run


async def test_who_took_it_need_not_end_the_answer(tell: Callable[..., Any]) -> None:
    async with answering(BODY_WITHOUT_END) as slow:
        assert await tell(slow) == [(0, "ok")]


async def test_an_answer_has_a_limit_as_a_whole(tell: Callable[..., Any]) -> None:
    async with answering(HEAD_WITHOUT_END) as slow:
        assert await tell(slow) == [(0, "TimeoutError")]


async def test_notices_go_beside_each_other(tell: Callable[..., Any]) -> None:
    async with answering(HEAD_WITHOUT_END) as slow, answering(QUICK) as quick:
        began = time.monotonic()
        ends = await tell(slow, slow, slow, slow, slow, slow, quick)
    assert ends[0] == (6, "ok")
    assert len(ends) == 7
    assert time.monotonic() - began < 1.5
