"""The mother's pages in Sinhala and Tamil: chosen once, kept on every page, at sign-in too; nothing left in English."""

import os
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from janani.kernel import i18n
from janani.portals.language import COOKIE, PLACES
from journey.browser import chromium
from journey.walking import ARGUMENTS, PHONE
from portals_care import Browser, Care

MOTHERS = {"si": ("3000000002", "Malini Jayawardena"), "ta": ("3000000005", "Dilani Herath")}
SHOTS = os.environ.get("SCREENSHOTS", "")
_ENGLISH_WORD = re.compile(r"[A-Za-z]{4,}")


def stranger(care: Care) -> Browser:
    """A browser of nobody who is logged in."""
    one = Browser(care.app, care.system.url("portals"), care.system.url("esignet"))
    care.browsers.append(one)
    return one


@pytest.mark.parametrize("portal", PLACES)
def test_everything_a_portal_says_is_translated(portal: str) -> None:
    spoken = i18n.spoken(*PLACES[portal])
    assert spoken == i18n.LANGUAGES, "translate what is new in locale/*/janani.po: the language is not offered without"


async def test_a_language_is_kept_in_the_browser_and_comes_before_its_own_wish(care: Care) -> None:
    nobody = stranger(care)
    chosen = await nobody.own.get("/mother?ui_locales=ta&then=x", headers={"accept-language": "si"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/mother?then=x")
    for path in ("/mother", "/doctor", "/midwife", "/", "/no-such-page"):
        page = await nobody.own.get(path, headers={"accept-language": "si"})
        assert '<html lang="ta">' in page.text, path
        assert f'href="{path}?ui_locales=si" lang="si"' in page.text, path
    nobody.own.cookies.delete(COOKIE)
    assert '<html lang="si">' in (await nobody.own.get("/mother", headers={"accept-language": "fr, si;q=0.5"})).text


@pytest.mark.parametrize("path", ["//elsewhere.example/mother", "/\\elsewhere.example"])
async def test_a_choice_of_language_leads_to_this_site_only(care: Care, path: str) -> None:
    answer = await stranger(care).own.get(f"{care.system.url('portals')}{path}?ui_locales=si")
    assert re.match(r"/[^/\\]", answer.headers.get("location", "/x"))


@pytest.fixture(params=MOTHERS)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def phone(care: Care, language: str) -> AsyncIterator[Page]:
    """A phone with a mother's record behind it."""
    number, name = MOTHERS[language]
    her = await care.woman(name, national_id=number)
    pressure = [("8480-6", 118), ("8462-4", 76)]
    parts = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value}}
        for code, value in pressure
    ]
    await care.observe(her["id"], "85354-9", "Blood Pressure", component=parts)
    urgent = {"text": "Baby moves less", "coding": [{"system": "http://snomed.info/sct", "code": "276369006"}]}
    await care.observe(her["id"], "57088-7", "Fetal movement", valueCodeableConcept=urgent)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = await browser.new_context(viewport=PHONE, locale="en-GB")
        context.set_default_timeout(60_000)
        yield await context.new_page()
        await browser.close()


async def shot(page: Page, language: str, name: str) -> None:
    await page.wait_for_load_state()
    assert await page.locator("html").get_attribute("lang") == language, name
    assert await page.locator("html").evaluate("html => html.scrollWidth <= innerWidth"), name
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/mother-{language}-{name}.png", full_page=True)


@pytest.mark.journey
async def test_a_mother_reads_her_record_in_her_language(care: Care, phone: Page, language: str) -> None:
    (number, name), say = MOTHERS[language], i18n.catalogue(language).gettext
    await phone.goto(care.system.url("portals") + "/mother")
    await phone.get_by_role("link", name=i18n.NAMES[language]).click()
    await expect(phone.get_by_role("heading", level=1)).to_have_text(say("My pregnancy record"))
    await shot(phone, language, "1-welcome")
    await phone.get_by_role("button", name=say("Log in with your national ID")).click()
    await phone.locator("#individual-id").fill(number)
    await shot(phone, language, "2-number")
    await phone.get_by_role("button", name=say("Continue")).click()
    await phone.get_by_role("button", name=say("Send the code")).click()
    await phone.locator("#code").fill("111111")
    await phone.get_by_role("button", name=say("Confirm the code")).click()
    await phone.get_by_role("button", name=say("Share and continue")).click()
    await expect(phone.get_by_text(say("Your next appointment"))).to_be_visible()
    await expect(phone.get_by_text(say("Blood pressure"), exact=True)).to_be_visible()
    await shot(phone, language, "3-record")
    words = re.sub(f"{name}|mmHg|[A-Z0-9]{{12,}}", "", await phone.locator("main").inner_text())
    assert _ENGLISH_WORD.findall(words) == []
    await phone.get_by_role("button", name=say("Log out")).click()
    await shot(phone, language, "4-gone")
