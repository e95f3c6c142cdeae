"""The registry against the record, over the real wires of both."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
import pytest
from joserfc.jwk import RSAKey

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.sync.problems import NoTable
from janani.sync.reconcile import Desk
from people import visited
from system import System, a_system


@pytest.fixture(scope="module")
def system() -> Any:
    with a_system("--no-demo") as one:
        yield one


async def _until(client: httpx.AsyncClient, true: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(60):
        while not true((await client.get("/status")).json()):
            await asyncio.sleep(0.1)


async def _reconciled(system: System, *, repair: bool = False) -> dict[str, Any]:
    token = (system.home / "secrets" / "sync-token").read_text()
    async with httpx.AsyncClient(base_url=system.url("sync"), headers={"authorization": f"Bearer {token}"}) as client:
        await _until(client, lambda status: not status["waiting"])
        query = {"target": "record", "repair": str(repair).lower()}
        assert (await client.post("/reconciliation", params=query)).status_code == 202
        while (found := (await client.get("/reconciliation")).json())["state"] == "running":
            await asyncio.sleep(0.05)
        assert found["state"] == "done", found
        report: dict[str, Any] = found["report"]
        return report


async def _registered(system: System, numbers: range) -> None:
    async with httpx.AsyncClient(auth=("admin", "district"), timeout=60) as admin:
        url = f"{system.url('registry')}/api/tracker?async=false"
        answer = await admin.post(url, json={"trackedEntities": [visited(number) for number in numbers]})
        assert answer.status_code == 200, answer.text
    async with httpx.AsyncClient(base_url=system.url("sync")) as client:
        await _until(client, lambda status: status["people delivered"] >= numbers.stop)


async def _in_record(system: System, statement: str) -> str:
    """What an administrator of the record's database might do by mistake."""
    dsn = EmbeddedPostgres(system.home / "postgres").dsn
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "record"})
    try:
        done: str = await connection.execute(statement)
        return done
    finally:
        await connection.close()


async def test_all_agree_after_a_delivery(system: System) -> None:
    await _registered(system, range(12))
    report = await _reconciled(system)
    assert (report["people"], report["equal"], report["differing"], report["only_in_record"]) == (12, 12, {}, [])
    assert len(report["fingerprint"]) == 64
    assert (await _reconciled(system))["fingerprint"] == report["fingerprint"]


async def test_both_commands_work_against_a_running_system(system: System, tmp_path: Path) -> None:
    """`janani sync backfill` and `janani sync reconcile`, as an operator types them."""
    await _registered(system, range(12))

    async def said(*words: str) -> str:
        command = (sys.executable, "-m", "janani", "sync", *words)
        process = await asyncio.create_subprocess_exec(*command, env=system.environment, stdout=asyncio.subprocess.PIPE)
        told, _ = await process.communicate()
        assert process.returncode == 0, told
        return told.decode()

    assert "12 people of" in await said("backfill")
    assert "12" in await said("reconcile", "--report", str(tmp_path / "report.jwt"))
    assert await said("reconcile", "--verify", str(tmp_path / "report.jwt"))


async def test_what_was_lost_or_altered_in_the_record_is_found_and_mended(system: System) -> None:
    await _registered(system, range(12))
    gone = "select key from resource where type = 'Observation' and not deleted order by key limit 1"
    await _in_record(system, f"update resource set deleted = true where key = ({gone})")
    other = "select key from resource where type = 'Encounter' and not deleted order by key desc limit 1"
    await _in_record(system, f"update version set sent = 'somebody else' where key = ({other})")
    report = await _reconciled(system, repair=True)
    assert report["people"] - report["equal"] == 2 == report["repaired"]
    kinds = {how for found in report["differing"].values() for how, what in found.items() if what}
    assert kinds == {"missing", "different"}
    report = await _reconciled(system)
    assert report["equal"] == report["people"] == 12


async def test_who_left_the_registry_is_missed_in_neither(system: System) -> None:
    await _registered(system, range(12))
    async with httpx.AsyncClient(auth=("admin", "district")) as admin:
        uid = visited(3)["trackedEntity"]
        url = f"{system.url('registry')}/api/tracker?async=false&importStrategy=DELETE"
        answer = await admin.post(url, json={"trackedEntities": [{"trackedEntity": uid}]})
        assert answer.status_code == 200, answer.text
    async with httpx.AsyncClient(base_url=system.url("sync")) as client:  # nobody waits until the feed has told
        await _until(client, lambda status: status["people delivered"] == 11)
    report = await _reconciled(system)
    assert (report["people"], report["equal"]) == (11, 11)
    assert report["only_in_record"] == []


async def test_only_staff_may_ask(system: System) -> None:
    async with httpx.AsyncClient(base_url=system.url("sync")) as client:
        assert (await client.post("/reconciliation", params={"target": "record"})).status_code == 401
        assert (await client.get("/reconciliation")).status_code == 401


def test_a_programme_that_a_script_maps_can_not_be_compared_and_is_told_so() -> None:
    with pytest.raises(NoTable, match=r"mapping\.yaml"):
        Desk({}, cast(RSAKey, None)).begin("record", repair=False)
