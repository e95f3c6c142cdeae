"""How a person walks the pages: signing in at eSignet, looking around, taking pictures of every screen."""

import asyncio
import contextlib
import os
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from playwright.async_api import Error as PlaywrightError

from janani import programmes
from people import today
from system import System

SHOTS = os.environ.get("SCREENSHOTS", "")
MIDWIFE = "1000000001"
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 780}
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


async def shot(page: Page, name: str) -> None:
    """Looks that the page fits, on a desk and on a phone; pictures of it, where SCREENSHOTS names a folder."""
    before = page.viewport_size
    await page.wait_for_load_state()
    for kind, size in (("desk", DESKTOP), ("phone", PHONE)):
        await page.set_viewport_size(size)
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/{name}-{kind}.png", full_page=True)
        # the locator waits where a page is between two documents; waiting by a script needs eval, which ours forbid
        wide = await page.locator("html").evaluate("html => html.scrollWidth - html.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide}px at {size['width']}px"
    if before:
        await page.set_viewport_size(before)


async def sign_in(page: Page, national_id: str, *, withhold: tuple[str, ...] = (), shots: str = "") -> None:
    """National ID, channel, code, consent, as a person does it on eSignet's pages."""
    await page.get_by_label("National ID number").fill(national_id)
    esignet = urlsplit(page.url).netloc  # now: once the code is confirmed it may go on before we look
    if shots:
        await shot(page, f"{shots}-1-number")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("heading", name="Where should we send your code?").wait_for()
    if shots:
        await shot(page, f"{shots}-2-channel")
    await page.get_by_role("button", name="Send the code").click()
    await page.get_by_label("Code of 6 digits").fill("111111")
    if shots:
        await shot(page, f"{shots}-3-code")
    await page.get_by_role("button", name="Confirm the code").click()
    if not await _asked_for_consent(page, esignet):
        return
    for claim in withhold:
        await page.get_by_role("switch", name=claim).press("Space")
    if shots:
        await shot(page, f"{shots}-4-consent")
    await page.get_by_role("button", name="Share and continue").click()


async def _asked_for_consent(page: Page, esignet: str) -> bool:
    """Whether eSignet asks what to share; who agreed before and is asked for the same goes on at once."""
    consent = page.get_by_role("button", name="Share and continue")
    for _ in range(600):
        if page.is_closed() or urlsplit(page.url).netloc != esignet:
            return False
        with contextlib.suppress(PlaywrightError):  # it was just going on, or closing
            if await consent.is_visible():
                return True
        await asyncio.sleep(0.1)
    raise AssertionError("eSignet neither asked for consent nor went on")


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
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()
    await page.wait_for_load_state()  # its script listens from now on


async def fill_pregnancy(page: Page, weeks: int) -> None:
    """The clinical questions that must be answered."""
    last_period = today() - timedelta(weeks=weeks)
    await page.get_by_label("Last menstrual period (LMP)").fill(last_period.isoformat())
    await page.get_by_label("Gravida (G)").fill("2")
    await page.get_by_label("Parity (P)").fill("1")
    await page.get_by_label("Living children").fill("1")
    await page.get_by_label("Height (cm)").fill("156")
    await page.get_by_label("Weight (kg)").fill("54,5")


async def fill_her(page: Page, name: str, born: str, nic: str = "") -> None:
    """Who she is, typed, and the clinical questions that must be answered."""
    await page.get_by_label("Full Name").fill(name)
    await page.get_by_label("Date of Birth").fill(born)
    await page.get_by_label("Female").check()
    await page.get_by_label("NIC Number").fill(nic)
    await fill_pregnancy(page, 14)


async def new_form(system: System, context: BrowserContext, national_id: str = MIDWIFE) -> Page:
    """An empty registration form."""
    page = await midwife_page(system, context, national_id)
    await page.get_by_role("button", name="New registration").click()
    await page.get_by_role("heading", name="New registration").wait_for()
    await page.wait_for_load_state()  # its script opens the window
    return page


async def women(system: System, role: str, value: str, *, operator: str = "eq") -> list[dict[str, str]]:
    """The women whose attribute of `role` is `value`, as the administrator reads them: by role, and `uid`, `unit`."""
    registry = programmes.load("anc_lk").registry
    query: dict[str, Any] = {
        "program": registry.program,
        "orgUnitMode": "ALL",
        "filter": f"{registry.attributes[role]}:{operator}:{value}",
        "fields": "*",
    }
    async with httpx.AsyncClient(auth=("admin", "district"), timeout=60) as admin:
        answer = await admin.get(f"{system.url('registry')}/api/tracker/trackedEntities", params=query)
    names = {uid: role for role, uid in registry.attributes.items()}
    found = []
    for one in answer.raise_for_status().json()["trackedEntities"]:
        rows = [*one["attributes"], *(row for each in one["enrollments"] for row in each["attributes"])]
        found.append(
            {names.get(row["attribute"], ""): row["value"] for row in rows}
            | {"uid": one["trackedEntity"], "unit": one["orgUnit"]}
        )
    return found


__all__ = [
    "ARGUMENTS",
    "DESKTOP",
    "MIDWIFE",
    "PHONE",
    "Browser",
    "BrowserContext",
    "Page",
    "async_playwright",
    "fill_her",
    "fill_pregnancy",
    "midwife_page",
    "new_form",
    "shot",
    "sign_in",
    "verify",
    "women",
]
