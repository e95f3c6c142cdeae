"""W3C Trace Context as it is read and passed on, and spans that never get in the way."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
import structlog
from litestar import Request, Response, get

from janani.kernel import http, otlp, trace
from janani.kernel.telemetry import configure_logs, log
from janani.kernel.trace import INTERNAL, Span, Trace

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_traceparent_is_read_and_written_as_it_is() -> None:
    found = trace.read(HEADER)
    assert found == Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
    assert str(found) == HEADER
    assert trace.read(HEADER.replace("-01", "-00")) == Trace(found.trace_id, found.span_id, False)
    assert trace.read(HEADER.replace("00-", "01-", 1) + "-of-later") == found  # a later version may say more


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        HEADER.upper(),
        HEADER + "-more",
        "ff" + HEADER[2:],
        HEADER.replace("00f067aa0ba902b7", "0" * 16),
        HEADER.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
    ],
)
def test_what_is_none_is_passed_over(text: str) -> None:
    assert trace.read(text) is None


def test_a_place_by_name_is_always_the_same_one() -> None:
    parent = trace.begin()
    assert trace.below(parent, "carry record") == trace.below(parent, "carry record")
    assert trace.below(parent).span_id != trace.below(parent).span_id
    assert trace.below(parent).trace_id == parent.trace_id


@get("/people/{person:str}")
async def person(request: Request[Any, Any, Any]) -> dict[str, str]:
    """What a handler knows of its trace."""
    here = str(trace.current())
    async with http.client(
        transport=httpx.MockTransport(lambda sent: httpx.Response(200, headers=sent.headers))
    ) as one:
        passed = (await one.get("http://elsewhere/")).headers["traceparent"]
    log("part").info("asked")
    return {"here": here, "passed": passed}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log."""
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # pytest's own handlers stay
    kept, to = structlog.get_config(), io.StringIO()
    configure_logs(to=to)
    yield to
    structlog.configure(**kept)


@pytest.fixture
async def part() -> AsyncIterator[httpx.AsyncClient]:
    app = http.application("part", [person], render_error=lambda *_: Response({}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://part") as one:
        yield one


async def test_a_part_goes_on_with_the_callers_trace_in_calls_and_logs(
    part: httpx.AsyncClient, lines: io.StringIO
) -> None:
    told = (await part.get("/people/nirmala", headers={"traceparent": HEADER})).json()
    assert told["here"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert told["here"] != HEADER  # a span of its own
    assert told["passed"] == told["here"]
    assert json.loads(lines.getvalue())["trace"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace.current() is None


async def test_a_part_begins_a_trace_where_there_is_none(part: httpx.AsyncClient) -> None:
    first, second = [(await part.get("/people/x")).json()["here"][3:35] for _ in range(2)]
    assert first != second


async def test_a_span_is_named_by_the_route_never_by_the_path(part: httpx.AsyncClient) -> None:
    spans: list[Span] = []
    trace.collect(spans.append)
    try:
        await part.get("/people/nirmala?name=perera", headers={"traceparent": HEADER})
        await part.get("/people/nirmala", headers={"traceparent": HEADER[:-1] + "0"})  # not to be collected
    finally:
        trace.collect(None)
    [span] = spans
    assert (span.name, span.parent) == ("GET /people/{person}", "00f067aa0ba902b7")
    assert b"nirmala" not in otlp.encoded(spans)
    assert b"perera" not in otlp.encoded(spans)


def a_span() -> Span:
    return Span("sync", "map", trace.begin(), "", INTERNAL, 1, 2, {"janani.entries": 3}, link=trace.read(HEADER))


def test_the_request_is_otlp_in_json() -> None:
    [resource] = msgspec.json.decode(otlp.encoded([a_span()]))["resourceSpans"]
    assert {"key": "service.name", "value": {"stringValue": "janani-sync"}} in resource["resource"]["attributes"]
    [span] = resource["scopeSpans"][0]["spans"]
    assert span["attributes"] == [{"key": "janani.entries", "value": {"intValue": "3"}}]
    assert (span["startTimeUnixNano"], span["endTimeUnixNano"]) == ("1", "2")
    assert span["links"] == [{"traceId": HEADER[3:35], "spanId": HEADER[36:52]}]


async def test_a_collector_that_is_away_costs_spans_and_nothing_else() -> None:
    answers = iter([503, 200])
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(next(answers)))) as client:
        exporter = otlp.Exporter(client, "http://collector:4318/")
        exporter.add(a_span())
        await exporter.flush()
        assert (exporter.sent, exporter.dropped) == (0, 1)
        for _ in range(5001):
            exporter.add(a_span())
        assert exporter.dropped == 2  # the queue was full
        answers = iter([200] * 20)
        await exporter.flush()
        assert exporter.sent == 5000


async def test_without_a_collector_nothing_is_collected() -> None:
    async with otlp.exporting("") as exporter:
        assert exporter is None
        assert not trace.collecting()
