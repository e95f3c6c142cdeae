"""The sign-in page in a real browser, at the width of a small phone, by keyboard where it matters."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from esignet_wire import ACR, MOTHER, REDIRECT, RelyingParty, claims_in
from janani.settings import Settings
from journey.browser import chromium

pytestmark = pytest.mark.journey
CLAIMS = '{"userinfo":{"name":{"essential":true},"phone_number":null,"address":null}}'
SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
        context.set_default_timeout(60_000)
        page = await context.new_page()
        await page.route(f"{REDIRECT}*", lambda route: route.fulfill(body="back at the portal"))
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        yield page
        await browser.close()
        assert faults == []


def link(http: httpx.AsyncClient, **changes: str) -> str:
    query = {
        "client_id": "anc-portal",
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid",
        "state": "st/1 &",
        "nonce": "n-1",
        "acr_values": ACR,
        "claims": CLAIMS,
    } | changes
    return f"{http.base_url}/authorize?{urlencode(query)}".replace("//authorize", "/authorize")


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=f"{SHOTS}/esignet-{name}.png", full_page=True)


async def to_code(page: Page, number: str = MOTHER, channel: str = "phone") -> None:
    await page.get_by_label("National ID number").fill(number)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Where should we send your code?")).to_be_focused()
    await page.locator(f"#channel-{channel}").check(force=True)
    await shot(page, "channel")
    await page.get_by_role("button", name="Send the code").click()


async def back_with(page: Page) -> dict[str, str]:
    await page.wait_for_url(f"{REDIRECT}*")
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def test_number_code_consent_and_back(page: Page, http: httpx.AsyncClient, rp: RelyingParty) -> None:
    await page.goto(link(http))
    await expect(page.get_by_role("heading", name="ANC Portal wants to verify who you are")).to_be_focused()
    await shot(page, "identifier")
    await to_code(page)
    await expect(page.get_by_text("We sent a code to XXXXXXX34501.")).to_be_visible()
    await expect(page.get_by_text("The code works for 2:5")).to_be_visible()
    await expect(page.get_by_label("Code of 6 digits")).to_be_focused()
    await shot(page, "code")
    await page.keyboard.type("111111")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="ANC Portal asks for")).to_be_focused()
    await expect(page.get_by_text("Required")).to_be_visible()
    await page.get_by_role("switch", name="Phone number").press("Space")
    await expect(page.get_by_role("switch", name="Phone number")).not_to_be_checked()
    await expect(page.get_by_role("switch", name="Address")).to_be_checked()
    await shot(page, "consent")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Share and continue").click()
    back = await back_with(page)
    assert (back["state"], back["iss"]) == ("st/1 &", str(http.base_url).rstrip("/"))
    tokens = (await rp.redeem(back["code"])).json()
    shared: dict[str, Any] = claims_in((await rp.userinfo(tokens["access_token"])).text, await rp.keys())
    assert sorted(set(shared) - {"iss", "aud", "sub"}) == ["address", "name"]


async def test_what_goes_wrong_is_said_where_it_happened(page: Page, http: httpx.AsyncClient, rp: RelyingParty) -> None:
    await page.goto(link(http))
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("alert")).to_contain_text("Enter your national ID number.")
    await to_code(page, "9999999999")
    await expect(page.get_by_role("alert")).to_contain_text("We do not know this number.")
    await expect(page.get_by_label("National ID number")).to_be_focused()
    await to_code(page, "3000000005", "email")
    await expect(page.get_by_role("alert")).to_contain_text("There is no such address on your record.")
    await page.get_by_role("button", name="Back").click()
    await to_code(page)
    await page.get_by_label("Code of 6 digits").fill("12")
    await page.get_by_role("button", name="Confirm the code").click()
    await expect(page.get_by_role("alert")).to_contain_text("Enter the 6 digits of the code.")
    for _ in range(5):
        await page.get_by_label("Code of 6 digits").fill("000000")
        await page.get_by_role("button", name="Confirm the code").click()
        await expect(page.get_by_role("alert")).to_contain_text("That code is not right.")
    await shot(page, "wrong-code")
    await page.get_by_label("Code of 6 digits").fill("111111")
    await page.get_by_role("button", name="Confirm the code").click()
    await expect(page.get_by_role("alert")).to_contain_text("Too many tries.")


async def test_a_reload_loses_nothing(page: Page, http: httpx.AsyncClient, rp: RelyingParty) -> None:
    await page.goto(link(http))
    await to_code(page)
    await expect(page.get_by_label("Code of 6 digits")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("We sent a code to XXXXXXX34501.")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Language").get_by_role("link")).to_have_count(3)
    assert await page.locator("form[aria-busy]").count() == 0
    await expect(page.locator("#code")).to_be_visible()
    await page.locator("#code").fill("111111")
    await page.locator("#code").press("Enter")
    await expect(page.locator("#essential li")).to_have_count(1)
    await page.reload()
    await expect(page.locator("#voluntary li")).to_have_count(2)


async def test_who_refuses_goes_back_with_access_denied(page: Page, http: httpx.AsyncClient, rp: RelyingParty) -> None:
    await page.goto(link(http))
    await to_code(page)
    await page.get_by_label("Code of 6 digits").fill("111111")
    await page.get_by_role("button", name="Confirm the code").click()
    await page.get_by_role("button", name="Do not share").click()
    await expect(page.get_by_role("heading", name="Stop here?")).to_be_focused()
    await page.get_by_role("button", name="No, continue").click()
    await page.get_by_role("button", name="Do not share").click()
    await page.get_by_role("button", name="Yes, stop").click()
    back = await back_with(page)
    assert (back["error"], back["state"], back.get("code")) == ("access_denied", "st/1 &", None)


async def test_a_lapsed_transaction_offers_the_way_back(
    page: Page, http: httpx.AsyncClient, rp: RelyingParty, settings: Settings
) -> None:
    await page.goto(link(http))
    await expect(page.get_by_label("National ID number")).to_be_visible()
    connection = await asyncpg.connect(settings.database.dsn)
    await connection.execute("update esignet.transaction set expires_at = now() - interval '1 second'")
    await connection.close()
    await to_code(page)
    await expect(page.get_by_text("This sign-in took too long.")).to_be_visible()
    await page.get_by_role("button", name="Go back").click()
    assert (await back_with(page))["error"] == "invalid_transaction"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"client_id": "nobody"}, "not registered with us"),
        ({"redirect_uri": "https://evil.example/"}, "The address we should send you back to is not registered."),
        ({"claims": "{"}, "This sign-in link is not right (invalid_claim)."),
    ],
)
async def test_a_bad_link_is_told_and_never_followed(
    page: Page, http: httpx.AsyncClient, rp: RelyingParty, change: dict[str, str], text: str
) -> None:
    await page.goto(link(http, **change))
    await expect(page.get_by_text(text)).to_be_visible()
    await expect(page.get_by_role("button", name="Go back")).to_be_hidden()


async def test_what_runs_out_is_said_before_and_leaves_a_way_on(
    page: Page, http: httpx.AsyncClient, rp: RelyingParty, clock: Any
) -> None:
    await page.clock.install()
    await page.goto(link(http))
    await page.get_by_label("National ID number").fill(MOTHER)
    await page.keyboard.press("Enter")
    await expect(
        page.get_by_text("The code works for 3 min. If that is not enough, ask for a new one.")
    ).to_be_visible()
    await page.get_by_role("button", name="Send the code").click()
    await expect(page.get_by_label("Code of 6 digits")).to_be_focused()
    for left, aloud in ((119, "The code works for 2 min."), (29, "The code works for 30 s.")):
        await page.clock.run_for((180 - left) * 1000 if left == 119 else 90_000)
        await expect(page.locator("#announce")).to_have_text(aloud)
    await page.clock.run_for(31_000)
    clock.pass_seconds(182)  # the server's
    await expect(page.get_by_role("alert")).to_contain_text("This code has expired. Ask for a new one.")
    await expect(page.get_by_role("button", name="Send the code again")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("We sent a new code")).to_be_visible()
    await page.keyboard.type("111111")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("You have 9:5")).to_be_visible()
    await page.clock.run_for(600_000)
    await expect(page.get_by_role("heading", name="This sign-in cannot go on")).to_be_focused()
    await expect(page.get_by_text("The time to decide is over, so nothing was shared.")).to_be_visible()
    await page.get_by_role("button", name="Go back").click()
    assert (await back_with(page))["error"] == "invalid_transaction"


@pytest.mark.parametrize("off", [timedelta(minutes=-50), timedelta(days=400)])
async def test_a_phone_whose_clock_is_wrong_signs_in_all_the_same(
    page: Page, http: httpx.AsyncClient, rp: RelyingParty, off: timedelta
) -> None:
    await page.clock.set_fixed_time(datetime.now(UTC) + off)
    await page.goto(link(http))
    await to_code(page)
    await expect(page.get_by_label("Code of 6 digits")).to_be_focused()
    await page.clock.set_fixed_time(datetime.now(UTC))  # the network sets it meanwhile
    await page.keyboard.type("111111")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="ANC Portal asks for")).to_be_focused()


async def test_who_may_not_be_asked_is_sent_back_at_once(page: Page, http: httpx.AsyncClient, rp: RelyingParty) -> None:
    await page.goto(link(http, prompt="none"))
    back = await back_with(page)
    assert (back["error"], back["state"]) == ("login_required", "st/1 &")
