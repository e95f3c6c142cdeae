"""A storm over the sync: changes go in while everything fails in turn; then nothing may be lost, doubled, reordered.

`make chaos` lets it blow for half an hour; `test_storm.py` for a minute. Each woman's weight counts her changes, so
that the record's history of it shows the order in which they arrived.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx

from chaos.faults import FaultLog, FaultyProxy
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.ids import uid_of
from people import person, phn, record_token, roles_of
from system import System, a_system

APART = ("registry", "record", "sync")
SHARE_OF_FAULTS = 0.08
JUMPS = (-3600, -120, 45, 86400)


class Storm:
    """Changes to people, faults of the world, and what the record must hold in the end."""

    def __init__(self, system: System, seed: int, changes: int, seconds: float) -> None:
        self.system, self.rng = system, random.Random(seed)
        self.changes, self.seconds = changes, seconds
        self.people = max(10, changes // 20)
        self._over = asyncio.Event()
        self.faults = FaultLog()
        self.sent: Counter[int] = Counter()
        self.clock = system.home.parent / "clock-offset"
        self.client = httpx.AsyncClient(timeout=20)

    async def blow(self) -> list[str]:
        """Everything: the changes with the faults beside them, then quiet until all has arrived; what is wrong then."""
        self.clock.write_text("0")
        proxies = {
            part: FaultyProxy(
                part, self.system.url(part), random.Random(self.rng.random()), SHARE_OF_FAULTS, self.faults
            )
            for part in ("registry", "record")
        }
        async with proxies["registry"].served() as registry, proxies["record"].served() as record:
            self.system.differing["sync"] = {"JANANI_REGISTRY__URL": registry, "JANANI_RECORD__URL": record}
            self.system.program["sync"] = [str(Path(__file__).parent / "jumping_clock.py"), str(self.clock)]
            await asyncio.to_thread(self.system.take_apart, *APART)
            breaking = asyncio.create_task(self._break())
            await self._write()
            self._over.set()
            await breaking  # what is being started is started
            for proxy in proxies.values():
                proxy.share = 0
            self.clock.write_text("0")
            await self._whole()
            await self._until_quiet()
            return await self._wrong()  # while the sync still reaches the servers: its feed may be behind

    async def _write(self) -> None:
        """The changes at an even pace; four hands write, one person with one hand at a time."""
        began = time.monotonic()
        order = [self.rng.randrange(self.people) for _ in range(self.changes)]
        hands: list[list[tuple[float, int]]] = [[] for _ in range(4)]
        for turn, number in enumerate(order):
            hands[number % 4].append((turn / self.changes * self.seconds, number))
        async with asyncio.TaskGroup() as group:
            for hand in hands:
                group.create_task(self._hand(hand, began))

    async def _hand(self, turns: list[tuple[float, int]], began: float) -> None:
        for due, number in turns:
            await asyncio.sleep(max(0.0, began + due - time.monotonic()))
            await self._change(number, self.sent[number] + 1)
            self.sent[number] += 1

    async def _change(self, number: int, count: int) -> None:
        """The woman's next change, again and again until the registry acknowledges it."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await self.client.post(
                    f"{self.system.url('registry')}/api/tracker?async=false",
                    json={"trackedEntities": [weighed(number, count)]},
                    auth=("admin", "district"),
                )
                if answer.status_code == 200:
                    return
                assert answer.status_code >= 500, answer.text
            await asyncio.sleep(0.2)

    async def _break(self) -> None:
        """Kills a part, the database or the clock, one after the other, until it is over."""
        pause = max(3.0, self.seconds / 60)
        while not await self._over_within(self.rng.uniform(0.3, 1) * pause):
            what = self.rng.choice([*APART, "sync", "database", "clock"])
            if what == "clock":
                jump = self.rng.choice(JUMPS)
                self.faults.struck(f"clock jumps to {jump:+} s")
                self.clock.write_text(str(jump))
                await self._over_within(self.rng.uniform(0.3, 1) * pause)
                self.clock.write_text("0")  # with a clock that is wrong by more than a minute the record gives no token
                continue
            self.faults.struck(f"kill {what}")
            if what == "database":
                await asyncio.to_thread(self._restart_database)
            else:
                await asyncio.to_thread(self.system.cut_off, what)
                await asyncio.sleep(self.rng.uniform(0, pause / 3))
                await self._whole()

    async def _over_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return self._over.is_set()

    def _restart_database(self) -> None:
        for process in self.system.postgres():
            with contextlib.suppress(Exception):
                process.kill()
        EmbeddedPostgres(self.system.home / "postgres").start()

    async def _whole(self) -> None:
        """Every part runs."""
        for part in APART:
            await asyncio.to_thread(self.system.bring_back, part)

    async def _until_quiet(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                status = (await self.client.get(f"{self.system.url('sync')}/status")).raise_for_status().json()
                if not status["waiting"] and status["people delivered"] >= len(self.sent):
                    return
            await asyncio.sleep(0.5)
        raise AssertionError(f"not quiet after 300 s: {status}")

    async def _wrong(self) -> list[str]:
        """What is not as it must be: each line names a person and says why. Empty when all is well.

        What the feed has not read yet is not in the queue either, so it is given two minutes.
        """
        until = time.monotonic() + 120
        while (found := await self._looked()) and time.monotonic() < until:
            await asyncio.sleep(2)
        return found

    async def reconciled(self) -> list[str]:
        """What `janani sync reconcile` finds that differs; empty when registry and record agree about everybody."""
        self.system.cut_off("sync")  # what stood between it and the servers is gone
        del self.system.differing["sync"], self.system.program["sync"]
        await asyncio.to_thread(self.system.bring_back, "sync")
        url = f"{self.system.url('sync')}/reconciliation"
        token = (self.system.home / "secrets" / "sync-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        (await self.client.post(url, params={"target": "record"}, headers=headers)).raise_for_status()
        while (found := (await self.client.get(url, headers=headers)).raise_for_status().json())["state"] == "running":
            await asyncio.sleep(0.5)
        report = found.get("report") or {}
        print(f"reconcile: {found['state']}, {report.get('equal')} of {report.get('people')} people agree")
        if found["state"] != "done" or report["people"] != len(self.sent):
            return [f"reconcile: {found['state']} {found.get('trouble', '')} {report.get('people')} people"]
        return [f"{person} differs" for person in (*report["differing"], *report["only_in_record"])]

    async def _looked(self) -> list[str]:
        token = await record_token(self.system, self.client)
        self.client.headers["Authorization"] = f"Bearer {token}"
        found = []
        for number, count in sorted(self.sent.items()):
            found += [f"person {number}: {text}" for text in await self._wrong_with(number, count)]
        return found

    async def _wrong_with(self, number: int, count: int) -> list[str]:
        fhir = f"{self.system.url('record')}/fhir"
        query = {"subject:Patient.identifier": phn(number), "code": "29463-7"}
        patients = await self._entries(f"{fhir}/Patient", {"identifier": phn(number)})
        if len(patients) != 1:
            return [f"{len(patients)} Patients"]
        weights = await self._entries(f"{fhir}/Observation", query)
        if len(weights) != 1:
            return [f"{len(weights)} weights"]
        history = await self._entries(f"{fhir}/Observation/{weights[0]['id']}/_history", {"_count": "500"})
        seen = [weight_of(each) for each in reversed(history)]
        texts = []
        if seen[-1] != weight(count):
            texts.append(f"weight {seen[-1]}, not {weight(count)}")
        if seen != sorted(seen):
            texts.append(f"out of order: {seen}")
        if len(seen) != len(set(seen)):
            texts.append(f"written twice: {seen}")
        return texts

    async def _entries(self, url: str, query: dict[str, str]) -> list[dict[str, Any]]:
        answer = (await self.client.get(url, params=query)).raise_for_status().json()
        return [entry["resource"] for entry in answer.get("entry", [])]


def weight(count: int) -> float:
    """The weight (kg) after so many changes."""
    return round(40 + count / 10, 1)


def weight_of(observation: dict[str, Any]) -> float:
    """The weight (kg) that an Observation says."""
    return float(observation["valueQuantity"]["value"])


def weighed(number: int, count: int) -> dict[str, Any]:
    """A woman as she is after her `count`-th change."""
    one = person(number, prefix="storm")
    registration = one["enrollments"][0]["events"][0]
    registration["dataValues"].append({"dataElement": roles_of("weight"), "value": str(weight(count))})
    registration["event"] = uid_of(f"storm/{number}/registration")
    return one


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--changes", type=int, default=10_000)
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = options.parse_args()
    print(f"seed {asked.seed}: {asked.changes} changes in {asked.minutes:g} min")
    with a_system("--no-demo") as system:
        raise SystemExit(asyncio.run(_storm(Storm(system, asked.seed, asked.changes, asked.minutes * 60))))


async def _storm(storm: Storm) -> str | None:
    wrong = await storm.blow() + await storm.reconciled()
    print(report(storm))
    print("\n".join(wrong) or "nothing lost, nothing doubled, each person in order")
    await storm.client.aclose()
    return f"{len(wrong)} people are not as they must be" if wrong else None


def report(storm: Storm) -> str:
    """The log of faults, a line each with the second it happened; then how many of each kind."""
    people = f"{storm.sent.total()} changes of {len(storm.sent)} people; faults:"
    return "\n".join(["faults, by the second:", *storm.faults.lines(), people, *storm.faults.counts()])


if __name__ == "__main__":
    main()
