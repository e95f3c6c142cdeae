"""What a person agreed to: asked again only for more, shown to her, taken back, and told to who asked."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest
from joserfc import jwt
from litestar import Litestar, Request, Response, post

from esignet_wire import MOTHER, RelyingParty, Wire, codes, free_socket, serving
from janani.esignet import notices
from janani.settings import Settings

ASKED = {"claims": {"userinfo": {"name": {"essential": True}, "phone_number": None, "address": None}}}


class Receiver:
    """A client's own address for withdrawals; answers what the test says."""

    def __init__(self) -> None:
        self.url, self.status = "", 202
        self.events: list[str] = []

    async def wait_for(self, count: int) -> None:
        for _ in range(1200):
            if len(self.events) >= count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(self.events)} events, not {count}")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()

    @post("/events")
    async def take(request: Request[Any, Any, Any]) -> Response[bytes]:
        assert request.headers["content-type"] == "application/secevent+jwt"
        found.events.append((await request.body()).decode())
        return Response(b"", status_code=found.status)

    listening = free_socket()
    found.url = f"http://localhost:{listening.getsockname()[1]}/events"
    async with serving(Litestar([take]), listening):
        yield found


async def action_of(wire: Wire, **request: Any) -> str:
    assert not codes(await wire.oauth_details(**request))
    await wire.send_otp()
    return str((await wire.authenticate()).json()["response"]["consentAction"])


async def at_consents(http: httpx.AsyncClient, settings: Settings, person: str = MOTHER) -> httpx.AsyncClient:
    """A browser that has signed in at /consents."""
    browser = httpx.AsyncClient(base_url=http.base_url, trust_env=False)
    query = parse_qs(urlsplit((await browser.get("/consents/sign-in")).headers["location"]).query)
    wire = Wire(browser)
    code = await wire.code(
        person=person,
        clientId=query["client_id"][0],
        redirectUri=query["redirect_uri"][0],
        state=query["state"][0],
        nonce=query["nonce"][0],
        codeChallenge=query["code_challenge"][0],
        codeChallengeMethod="S256",
    )
    answer = await browser.get("/consents/callback", params={"code": code, "state": query["state"][0]})
    assert answer.headers["location"] == "/consents?ui_locales=en"
    return browser


async def consent_on(page: httpx.Response) -> str:
    return page.text.partition("/consents/withdraw?consent=")[2].partition('"')[0]


async def test_the_same_or_less_is_not_asked_again_but_more_is(wire: Wire, rp: RelyingParty) -> None:
    await wire.code("name", "phone_number", **ASKED)
    assert await action_of(wire, **ASKED) == "NOCAPTURE"
    assert await action_of(wire, claims={"userinfo": {"name": None}}) == "NOCAPTURE"
    more = {"userinfo": {**ASKED["claims"]["userinfo"], "email": None}}
    assert await action_of(wire, claims=more) == "CAPTURE"
    purpose = {"userinfo": {"name": {"purpose": "to send advertising"}}}
    assert await action_of(wire, claims=purpose) == "CAPTURE"
    assert await action_of(wire, claims={"userinfo": {"address": {"essential": True}}}) == "CAPTURE"
    assert await action_of(wire, scope="openid Manage-VID", **ASKED) == "CAPTURE"


async def test_less_gives_only_what_is_asked_now(wire: Wire, rp: RelyingParty) -> None:
    await wire.code("name", "phone_number", **ASKED)
    code = await wire.code(claims={"userinfo": {"phone_number": None}})
    shared = await rp.userinfo((await rp.redeem(code)).json()["access_token"])
    claims = jwt.decode(shared.text, await rp.keys()).claims
    assert "phone_number" in claims
    assert "name" not in claims


async def test_she_sees_who_may_see_what_and_since_when(
    http: httpx.AsyncClient, wire: Wire, rp: RelyingParty, settings: Settings
) -> None:
    await rp.redeem(await wire.code("name", "phone_number", **ASKED))
    browser = await at_consents(http, settings)
    page = await browser.get("/consents")
    for words in ("ANC Portal", "Name", "Phone number", "Since "):
        assert words in page.text
    assert "Address" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    other = await at_consents(http, settings, person="3000000002")
    assert "No service may see your data now." in (await other.get("/consents")).text


async def test_withdrawal_ends_tokens_and_codes_at_once_and_asks_again(
    http: httpx.AsyncClient, wire: Wire, rp: RelyingParty, settings: Settings
) -> None:
    token = (await rp.redeem(await wire.code("name", **ASKED))).json()["access_token"]
    waiting = await wire.code(**ASKED)  # not redeemed yet
    assert await action_of(wire, **ASKED) == "NOCAPTURE"  # and one between authenticate and auth-code
    browser = await at_consents(http, settings)
    number = await consent_on(await browser.get("/consents"))

    stranger = await at_consents(http, settings, person="3000000002")
    await stranger.post("/consents/withdraw", data={"consent": number})
    assert (await rp.userinfo(token)).status_code == 200

    asked = await browser.get("/consents/withdraw", params={"consent": number})
    assert "can no longer ask us for your data" in asked.text
    done = await browser.post("/consents/withdraw", data={"consent": number}, follow_redirects=True)
    assert "ANC Portal may no longer see your data." in done.text
    refused = await rp.userinfo(token)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'error="invalid_token"')
    assert (await rp.redeem(waiting)).json()["error"] == "invalid_grant"
    assert codes(await wire.auth_code()) == ["invalid_transaction"]
    assert await action_of(wire, **ASKED) == "CAPTURE"


async def test_a_client_is_told_with_a_signed_event_until_it_takes_it(
    http: httpx.AsyncClient, wire: Wire, rp: RelyingParty, settings: Settings, receiver: Receiver, clock: Any
) -> None:
    config = {"consent_webhook_uri": receiver.url}
    changed = rp.registration(additionalConfig=config, status="ACTIVE")
    for name in ("clientId", "publicKey", "relyingPartyId"):
        del changed[name]
    assert not codes(await rp.manage(changed, put=True))
    details = (await wire.oauth_details(**ASKED)).json()["response"]
    assert "consent_webhook_uri" not in str(details)
    tokens = (await rp.redeem(await wire.finish("name"))).json()
    subject = jwt.decode(tokens["id_token"], await rp.keys()).claims["sub"]

    receiver.status = 503
    browser = await at_consents(http, settings)
    number = await consent_on(await browser.get("/consents"))
    await browser.post("/consents/withdraw", data={"consent": number})
    await receiver.wait_for(1)
    receiver.status = 202
    clock.pass_seconds(notices.FIRST_WAIT.total_seconds() + 1)
    await receiver.wait_for(2)
    keys = await rp.keys()
    first, second = [jwt.decode(one, keys) for one in receiver.events]
    assert first.claims["jti"] == second.claims["jti"]
    assert second.header["typ"] == "secevent+jwt"
    assert second.claims["aud"] == rp.client_id
    assert second.claims["sub_id"]["sub"] == subject
    assert second.claims["events"] == {notices.WITHDRAWN: {"claims": ["name"], "scopes": []}}

    connection = await asyncpg.connect(settings.database.dsn)
    rows: list[Any] = []
    while len(rows) < 2:  # noted once the answer has come
        rows = await connection.fetch("select outcome from esignet.audit where event = 'withdrawal_told' order by id")
    left = await connection.fetchval("select count(*) from esignet.consent_notice where next_try_at is not null")
    await connection.close()
    assert [row["outcome"] for row in rows] == ["put_off", "ok"]
    assert left == 0


_UNCALLABLE = ["https://localhost:70000/x", "https://localhost:x/", "https://xn--/"]


@pytest.mark.parametrize("address", _UNCALLABLE)
async def test_an_address_that_can_not_be_called_is_a_fault_of_its_own_notice(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(notices, "event", lambda *_: "an event")
    async with httpx.AsyncClient(trust_env=False) as client:
        idp: Any = SimpleNamespace(http=client)
        row: Any = {"address": address}
        assert await notices._push(idp, row)


@pytest.mark.parametrize(
    "address",
    ["http://other.example/x", "ftp://localhost/x", "https://u@a.example/", "x", 7, *_UNCALLABLE],
)
async def test_an_address_for_withdrawals_is_https_or_this_machine(
    rp: RelyingParty, http: httpx.AsyncClient, address: Any
) -> None:
    other = RelyingParty(http, rp.bearer, "other")
    answer = await other.manage(other.registration(additionalConfig={"consent_webhook_uri": address}))
    assert codes(answer) == ["invalid_additional_config"]


@pytest.mark.parametrize("missing", ["state", "browser", "client"])
async def test_the_page_takes_no_code_of_another_browser_or_client(
    http: httpx.AsyncClient, wire: Wire, rp: RelyingParty, settings: Settings, missing: str
) -> None:
    browser = httpx.AsyncClient(base_url=http.base_url, trust_env=False)
    query = parse_qs(urlsplit((await browser.get("/consents/sign-in")).headers["location"]).query)
    if missing == "client":
        code = await wire.code(state=query["state"][0])
    else:
        code = await wire.code(
            clientId="esignet-consents",
            redirectUri=query["redirect_uri"][0],
            codeChallenge=query["code_challenge"][0],
            codeChallengeMethod="S256",
        )
    sent = {"code": code, "state": "forged" if missing == "state" else query["state"][0]}
    opened = httpx.AsyncClient(base_url=http.base_url, trust_env=False) if missing == "browser" else browser
    answer = await opened.get("/consents/callback", params=sent)
    assert answer.status_code == 303
    assert "esignet_consents" not in {cookie.name for cookie in opened.cookies.jar}


async def test_another_site_withdraws_nothing(
    http: httpx.AsyncClient, wire: Wire, rp: RelyingParty, settings: Settings
) -> None:
    await wire.code("name", **ASKED)
    browser = await at_consents(http, settings)
    number = await consent_on(await browser.get("/consents"))
    forged = await browser.post(
        "/consents/withdraw", data={"consent": number}, headers={"sec-fetch-site": "cross-site"}
    )
    assert forged.status_code == 403
    assert await action_of(wire, **ASKED) == "NOCAPTURE"


async def test_the_session_ends(http: httpx.AsyncClient, rp: RelyingParty, settings: Settings, clock: Any) -> None:
    browser = await at_consents(http, settings)
    await browser.post("/consents/sign-out")
    assert "Signed in:" not in (await browser.get("/consents")).text
    browser = await at_consents(http, settings)
    assert "Signed in: Kumari Dissanayake." in (await browser.get("/consents")).text
    clock.pass_seconds(601)
    assert "Signed in:" not in (await browser.get("/consents")).text
