"""What can go wrong for a person while she is verified: it is said in words, nothing is lost, and there is a way on."""

import asyncpg
import pytest
from playwright.async_api import expect

from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.i18n import catalogue
from journey.walking import (
    PHONE,
    Browser,
    BrowserContext,
    Page,
    midwife_page,
    new_form,
    shot,
    verify,
)
from system import System

pytestmark = pytest.mark.journey
MALINI, DILANI, NIMALI = "3000000002", "3000000005", "3000000006"
CATALOGUE = {"si": "si-LK", "ta": "ta-LK"}  # what her phone speaks


async def sql(system: System, statement: str) -> None:
    """What time alone would do to the database."""
    connection = await asyncpg.connect(EmbeddedPostgres(system.home / "postgres").dsn)
    await connection.execute(statement)
    await connection.close()


async def the_window(page: Page, national_id: str = NIMALI) -> Page:
    """eSignet's window, where the number is typed and the code is sent."""
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    await popup.clock.install()
    await popup.get_by_label("National ID number").fill(national_id)
    await popup.get_by_role("button", name="Continue").click()
    await popup.get_by_role("button", name="Send the code").click()
    await popup.get_by_label("Code of 6 digits").wait_for()
    return popup


async def code(popup: Page, digits: str) -> None:
    """Types a code and waits for what eSignet says to it."""
    confirm = popup.get_by_role("button", name="Confirm the code")
    await expect(confirm).to_be_enabled()  # a refused code has been cleared: else what is typed now would be
    await popup.get_by_label("Code of 6 digits").fill(digits)
    async with popup.expect_response(lambda answer: "/authenticate" in answer.url):
        await confirm.click()


async def test_in_the_window_a_code_runs_out_and_too_many_wrong_ones_lock_for_a_while(
    system: System, desk: BrowserContext
) -> None:
    page = await new_form(system, desk)
    await page.get_by_label("Husband's name").fill("Typed Before")
    popup = await the_window(page)
    await popup.clock.fast_forward(181_000)
    await expect(popup.get_by_role("alert")).to_contain_text("This code has expired.")
    await shot(popup, "fails-1-code-ran-out")
    await popup.get_by_role("button", name="Send the code again").click()
    await expect(popup.get_by_text("We sent a new code")).to_be_visible()
    try:
        for _ in range(6):  # five may be wrong
            await code(popup, "222222")
        await expect(popup.get_by_role("alert")).to_contain_text("minutes")
        await shot(popup, "fails-2-locked")
        await popup.close()
        await expect(page.get_by_text("The window was closed before it was finished.")).to_be_visible()
        async with page.expect_popup() as opening:  # and nobody gets round it by beginning again
            await page.get_by_role("button", name="Verify with National ID").click()
        popup = await opening.value
        await popup.get_by_label("National ID number").fill(NIMALI)
        await popup.get_by_role("button", name="Continue").click()
        await popup.get_by_role("button", name="Send the code").click()
        await expect(popup.get_by_role("alert")).to_contain_text("minutes")
        await shot(popup, "fails-3-still-locked")
        await popup.close()
    finally:
        await sql(system, "delete from esignet.code_strike; update esignet.person set locked_until = null")
    await expect(page.get_by_label("Husband's name")).to_have_value("Typed Before")
    await shot(page, "fails-4-form-after")


async def test_a_sign_in_that_took_too_long_leads_back_to_the_form(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    popup = await the_window(page)
    await code(popup, "111111")
    await popup.get_by_role("button", name="Share and continue").wait_for()
    await popup.clock.fast_forward(601_000)
    await expect(popup.get_by_role("heading", name="This sign-in cannot go on")).to_be_visible()
    await shot(popup, "fails-5-too-long")
    await popup.get_by_role("button", name="Go back").click()
    await expect(page.locator(".j-notice--warn, .j-notice--bad").first).to_be_visible()
    await shot(page, "fails-6-too-long-form")


async def test_a_session_that_ran_out_loses_nothing_that_was_typed(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    form = page.url
    await page.get_by_label("Full Name").fill("Typed Before It Ran Out")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    await desk.clear_cookies()
    await page.get_by_label("Husband's name").fill("Typed After It Ran Out")
    await expect(page.get_by_text("You were logged out.")).to_be_visible()
    await shot(page, "fails-7-logged-out")
    await midwife_page(system, desk)  # in another window of the same browser
    await page.get_by_label("Husband's name").fill("Typed After It Ran Out!")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    await page.goto(form)
    await expect(page.get_by_label("Full Name")).to_have_value("Typed Before It Ran Out")
    await expect(page.get_by_label("Husband's name")).to_have_value("Typed After It Ran Out!")


async def phone_of(browser: Browser, link: str, locale: str = "en-GB") -> Page:
    """Her phone with the link open."""
    context = await browser.new_context(viewport=PHONE, locale=locale, has_touch=True, is_mobile=True)
    context.set_default_timeout(60_000)
    phone = await context.new_page()
    await phone.goto(link)
    return phone


async def link_on(page: Page) -> str:
    """Where her phone shall go."""
    await page.get_by_role("button", name="Verify on her own phone").click()
    await page.get_by_role("heading", name="On her own phone").wait_for()
    return await page.locator(".j-long a").get_attribute("href") or ""


async def test_on_her_own_phone_she_refuses_and_then_the_link_expires(
    system: System, browser: Browser, desk: BrowserContext
) -> None:
    page = await new_form(system, desk)
    phone = await phone_of(browser, await link_on(page))
    await phone.get_by_role("button", name="It is the same: go on").click()
    await phone.get_by_role("button", name="Cancel").first.click()
    await shot(phone, "fails-10-phone-stop")
    await phone.get_by_role("button", name="Yes, stop").click()
    await phone.get_by_role("heading", level=1).wait_for()
    await expect(page.get_by_text("She chose not to share her identity.")).to_be_visible()
    await shot(phone, "fails-11-phone-refused")
    await shot(page, "fails-12-phone-refused-form")
    link = await link_on(page)
    await sql(system, "update relying.phone_verification set expires_at = now() - interval '1 second'")
    phone = await phone_of(browser, link)
    await expect(phone.get_by_text("This link is over")).to_be_visible()
    await shot(phone, "fails-13-link-expired")
    await expect(page.get_by_text("took too long or was answered already")).to_be_visible()
    await shot(page, "fails-14-link-expired-form")


async def test_consent_taken_back_is_asked_for_again(system: System, browser: Browser, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    await verify(page, DILANI)
    hers = await (await browser.new_context(viewport=PHONE, locale="en-GB")).new_page()
    await hers.goto(system.url("esignet") + "/consents")
    await hers.get_by_role("link", name="Sign in").or_(hers.get_by_role("button", name="Sign in")).click()
    await hers.get_by_label("National ID number").fill(DILANI)
    await hers.get_by_role("button", name="Continue").click()
    await hers.get_by_role("button", name="Send the code").click()
    await code(hers, "111111")
    await expect(hers.get_by_role("heading", name="Who may see my data")).to_be_visible()
    await shot(hers, "fails-15-consents")
    await hers.get_by_role("button", name="Take it back").first.click()
    await shot(hers, "fails-16-take-it-back")
    await hers.get_by_role("button", name="Yes, take it back").click()
    await expect(hers.get_by_role("status")).to_contain_text("may no longer see your data")
    await shot(hers, "fails-17-taken-back")
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify").first.click()
    popup = await opening.value
    await popup.get_by_label("National ID number").fill(DILANI)
    await popup.get_by_role("button", name="Continue").click()
    await popup.get_by_role("button", name="Send the code").click()
    await code(popup, "111111")
    await expect(popup.get_by_role("button", name="Share and continue")).to_be_visible()
    await popup.get_by_role("button", name="Do not share").click()
    await popup.get_by_role("button", name="Yes, stop").click()
    await expect(page.get_by_text("She chose not to share her identity.")).to_be_visible()
    await shot(page, "fails-18-did-not-share")


@pytest.mark.parametrize("language", CATALOGUE)
async def test_her_own_phone_speaks_her_language_all_the_way(
    system: System, browser: Browser, desk: BrowserContext, language: str
) -> None:
    said = catalogue(language).gettext
    page = await new_form(system, desk)
    phone = await phone_of(browser, await link_on(page), CATALOGUE[language])
    await expect(phone.get_by_role("heading", level=1)).to_have_text(said("Verify with National ID"))
    await shot(phone, f"phone-{language}-1-link")
    await phone.get_by_role("button", name=said("It is the same: go on")).click()
    await phone.get_by_label(said("National ID number")).fill(MALINI)
    await shot(phone, f"phone-{language}-2-number")
    await phone.get_by_role("button", name=said("Continue")).click()
    await shot(phone, f"phone-{language}-3-channel")
    await phone.get_by_role("button", name=said("Send the code")).click()
    await phone.locator("#code").fill("111111")
    await phone.get_by_role("button", name=said("Confirm the code")).click()
    await phone.get_by_role("button", name=said("Share and continue")).wait_for()
    await shot(phone, f"phone-{language}-4-consent")
    await phone.get_by_role("button", name=said("Share and continue")).click()
    await expect(
        phone.get_by_text(said("You can put your phone away. The midwife sees the details you shared."))
    ).to_be_visible()
    await shot(phone, f"phone-{language}-5-done")
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()
