"""Kill everything at random moments of a load; afterwards every acknowledged person is in the record exactly once."""

import asyncio
import contextlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from janani import programmes
from people import person, phn, record_token
from system import System, a_system

PEOPLE = 200
KILLS = 20
PATIENCE_SECONDS = 180


@pytest.fixture
def system() -> Iterator[System]:
    with a_system("--no-demo") as one:
        yield one


@pytest.mark.chaos
async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(system: System) -> None:
    rng = random.Random(20261121)
    acknowledged: set[int] = set()
    async with httpx.AsyncClient(timeout=10) as client:
        kills = sorted(rng.sample(range(PEOPLE), KILLS))
        for number in range(PEOPLE):
            sending = asyncio.create_task(_until_acknowledged(client, system, number))
            if number in kills:
                await asyncio.sleep(rng.uniform(0, 0.06))
                system.kill(database=rng.random() < 0.3)
                await asyncio.to_thread(system.start)
            await sending
            acknowledged.add(number)
        assert await _counts_in_record(client, system) == {phn(number): 1 for number in acknowledged}
        status = (await client.get(f"{system.url('sync')}/status")).json()
        assert not status["dead"]


async def _until_acknowledged(client: httpx.AsyncClient, system: System, number: int) -> None:
    """Sends one woman again and again, as a midwife's browser would, until the registry says yes."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post(
                f"{system.url('registry')}/api/tracker?async=false",
                json={"trackedEntities": [person(number, prefix="chaos")]},
                auth=("admin", "district"),
            )
            if answer.status_code == 200:
                return
            assert answer.status_code >= 500, answer.text
        await asyncio.sleep(0.1)


async def _counts_in_record(client: httpx.AsyncClient, system: System) -> dict[str, int]:
    """How many Patients the record has for each PHN, once it has at least as many as there are people."""
    system_url = programmes.load("anc_lk").record.systems["phn"]
    counts: dict[str, int] = {}
    for _ in range(PATIENCE_SECONDS):
        counts = {}
        headers = {"Authorization": f"Bearer {await record_token(system, client)}"}
        url: str | None = f"{system.url('record')}/fhir/Patient?_count=100"
        while url:
            bundle = (await client.get(url, headers=headers)).raise_for_status().json()
            for entry in bundle.get("entry", []):
                for identifier in entry["resource"]["identifier"]:
                    if identifier["system"] == system_url:
                        counts[identifier["value"]] = counts.get(identifier["value"], 0) + 1
            url = next((link["url"] for link in bundle.get("link", []) if link["relation"] == "next"), None)
        if len(counts) >= PEOPLE:
            return counts
        await asyncio.sleep(1)
    return counts
