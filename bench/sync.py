"""The sync under load: latency at a steady rate, backfill, catch-up after the record was away, memory throughout.

The registry, the sync and the record run as processes of their own, on as many cores as the machine has; the other
parts together in another. Every person has a registration and a visit with their clinical values (about 23 resources).
"""

import argparse
import asyncio
import base64
import random
import sys
import time
import timeit
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import httpx
import msgspec
import psutil
import uvloop

from janani import programmes
from people import phn, record_token, visited
from system import System, a_system

APART = ("registry", "sync", "record")
STEADY_PER_SECOND = 20
KINDS = (
    "Patient",
    "EpisodeOfCare",
    "Encounter",
    "Observation",
    "Condition",
    "MedicationStatement",
    "Immunization",
    "Appointment",
    "Provenance",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=60, help="of the steady load, and of the record's absence")
    options.add_argument("--people", type=int, default=2000, help="to backfill")
    asked = options.parse_args()
    with a_system("--no-demo") as system:
        system.take_apart(*APART)
        uvloop.run(measure(system, asked.seconds, asked.people))


async def measure(system: System, seconds: int, people: int) -> None:
    """All phases, one after the other, on one system."""
    bench = Bench(system)
    async with httpx.AsyncClient(timeout=60) as bench.client:
        watching = asyncio.create_task(bench.watch_memory())
        loop = _loop_seconds()
        print(f"{'claim':58} {'measured':>24}   limit")
        waits = await bench.steady(seconds)
        line("resident memory of the sync after the steady load", f"{bench.peak / 2**20:.0f} MiB")
        line("acknowledged write → visible by search, p50", f"{_at(waits, 50):.0f} ms", "100 ms")
        line(f"  p99 of {len(waits)} at {STEADY_PER_SECOND}/s", f"{_at(waits, 99):.0f} ms", "500 ms")
        line("  beside it: one search at the record, p50", f"{_at(bench.polls, 50):.1f} ms")
        before = await bench.resources()
        spent = bench.cpu_seconds()
        rate, start = await bench.backfill(people)
        each = (await bench.resources() - before) / people
        line("backfill", f"{rate:.0f} persons/s", "100 persons/s")
        line(f"  in resources, {each:.1f} a person", f"{rate * each:.0f} resources/s", "2300 resources/s")
        line("  before it: start of the sync's process", f"{start:.1f} s")
        for name, seconds_now in bench.cpu_seconds().items():
            used = seconds_now - spent[name] * (name != "sync")  # the sync was started anew
            line(f"  processor time a person: {name}", f"{used / people * 1000:.1f} ms")
        rate, noticed = await bench.catch_up(seconds)
        line(f"catch-up after {seconds} s without the record", f"{rate:.0f} persons/s", f"{5 * STEADY_PER_SECOND}/s")
        line("  before it: until the sync noticed that it is back", f"{noticed:.1f} s")
        watching.cancel()
        line("resident memory of the sync, highest", f"{bench.peak / 2**20:.0f} MiB", "250 MB")
        line("beside all: a loop of plain Python, at the start and now", f"{loop:.2f} s, {_loop_seconds():.2f} s")


class Wire:
    """HTTP/1.1 to one server over kept connections, and nothing else: who makes the load must not be it."""

    def __init__(self, port: int, authorization: str = "") -> None:
        self.port, self.authorization = port, authorization
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        """The JSON of the answer. Ends the bench when it isn't 200."""
        while self._idle and self._idle[-1][0].at_eof():  # the server has closed it, or was killed
            self._idle.pop()[1].close()
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {self.authorization}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if b" 200 " not in answered[:13]:
            raise SystemExit(f"{method} {path.partition('?')[0]} was answered {answered[:13]!r}: {answer[:500]!r}")
        self._idle.append((reader, writer))
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found


class Bench:
    """One system under load, and what was seen of it."""

    def __init__(self, system: System) -> None:
        self.system, self.client = system, httpx.AsyncClient()
        self.polls: list[float] = []
        self.next, self.peak = 0, 0
        basic = base64.b64encode(b"admin:district").decode()
        self._registry = Wire(system.ports["registry"], f"Basic {basic}")
        self._record, self._sync = Wire(system.ports["record"]), Wire(system.ports["sync"])
        self._token_until = 0.0
        self._unseen: dict[str, asyncio.Future[float]] = {}
        self._phn = programmes.load("anc_lk").record.systems["phn"]

    async def steady(self, seconds: int) -> list[float]:
        """New women and changes of known ones at a steady rate; the wait of each (ms)."""
        looking = asyncio.create_task(self._look())
        await self._write_and_wait(self._number())  # before the clock runs: the first asks for tokens, shared entries
        self.polls.clear()
        began, running = time.perf_counter(), []
        for turn in range(seconds * STEADY_PER_SECOND):
            await asyncio.sleep(max(0.0, began + turn / STEADY_PER_SECOND - time.perf_counter()))
            running.append(asyncio.create_task(self._write_and_wait(self._number())))
        waits = await asyncio.gather(*running)
        looking.cancel()
        return waits

    async def backfill(self, people: int) -> tuple[float, float]:
        """Persons a second of a sync that was away while `people` were registered, and the seconds it took to start."""
        self.system.cut_off("sync")
        first, self.next = self.next, self.next + people
        for start in range(first, first + people, 50):
            await self._write([visited(number) for number in range(start, min(start + 50, first + people))])
        began = time.perf_counter()
        await asyncio.to_thread(self.system.bring_back, "sync")
        up, done = time.perf_counter(), (await self._status())["people delivered"]
        await self._until_delivered(self.next)
        return (self.next - done) / (time.perf_counter() - up), up - began

    async def catch_up(self, seconds: int) -> tuple[float, float]:
        """Persons a second from the first one after the record came back, while new ones keep arriving; and how many
        seconds the sync took to notice."""
        self.system.cut_off("record")
        await self._arrivals(seconds)
        done = (await self._status())["people delivered"]
        await asyncio.to_thread(self.system.bring_back, "record")
        back = time.perf_counter()
        arriving = asyncio.create_task(self._arrivals(10**6))
        while (first := (await self._status())["people delivered"]) == done:
            await asyncio.sleep(0.05)
        began = time.perf_counter()
        while (await self._status())["waiting"] > STEADY_PER_SECOND // 4:
            await asyncio.sleep(0.2)
        carried = (await self._status())["people delivered"] - first
        took = time.perf_counter() - began
        arriving.cancel()
        await asyncio.gather(arriving, return_exceptions=True)
        return carried / took, began - back

    async def _arrivals(self, seconds: int) -> None:
        began = time.perf_counter()
        for turn in range(seconds * STEADY_PER_SECOND):
            await asyncio.sleep(max(0.0, began + turn / STEADY_PER_SECOND - time.perf_counter()))
            await self._write([visited(self._number())])

    async def watch_memory(self) -> None:
        """The highest resident memory of the sync's process."""
        while True:
            process = self.system.apart["sync"]
            if process.poll() is None:
                self.peak = max(self.peak, psutil.Process(process.pid).memory_info().rss)
            await asyncio.sleep(0.5)

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used of the processor so far, PostgreSQL's together."""
        mine = {part: [psutil.Process(self.system.apart[part].pid)] for part in APART}
        return {
            name: sum(sum(process.cpu_times()[:2]) for process in processes)
            for name, processes in (mine | {"postgresql": self.system.postgres()}).items()
        }

    async def resources(self) -> int:
        """How many resources the record has of the kinds that a person brings."""
        total = 0
        for kind in KINDS:
            total += (await self._ask(kind, {"_summary": "count"}))["total"]
        return total

    def _number(self) -> int:
        self.next += 1
        return self.next - 1

    async def _write_and_wait(self, number: int) -> float:
        """The milliseconds from the registry's answer until a search at the record finds her."""
        await self._write([visited(number)])
        acknowledged = time.perf_counter()
        self._unseen[phn(number)] = seen = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(60):
            return (await seen - acknowledged) * 1000

    async def _look(self) -> None:
        """One search for all who wait, again and again: were it one for each, looking would be the load when many wait.

        What is measured is up to 20 ms too long by this, and by the search.
        """
        while True:
            await asyncio.sleep(0.015 + random.random() * 0.005)
            if not self._unseen:
                continue
            wanted = ",".join(f"{self._phn}|{one}" for one in islice(self._unseen, 50))
            asked = time.perf_counter()
            found = await self._ask("Patient", {"identifier": wanted, "_elements": "identifier", "_count": "50"})
            answered = time.perf_counter()
            self.polls.append((answered - asked) * 1000)
            for entry in found.get("entry", ()):
                for identifier in entry["resource"]["identifier"]:
                    if seen := self._unseen.pop(identifier["value"], None):
                        seen.set_result(answered)

    async def _write(self, people: list[dict[str, Any]]) -> None:
        body = msgspec.json.encode({"trackedEntities": people})
        await self._registry.ask("POST", "/api/tracker?async=false", body)

    async def _ask(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        if time.monotonic() > self._token_until:
            self._record.authorization = f"Bearer {await record_token(self.system, self.client)}"
            self._token_until = time.monotonic() + 200
        return await self._record.ask("GET", f"/fhir/{kind}?{urlencode(query)}")

    async def _status(self) -> dict[str, Any]:
        return await self._sync.ask("GET", "/status")

    async def _until_delivered(self, people: int) -> None:
        began = time.perf_counter()
        while (status := await self._status())["people delivered"] < people:
            if status["set aside"] or time.perf_counter() - began > 600:
                raise SystemExit(f"not all were delivered: {status}")
            await asyncio.sleep(0.1)


def _loop_seconds() -> float:
    """How fast this machine is at the moment, the best of five: neighbours that share it can't be seen otherwise."""
    return min(timeit.repeat("for i in range(3_000_000): n += i", "n = 0", number=1, repeat=5))


def line(claim: str, measured: str, limit: str = "") -> None:
    """One row of the table."""
    print(f"{claim:58} {measured:>24}   {limit}", flush=True)


def _at(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
