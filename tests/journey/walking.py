"""How a person walks the pages: signing in at eSignet, looking around, taking pictures of every screen."""

from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

SHOTS = Path(__file__).parents[2] / "var" / "screenshots"
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 780}
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


async def shot(page: Page, name: str) -> None:
    """Pictures of the whole page, on a desk and on a phone."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for kind, size in (("desk", DESKTOP), ("phone", PHONE)):
        await page.set_viewport_size(size)
        await page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=True)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide}px at {size['width']}px"
    if before:
        await page.set_viewport_size(before)


async def sign_in(page: Page, national_id: str, *, withhold: tuple[str, ...] = (), shots: str = "") -> None:
    """National ID, channel, code, consent, as a person does it on eSignet's pages."""
    await page.get_by_label("National ID number").fill(national_id)
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
    await page.get_by_role("button", name="Share and continue").wait_for()
    for claim in withhold:
        await page.get_by_role("switch", name=claim).press("Space")
    if shots:
        await shot(page, f"{shots}-4-consent")
    await page.get_by_role("button", name="Share and continue").click()


__all__ = ["ARGUMENTS", "DESKTOP", "PHONE", "Browser", "BrowserContext", "Page", "async_playwright", "shot", "sign_in"]
