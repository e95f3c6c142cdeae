"""A mother signs in, shares, sees who may see what, takes it back and is asked again, in each of the languages."""

import os
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from esignet_wire import ACR, MOTHER, REDIRECT, RelyingParty
from janani.kernel import i18n
from journey.browser import chromium

pytestmark = pytest.mark.journey
SHOTS = os.environ.get("SCREENSHOTS", "")
ASKED = {
    "client_id": "anc-portal",
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid",
    "acr_values": ACR,
    "claims": '{"userinfo":{"name":{"essential":true},"phone_number":null,"address":null}}',
}
OWN_NAMES = {"en": "English", "si": "සිංහල", "ta": "தமிழ்"}


async def shot(page: Page, name: str) -> None:
    await page.wait_for_load_state()
    assert await page.locator("html").evaluate("html => html.scrollWidth <= innerWidth"), name
    if SHOTS:
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


async def sign_in(page: Page, shots: str) -> None:
    """From the number to what comes after the code, by keyboard."""
    await shot(page, f"{shots}-1-number")
    await page.locator("#individual-id").fill(MOTHER)
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-title")).to_be_focused()
    await shot(page, f"{shots}-2-channel")
    await page.locator("#channel-form button[type=submit]").press("Enter")
    await expect(page.locator("#code")).to_be_focused()
    await shot(page, f"{shots}-3-code")
    await page.keyboard.type("111111")
    await page.keyboard.press("Enter")


async def walk(page: Page, http: httpx.AsyncClient, language: str, shots: str) -> None:
    def said(text: str) -> str:
        return i18n.catalogue(language).gettext(text)

    site = str(http.base_url).rstrip("/")
    await page.goto(f"{site}/authorize?{urlencode(ASKED)}")
    async with page.expect_navigation():  # English is spoken before and after
        await page.get_by_role("link", name=OWN_NAMES[language]).click()
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await sign_in(page, shots)
    await expect(page.locator("#consent-title")).to_be_focused()
    await expect(page.locator("#essential li")).to_contain_text(said("Name"))
    await expect(page.locator("#consent-left")).to_contain_text("9:5")
    await shot(page, f"{shots}-4-consent")
    await page.get_by_role("button", name=said("Share and continue")).click()
    await page.wait_for_url(f"{REDIRECT}*")

    await page.goto(f"{site}/consents?ui_locales={language}")
    await shot(page, f"{shots}-5-consents-sign-in")
    await page.get_by_role("button", name=said("Sign in")).click()
    await expect(page.locator("#identifier-title")).to_have_text(said("Sign in to see who may see your data"))
    await sign_in(page, f"{shots}-6")
    await page.wait_for_url("**/consents?ui_locales=*")
    await expect(page.locator("h1")).to_have_text(said("Who may see my data"))
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await expect(page.locator("h2").first).to_have_text("ANC Portal")
    await shot(page, f"{shots}-7-consents")
    await page.get_by_role("button", name=said("Take it back")).click()
    await shot(page, f"{shots}-8-withdraw")
    await page.get_by_role("button", name=said("Yes, take it back")).click()
    await expect(page.get_by_role("status")).to_contain_text("ANC Portal")
    await expect(page.get_by_text(said("No service may see your data now."))).to_be_visible()
    await shot(page, f"{shots}-9-withdrawn")
    await page.get_by_role("button", name=said("Sign out")).click()


@pytest.mark.parametrize("width", [360, 1280] if SHOTS else [360])
async def test_the_whole_way_in_three_languages(http: httpx.AsyncClient, rp: RelyingParty, width: int) -> None:
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for language in OWN_NAMES:  # the consent of the one before is withdrawn, so each is asked again
            context = await browser.new_context(viewport={"width": width, "height": 740})
            context.set_default_timeout(60_000)
            page = await context.new_page()
            await page.route(f"{REDIRECT}*", lambda route: route.fulfill(body="back"))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
            await walk(page, http, language, f"{language}-{width}")
            await context.close()
        await browser.close()
    assert faults == []


async def test_the_pages_are_not_kept_framed_or_scripted_from_elsewhere(http: httpx.AsyncClient, rp: Any) -> None:
    for path in ("/authorize", "/consents", "/consents/sign-in", "/consents/withdraw", "/consents/callback"):
        headers = (await http.get(path)).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        for word in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert word in policy
        assert "unsafe" not in policy
