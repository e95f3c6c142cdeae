"""The whole system with its demo district, and a browser."""

from collections.abc import AsyncIterator, Iterator

import pytest

from journey.browser import chromium
from journey.walking import ARGUMENTS, DESKTOP, Browser, BrowserContext, async_playwright
from system import System, a_system


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """Janani with the demo district, for all journeys of this run."""
    with a_system() as one:
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium for one test."""
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield one
        await one.close()


@pytest.fixture
async def desk(browser: Browser) -> BrowserContext:
    """A browser profile of its own, at a desk."""
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(60_000)
    return context
