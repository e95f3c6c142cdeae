"""Spans to a collector by OTLP/HTTP in JSON (opentelemetry-proto 1, `POST {endpoint}/v1/traces`).

Never in anyone's way: a bounded queue, sent by a task of its own. What does not fit or is not taken is dropped, and
counted.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import groupby
from typing import Any

import httpx
import msgspec

from janani import __version__
from janani.kernel import http, trace
from janani.kernel.telemetry import log
from janani.kernel.trace import Span

_MOST_WAITING = 5000
_MOST_AT_ONCE = 500
_PAUSE_SECONDS = 1.0
_ERROR = 2


class Exporter:
    """The queue before a collector. `sent` and `dropped` count spans."""

    def __init__(self, client: httpx.AsyncClient, endpoint: str) -> None:
        self._client, self._url = client, f"{endpoint.rstrip('/')}/v1/traces"
        self._waiting: deque[Span] = deque()
        self._away = False
        self.sent, self.dropped = 0, 0

    def add(self, span: Span) -> None:
        """Queues a span, or drops it when the queue is full."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
        else:
            self._waiting.append(span)

    async def run(self) -> None:
        """Sends what waits, once a second, for ever."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Sends all that waits now; what the collector does not take is dropped."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            taken = await self._post(encoded(some))
            self.sent, self.dropped = self.sent + taken * len(some), self.dropped + (not taken) * len(some)
            if taken is self._away:  # it came back, or went
                self._away = not taken
                log("telemetry").warning("collector", taken=taken, sent=self.sent, dropped=self.dropped)

    async def _post(self, body: bytes) -> bool:
        try:
            answer = await self._client.post(self._url, content=body, headers={"content-type": "application/json"})
        except httpx.HTTPError:
            return False
        return answer.is_success


@contextlib.asynccontextmanager
async def exporting(endpoint: str) -> AsyncIterator[Exporter | None]:
    """Collects spans while the block runs and sends them to `endpoint`; nothing at all when that is empty."""
    if not endpoint:
        yield None
        return
    async with http.client(timeout=5) as client:
        exporter = Exporter(client, endpoint)
        trace.collect(exporter.add)
        sending = asyncio.create_task(exporter.run())
        try:
            yield exporter
        finally:
            trace.collect(None)
            sending.cancel()
            await asyncio.wait([sending])
            await exporter.flush()


def encoded(spans: Iterable[Span]) -> bytes:
    """An ExportTraceServiceRequest in JSON: one resource a part."""
    by_part = groupby(sorted(spans, key=lambda span: span.part), key=lambda span: span.part)
    return msgspec.json.encode({"resourceSpans": [_of_part(part, some) for part, some in by_part]})


def _of_part(part: str, spans: Iterable[Span]) -> dict[str, Any]:
    about = {"service.name": f"janani-{part}", "service.version": __version__}
    scope = {"name": "janani", "version": __version__}
    return {
        "resource": {"attributes": _attributes(about)},
        "scopeSpans": [{"scope": scope, "spans": [_span(span) for span in spans]}],
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace.trace_id,
        "spanId": span.trace.span_id,
        "parentSpanId": span.parent,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR} if span.failed else {},
        "links": [{"traceId": span.link.trace_id, "spanId": span.link.span_id}] if span.link else [],
    }


def _attributes(values: Any) -> list[dict[str, Any]]:
    """Key and value; 64-bit integers are text, as JSON of protobuf has them."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
