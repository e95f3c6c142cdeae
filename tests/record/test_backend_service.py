"""The sync at the record's real door: SMART Backend Services, then a transaction."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn

from janani.clients.fhir import BackendToken, FhirClient, FhirError
from janani.kernel import http, jose
from janani.record.app import create_app
from janani.settings import Record, Settings


@pytest.fixture
async def smart(settings: Settings) -> AsyncIterator[Settings]:
    """A record on a free port that asks for tokens and checks the programme's profiles."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        record = Record(url=f"http://localhost:{listener.getsockname()[1]}")
        settings = msgspec.structs.replace(settings, record=record)
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning", lifespan="on"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            assert not task.done()
            await asyncio.sleep(0.02)
        yield settings
        server.should_exit = True
        await task


async def test_the_sync_writes_with_its_own_token(smart: Settings) -> None:
    key = jose.signing_key(smart.secrets / "sync.pem", create=True)
    known = Path(smart.home) / "clients" / f"{smart.sync.client_id}.jwks.json"
    known.parent.mkdir(exist_ok=True)
    known.write_bytes(msgspec.json.encode(jose.jwks(key)))
    base_url = f"{smart.record.url}/fhir"
    async with http.client() as client:
        token = BackendToken(client, base_url, smart.sync.client_id, key)
        made = await FhirClient(client, base_url, token).create(
            {"resourceType": "Organization", "name": "MOH Kaduwela"}
        )
        assert made["meta"]["versionId"] == "1"


async def test_without_a_token_only_the_metadata_is_shown(smart: Settings) -> None:
    async with httpx.AsyncClient(base_url=smart.record.url, trust_env=False) as client:
        statement = (await client.get("/fhir/metadata")).json()
        security = statement["rest"][0]["security"]
        assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
        patient = next(one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
        assert any(url.endswith("/ips-patient") for url in patient["supportedProfile"])
        for path in ("/fhir/Patient", "/fhir/Patient/1", "/fhir/_history", "/fhir?_getpages=1"):
            refused = await client.get(path)
            assert (refused.status_code, refused.json()["resourceType"]) == (401, "OperationOutcome")
            assert refused.headers["www-authenticate"].startswith("Bearer")
    async with http.client() as client:
        with pytest.raises(FhirError) as error:
            await FhirClient(client, f"{smart.record.url}/fhir").read("Patient", "1")
        assert (error.value.status, error.value.retryable) == (401, False)
