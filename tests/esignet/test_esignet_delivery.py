"""Outside the sandbox codes go by SMTP and an HTTP gateway: a durable row first, tried again, dropped when too late."""

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from esignet_smtp import FakeSmtp, fake_smtp
from esignet_wire import MOTHER, RelyingParty, Wire, codes, free_socket, serving
from janani import programmes
from janani import settings as configuration
from janani.esignet import delivery, gateways
from janani.esignet.app import create_app
from janani.esignet.gateways import Message, NotSent
from janani.esignet.identity import EMAIL
from janani.esignet.people_file import load
from janani.esignet.provider import Provider
from janani.kernel import postgres
from janani.kernel.jose import signing_key
from janani.kernel.secrets import secret, write_private
from janani.settings import Esignet, InvalidSettings, Settings

HELLO = Message("k@mothers.example", "Your code", 'It\'s "246810" & no more')

_WORK = delivery.work  # before a fixture puts it to sleep


class Gateway:
    """A gateway of text messages: what it was posted, and what it answers next."""

    def __init__(self) -> None:
        self.posted: list[httpx.Request] = []
        self.answers: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(request)
        status = self.answers.pop(0) if self.answers else 202
        if not status:
            raise httpx.ConnectError("down", request=request)
        return httpx.Response(status, text="no: " + request.content.decode())

    @property
    def texts(self) -> list[str]:
        return [msgspec.json.decode(request.content)["text"] for request in self.posted]


@pytest.fixture
async def smtp() -> AsyncIterator[FakeSmtp]:
    async with fake_smtp() as fake:
        yield fake


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def production(settings: Settings, smtp: FakeSmtp) -> Settings:
    options = Esignet(
        url="https://id.example",
        wildcard_redirects=False,
        smtp_url=f"smtp://127.0.0.1:{smtp.port}",
        smtp_from="Identity <no-reply@id.example>",
        sms_url="https://sms.example/send",
    )
    write_private(settings.secrets / "esignet-sms", b"t0ken")
    return msgspec.structs.replace(settings, profile="production", esignet=options)


@pytest.fixture
async def idp(production: Settings, gateway: Gateway, clock: Any) -> AsyncIterator[tuple[Provider, Wire]]:
    """The provider in production with the demo people as its own, and a browser; its worker does not run by itself."""
    signing_key(production.secrets / "esignet.pem", create=True)
    for name in ("esignet-pairwise", "esignet-clients-token"):
        secret(production.secrets, name, create=True)
    pool = await postgres.open_pool(production.database.dsn, "esignet", max_size=1)
    await load(pool, programmes.folder("anc_lk") / "demo" / "people.yaml", clock())
    await pool.close()
    listening = free_socket()
    url = f"http://localhost:{listening.getsockname()[1]}"
    options = msgspec.structs.replace(production.esignet, url=url)
    app = create_app(msgspec.structs.replace(production, esignet=options), clock)

    async def asleep(_: Provider) -> None:
        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "work", asleep)
        async with serving(app, listening), httpx.AsyncClient(base_url=url, trust_env=False) as browser:
            transport = httpx.AsyncClient(transport=httpx.MockTransport(gateway))
            app.state.idp = dataclasses.replace(app.state.idp, http=transport)
            token = secret(production.secrets, "esignet-clients-token", create=False)
            party = RelyingParty(browser, token)
            assert codes(await party.manage(party.registration())) == []
            yield app.state.idp, Wire(browser, clock)


async def waiting(idp: Provider) -> int:
    return int(await idp.pool.fetchval("select count(*) from delivery"))


async def ends(idp: Provider) -> list[tuple[str, str]]:
    found = "select event, outcome from audit where event in ('otp_delivered', 'otp_dropped') order by id"
    return [(row["event"], row["outcome"]) for row in await idp.pool.fetch(found)]


async def test_a_code_goes_both_ways_and_signs_her_in(
    idp: tuple[Provider, Wire], gateway: Gateway, smtp: FakeSmtp
) -> None:
    provider, wire = idp
    await wire.oauth_details(uiLocales="si")
    answer = await wire.send_otp()
    assert codes(answer) == []
    assert await waiting(provider) == 2
    assert await delivery.send_due(provider) == 2
    code = re.findall(r"\d{6}", gateway.texts[0])[0]
    assert gateway.posted[0].headers["authorization"] == "Bearer t0ken"
    assert code in smtp.mails[0].get_content()
    assert code not in str(smtp.mails[0]["Subject"])
    assert smtp.mails[0]["From"] == "Identity <no-reply@id.example>"
    assert await waiting(provider) == 0
    assert sorted(await ends(provider)) == [("otp_delivered", "email"), ("otp_delivered", "phone")]
    assert codes(await wire.authenticate(code="111111" if code != "111111" else "222222")) == ["auth_failed"]
    assert codes(await wire.authenticate(code=code)) == []


async def test_what_waits_is_sealed(idp: tuple[Provider, Wire], gateway: Gateway) -> None:
    provider, wire = idp
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    sealed = bytes(await provider.pool.fetchval("select sealed from delivery"))
    await delivery.send_due(provider)
    sent = msgspec.json.decode(gateway.posted[0].content)
    assert sent["to"].encode() not in sealed
    assert re.findall(r"\d{6}", sent["text"])[0].encode() not in sealed


async def test_a_gateway_that_is_down_is_tried_again_later_and_nothing_is_logged_of_her(
    idp: tuple[Provider, Wire], gateway: Gateway, clock: Any
) -> None:
    provider, wire = idp
    gateway.answers = [0, 503, 202]
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    with capture_logs() as logs:
        assert await delivery.send_due(provider) == 1
        assert await delivery.send_due(provider) == 0
        clock.pass_seconds(2.1)
        assert await delivery.send_due(provider) == 1
        clock.pass_seconds(4.1)
        assert await delivery.send_due(provider) == 1
    assert await ends(provider) == [("otp_delivered", "phone")]
    assert [line["reason"] for line in logs] == ["ConnectError", "http_503"]
    said = str(logs)
    assert "+94" not in said
    assert not re.search(r"\b\d{6}\b", said)
    assert len(set(gateway.texts)) == 1


async def test_a_code_that_lapsed_is_not_sent(idp: tuple[Provider, Wire], gateway: Gateway, clock: Any) -> None:
    provider, wire = idp
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    clock.pass_seconds(181)
    await delivery.send_due(provider)
    assert gateway.posted == []
    assert await ends(provider) == [("otp_dropped", "lapsed")]


async def test_it_is_dropped_when_the_next_try_would_be_too_late(
    idp: tuple[Provider, Wire], gateway: Gateway, clock: Any
) -> None:
    provider, wire = idp
    gateway.answers = [500]
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    clock.pass_seconds(179)
    await delivery.send_due(provider)
    assert await ends(provider) == [("otp_dropped", "http_500")]
    assert await waiting(provider) == 0


async def test_what_is_refused_for_good_is_not_tried_again(
    idp: tuple[Provider, Wire], gateway: Gateway, smtp: FakeSmtp
) -> None:
    provider, wire = idp
    gateway.answers, smtp.refuse = [400], "550"
    await wire.oauth_details()
    await wire.send_otp()
    await delivery.send_due(provider)
    assert sorted(await ends(provider)) == [("otp_dropped", "http_400"), ("otp_dropped", "smtp_550")]


async def test_an_address_no_mail_can_have_ends_its_own_message_only(
    idp: tuple[Provider, Wire], gateway: Gateway, smtp: FakeSmtp
) -> None:
    provider, wire = idp
    await provider.pool.execute(
        """update person set identity = identity || '{"email": "silva@example.lk."}' where individual_id = $1""", MOTHER
    )
    await wire.oauth_details()
    await wire.send_otp()
    assert await delivery.send_due(provider) == 2
    assert sorted(await ends(provider)) == [("otp_delivered", "phone"), ("otp_dropped", "bad_address")]
    assert (len(gateway.posted), smtp.calls) == (1, 0)


async def test_what_nobody_foresaw_puts_one_message_off_and_ends_no_worker(
    idp: tuple[Provider, Wire], gateway: Gateway, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    provider, wire = idp

    def broken(*_: Any) -> None:
        raise KeyError(MOTHER)

    await wire.oauth_details()
    await wire.send_otp()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(gateways, "_mail", broken)
        assert await delivery.send_due(provider) == 2
    assert await ends(provider) == [("otp_delivered", "phone")]
    assert {"code_not_sendable", "code_not_sent"} == {line["event"] for line in logs}
    assert MOTHER not in str(logs)
    clock.pass_seconds(2.1)
    await delivery.send_due(provider)
    assert ("otp_delivered", "email") in await ends(provider)


@pytest.mark.parametrize("address", ["silva@example.lk.", "silva@example..lk", "silva@.lk", "silva@example"])
def test_a_domain_has_no_empty_label(address: str) -> None:
    assert re.fullmatch(EMAIL, "silva@mail.example.lk")
    assert not re.fullmatch(EMAIL, address)


async def test_a_mail_server_that_asks_to_wait_is_asked_again(
    idp: tuple[Provider, Wire], smtp: FakeSmtp, clock: Any
) -> None:
    provider, wire = idp
    smtp.refuse = "451"
    await wire.oauth_details()
    await wire.send_otp(channels=["email"])
    await delivery.send_due(provider)
    smtp.refuse = ""
    clock.pass_seconds(2.1)
    await delivery.send_due(provider)
    assert (smtp.calls, len(smtp.mails)) == (2, 1)


async def test_a_new_code_takes_the_place_of_one_that_still_waits(idp: tuple[Provider, Wire], gateway: Gateway) -> None:
    provider, wire = idp
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    await wire.send_otp(channels=["phone"])
    assert await delivery.send_due(provider) == 1
    assert codes(await wire.authenticate(code=re.findall(r"\d{6}", gateway.texts[0])[0])) == []


async def test_a_process_that_died_while_sending_leaves_it_to_another(
    idp: tuple[Provider, Wire], gateway: Gateway, clock: Any
) -> None:
    provider, wire = idp
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    now = clock()
    leased = [
        row async for row in delivery.CODES.claim_deliveries(provider.pool, now=now, leased_until=now + delivery.LEASE)
    ]
    assert len(leased) == 1
    assert await delivery.send_due(provider) == 0
    clock.pass_seconds(delivery.LEASE.total_seconds() + 1)
    assert await delivery.send_due(provider) == 1
    assert len(gateway.posted) == 1


async def test_without_a_gateway_for_it_a_channel_fails(idp: tuple[Provider, Wire]) -> None:
    provider, wire = idp
    lonely = msgspec.structs.replace(provider.options, sms_url="")
    object.__setattr__(provider, "settings", msgspec.structs.replace(provider.settings, esignet=lonely))
    await wire.oauth_details()
    assert codes(await wire.send_otp(channels=["phone"])) == ["send_otp_failed"]
    answer = await wire.send_otp()
    assert answer.json()["response"]["maskedMobile"] is None
    assert await waiting(provider) == 1


async def test_wherever_her_code_is_it_is_not_in_the_trail(idp: tuple[Provider, Wire], gateway: Gateway) -> None:
    provider, wire = idp
    await wire.oauth_details()
    await wire.send_otp(channels=["phone"])
    await delivery.send_due(provider)
    rows = str([dict(row) for row in await provider.pool.fetch("select event, outcome, reason from audit")])
    assert re.findall(r"\d{6}", gateway.texts[0])[0] not in rows
    assert MOTHER not in rows


@pytest.mark.parametrize(
    ("template", "kind", "body"),
    [
        ('{"to":"{to}","text":"{text}"}', "json", '{"to":"k@mothers.example","text":"It\'s \\"246810\\" & no more"}'),
        ("to={to}&msg={text}", "form", "to=k%40mothers.example&msg=It%27s%20%22246810%22%20%26%20no%20more"),
    ],
)
def test_a_template_is_filled_in_and_escaped(template: str, kind: str, body: str) -> None:
    assert gateways.sms_body(template, kind, HELLO) == body.encode()


def test_a_text_that_looks_like_a_template_is_only_text() -> None:
    assert gateways.sms_body("{text}|{to}", "form", Message("1", "", "{to}")) == b"%7Bto%7D|1"


def test_it_waits_longer_each_time_and_never_over_half_a_minute() -> None:
    assert [delivery.wait_after(tries).total_seconds() for tries in (1, 2, 3, 4, 5, 99)] == [2, 4, 8, 16, 30, 30]


async def test_an_unreachable_mail_server_is_a_reason_to_try_again(production: Settings, tmp_path: Path) -> None:
    nowhere = msgspec.structs.replace(production.esignet, smtp_url="smtp://127.0.0.1:1")
    with pytest.raises(NotSent) as found:
        await gateways.send(msgspec.structs.replace(production, esignet=nowhere), httpx.AsyncClient(), "email", HELLO)
    assert not found.value.final
    assert found.value.reason == "ConnectionRefusedError"


async def test_no_code_goes_in_clear_to_another_machine(
    production: Settings, smtp: FakeSmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "_LOOPBACK", ())  # as if the mail server, which knows no STARTTLS, were elsewhere
    with pytest.raises(NotSent, match="SMTPNotSupportedError"):
        await gateways.send(production, httpx.AsyncClient(), "email", HELLO)
    assert smtp.mails == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('smtp_url = "smtp://codes:secret@mail.example:587"', "esignet.smtp_url: "),
        ('smtp_url = "smtp://mail.example"', "esignet.smtp_from is missing"),
        ('sms_url = "http://sms.example/send"', "production needs https"),
        ('sms_url = "https://sms.example/send"\nsms_body = "{text}"', "esignet.sms_body lacks {to}."),
        ("otp_length = 3", "esignet.otp_length = 3: 4 to 10 digits."),
    ],
)
def test_a_gateway_that_can_not_be_right_is_refused_at_start(tmp_path: Path, line: str, fault: str) -> None:
    file = tmp_path / "janani.toml"
    file.write_text(f'profile = "production"\n[esignet]\n{line}\n')
    with pytest.raises(InvalidSettings) as found:
        configuration.load(file, {"JANANI_HOME": str(tmp_path)})
    assert fault in str(found.value)


async def test_it_is_sent_by_itself_while_the_application_runs(idp: tuple[Provider, Wire], gateway: Gateway) -> None:
    provider, wire = idp
    worker = asyncio.create_task(_WORK(provider))
    try:
        await wire.oauth_details()
        await wire.send_otp(channels=["phone"])
        async with asyncio.timeout(60):
            while not gateway.posted:
                await asyncio.sleep(0.02)
    finally:
        worker.cancel()
