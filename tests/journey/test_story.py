"""The story: midwife, doctor and mother, in a real browser, over every wire."""

import re
from datetime import date, timedelta

import pytest
from playwright.async_api import expect

from journey.walking import Browser, BrowserContext, Page, shot, sign_in
from system import System

pytestmark = pytest.mark.journey
MIDWIFE, DOCTOR, KUMARI, MALINI = "1000000001", "2000000001", "3000000001", "3000000002"


async def midwife_page(system: System, context: BrowserContext, national_id: str = MIDWIFE, shots: str = "") -> Page:
    """The midwife's portal, logged in."""
    page = await context.new_page()
    await page.goto(system.url("portals") + "/midwife")
    if shots:
        await shot(page, "midwife-0-welcome")
    await page.get_by_role("button", name="Log in with eSignet").click()
    await sign_in(page, national_id, shots=shots)
    await page.get_by_role("heading", name="My mothers").wait_for()
    return page


async def verify(page: Page, national_id: str, *, withhold: tuple[str, ...] = (), shots: str = "") -> None:
    """Verify with National ID, in the window that opens."""
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    await sign_in(popup, national_id, withhold=withhold, shots=shots)
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible(timeout=15000)


async def fill_pregnancy(page: Page, weeks: int) -> None:
    """The clinical questions that must be answered."""
    last_period = date.today() - timedelta(weeks=weeks)
    await page.get_by_label("Last menstrual period (LMP)").fill(last_period.isoformat())
    await page.get_by_label("Gravida (G)").fill("2")
    await page.get_by_label("Parity (P)").fill("1")
    await page.get_by_label("Living children").fill("1")
    await page.get_by_label("Height (cm)").fill("156")
    await page.get_by_label("Weight (kg)").fill("54,5")


async def test_the_story_from_the_midwifes_door_to_the_mothers_phone(
    system: System, browser: Browser, desk: BrowserContext
) -> None:
    page = await midwife_page(system, desk, shots="esignet")
    await shot(page, "midwife-1-today")
    await page.get_by_role("button", name="New registration").click()
    await shot(page, "midwife-2-form-empty")
    # She withholds her national ID number; the pairwise id still knows her later.
    await page.get_by_label("Grama Niladhari division").fill("Akurana")
    await verify(page, KUMARI, withhold=("National number you signed in with",), shots="esignet-mother")
    await expect(page.get_by_label("Full Name")).to_have_value("Kumari Dissanayake")
    await expect(page.get_by_label("NIC Number")).to_have_value("")
    await expect(page.get_by_label("Grama Niladhari division")).to_have_value("Akurana")
    await shot(page, "midwife-3-form-verified")
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_role("alert")).to_contain_text("Not sent yet")
    await shot(page, "midwife-4-form-faults")
    await fill_pregnancy(page, 20)
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered")).to_be_visible()
    await expect(page.get_by_text("Identity verified").first).to_be_visible()
    await shot(page, "midwife-5-woman")
    phn = await page.locator("dt:text-is('PHN') + dd").inner_text()
    assert re.fullmatch(r"JANANI22[A-Z0-9]{6}\d", phn)
    await expect(page.locator("dt:text-is('Registration Number') + dd")).to_have_text(re.compile(r"ANC\d{8}"))
    await record_visit(page)
    await plan_and_refer(page)
    await doctor_reads_and_adds(system, browser, phn)
    await mother_sees(system, browser)


async def record_visit(page: Page) -> None:
    await page.get_by_role("button", name="Record a visit").click()
    await expect(page.get_by_label("Weeks (POA)")).to_have_value("20")
    await page.get_by_label("Systolic blood pressure (mmHg)").fill("118")
    await page.get_by_label("Diastolic blood pressure (mmHg)").fill("74")
    await page.get_by_label("Weight (kg)").fill("56.0")
    await page.get_by_label("Haemoglobin (g/dl)").fill("11.4")
    await page.get_by_label("Fundal height (cm)").fill("20")
    await page.get_by_label("Iron and folate").check()
    await shot(page, "midwife-6-visit")
    await page.get_by_role("button", name="Save the visit").click()
    await expect(page.get_by_text("The visit is saved.")).to_be_visible()


async def plan_and_refer(page: Page) -> None:
    await page.get_by_label("Plan it for").fill((date.today() + timedelta(days=28)).isoformat())
    await page.get_by_role("button", name="Save the date").click()
    await expect(page.get_by_text("The next visit is planned.")).to_be_visible()
    await page.get_by_role("button", name="Refer her").click()
    await page.get_by_label("Referred to").select_option(label="VOG clinic, Teaching Hospital Kandy")
    await page.get_by_label("At the next clinic day").check()
    await page.get_by_label("Main reason").select_option(label="First visit to the VOG")
    await page.get_by_label("Reason for referral, in words").fill("First visit to the VOG")
    await shot(page, "midwife-7-referral")
    await page.get_by_role("button", name="Send the referral").click()
    await expect(page.get_by_text("The referral is saved")).to_be_visible()
    await shot(page, "midwife-8-woman-after")


async def doctor_reads_and_adds(system: System, browser: Browser, phn: str) -> None: ...


async def mother_sees(system: System, browser: Browser) -> None: ...
