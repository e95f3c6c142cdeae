"""What time does to a sign-in, how a person is locked, what the sandbox has that production has not."""

import asyncio
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from esignet_wire import API, MOTHER, RelyingParty, Wire, codes
from janani.esignet.app import create_app
from janani.esignet.demo import DemoData
from janani.kernel.secrets import MissingSecret
from janani.settings import Esignet, Settings

pytestmark = pytest.mark.usefixtures("rp")


async def test_a_code_lapses_and_a_new_one_helps(wire: Wire, clock: Any) -> None:
    await wire.oauth_details()
    await wire.send_otp()
    clock.pass_seconds(181)
    assert codes(await wire.authenticate()) == ["auth_failed"]
    await wire.send_otp()
    assert codes(await wire.authenticate()) == []


async def test_a_transaction_lapses_at_every_stage(wire: Wire, clock: Any) -> None:
    await wire.oauth_details()
    clock.pass_seconds(601)
    assert codes(await wire.send_otp()) == ["invalid_transaction"]
    await wire.oauth_details()
    await wire.send_otp()
    await wire.authenticate()
    clock.pass_seconds(601)
    assert codes(await wire.auth_code()) == ["invalid_transaction"]


async def test_a_code_of_the_relying_party_lapses(wire: Wire, rp: RelyingParty, clock: Any) -> None:
    code = await wire.code()
    clock.pass_seconds(301)
    assertion = await rp.assertion(exp=int(clock().timestamp()) + 60)
    assert (await rp.redeem(code, client_assertion=assertion)).json()["error"] == "invalid_grant"


async def test_an_access_token_lapses(wire: Wire, rp: RelyingParty, clock: Any) -> None:
    tokens = (await rp.redeem(await wire.code())).json()
    assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    clock.pass_seconds(3601)
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401


async def test_wrong_codes_lock_the_person_in_every_transaction_for_a_while(wire: Wire, clock: Any) -> None:
    for wrong in (2, 3):  # 5 in all, over two transactions
        await wire.oauth_details()
        await wire.send_otp()
        for _ in range(wrong):
            assert codes(await wire.authenticate(code="000000")) == ["auth_failed"]
    assert codes(await wire.authenticate()) == ["individual_id_blocked"]
    await wire.oauth_details()
    assert codes(await wire.send_otp()) == ["individual_id_blocked"]
    assert codes(await wire.send_otp("3000000002")) == []
    clock.pass_seconds(901)
    await wire.oauth_details()
    assert codes(await wire.send_otp()) == []
    assert codes(await wire.authenticate()) == []


async def test_more_tries_than_a_transaction_has(wire: Wire, clock: Any) -> None:
    await wire.oauth_details()
    await wire.send_otp()
    for _ in range(5):
        assert codes(await wire.authenticate(code="000000")) == ["auth_failed"]
    assert codes(await wire.authenticate()) == ["no_attempts_left"]


async def test_codes_tried_at_once_are_counted_like_those_tried_in_turn(wire: Wire) -> None:
    await wire.oauth_details()
    await wire.send_otp()
    answers = await asyncio.gather(*(wire.authenticate(code=f"{number:06d}") for number in range(12)))
    outcomes = [codes(answer)[0] for answer in answers]
    assert 1 <= outcomes.count("auth_failed") <= 5
    assert set(outcomes) <= {"auth_failed", "no_attempts_left", "individual_id_blocked"}
    assert codes(await wire.authenticate()) in (["no_attempts_left"], ["individual_id_blocked"])


async def test_a_right_code_forgets_the_wrong_ones(wire: Wire) -> None:
    for _ in range(3):
        await wire.oauth_details()
        await wire.send_otp()
        for _ in range(3):
            assert codes(await wire.authenticate(code="000000")) == ["auth_failed"]
        assert codes(await wire.authenticate()) == []


async def test_the_code_that_was_sent_works_and_the_one_before_it_does_not(
    wire: Wire, http: httpx.AsyncClient, settings: Settings
) -> None:
    await wire.oauth_details(uiLocales="en")
    await wire.send_otp(channels=["phone"])
    await wire.send_otp(channels=["email"])
    connection = await asyncpg.connect(settings.database.dsn)
    sent = [row["text"][:6] for row in await connection.fetch("select text from esignet.inbox order by id")]
    kept = await connection.fetchval("select encode(otp_hash, 'escape') from esignet.transaction")
    await connection.close()
    assert sent[1] not in kept
    page = await http.get("/sandbox/inbox")
    assert sent[0] in page.text
    assert sent[1] in page.text
    if sent[0] != sent[1]:
        assert codes(await wire.authenticate(code=sent[0])) == ["auth_failed"]
    assert codes(await wire.authenticate(code=sent[1])) == []


async def test_the_audit_trail_has_each_step_and_no_number_or_name(
    wire: Wire, rp: RelyingParty, settings: Settings
) -> None:
    tokens = (await rp.redeem(await wire.code("name", claims={"userinfo": {"name": None}}))).json()
    await rp.userinfo(tokens["access_token"])
    connection = await asyncpg.connect(settings.database.dsn)
    rows = await connection.fetch("select * from esignet.audit where transaction_number is not null order by id")
    await connection.close()
    assert [row["event"] for row in rows] == [
        "sign_in_started",
        "otp_sent",
        "authenticated",
        "consented",
        "tokens_given",
        "userinfo_given",
    ]
    text = str([dict(row) for row in rows])
    assert MOTHER not in text
    assert "Kumari" not in text


async def test_a_second_start_finds_everything_as_it_was(settings: Settings, http: httpx.AsyncClient) -> None:
    connection = await asyncpg.connect(settings.database.dsn)
    counts = "select (select count(*) from esignet.person), (select count(*) from esignet.client)"
    before = await connection.fetchrow(counts)
    app = create_app(settings)
    async with app.lifespan():
        pass
    assert await connection.fetchrow(counts) == before
    await connection.close()


class TestProduction:
    """No demo people, client, inbox or code; and no start without its keys."""

    @pytest.fixture
    def production(self, settings: Settings) -> Settings:
        options = Esignet(url="https://id.example", wildcard_redirects=False)
        return msgspec.structs.replace(settings, profile="production", esignet=options)

    async def test_it_starts_with_its_keys_only(self, production: Settings, tmp_path: Any) -> None:
        without = msgspec.structs.replace(production, home=str(tmp_path / "empty"))
        with pytest.raises(ExceptionGroup) as found:
            async with create_app(without).lifespan():
                pass
        assert found.value.subgroup(MissingSecret)

    async def test_it_refuses_the_sandboxs_database(self, production: Settings) -> None:
        with pytest.raises(ExceptionGroup) as found:
            async with create_app(production).lifespan():
                pass
        assert found.value.subgroup(DemoData)

    async def test_it_has_no_inbox(self, production: Settings) -> None:
        app = create_app(production)
        paths = {route.path for route in app.routes}
        assert "/sandbox/inbox" not in paths
        assert f"{API}/oauth/v2/token" in paths
