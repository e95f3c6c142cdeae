"""A proxy in front of a server, which now and then answers as servers do on bad days. The sync can't tell."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import uvicorn

from esignet_wire import free_socket

Scope = dict[str, object]
KINDS = ("500", "503", "429", "timeout", "half", "after", "slow")


class FaultLog:
    """Faults in the order in which they happened, with the second."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._faults: list[tuple[float, str]] = []

    def struck(self, what: str) -> None:
        """One happened now."""
        self._faults.append((time.monotonic() - self._began, what))

    def lines(self) -> list[str]:
        """One a fault."""
        return [f"{second:8.1f} s  {what}" for second, what in self._faults]

    def counts(self) -> list[str]:
        """One a kind."""
        return [f"{count:6} {what}" for what, count in sorted(Counter(what for _, what in self._faults).items())]


class FaultyProxy:
    """An ASGI application that passes requests on to `upstream`, or fails them.

    Args:
        share: of the requests that fail, 0 to 1.
        faults: told what was done to `name`, by kind: `500`, `503` and `429` answer so and pass nothing on; `timeout`
            hangs and then cuts the connection; `half` passes on and cuts the answer in the middle; `after` passes on
            and answers 500; `slow` waits first; `feed` repeats and reorders the entries of a change feed.
    """

    def __init__(self, name: str, upstream: str, rng: random.Random, share: float, faults: FaultLog) -> None:
        self.name, self.upstream, self.rng, self.share = name, upstream, rng, share
        self.faults = faults
        self._client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None))

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        kind = self.rng.choice(KINDS) if self.rng.random() < self.share else ""
        if kind:
            self.faults.struck(f"{self.name} {kind}")
        if kind in ("500", "503", "429"):
            return await _answer(send, int(kind), [(b"retry-after", b"1")], b"{}")
        if kind == "timeout":
            await asyncio.sleep(self.rng.uniform(1, 4))
            raise ConnectionAbortedError("a fault on purpose")
        if kind == "slow":
            await asyncio.sleep(self.rng.uniform(0.2, 2))
        try:
            answer = await self._pass_on(scope, body)
        except httpx.HTTPError:
            return await _answer(send, 502, [], b"{}")
        content = self._feed(answer.content) if scope["path"].endswith("/tracker/changes") else answer.content
        if kind == "after":
            return await _answer(send, 500, [], b"{}")
        headers = [(key, value) for key, value in answer.headers.raw if key.lower() not in _HOP]
        await _answer(send, answer.status_code, headers, content, half=kind == "half")

    async def _pass_on(self, scope, body: bytes) -> httpx.Response:
        url = self.upstream + scope["raw_path"].decode()
        if scope["query_string"]:
            url += "?" + scope["query_string"].decode()
        headers = [(key, value) for key, value in scope["headers"] if key not in _HOP]
        return await self._client.request(scope["method"], url, content=body, headers=headers)

    def _feed(self, content: bytes) -> bytes:
        """The entries of a change feed, some twice, in another order."""
        with contextlib.suppress(ValueError, KeyError):
            page = json.loads(content)
            changes = page["changes"]
            if len(changes) > 1 and self.rng.random() < 0.5:
                changes += self.rng.sample(changes, len(changes) // 2)
                self.rng.shuffle(changes)
                self.faults.struck(f"{self.name} feed")
            return json.dumps(page).encode()
        return content

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Its URL, as long as the block runs."""
        listening = free_socket()
        config = uvicorn.Config(self, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://localhost:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
            await self._client.aclose()


_HOP = {b"connection", b"transfer-encoding", b"content-length", b"content-encoding", b"accept-encoding"}


async def _answer(send, status: int, headers: list[tuple[bytes, bytes]], content: bytes, *, half: bool = False) -> None:
    length = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    if half:
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        raise ConnectionAbortedError("a fault on purpose")
    await send({"type": "http.response.body", "body": content})
