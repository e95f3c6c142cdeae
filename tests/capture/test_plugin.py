"""The Capture plugin in a form that passes what Capture passes, against our registry's Routes and our eSignet.

The built app's files and the form are served at the registry's own origin, as an installed app is.
"""

import mimetypes
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, FrameLocator, Page, Route, async_playwright, expect

from janani import programmes
from journey.browser import chromium
from journey.walking import ARGUMENTS, DESKTOP, PHONE, shot, sign_in
from system import System

pytestmark = pytest.mark.journey
PLUGIN = Path(__file__).parents[2] / "capture-plugin"
APP = "/api/apps/janani-verify-identity"
HOST = "/api/apps/capture-host"
SELVI, MALINI = "3000000003", "3000000002"
REGISTRY = programmes.load("anc_lk").registry
ROLES = {
    "fullName": "full_name",
    "dateOfBirth": "birth_date",
    "age": "age",
    "gender": "gender",
    "phone": "phone",
    "address": "address",
    "subjectId": "subject",
    "identityStatus": "identity_status",
    "identityVerifiedAt": "identity_verified_at",
    "identityProvider": "identity_provider",
    "identityFields": "identity_verified_fields",
}
CONFIG: dict[str, Any] = {
    "fields": {
        "identityStatus": "@status",
        "identityVerifiedAt": "@verifiedAt",
        "identityProvider": "@provider",
        "identityFields": "@verifiedFields",
    },
}


class WithPlugin(System):
    """A system whose relying party knows the plugin's page, too."""

    @property
    def environment(self) -> dict[str, str]:
        pages = [self.url("portals") + "/midwife/identity/callback", f"{self.url('registry')}{APP}/callback.html"]
        return super().environment | {"JANANI_RELYING__REDIRECT_URIS": ",".join(pages)}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    subprocess.run([sys.executable, str(PLUGIN / "build.py")], check=True)
    with tempfile.TemporaryDirectory(prefix="janani-capture-") as folder:
        os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user
        one = WithPlugin(Path(folder) / "home", "--no-demo")
        one.start()
        try:
            configure(one)
            yield one
        finally:
            one.destroy()


def configure(system: System, config: dict[str, Any] | None = None) -> None:
    """What docs/how-to/install-the-capture-plugin.md says to store."""
    fields = [
        {"IdFromApp": REGISTRY.attributes[role], "IdFromPlugin": alias, "objectType": "TrackedEntityAttribute"}
        for alias, role in ROLES.items()
    ]
    source = f"{system.url('registry')}{APP}/plugin.html"
    plugin = {"id": "janani-verify-identity", "type": "plugin", "pluginSource": source, "fieldMap": fields}
    forms = {REGISTRY.program: [{"id": "default", "elements": [plugin]}]}
    stored = {"capture/dataEntryForms": forms, "janani-capture-plugin/config": CONFIG if config is None else config}
    with httpx.Client(base_url=system.url("registry"), auth=("admin", "district"), timeout=20) as admin:
        for place, value in stored.items():
            answer = admin.post(f"/api/dataStore/{place}", json=value)
            if answer.status_code == 409:
                answer = admin.put(f"/api/dataStore/{place}", json=value)
            answer.raise_for_status()


@pytest.fixture
async def desk(system: System) -> AsyncIterator[BrowserContext]:
    """A browser logged in to the registry, which has the app installed."""
    registry = system.url("registry")

    async def installed(route: Route) -> None:
        path = route.request.url.removeprefix(registry).split("?")[0]
        folder, name = ("app", path.removeprefix(APP)) if path.startswith(APP) else ("host", path.removeprefix(HOST))
        file = PLUGIN / "build" / folder / name.lstrip("/")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        await route.fulfill(body=file.read_bytes(), content_type=kind)

    async with async_playwright() as playwright:
        chrome = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        context = await chrome.new_context(viewport=DESKTOP, locale="en-GB", service_workers="block")
        context.set_default_timeout(15_000)
        await context.route(f"{registry}{APP}/**", installed)
        await context.route(f"{registry}{HOST}/**", installed)
        login = {"username": "admin", "password": "district"}
        await context.request.post(f"{registry}/login", form=login, headers={"origin": registry})
        yield context
        await chrome.close()


async def form(system: System, context: BrowserContext) -> tuple[Page, FrameLocator]:
    """The form, and the plugin in it."""
    page = await context.new_page()
    await page.goto(f"{system.url('registry')}{HOST}/host.html?program={REGISTRY.program}")
    return page, page.frame_locator("iframe")


async def verify(page: Page, plugin: FrameLocator, person: str, *, button: str = "Verify with National ID") -> None:
    async with page.expect_popup() as opening:
        await plugin.get_by_role("button", name=button).click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    await sign_in(popup, person)


def field(page: Page, alias: str) -> Any:
    return page.locator(f"input[data-alias={alias}]")


async def test_the_popup_fills_and_marks_the_form(system: System, desk: BrowserContext) -> None:
    page, plugin = await form(system, desk)
    await expect(plugin.get_by_role("button", name="Verify with National ID")).to_be_visible()
    await shot(page, "capture-1-start")
    await verify(page, plugin, SELVI)
    await expect(plugin.get_by_text("Verified", exact=True)).to_be_visible()
    await expect(field(page, "fullName")).to_have_value("Selvi Rajaratnam")
    await expect(field(page, "identityStatus")).to_have_value("VERIFIED")
    await expect(field(page, "identityProvider")).to_have_value(system.url("esignet"))
    uid = REGISTRY.attributes["full_name"]
    assert uid in await field(page, "identityFields").input_value()
    await shot(page, "capture-2-verified")
    await field(page, "fullName").fill("Selvi R")
    await expect(plugin.get_by_text("Changed since by hand")).to_be_visible()
    await expect(field(page, "identityFields")).not_to_have_value(uid)
    assert uid not in await field(page, "identityFields").input_value()
    await shot(page, "capture-3-changed")


async def test_her_own_phone_fills_the_form(system: System, desk: BrowserContext) -> None:
    page, plugin = await form(system, desk)
    await plugin.get_by_role("button", name="Verify on her own phone").click()
    link = await plugin.locator("a").get_attribute("href")
    assert link is not None
    await expect(plugin.get_by_role("img")).to_be_visible()
    await shot(page, "capture-4-phone")
    assert desk.browser is not None
    phone = await (await desk.browser.new_context(viewport=PHONE, locale="en-GB")).new_page()
    await phone.goto(link)
    sign = await phone.locator("[data-sign]").inner_text()
    await expect(plugin.locator("[data-test=sign]")).to_contain_text(sign)
    await phone.get_by_role("button", name="It is the same: go on").click()
    await expect(plugin.get_by_text("Her phone is connected")).to_be_visible()
    await sign_in(phone, MALINI)
    await expect(plugin.get_by_text("Verified", exact=True)).to_be_visible()
    await expect(field(page, "identityStatus")).to_have_value("VERIFIED")


async def test_a_window_that_is_closed_or_forged_changes_nothing(system: System, desk: BrowserContext) -> None:
    page, plugin = await form(system, desk)
    async with page.expect_popup() as opening:
        await plugin.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    forged = "window.frames[0].postMessage({type: 'janani-identity', code: 'c', state: 's'}, '*')"
    await page.evaluate(forged)  # right origin, but not from the window that was opened
    await popup.evaluate("window.opener.postMessage({type: 'janani-identity', code: 'c', state: 's'}, '*')")
    await expect(plugin.get_by_text("Waiting for the other window")).to_be_visible()
    back = f"{system.url('registry')}{APP}/callback.html?code=c&state=of-another"
    await popup.evaluate("back => { setTimeout(() => { location.href = back }) }", back)  # that page closes itself
    await expect(plugin.get_by_text("belongs to another attempt")).to_be_visible()
    await expect(field(page, "fullName")).to_have_value("")
    async with page.expect_popup() as opening:
        await plugin.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").wait_for()
    await popup.close()
    await expect(plugin.get_by_text("The window was closed")).to_be_visible()


async def test_the_configuration_changes_texts_ways_and_routes(system: System, desk: BrowserContext) -> None:
    try:
        configure(
            system, {"ways": ["here"], "routes": {"authorization": "none"}, "texts": {"en": {"verify": "Prove it"}}}
        )
        page, plugin = await form(system, desk)
        await plugin.get_by_role("button", name="Prove it").click()
        await expect(plugin.get_by_text("Verification is not set up rightly")).to_be_visible()
        await expect(plugin.get_by_role("button", name="Verify on her own phone")).to_have_count(0)
        configure(system, {"colour": "green"})
        page, plugin = await form(system, desk)
        await expect(plugin.get_by_text('"colour" is not known')).to_be_visible()
        await shot(page, "capture-5-configuration")
    finally:
        configure(system)


@pytest.mark.parametrize(
    ("language", "button"), [("si", "ජාතික හැඳුනුම්පතෙන් තහවුරු කරන්න"), ("ta", "தேசிய அடையாள அட்டை மூலம் உறுதிப்படுத்துக")]
)
async def test_it_speaks_the_users_language(system: System, desk: BrowserContext, language: str, button: str) -> None:
    async def person(route: Route) -> None:
        await route.fulfill(json={"settings": {"keyUiLocale": language}})

    await desk.route("**/me?fields=settings", person)
    page, plugin = await form(system, desk)
    await expect(plugin.get_by_role("button", name=button)).to_be_visible()
    await shot(page, f"capture-6-{language}")
