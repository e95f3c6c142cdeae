"""How soon after the registry acknowledged a write the record finds the Patient by search.

200 registrations, one after the other, all parts in one process. Beside it, from the same run: one commit to the
same disk, and one empty round trip to the record.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import asyncpg
import httpx

from janani import programmes
from janani.kernel.embedded_postgres import EmbeddedPostgres
from people import person, record_token
from system import System

WRITES = 200


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="janani-bench-") as folder:
        os.chmod(folder, 0o755)
        system = System(Path(folder) / "home", "--no-demo")
        try:
            system.start()
            asyncio.run(measure(system))
        finally:
            system.destroy()


async def measure(system: System) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        token = await record_token(system, client)
        headers = {"Authorization": f"Bearer {token}"}
        phn_system = programmes.load("anc_lk").record.systems["phn"]
        waits, writes, polls = [], [], []
        for number in range(WRITES):
            one = person(number)
            began = time.perf_counter()
            answer = await client.post(
                f"{system.url('registry')}/api/tracker?async=false",
                json={"trackedEntities": [one]},
                auth=("admin", "district"),
            )
            answer.raise_for_status()
            acknowledged = time.perf_counter()
            writes.append(acknowledged - began)
            query = {"identifier": f"{phn_system}|{phn_of(one)}"}
            while True:
                asked = time.perf_counter()
                found = await client.get(f"{system.url('record')}/fhir/Patient", params=query, headers=headers)
                polls.append(time.perf_counter() - asked)
                found.raise_for_status()
                if found.json()["total"]:
                    break
                if time.perf_counter() - acknowledged > 30:
                    raise SystemExit(f"person {number} did not arrive in 30 s")
                await asyncio.sleep(0.002)
            waits.append(time.perf_counter() - acknowledged)
        commit = await _commit_seconds(system)
    print(f"{'claim':46} {'p50':>8} {'p95':>8}   limits")
    print(f"{'acknowledged write → found in the record':46} {_ms(waits, 50)} {_ms(waits, 95)}   150 ms, 500 ms")
    print(f"{'(the write itself)':46} {_ms(writes, 50)} {_ms(writes, 95)}")
    print(f"{'beside it: one search at the record':46} {_ms(polls, 50)} {_ms(polls, 95)}")
    print(f"{'beside it: one commit on this disk':46} {_ms(commit, 50)} {_ms(commit, 95)}")


def phn_of(one: dict) -> str:
    """The PHN among a tracked entity's attributes."""
    uid = programmes.load("anc_lk").registry.attributes["phn"]
    return next(each["value"] for each in one["enrollments"][0]["attributes"] if each["attribute"] == uid)


async def _commit_seconds(system: System) -> list[float]:
    connection = await asyncpg.connect(EmbeddedPostgres(system.home / "postgres").dsn)
    await connection.execute("create table if not exists public.bench_probe (n int)")
    times = []
    for number in range(200):
        began = time.perf_counter()
        await connection.execute("insert into public.bench_probe values ($1)", number)
        times.append(time.perf_counter() - began)
    await connection.execute("drop table public.bench_probe")
    await connection.close()
    return times


def _ms(seconds: list[float], percent: int) -> str:
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000:5.1f} ms"


if __name__ == "__main__":
    main()
