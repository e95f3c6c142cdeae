"""The audit trail: an operator reads it by person, client and kind; what is old goes by itself."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from esignet_wire import MOTHER, RelyingParty, Wire
from janani import cli
from janani.esignet.provider import SQL
from janani.settings import Settings


async def test_an_operator_reads_the_steps_of_one_person(
    wire: Wire,
    rp: RelyingParty,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await rp.redeem(await wire.code())
    await wire.oauth_details()
    await wire.send_otp("3000000002")
    await wire.authenticate("3000000002", "000000")
    monkeypatch.setenv("JANANI_HOME", settings.home)
    monkeypatch.setenv("JANANI_DATABASE__DSN", settings.database.dsn)
    monkeypatch.setenv("COLUMNS", "200")

    def ran(*words: str) -> str:
        with pytest.raises(SystemExit):
            cli.app(["people", "audit", *words])
        return capsys.readouterr().out

    hers = await asyncio.to_thread(ran, MOTHER)
    events = ("tokens_given", "consented", "authenticated", "otp_sent")
    assert sorted(events, key=hers.index) == list(events)
    assert "auth_failed" not in hers
    assert MOTHER not in hers
    refused = await asyncio.to_thread(ran, "--refused", "--client", rp.client_id)
    assert "auth_failed" in refused
    assert "tokens_given" not in refused


async def test_what_is_old_is_pruned(http: httpx.AsyncClient, wire: Wire, settings: Settings, clock: Any) -> None:
    await wire.oauth_details(clientId="nobody")
    connection = await asyncpg.connect(settings.database.dsn, server_settings={"search_path": "esignet"})
    await SQL.prune_audit(connection, before=clock() - timedelta(days=1))
    assert await connection.fetchval("select count(*) from audit") == 1
    await SQL.prune_audit(connection, before=clock() + timedelta(seconds=1))
    assert await connection.fetchval("select count(*) from audit") == 0
    await connection.close()
