"""What only a real browser shows: eSignet's window blocked, closed, mixed up, refused; keeping; the Enter key."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Error, expect

from journey.browser import chromium
from journey.walking import ARGUMENTS, DESKTOP, Page, async_playwright, shot, sign_in
from portals_walk import NIRMALA
from system import System

pytestmark = pytest.mark.journey
SELVI = "3000000003"


@pytest.fixture
async def page(system: System) -> AsyncIterator[Page]:
    """An empty registration form of a midwife who is logged in."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
        context.set_default_timeout(60_000)
        one = await context.new_page()
        await one.goto(system.url("portals") + "/midwife/login")
        await log_in(one)
        await one.get_by_role("button", name="New registration").click()
        await one.get_by_role("heading", name="New registration").wait_for()
        yield one
        await browser.close()


async def log_in(page: Page) -> None:
    """Number and code; eSignet asks for consent the first time only."""
    await page.get_by_label("National ID number").fill(NIRMALA)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("button", name="Send the code").click()
    await page.get_by_label("Code of 6 digits").fill("111111")
    await page.get_by_role("button", name="Confirm the code").click()
    home, share = page.get_by_role("heading", name="My mothers"), page.get_by_role("button", name="Share and continue")
    await home.or_(share).wait_for()
    if await share.is_visible():
        await share.click()


async def opened(page: Page) -> Page:
    """eSignet's window, after pressing the button."""
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    return popup


async def test_what_is_typed_is_kept_and_enter_sends_nothing(page: Page) -> None:
    await page.get_by_label("Full Name").fill("Kept As I Go")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    await page.get_by_label("Full Name").press("Enter")
    await page.wait_for_timeout(300)
    assert len(page.context.pages) == 1
    await page.reload()
    await expect(page.get_by_label("Full Name")).to_have_value("Kept As I Go")


async def test_a_blocked_window_offers_this_window(page: Page) -> None:
    await page.evaluate("window.open = () => null")
    await page.get_by_label("Full Name").fill("Typed Before")
    await page.get_by_label("Husband's name").fill("Also Typed")
    await page.get_by_role("button", name="Verify with National ID").click()
    await expect(page.get_by_text("The browser blocked the window")).to_be_visible()
    await shot(page, "midwife-bad-blocked")
    await page.get_by_role("button", name="Verify in this window").click()
    await shot(page, "midwife-same-window")
    await page.get_by_role("button", name="Go to eSignet").click()
    await sign_in(page, SELVI)
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()
    await expect(page.get_by_label("Full Name")).to_have_value("Selvi Rajaratnam")
    await expect(page.get_by_label("Husband's name")).to_have_value("Also Typed")
    await page.wait_for_load_state()  # its script listens from now on
    mark = page.locator("label", has_text="Full Name").get_by_text("verified")
    await page.get_by_label("Full Name").fill("Selvi R")
    await expect(mark).to_be_hidden()


async def test_a_window_closed_half_way_can_be_opened_again(page: Page) -> None:
    popup = await opened(page)
    await expect(page.get_by_text("Waiting for her in the other window")).to_be_visible()
    await popup.close()
    await expect(page.get_by_text("was closed before it was finished")).to_be_visible()
    await shot(page, "midwife-bad-closed")
    await (await opened(page)).close()


async def test_an_answer_to_another_attempt_is_not_taken(page: Page, system: System) -> None:
    popup = await opened(page)
    begin = await page.locator("form[data-draft]").get_attribute("data-begin")
    other = await page.evaluate(
        "url => fetch(url, {method: 'POST', headers: {accept: 'application/json'}}).then(answer => answer.json())",
        begin,
    )
    with contextlib.suppress(Error):  # the window closes as soon as it has answered
        await popup.goto(f"{system.url('portals')}/midwife/identity/callback?code=x&state={other['state']}")
    await expect(page.get_by_text("belongs to another attempt")).to_be_visible()


async def test_a_message_from_another_origin_is_not_heard(page: Page) -> None:
    popup = await opened(page)
    await popup.evaluate("window.opener?.postMessage({type: 'janani-identity', code: 'x', state: 'x'}, '*')")
    await page.wait_for_timeout(300)
    await expect(page.get_by_text("Waiting for her in the other window")).to_be_visible()


async def test_refusing_at_esignet_comes_back_to_the_form(page: Page) -> None:
    popup = await opened(page)
    await popup.get_by_role("button", name="Cancel").first.click()
    await popup.get_by_role("button", name="Yes, stop").click()
    await expect(page.get_by_text("She chose not to share her identity")).to_be_visible()
    await shot(page, "midwife-bad-refused")
    await page.get_by_role("button", name="Verify at the next visit").click()
    await expect(page.get_by_text("Her identity will be verified at the next visit")).to_be_visible()
