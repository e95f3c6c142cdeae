"""One click at the midwife's portal, and what a collector of spans hears of it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from janani import programmes
from portals.test_midwife_registration import complete
from portals_walk import Browser
from system import System

TRACE, CLICK = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NAME = "Wasana Traceable"


class Collector:
    """A collector that keeps all it is sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces", self.path
                assert self.headers["content-type"] == "application/json"
                collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Taking)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace, with the `part` that sent each."""
        found = []
        for body in list(self.bodies):
            for resource in json.loads(body)["resourceSpans"]:
                named = {one["key"]: one["value"]["stringValue"] for one in resource["resource"]["attributes"]}
                found += [one | {"part": named["service.name"]} for one in resource["scopeSpans"][0]["spans"]]
        return [one for one in found if one["traceId"] == trace_id]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.server.shutdown()


@pytest.fixture(scope="module")
def system(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    home = tmp_path_factory.mktemp("trace") / "home"
    for folder in (home.parent, home.parent.parent):
        folder.chmod(0o755)  # as root, PostgreSQL runs as another user
    home.mkdir()
    (home / "janani.toml").write_text(f'[telemetry]\notlp_endpoint = "{collector.url}"\n')
    one = System(home, "--no-demo")
    one.start()
    try:
        yield one
    finally:
        one.destroy()


class Roles:
    """What `complete` asks of a world."""

    roles = (lambda registry: registry.attributes | registry.elements)(programmes.load("anc_lk").registry)


async def registered(system: System) -> None:
    """A midwife registers a woman with one click that begins the trace."""
    browser = Browser(None, system.url("portals"), system.url("esignet"))  # type: ignore[arg-type]
    browser.own = httpx.AsyncClient(base_url=system.url("portals"), timeout=30)
    await browser.log_in()
    form = await browser.press(await browser.get("/midwife"), "New registration")
    browser.own.headers["traceparent"] = f"00-{TRACE}-{CLICK}-01"
    after = await browser.press(form, "Register her", **await complete(Roles, form, full_name=NAME))  # type: ignore[arg-type]
    assert "She is registered" in after.text, after.text
    await browser.close()


async def woman(system: System) -> str:
    """Her UID in the registry."""
    async with httpx.AsyncClient(auth=("admin", "district")) as admin:
        query = {"program": programmes.load("anc_lk").registry.program, "orgUnitMode": "ALL", "fields": "trackedEntity"}
        found = await admin.get(f"{system.url('registry')}/api/tracker/trackedEntities", params=query)
    uid: str = found.json()["trackedEntities"][0]["trackedEntity"]
    return uid


async def test_one_click_is_one_trace_through_portal_registry_sync_and_record(
    system: System, collector: Collector
) -> None:
    await registered(system)
    async with asyncio.timeout(60):
        while not any(one["name"].startswith("carry to") for one in collector.spans(TRACE)):
            await asyncio.sleep(0.1)
    await asyncio.sleep(1.2)  # what ended last is sent within a second
    spans = collector.spans(TRACE)
    parts = {one["part"] for one in spans}
    assert {"janani-portals", "janani-registry", "janani-sync", "janani-record"} <= parts
    assert {one["parentSpanId"] for one in spans} - {one["spanId"] for one in spans} == {CLICK}  # all hang together
    [carried] = [one for one in spans if one["name"] == "carry to record"]
    below = {one["name"] for one in spans if one["parentSpanId"] == carried["spanId"]}
    assert {"read", "map", "compare", "send", "POST /fhir"} <= below, below
    assert all(int(one["startTimeUnixNano"]) <= int(one["endTimeUnixNano"]) for one in spans)

    uid = await woman(system)
    sent = b"".join(collector.bodies).decode()
    assert uid not in sent
    assert NAME.split()[0] not in sent

    headers = {"authorization": f"Bearer {(system.home / 'secrets' / 'sync-token').read_text()}"}
    async with httpx.AsyncClient(base_url=system.url("sync"), headers=headers) as operator:
        assert TRACE in (await operator.get(f"/people/{uid}")).text
