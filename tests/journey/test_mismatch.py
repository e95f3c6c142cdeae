"""The number she brings: whose is it, can it be, and is she registered already."""

import re

import pytest
from playwright.async_api import expect

from janani.programmes.sri_lanka import second_phn
from journey.walking import BrowserContext, Page, fill_her, fill_pregnancy, new_form, shot, verify, women
from system import System

pytestmark = pytest.mark.journey
SELVI = "3000000003"
MALANIS_PHN, UNKNOWN_FORMAT = "KANDYTH1TGW4C94", "12345678"
AKURANA_NORTH, NALLUR = "Tnl7qgZh7zL", "sRkjkoQYc5M"
REASON = "The card was in her handbag, it is her cousin's"


async def look_up(page: Page, number: str) -> None:
    await page.get_by_label("The PHN on her card").fill(number)
    await page.get_by_role("button", name="Look up").click()


async def one_of(system: System, unit: str) -> dict[str, str]:
    """A woman of `unit` whom the demo district brought, with PHN, NIC and date of birth."""
    district = await women(system, "registration_number", "ANC", operator="sw")
    return next(one for one in district if one["unit"] == unit and one["phn"] and one.get("nic"))


async def test_a_number_that_is_not_hers_is_set_aside_and_the_reason_is_kept(
    system: System, desk: BrowserContext
) -> None:
    page = await new_form(system, desk)
    await verify(page, SELVI)
    await look_up(page, MALANIS_PHN)
    row = page.get_by_role("row").filter(has_text="Malani Jayawardhana")
    await expect(row).to_contain_text("Selvi Rajaratnam")
    await expect(row).to_contain_text("different")
    await page.get_by_role("button", name="Not the same person").click()
    await expect(page.get_by_role("alert")).to_contain_text("Please say why this number is not hers.")
    await shot(page, "mismatch-1-why")
    await page.get_by_label("If it is not hers: why?").fill(REASON)
    await page.get_by_role("button", name="Not the same person").click()
    await expect(page.get_by_text(f"{MALANIS_PHN} is not hers: {REASON}.")).to_be_visible()
    await shot(page, "mismatch-2-set-aside")
    await fill_pregnancy(page, 16)
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    await shot(page, "mismatch-3-registered")
    [selvi] = await women(system, "full_name", "Selvi Rajaratnam")
    assert re.fullmatch(r"JANANI22[A-Z0-9]{6}\d", selvi["phn"])
    assert selvi["phn_mismatch_reason"] == REASON


async def test_a_number_that_can_not_be_is_said_to_be(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    await page.get_by_label("Full Name").fill("Typed Before The Number")
    await look_up(page, MALANIS_PHN[:-1] + "5")
    await expect(page.get_by_role("alert")).to_contain_text("The check digit does not fit")
    await look_up(page, second_phn("KANDYTH1", "BBBBBB"))
    await expect(page.get_by_role("alert")).to_contain_text("Nobody is known under this number")
    await expect(page.get_by_label("Full Name")).to_have_value("Typed Before The Number")
    await shot(page, "mismatch-4-unknown")


async def test_an_old_number_of_no_known_format_can_still_be_hers(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    await page.get_by_label("Full Name").fill("Jane Doe")
    await look_up(page, UNKNOWN_FORMAT)
    await expect(page.get_by_role("row").filter(has_text="Full Name")).to_contain_text("same")
    await shot(page, "mismatch-5-old-number")
    await page.get_by_role("button", name="Same person", exact=True).click()
    await expect(page.get_by_text("This number will be used.")).to_be_visible()


async def test_the_number_of_a_registered_woman_leads_to_her(system: System, desk: BrowserContext) -> None:
    known = await one_of(system, AKURANA_NORTH)
    page = await new_form(system, desk)
    await fill_her(page, known["full_name"], known["birth_date"])
    await look_up(page, known["phn"])
    await page.get_by_role("button", name="Same person", exact=True).click()
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered already")).to_be_visible()
    await shot(page, "mismatch-6-registered-already")
    await page.get_by_role("link", name=known["full_name"]).click()
    await expect(page.locator("dt:text-is('PHN') + dd")).to_have_text(known["phn"])


async def test_the_nic_of_a_registered_woman_leads_to_her(system: System, desk: BrowserContext) -> None:
    known = await one_of(system, AKURANA_NORTH)
    page = await new_form(system, desk)
    await fill_her(page, "Another Spelling", known["birth_date"], known["nic"])
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered already")).to_be_visible()
    await page.get_by_role("link", name=known["full_name"]).click()
    await page.get_by_role("heading", name=known["full_name"]).wait_for()
    assert len(await women(system, "nic", known["nic"])) == 1


async def test_the_number_of_a_woman_in_another_district_is_not_given_twice(
    system: System, desk: BrowserContext
) -> None:
    known = await one_of(system, NALLUR)
    page = await new_form(system, desk)
    await fill_her(page, known["full_name"], known["birth_date"])
    await look_up(page, known["phn"])
    await page.get_by_role("button", name="Same person", exact=True).click()
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_role("alert")).to_contain_text("your supervisor")
    await expect(page.get_by_role("alert")).to_contain_text("PHN")
    await expect(page.get_by_role("alert").get_by_role("listitem")).to_have_count(1)
    await shot(page, "mismatch-7-in-another-district")
    assert len(await women(system, "phn", known["phn"])) == 1


async def test_whoever_may_be_she_is_shown_before_a_number_is_issued(system: System, desk: BrowserContext) -> None:
    known = await one_of(system, AKURANA_NORTH)
    page = await new_form(system, desk)
    await fill_her(page, known["full_name"], known["birth_date"])
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("Someone like her has a number already")).to_be_visible()
    await expect(page.get_by_text(known["phn"])).to_be_visible()
    await expect(page.get_by_text("Same date of birth")).to_be_visible()
    await page.get_by_role("button", name="Compare with her").first.click()
    await expect(page.get_by_text(f"This is known under {known['phn']}")).to_be_visible()
    await page.get_by_role("button", name="Type another number").click()
    await page.get_by_role("button", name="Register her").click()
    await page.get_by_label("She is none of them").check()
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    assert len(await women(system, "full_name", known["full_name"])) == 2
