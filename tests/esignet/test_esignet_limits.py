"""How much one person and one source address may do, across sign-ins; and codes of another length."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from esignet_wire import RelyingParty, Wire, codes, free_socket, serving
from janani.esignet.app import create_app
from janani.esignet.attempts import network
from janani.kernel.secrets import secret
from janani.settings import Esignet, Settings

OTHER, THIRD = "3000000002", "3000000003"


@pytest.fixture
async def http(settings: Settings, clock: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A provider that sends two unused codes a person, bears five failures of a source, and has codes of four."""
    listening = free_socket()
    url = f"http://localhost:{listening.getsockname()[1]}"
    options = Esignet(url=url, otp_sends=2, otp_source_tries=5, otp_length=4)
    ours = msgspec.structs.replace(settings, esignet=options)
    async with serving(create_app(ours, clock), listening), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        party = RelyingParty(client, secret(settings.secrets, "esignet-clients-token", create=False))
        await party.manage(party.registration())
        yield client


async def sent(wire: Wire, person: str) -> list[str]:
    await wire.oauth_details()
    return codes(await wire.send_otp(person))


async def test_a_code_is_as_long_as_set(wire: Wire, settings: Settings) -> None:
    await wire.oauth_details()
    assert wire.details["configs"]["otp.length"] == 4
    await wire.send_otp()
    assert codes(await wire.authenticate(code="111111")) == ["invalid_challenge"]
    connection = await asyncpg.connect(settings.database.dsn)
    text = await connection.fetchval("select text from esignet.inbox order by id desc limit 1")
    await connection.close()
    assert codes(await wire.authenticate(code=text[:4])) == []


async def test_the_sandboxs_code_has_that_length_too(wire: Wire) -> None:
    assert await sent(wire, OTHER) == []
    assert codes(await wire.authenticate(OTHER, code="1111")) == []


async def test_a_person_is_not_flooded_with_codes_whoever_asks(wire: Wire, clock: Any) -> None:
    assert [await sent(wire, OTHER) for _ in range(3)] == [[], [], ["individual_id_blocked"]]
    assert await sent(wire, THIRD) == []
    clock.pass_seconds(901)
    assert await sent(wire, OTHER) == []


async def test_a_code_that_was_sent_before_still_opens(wire: Wire) -> None:
    await sent(wire, OTHER)
    await sent(wire, OTHER)
    assert codes(await wire.send_otp(OTHER)) == ["individual_id_blocked"]
    assert codes(await wire.authenticate(OTHER, code="1111")) == []


async def test_codes_that_were_used_do_not_count(wire: Wire) -> None:
    for _ in range(8):
        assert await sent(wire, OTHER) == []
        assert codes(await wire.authenticate(OTHER, code="1111")) == []


async def test_who_tries_numbers_of_nobody_is_shut_out_and_learns_no_more(wire: Wire, clock: Any) -> None:
    answers = [await sent(wire, f"77777777{n}") for n in range(6)]
    assert answers == [["invalid_individual_id"]] * 5 + [["no_attempts_left"]]
    assert await sent(wire, OTHER) == ["no_attempts_left"]
    clock.pass_seconds(901)
    assert await sent(wire, OTHER) == []


async def test_wrong_codes_for_many_people_count_for_their_source(wire: Wire) -> None:
    for person in (OTHER, THIRD):
        await sent(wire, person)
        assert codes(await wire.authenticate(person, code="0000")) == ["auth_failed"]
    assert codes(await wire.authenticate(THIRD, code="0000")) == ["auth_failed"]
    assert codes(await wire.authenticate(THIRD, code="1111")) == ["no_attempts_left"]


async def test_a_used_up_sign_in_locks_only_whom_its_code_was_sent_to(wire: Wire) -> None:
    await wire.oauth_details()
    for _ in range(5):
        assert codes(await wire.authenticate(OTHER, code="0000")) == ["invalid_transaction"]
    assert codes(await wire.authenticate(OTHER, code="0000")) == ["no_attempts_left"]
    assert codes(await wire.authenticate(THIRD, code="0000")) == ["no_attempts_left"]
    assert await sent(wire, OTHER) == []
    assert await sent(wire, THIRD) == []


async def test_sends_that_are_used_up_lock_nobody_else_either(wire: Wire) -> None:
    await wire.oauth_details()
    for _ in range(3):
        await wire.send_otp(OTHER)
    assert codes(await wire.send_otp(THIRD)) == ["no_attempts_left"]
    assert await sent(wire, OTHER) == ["individual_id_blocked"]
    assert await sent(wire, THIRD) == []


async def test_a_used_up_sign_in_counts_for_its_source(wire: Wire) -> None:
    await wire.oauth_details()
    for _ in range(10):
        await wire.authenticate(OTHER, code="0000")
    assert await sent(wire, THIRD) == ["no_attempts_left"]


async def test_another_address_is_another_source(wire: Wire) -> None:
    for n in range(6):
        await sent(wire, f"77777777{n}")
    wire.http.headers["x-forwarded-for"] = "203.0.113.9"  # as a proxy on this machine says it
    assert await sent(wire, OTHER) == []


async def test_no_address_is_kept(wire: Wire, settings: Settings) -> None:
    await sent(wire, OTHER)
    connection = await asyncpg.connect(settings.database.dsn)
    kept = await connection.fetch("select source from esignet.code_strike")
    await connection.close()
    assert [len(row["source"]) for row in kept] == [16]
    assert b"127.0.0.1" not in kept[0]["source"]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_household_is_one_source(host: str, counted: str) -> None:
    assert network(host) == counted
