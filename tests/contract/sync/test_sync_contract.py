"""The sync between a DHIS2 and a FHIR server given by URL; without, between our own registry and record.

JANANI_CONTRACT_SYNC_REGISTRY_URL   a DHIS2 ≥ 2.40 that has the programme (ours is started when unset)
JANANI_CONTRACT_SYNC_REGISTRY_USER  user:password who may write and read it (default admin:district)
JANANI_CONTRACT_SYNC_RECORD_URL     a FHIR R4 server, its API below /fhir, that needs no token
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec

from janani import programmes
from janani.clients.dhis2 import Dhis2Client
from janani.clients.fhir import FhirClient
from janani.kernel.ids import uid
from janani.kernel.secrets import write_private
from janani.settings import Settings
from janani.sync.app import create_app
from janani.sync.mapping import compile as compile_table
from sync.servers import free_port, served

PROGRAMME = programmes.load("anc_lk")
PHN = PROGRAMME.record.systems["phn"]
TRACKED_ENTITY = compile_table(PROGRAMME).table.identifiers["tracked_entity"]


class Between:
    """The two servers, and a sync between them."""

    def __init__(self, registry: Dhis2Client, record: FhirClient, sync: httpx.AsyncClient) -> None:
        self.registry, self.record, self.sync = registry, record, sync

    async def patient(self, phn: str) -> dict[str, Any] | None:
        """The Patient with that PHN."""
        found = await self.record.search("Patient", {"identifier": f"{PHN}|{phn}"})
        assert len(found) < 2
        return found[0] if found else None

    async def own(self, person: str) -> dict[str, Any] | None:
        """The Patient who bears that tracked entity."""
        found = await self.record.search("Patient", {"identifier": f"{TRACKED_ENTITY}|{person}"})
        assert len(found) < 2
        return found[0] if found else None

    async def until(self, question: Any, seconds: float = 60) -> Any:
        """What `question` gives as soon as it is true."""
        end = time.monotonic() + seconds
        while True:
            found = await question()
            if found or time.monotonic() > end:
                assert found, "it did not arrive"
                return found
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def both(settings: Settings) -> AsyncIterator[Between]:
    """The two servers with a sync between them, running."""
    user, _, password = os.environ.get("JANANI_CONTRACT_SYNC_REGISTRY_USER", "admin:district").partition(":")
    replace = msgspec.structs.replace
    async with contextlib.AsyncExitStack() as stack:
        ports = [free_port(), free_port()]
        registry_url = os.environ.get("JANANI_CONTRACT_SYNC_REGISTRY_URL", f"http://127.0.0.1:{ports[0]}")
        record_url = os.environ.get("JANANI_CONTRACT_SYNC_RECORD_URL", f"http://127.0.0.1:{ports[1]}")
        settings = replace(
            settings,
            registry=replace(settings.registry, port=ports[0], url=registry_url),
            record=replace(settings.record, port=ports[1], url=record_url, authorization="open"),
            sync=replace(settings.sync, registry_username=user, poll_seconds=1),
        )
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        registry = Dhis2Client(http, registry_url, basic=(user, password))
        if "JANANI_CONTRACT_SYNC_RECORD_URL" not in os.environ:
            await _ours("record", settings, ports[1], stack)
        if "JANANI_CONTRACT_SYNC_REGISTRY_URL" not in os.environ:
            await _ours("registry", settings, ports[0], stack)
            await registry.import_metadata((PROGRAMME.folder / PROGRAMME.registry.metadata).read_bytes())
        write_private(settings.secrets / "sync-password", password.encode())
        app = create_app(settings)
        await stack.enter_async_context(app.lifespan())
        operator = {"authorization": f"Bearer {(settings.secrets / 'sync-token').read_text()}"}
        sync = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://sync", headers=operator, timeout=60
        )
        await stack.enter_async_context(sync)
        yield Between(registry, FhirClient(http, f"{record_url}/fhir"), sync)


async def _ours(part: str, settings: Settings, port: int, stack: contextlib.AsyncExitStack) -> None:
    app = __import__(f"janani.{part}.app", fromlist=["create_app"]).create_app(settings)
    await stack.enter_async_context(app.lifespan())
    await stack.enter_async_context(served(app, port))


def _woman(phn: str) -> dict[str, Any]:
    attributes, unit = PROGRAMME.registry.attributes, "Tnl7qgZh7zL"
    values = {"full_name": f"Contract Woman {phn}", "birth_date": "1997-08-01", "gender": "Female", "phn": phn}
    return {
        "trackedEntity": uid(),
        "trackedEntityType": PROGRAMME.registry.tracked_entity_type,
        "orgUnit": unit,
        "enrollments": [
            {
                "enrollment": uid(),
                "program": PROGRAMME.registry.program,
                "orgUnit": unit,
                "status": "ACTIVE",
                "enrolledAt": "2026-05-01",
                "occurredAt": "2026-03-01",
                "attributes": [{"attribute": attributes[role], "value": text} for role, text in values.items()],
                "events": [
                    {
                        "event": uid(),
                        "program": PROGRAMME.registry.program,
                        "programStage": PROGRAMME.registry.stages["visit"],
                        "orgUnit": unit,
                        "status": "COMPLETED",
                        "occurredAt": "2026-05-01",
                        "dataValues": [
                            {"dataElement": "gu4sr8eOZcT", "value": "9"},
                            {"dataElement": "cw35l7X4hnV", "value": "11.2"},
                        ],
                    }
                ],
            }
        ],
    }


async def test_a_woman_her_change_and_her_deletion_arrive(settings: Settings) -> None:
    async with both(settings) as between:
        phn = f"CT{uid()}"
        woman = _woman(phn)
        report = await between.registry.import_tracker({"trackedEntities": [woman]})
        assert report["status"] == "OK", report["validationReport"]
        patient = await between.until(lambda: between.patient(phn))
        assert patient["name"][0]["text"] == f"Contract Woman {phn}"

        async def haemoglobin() -> list[float]:
            found = await between.record.search("Observation", {"subject": f"Patient/{patient['id']}", "code": "718-7"})
            return [one["valueQuantity"]["value"] for one in found]

        assert await between.until(haemoglobin) == [11.2]
        event = woman["enrollments"][0]["events"][0]
        event["dataValues"][1]["value"] = "10.4"
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"

        async def changed() -> bool:
            return await haemoglobin() == [10.4]

        await between.until(changed)
        event["dataValues"] = [*event["dataValues"][:1], {"dataElement": "cw35l7X4hnV", "value": None}]
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"

        async def taken_back() -> bool:
            return await haemoglobin() == []

        await between.until(taken_back)
        gone = {"trackedEntities": [{"trackedEntity": woman["trackedEntity"]}]}
        assert (await between.registry.import_tracker(gone, importStrategy="DELETE"))["status"] == "OK"

        async def retired() -> bool:
            found = await between.patient(phn)
            return found is not None and found["active"] is False

        await between.until(retired)
        assert not await between.record.search("Encounter", {"subject": f"Patient/{patient['id']}"})


async def test_the_registry_itself_is_a_device_of_the_record(settings: Settings) -> None:
    async with both(settings) as between:
        info = await between.registry.system_info()
        system = PROGRAMME.record.systems["system_id"]

        async def device() -> list[dict[str, Any]]:
            return await between.record.search("Device", {"identifier": f"{system}|{info.system_id}"})

        (found,) = await between.until(device)
        assert found["version"][0]["value"] == info.version


async def _delivered(between: Between, *phns: str) -> None:
    for phn in phns:
        await between.until(lambda phn=phn: between.patient(phn))


async def test_two_of_one_number_are_told_apart(settings: Settings) -> None:
    """The Patient of who came first stays hers; the second is set aside with both names."""
    async with both(settings) as between:
        phn = f"CT{uid()}"
        first, second = _woman(phn), _woman(f"CT{uid()}")
        assert (await between.registry.import_tracker({"trackedEntities": [first]}))["status"] == "OK"
        await _delivered(between, phn)
        second["enrollments"][0]["attributes"][-1]["value"] = phn
        report = await between.registry.import_tracker({"trackedEntities": [second]})
        if report["status"] != "OK":
            return  # this registry holds the number unique, and refuses the second itself

        async def set_aside() -> list[dict[str, Any]]:
            dead = (await between.sync.get("/dead")).json()
            return [one for one in dead if one["person"] == second["trackedEntity"]]

        (found,) = await between.until(set_aside, 60)
        assert first["trackedEntity"] in found["reason"]


async def test_a_backfill_reads_everybody_beside_live_changes(settings: Settings) -> None:
    async with both(settings) as between:
        phns = [f"CT{uid()}" for _ in range(3)]
        people = {"trackedEntities": [_woman(phn) for phn in phns]}
        assert (await between.registry.import_tracker(people))["status"] == "OK"
        number = (await between.sync.post("/backfill")).json()["number"]

        async def finished() -> bool:
            found = (await between.sync.get("/backfill")).json()
            return bool(found["number"] >= number and found["finished_at"])

        await between.until(finished, 120)
        await _delivered(between, *phns)


async def test_the_comparison_finds_them_equal_and_what_was_lost_missing(settings: Settings) -> None:
    async with both(settings) as between:
        phn = f"CT{uid()}"
        woman = _woman(phn)
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"
        await _delivered(between, phn)

        async def compared() -> dict[str, Any]:
            async def idle() -> bool:
                return not (await between.sync.get("/status")).json()["waiting"]

            await between.until(idle, 120)
            assert (await between.sync.post("/reconciliation", params={"target": "record"})).status_code == 202
            while (found := (await between.sync.get("/reconciliation")).json())["state"] == "running":
                await asyncio.sleep(0.1)
            assert found["state"] == "done", found
            report: dict[str, Any] = found["report"]
            return report

        assert woman["trackedEntity"] not in (await compared())["differing"]
        patient = await between.patient(phn)
        assert patient is not None
        (gone, *_) = await between.record.search("Observation", {"subject": f"Patient/{patient['id']}"})
        delete = {"request": {"method": "DELETE", "url": f"Observation/{gone['id']}"}}
        await between.record.transaction({"resourceType": "Bundle", "type": "transaction", "entry": [delete]})
        assert (await compared())["differing"][woman["trackedEntity"]]["missing"]


async def test_a_number_that_changes_keeps_her_one_patient(settings: Settings) -> None:
    async with both(settings) as between:
        old, new = f"CT{uid()}", f"CT{uid()}"
        woman = _woman(old)
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"
        before = await between.until(lambda: between.patient(old))
        woman["enrollments"][0]["attributes"][-1]["value"] = new
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"
        after = await between.until(lambda: between.patient(new))
        assert after["id"] == before["id"]
        assert await between.patient(old) is None


async def test_a_number_that_came_late_makes_two_patients_one(settings: Settings) -> None:
    """She was there by her number from elsewhere, and without it from the registry."""
    async with both(settings) as between:
        phn = f"CT{uid()}"
        woman = _woman(phn)
        *others, number = woman["enrollments"][0]["attributes"]
        woman["enrollments"][0]["attributes"] = others
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"
        own = await between.until(lambda: between.own(woman["trackedEntity"]))
        elsewhere = {name: held for name, held in own.items() if name not in ("id", "text", "meta")}
        elsewhere |= {"identifier": [{"system": PHN, "value": phn}]}  # of no profile: elsewhere knows none
        stays = await between.record.create(elsewhere)
        woman["enrollments"][0]["attributes"] = [*others, number]
        assert (await between.registry.import_tracker({"trackedEntities": [woman]}))["status"] == "OK"

        async def merged() -> bool:
            found = await between.own(woman["trackedEntity"])
            return found is not None and found["id"] == stays["id"]

        await between.until(merged)
        retired = await between.record.read("Patient", own["id"])
        assert retired["active"] is False
        assert retired["link"][0]["other"]["reference"].endswith(stays["id"])
        assert await between.record.search("Observation", {"subject": f"Patient/{stays['id']}"})
        assert not await between.record.search("Observation", {"subject": f"Patient/{own['id']}"})
