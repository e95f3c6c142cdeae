"""The story: midwife, doctor and mother, in a real browser, over every wire."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from journey.walking import (
    DESKTOP,
    PHONE,
    Browser,
    BrowserContext,
    Page,
    fill_pregnancy,
    midwife_page,
    shot,
    sign_in,
    verify,
    women,
)
from people import today
from system import System

pytestmark = pytest.mark.journey
DOCTOR, KUMARI, MALINI = "2000000001", "3000000001", "3000000002"


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
    await expect(
        page.get_by_text("Leave it empty to have it worked out for the day of the visit. Today: 20.")
    ).to_be_visible()
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
    await page.get_by_label("Plan it for").fill((today() + timedelta(days=28)).isoformat())
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


async def doctor_reads_and_adds(system: System, browser: Browser, phn: str) -> None:
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    page = await context.new_page()
    await page.goto(system.url("portals") + "/doctor")
    await page.get_by_role("button", name="Log in with eSignet").click()
    await sign_in(page, DOCTOR)
    await page.get_by_role("heading", name="Search record").wait_for()
    await shot(page, "doctor-1-search")
    await page.get_by_label("Personal Health Number (PHN)").fill(phn[:-1] + ("1" if phn[-1] != "1" else "2"))
    await page.get_by_role("button", name="Search record").click()
    await expect(page.get_by_role("alert")).to_contain_text("check digit")
    await page.get_by_label("Personal Health Number (PHN)").fill(phn)
    await page.get_by_role("button", name="Search record").click()
    await page.get_by_role("heading", name="Kumari Dissanayake").wait_for()
    await expect(page.get_by_text("118/74 mmHg")).to_be_visible()
    await expect(page.get_by_text("First visit to the VOG").first).to_be_visible()
    await shot(page, "doctor-2-record")
    await page.get_by_label("Systolic blood pressure (mmHg)").fill("144")
    await page.get_by_role("button", name="Add to her record").click()
    await expect(page.get_by_role("alert")).to_contain_text("both numbers")
    await page.get_by_label("Diastolic blood pressure (mmHg)").fill("94")
    await page.get_by_label("Foetal heart rate (/min)").fill("142")
    await page.get_by_label("Diagnosis").select_option(label="Gestational hypertension")
    await page.get_by_label("Medicine", exact=True).select_option(label="Methyldopa")
    await page.get_by_label("Dose and how often").fill("250 mg three times a day")
    await page.get_by_label("Note").fill("Review in two weeks with urine protein.")
    await page.get_by_label("Follow-up appointment").fill((today() + timedelta(days=14)).isoformat())
    await shot(page, "doctor-3-adding")
    await page.get_by_role("button", name="Add to her record").click()
    await expect(page.get_by_text("Added. She sees it at once.")).to_be_visible()
    await expect(page.get_by_text("Gestational hypertension").first).to_be_visible()
    await shot(page, "doctor-4-added")
    await stale_change(page, await context.new_page())
    await context.close()


async def stale_change(first: Page, second: Page) -> None:
    """Two people close the same problem: the later one is told, nothing is overwritten."""
    await second.goto(first.url)
    await first.get_by_role("button", name="Mark as resolved").click()
    await expect(first.get_by_text("The problem is closed.")).to_be_visible()
    await second.get_by_role("button", name="Mark as resolved").click()
    await expect(second.get_by_text("Someone changed this problem meanwhile")).to_be_visible()
    await shot(second, "doctor-5-stale")


async def mother_sees(system: System, browser: Browser) -> None:
    context = await browser.new_context(viewport=PHONE, locale="en-GB")
    page = await context.new_page()
    await page.goto(system.url("portals") + "/mother")
    await shot(page, "mother-1-welcome")
    await page.get_by_role("button", name="Log in with your national ID").click()
    await sign_in(page, KUMARI)
    await page.get_by_role("heading", name="Ayubowan, Kumari Dissanayake").wait_for()
    await expect(page.get_by_text("Methyldopa, 250 mg three times a day")).to_be_visible()
    await expect(page.get_by_text("144/94 mmHg").first).to_be_visible()
    await expect(page.get_by_text("20 weeks pregnant")).to_be_visible()
    await page.get_by_text("Who looked at my record").click()
    await expect(page.get_by_text("Perera").first).to_be_visible()
    await shot(page, "mother-2-record")
    await context.close()


async def test_a_mother_without_a_record_is_told_what_to_do(system: System, browser: Browser) -> None:
    page = await (await browser.new_context(viewport=PHONE, locale="en-GB")).new_page()
    await page.goto(system.url("portals") + "/mother")
    await page.get_by_role("button", name="Log in with your national ID").click()
    await sign_in(page, "3000000006")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_text("midwife").first).to_be_visible()
    await shot(page, "mother-3-no-record")


async def test_no_address_shows_a_mother_another_womans_record(system: System, browser: Browser) -> None:
    context = await browser.new_context(viewport=PHONE, locale="en-GB")
    page = await context.new_page()
    for path in ("/mother/patients/1", "/doctor/patients/1", "/midwife/women/KGY0UKmRqqh"):
        await page.goto(system.url("portals") + path)
        assert "Bandara" not in await page.content()
        assert await page.get_by_role("heading", level=1).count() == 1


async def test_a_phn_that_is_somebody_elses_is_set_aside_with_a_reason(system: System, desk: BrowserContext) -> None:
    page = await midwife_page(system, desk)
    await page.get_by_role("button", name="New registration").click()
    await verify(page, MALINI)
    await page.get_by_label("The PHN on her card").fill("KANDYTH1TGW4C95")
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_role("alert")).to_contain_text("check digit")
    await shot(page, "phn-1-check-digit")
    await page.get_by_label("The PHN on her card").fill("KANDYTH1TGW4C94")
    await page.get_by_role("button", name="Look up").click()
    await expect(page.get_by_text("different").first).to_be_visible()
    await expect(page.get_by_role("cell", name="Malani Jayawardhana")).to_be_visible()
    await shot(page, "phn-2-compare")
    await page.get_by_role("button", name="Not the same person").click()
    await expect(page.get_by_role("alert")).to_contain_text("why")
    await page.get_by_label("If it is not hers: why?").fill("Card of her sister-in-law")
    await page.get_by_role("button", name="Not the same person").click()
    await fill_pregnancy(page, 12)
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("Someone like her has a number already")).to_be_visible()
    await shot(page, "phn-3-likely-the-same")
    # Her own number was in the list: it is the one that is right.
    await page.get_by_role("button", name="Decide again").click()
    await page.get_by_label("The PHN on her card").fill("KANDYTH1MKH7R47")
    await page.get_by_role("button", name="Look up").click()
    await page.get_by_role("button", name="Same person", exact=True).click()
    await expect(page.get_by_text("This number will be used.")).to_be_visible()
    # A tired finger presses twice.
    await page.get_by_role("button", name="Register her").dblclick()
    await expect(page.get_by_text("She is registered")).to_be_visible()
    await expect(page.locator("dt:text-is('PHN') + dd")).to_have_text("KANDYTH1MKH7R47")
    assert len(await women(system, "phn", "KANDYTH1MKH7R47")) == 1
