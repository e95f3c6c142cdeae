"""What many requests at one moment may do: no more than the same requests in turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from esignet_wire import RelyingParty, Wire, codes
from janani.settings import Settings

pytestmark = pytest.mark.usefixtures("rp")

MANY = 20


@pytest.fixture
async def sign_ins(http: httpx.AsyncClient) -> list[Wire]:
    """Sign-ins of one browser, each begun."""
    wires = [Wire(http) for _ in range(MANY)]
    await wires[0].fetch_csrf()
    for wire in wires:
        wire.csrf = wires[0].csrf
        assert not codes(await wire.oauth_details())
    return wires


async def outcomes(wires: list[Wire], step: Callable[[Wire], Awaitable[httpx.Response]]) -> list[Any]:
    answers = await asyncio.gather(*(step(wire) for wire in wires))
    return [(codes(answer) or [""])[0] for answer in answers]


async def test_a_person_is_sent_no_more_codes_than_set(sign_ins: list[Wire], settings: Settings) -> None:
    most = settings.esignet.otp_sends
    answers = await outcomes(sign_ins, lambda wire: wire.send_otp(channels=["phone"]))
    assert answers.count("") == most
    assert answers.count("individual_id_blocked") == MANY - most
    connection = await asyncpg.connect(settings.database.dsn)
    sent = await connection.fetchval("select count(*) from esignet.inbox")
    await connection.close()
    assert sent == most


async def test_wrong_codes_in_many_sign_ins_lock_before_the_right_one(sign_ins: list[Wire], rp: RelyingParty) -> None:
    wires = sign_ins[:6]
    for wire in wires:
        assert not codes(await wire.send_otp())
    guesses = [wire.authenticate(code="000000") for wire in wires for _ in range(3)]
    guesses.insert(12, wires[5].authenticate())
    answers = await asyncio.gather(*guesses)
    assert codes(answers[12]) == ["individual_id_blocked"]
    assert codes(await wires[1].authenticate()) == ["individual_id_blocked"]


async def test_the_lock_holds_for_a_code_that_was_already_found_right(sign_ins: list[Wire], settings: Settings) -> None:
    wire = sign_ins[0]
    await wire.send_otp()
    connection = await asyncpg.connect(settings.database.dsn)
    async with connection.transaction():  # the lock comes between the look at the person and the step
        await connection.execute(
            "update esignet.person set locked_until = now() + interval '1 minute' where individual_id = '3000000001'"
        )
        answer = asyncio.create_task(wire.authenticate())
        await asyncio.sleep(0.3)
    assert codes(await answer) == ["individual_id_blocked"]
    await connection.close()


async def test_a_person_who_agrees_twice_at_once_gets_both_codes(sign_ins: list[Wire], settings: Settings) -> None:
    wires = sign_ins[:6]
    for wire in wires:
        assert not codes(await wire.oauth_details(claims={"userinfo": {"name": None}}))
        await wire.send_otp()
        await wire.authenticate()
    assert await outcomes(wires, lambda wire: wire.auth_code("name")) == [""] * 6
    connection = await asyncpg.connect(settings.database.dsn)
    kept = await connection.fetch("select replaced_at is null as in_force from esignet.consent")
    await connection.close()
    assert sorted(row["in_force"] for row in kept) == [False] * 5 + [True]
