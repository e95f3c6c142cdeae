"""The network is away: her card read by camera or from a picture; signing in later confirms it, or differs."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from janani.esignet.card import card_text
from janani.kernel.jose import signing_key
from journey.browser import chromium
from journey.camera import film, picture
from journey.walking import (
    ARGUMENTS,
    Browser,
    BrowserContext,
    Page,
    async_playwright,
    fill_her,
    fill_pregnancy,
    new_form,
    shot,
    sign_in,
)
from system import System

pytestmark = pytest.mark.journey
DILANI = "3000000005"
NO_CODE = "No code was found in this picture."
CAMERA = ("--use-fake-device-for-media-stream", "--use-file-for-fake-video-capture=")


@pytest.fixture(scope="module")
def dilanis(system: System) -> str:
    """The text of Dilani's card, as the sandbox issues it."""
    command = [sys.executable, "-m", "janani", "people", "qr", DILANI]
    return subprocess.run(command, env=system.environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
async def browser(dilanis: str, tmp_path: Path) -> AsyncIterator[Browser]:
    """A Chromium whose camera sees nothing for a second, then Dilani's card."""
    device, file = CAMERA
    seen = film(["", dilanis], tmp_path / "card.y4m")
    async with async_playwright() as playwright:
        eyed = chromium(camera=True)
        one = await playwright.chromium.launch(executable_path=eyed, args=[*ARGUMENTS, device, f"{file}{seen}"])
        yield one
        await one.close()


def card(system: System, *, issuer: str = "", days: int = 0, **identity: Any) -> str:
    """A card of one who is like Dilani, but for `identity`."""
    key = signing_key(system.home / "secrets" / "esignet.pem", create=False)
    person = {
        "individualId": DILANI,
        "fullName": "Dilani Madushika Herath",
        "gender": "Female",
        "dateOfBirth": "2001/08/05",
    } | identity
    return card_text(person, issuer=issuer or system.url("esignet"), key=key, now=datetime.now(UTC) + timedelta(days))


async def card_page(page: Page) -> None:
    await page.get_by_role("button", name="Read the QR code of her card").click()
    await page.get_by_role("heading", name="Read the QR code of her card").wait_for()


async def verify_online(page: Page) -> None:
    """Signs in as Dilani in the window; the portal's page is left to the caller."""
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    await sign_in(popup, DILANI)


async def verify_registered(page: Page) -> None:
    """The same, from the page of a registered woman."""
    await page.get_by_role("button", name="Verify with National ID").click()
    await page.wait_for_url("**/midwife/identities/*")  # where a button has the same name
    await verify_online(page)


async def test_the_camera_reads_her_card_and_signing_in_later_confirms_it(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    await page.get_by_label("Husband's name").fill("Typed Before")
    await card_page(page)
    await shot(page, "card-1-ways")
    await page.get_by_role("button", name="Use the camera").click()
    await expect(page.get_by_role("status")).to_contain_text("The camera was not allowed.")
    await shot(page, "card-2-camera-refused")
    await desk.grant_permissions(["camera"], origin=system.url("portals"))
    await page.get_by_role("button", name="Use the camera").click()
    await expect(page.get_by_text("Identity verified offline, by her card").first).to_be_visible()
    await expect(page.get_by_label("Full Name")).to_have_value("Dilani Madushika Herath")
    await expect(page.get_by_label("Husband's name")).to_have_value("Typed Before")
    await shot(page, "card-3-filled")
    await fill_pregnancy(page, 15)
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    await expect(page.get_by_text("Identity verified offline, by her card").first).to_be_visible()
    await shot(page, "card-4-registered")
    await verify_registered(page)
    await expect(page.get_by_text("The verification confirms her card")).to_be_visible()
    await shot(page, "card-5-confirmed")
    await page.get_by_role("button", name="Same person: save").click()
    await expect(page.get_by_text("Her identity is verified.")).to_be_visible()
    await hers_is_not_given_to_another(page)


async def hers_is_not_given_to_another(page: Page) -> None:
    """Whoever signs in with Dilani's number at another woman's page is found to be Dilani."""
    await page.get_by_role("link", name="My mothers").first.click()
    await page.get_by_role("button", name="New registration").click()
    await fill_her(page, "Not Dilani", "1990-01-01")
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    await verify_registered(page)
    await expect(page.get_by_text("Please compare before you save.")).to_be_visible()
    await shot(page, "fails-8-another-woman")
    await page.get_by_role("button", name="Same person: save").click()
    await expect(page.get_by_text("This identity belongs to another woman in the registry.")).to_be_visible()
    await shot(page, "fails-9-belongs-to-another")


async def test_pictures_of_cards_that_are_not_taken_say_why_and_a_good_one_is_then_told_to_differ(
    system: System, desk: BrowserContext, tmp_path: Path
) -> None:
    page = await new_form(system, desk)
    await card_page(page)
    chooser, status = page.get_by_label("Or a picture of the code"), page.get_by_role("status")
    nothing = tmp_path / "nothing.png"
    nothing.write_bytes(await page.screenshot())
    await chooser.set_input_files(nothing)
    await expect(status).to_contain_text(NO_CODE)
    await shot(page, "card-6-no-code")
    text_file = tmp_path / "card.pdf"
    text_file.write_text("not a picture")
    await chooser.set_input_files(text_file)
    await expect(status).to_contain_text(NO_CODE)
    for name, text, words in (
        ("card-7-expired", card(system, days=-4000), "This card has expired."),
        ("card-8-other-issuer", card(system, issuer="https://other.example"), "This card is from another issuer."),
        ("card-9-no-card", "https://example.org/menu", "This is not the QR code of an identity card"),
    ):
        await chooser.set_input_files(picture(text, tmp_path / f"{name}.png"))
        await expect(page.get_by_role("alert")).to_contain_text(words)
        await shot(page, name)
    await chooser.set_input_files(picture(card(system, fullName="Dilani M. Herat"), tmp_path / "good.png"))
    await expect(page.get_by_label("Full Name")).to_have_value("Dilani M. Herat")
    await verify_online(page)
    await expect(page.get_by_text("The verification differs from her card")).to_be_visible()
    await expect(page.get_by_role("cell", name="Dilani M. Herat", exact=True)).to_be_visible()
    await shot(page, "card-10-differs")
