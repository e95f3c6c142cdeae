"""A mother signs in on her own phone: two browsers, one waiting for the other; with scripts and without."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, expect

from journey.browser import chromium
from journey.walking import ARGUMENTS, DESKTOP, PHONE, Page, async_playwright, midwife_page, shot, sign_in
from system import System, a_system

pytestmark = pytest.mark.journey
SELVI, MALINI = "3000000003", "3000000002"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with a_system("--no-demo") as one:
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield one
        await one.close()


async def waiting_page(system: System, browser: Browser, *, scripts: bool = True) -> Page:
    """The midwife's screen with the code on it; she has typed something before."""
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(60_000)
    page = await midwife_page(system, context)
    await page.get_by_role("button", name="New registration").click()
    await page.get_by_label("Husband's name").fill("Typed Before")
    if not scripts:
        await context.route("**/assets/midwife.js", lambda route: route.abort())
        await page.reload()
        await page.get_by_label("Husband's name").fill("Typed Before")
    await page.get_by_role("button", name="Verify on her own phone").click()
    await page.get_by_role("heading", name="On her own phone").wait_for()
    return page


async def her_phone(browser: Browser, page: Page) -> Page:
    """Her phone with the link open, after she looked whether both show the same number."""
    context = await browser.new_context(viewport=PHONE, locale="en-GB", has_touch=True, is_mobile=True)
    context.set_default_timeout(60_000)
    phone = await context.new_page()
    link = await page.locator(".j-long a").get_attribute("href")
    assert link is not None
    await phone.goto(link)
    assert await phone.locator("[data-sign]").inner_text() == await page.locator("[data-sign]").inner_text()
    return phone


async def test_the_midwifes_form_fills_when_she_is_done_on_her_phone(system: System, browser: Browser) -> None:
    page = await waiting_page(system, browser)
    await expect(page.get_by_text("Waiting for her to scan the code")).to_be_visible()
    await shot(page, "own-phone-1-code")
    phone = await her_phone(browser, page)
    await shot(phone, "own-phone-2-link")
    await phone.get_by_role("button", name="It is the same: go on").click()
    await expect(page.get_by_text("Her phone is connected")).to_be_visible()
    await sign_in(phone, SELVI)
    await expect(phone.get_by_text("You can put your phone away")).to_be_visible()
    await shot(phone, "own-phone-3-done")
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()
    await shot(page, "own-phone-4-filled")
    await expect(page.get_by_label("Full Name")).to_have_value("Selvi Rajaratnam")
    await expect(page.get_by_label("Husband's name")).to_have_value("Typed Before")


async def test_without_the_script_a_press_looks_again(system: System, browser: Browser) -> None:
    page = await waiting_page(system, browser, scripts=False)
    await page.get_by_role("button", name="Look again").click()
    await page.get_by_role("heading", name="On her own phone").wait_for()
    phone = await her_phone(browser, page)
    await phone.get_by_role("button", name="It is the same: go on").click()
    await sign_in(phone, MALINI)
    await expect(phone.get_by_text("You can put your phone away")).to_be_visible()
    await page.get_by_role("button", name="Look again").click()
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()


async def test_where_events_do_not_get_through_it_asks_again_and_again(system: System, browser: Browser) -> None:
    page = await waiting_page(system, browser)
    await page.context.route("**/phone/events", lambda route: route.abort())
    await page.reload()
    phone = await her_phone(browser, page)
    await phone.get_by_role("button", name="It is the same: go on").click()
    await expect(page.get_by_text("Her phone is connected")).to_be_visible()


async def test_a_used_link_and_a_new_code(system: System, browser: Browser) -> None:
    page = await waiting_page(system, browser)
    phone = await her_phone(browser, page)
    old = phone.url
    await page.get_by_role("button", name="New code").click()
    await expect(page.locator(".j-long a")).not_to_have_attribute("href", old)
    phone = await her_phone(browser, page)
    await phone.get_by_role("button", name="It is the same: go on").click()
    await phone.get_by_label("National ID number").wait_for()
    stranger = await (await browser.new_context(viewport=PHONE)).new_page()
    link = await page.locator(".j-long a").get_attribute("href")
    assert link is not None
    await stranger.goto(link)
    await expect(stranger.get_by_text("This link is over")).to_be_visible()
    await shot(stranger, "own-phone-5-over")
