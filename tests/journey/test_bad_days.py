"""Bad input and bad days at the midwife's: nothing she typed is lost, and she is told what to do."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from playwright.async_api import Request, Route, expect

from janani import programmes
from journey.walking import (
    DESKTOP,
    PHONE,
    Browser,
    BrowserContext,
    Page,
    fill_her,
    fill_pregnancy,
    midwife_page,
    new_form,
    shot,
    sign_in,
    verify,
    women,
)
from people import record_token
from system import System, a_system

pytestmark = pytest.mark.journey
NIRMALA, FATHIMA, THEVAKI = "1000000001", "1000000002", "1000000003"
DOCTOR, SELVI, AYESHA, DILANI = "2000000001", "3000000003", "3000000004", "3000000005"
APART = ("esignet", "relying", "registry", "record")
FETCH = """([url, body]) => fetch(url, {method: 'POST', body,
    headers: {'content-type': 'application/x-www-form-urlencoded'}}).then(async answer =>
    ({url: answer.url, status: answer.status, text: await answer.text()}))"""


@pytest.fixture(scope="module")
def in_pieces() -> Iterator[System]:
    """Janani with eSignet, the relying party, the registry and the record in processes of their own."""
    with a_system("--no-demo") as one:
        one.take_apart(*APART)
        yield one


@pytest.fixture
async def pieces(in_pieces: System) -> AsyncIterator[System]:
    """The same, whole again after each test."""
    yield in_pieces
    for part in APART:
        await asyncio.to_thread(in_pieces.bring_back, part)


async def another_desk(browser: Browser) -> BrowserContext:
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(60_000)
    return context


async def registered(page: Page, name: str) -> str:
    """Registers a woman typed by hand; the address of her page."""
    await fill_her(page, name, "1995-05-05")
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    return page.url.partition("?")[0]


async def test_a_form_sent_twice_is_one_registration(system: System, desk: BrowserContext) -> None:
    page = await new_form(system, desk)
    await fill_her(page, "Sent Twice", "1995-05-05")
    form = page.locator("form[data-draft]")
    body = await form.evaluate("form => new URLSearchParams(new FormData(form)).toString()")
    address = await form.evaluate("form => form.action")
    await page.get_by_role("button", name="Register her").dblclick()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    her_page = page.url.partition("?")[0]
    again = await page.evaluate(FETCH, [address, f"{body}&do=send"])
    assert again["url"] == her_page
    await page.go_back()
    await expect(page).to_have_url(re.compile("/midwife/women/"))
    assert len(await women(system, "full_name", "Sent Twice")) == 1


async def test_a_wrong_code_can_be_typed_again_and_what_is_withheld_stays_unmarked(
    system: System, desk: BrowserContext
) -> None:
    page = await new_form(system, desk)
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await popup.get_by_label("National ID number").fill(AYESHA)
    await popup.get_by_role("button", name="Continue").click()
    await popup.get_by_role("button", name="Send the code").click()
    await popup.get_by_label("Code of 6 digits").fill("222222")
    await popup.get_by_role("button", name="Confirm the code").click()
    await expect(popup.get_by_text("That code is not right.")).to_be_visible()
    await shot(popup, "bad-1-wrong-code")
    await popup.get_by_label("Code of 6 digits").fill("111111")
    await popup.get_by_role("button", name="Confirm the code").click()
    await popup.get_by_role("switch", name=re.compile("phone", re.IGNORECASE)).press("Space")
    await popup.get_by_role("button", name="Share and continue").click()
    await expect(page.get_by_text("Her identity is verified and filled in")).to_be_visible()
    await expect(page.get_by_label("Phone Number")).to_have_value("")
    await page.get_by_label("Phone Number").fill("077 555 0000")
    await page.get_by_label("Full Name").fill("Ayesha Mohideen-Fathi")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    await expect(page.locator("label", has_text="Full Name").get_by_text("verified")).to_be_hidden()
    await shot(page, "bad-2-mark-gone")
    await fill_pregnancy(page, 9)
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    [ayesha] = await women(system, "full_name", "Ayesha Mohideen-Fathi")
    roles, marked = programmes.load("anc_lk").registry.attributes, ayesha["identity_verified_fields"].split(",")
    assert ayesha["identity_status"] == "VERIFIED"
    assert ayesha["phone"] == "+94775550000"
    assert roles["birth_date"] in marked
    assert not {roles["full_name"], roles["phone"]} & set(marked)


async def test_an_answer_of_esignet_sent_again_changes_nothing(system: System, desk: BrowserContext) -> None:
    page, answers = await new_form(system, desk), list[Request]()
    page.on("request", lambda one: answers.append(one) if one.url.endswith("/identity") else None)
    await verify(page, DILANI)
    await page.get_by_label("Full Name").fill("Corrected By Hand")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    [answer] = answers
    again = await page.evaluate(FETCH, [answer.url, answer.post_data])
    await page.goto(again["url"])
    await expect(page.get_by_text("was answered already")).to_be_visible()
    await expect(page.get_by_label("Full Name")).to_have_value("Corrected By Hand")
    await expect(page.get_by_text("Identity verified").first).to_be_visible()
    await shot(page, "bad-3-answered-already")


async def test_two_midwives_recording_a_visit_at_once_are_both_kept(
    system: System, browser: Browser, desk: BrowserContext
) -> None:
    mine = await new_form(system, desk)
    her = await registered(mine, "Seen By Two")
    theirs = await midwife_page(system, await another_desk(browser), FATHIMA)
    await theirs.goto(her)
    for page, weight in ((mine, "61"), (theirs, "62")):
        await page.get_by_role("button", name="Record a visit").click()
        await page.get_by_label("Weight (kg)").fill(weight)
    await asyncio.gather(*(page.get_by_role("button", name="Save the visit").click() for page in (mine, theirs)))
    for page in (mine, theirs):
        await expect(page.get_by_text("The visit is saved.")).to_be_visible()
    await mine.goto(her)
    for weight in ("61", "62"):
        await expect(mine.locator("dt:text-is('Weight (kg)') + dd").get_by_text(weight, exact=True)).to_be_visible()
    await shot(mine, "bad-4-both-visits")


async def test_a_midwife_of_another_district_cannot_open_her_by_address(
    system: System, browser: Browser, desk: BrowserContext
) -> None:
    her = await registered(await new_form(system, desk), "Of Akurana Only")
    page = await midwife_page(system, await another_desk(browser), THEVAKI)
    await page.goto(her)
    await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    await shot(page, "bad-5-not-hers-to-see")
    assert "Of Akurana Only" not in await page.content()
    answer = await page.evaluate(FETCH, [f"{her}/visit", ""])
    assert answer["status"] == 404


@pytest.mark.parametrize(
    ("door", "button", "national_id"),
    [("doctor", "Log in with eSignet", DOCTOR), ("mother", "Log in with your national ID", SELVI)],
)
async def test_whoever_came_in_by_another_door_finds_the_midwifes_shut(
    system: System, browser: Browser, door: str, button: str, national_id: str
) -> None:
    page = await (await browser.new_context(viewport=PHONE, locale="en-GB")).new_page()
    await page.goto(f"{system.url('portals')}/{door}")
    await page.get_by_role("button", name=button).click()
    await sign_in(page, national_id)
    await page.wait_for_url(lambda url: not url.startswith(system.url("esignet")))
    [known, *_] = await women(system, "registration_number", "ANC", operator="sw")
    await page.goto(f"{system.url('portals')}/midwife/women/{known['uid']}")
    await expect(page.get_by_role("button", name="Log in with eSignet")).to_be_visible()
    assert known["full_name"] not in await page.content()


async def test_a_form_of_another_site_is_refused(system: System, desk: BrowserContext) -> None:
    page = await midwife_page(system, desk)
    target = f"{system.url('portals')}/midwife/registrations"

    async def other_site(route: Route) -> None:
        html = f"<form method=post action={target}><button>Win a prize</button></form>"
        await route.fulfill(body=html, content_type="text/html")

    await page.route("http://prizes.example/", other_site)
    await page.goto("http://prizes.example/")
    await page.get_by_role("button", name="Win a prize").click()
    await expect(page.get_by_role("heading", name="This was sent from another site")).to_be_visible()
    await shot(page, "bad-6-other-site")


async def the_window_gives_up(page: Page) -> None:
    """Verify with National ID while nobody answers: it is said, and the window closes by itself."""
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    popup = await opening.value
    await expect(page.get_by_text("Go on without it; her identity will be verified")).to_be_visible()
    async with asyncio.timeout(60):
        while not popup.is_closed():  # the browser tells of it a moment later
            await asyncio.sleep(0.05)


async def test_while_esignet_is_away_she_is_registered_and_verified_later(pieces: System, desk: BrowserContext) -> None:
    page = await new_form(pieces, desk)
    await page.get_by_label("Husband's name").fill("Typed before")
    pieces.cut_off("esignet")
    await the_window_gives_up(page)
    await shot(page, "away-1-esignet")
    await fill_her(page, "Dilani Herath", "2001-08-05")
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("Identity to be verified at the next visit")).to_be_visible()
    await shot(page, "away-2-pending")
    await asyncio.to_thread(pieces.bring_back, "esignet")
    await page.get_by_role("button", name="Verify with National ID").click()
    await page.wait_for_url("**/midwife/identities/*")  # where a button has the same name
    async with page.expect_popup() as opening:
        await page.get_by_role("button", name="Verify with National ID").click()
    await sign_in(await opening.value, DILANI)
    await expect(page.get_by_text("She signed in. Please compare before you save.")).to_be_visible()
    await shot(page, "away-3-compare")
    await page.get_by_role("button", name="Same person: save").click()
    await expect(page.get_by_text("Her identity is verified.")).to_be_visible()
    [dilani] = await women(pieces, "full_name", "Dilani Madushika Herath")
    assert dilani["identity_status"] == "VERIFIED"
    assert dilani["subject"]


async def test_while_the_relying_party_is_away_each_way_says_so(pieces: System, desk: BrowserContext) -> None:
    page = await new_form(pieces, desk)
    await page.get_by_label("Husband's name").fill("Typed before")
    pieces.cut_off("relying")
    await the_window_gives_up(page)
    await shot(page, "away-5-relying-window")
    await page.get_by_role("button", name="Verify on her own phone").click()
    await expect(page).to_have_url(re.compile("note=identity-away"))
    await expect(page.get_by_text("Go on without it; her identity will be verified")).to_be_visible()
    await shot(page, "away-6-relying-phone")
    await page.get_by_role("button", name="Read the QR code of her card").click()
    await page.get_by_label("Text of the code").fill("ANY")
    await page.get_by_role("button", name="Check the card").click()
    await expect(page.get_by_role("alert")).to_contain_text("can’t be reached just now")
    await shot(page, "away-7-relying-card")
    await page.get_by_role("link", name="Back to the form").click()
    await expect(page.get_by_label("Husband's name")).to_have_value("Typed before")


async def test_while_the_registry_is_away_what_she_types_is_kept(pieces: System, desk: BrowserContext) -> None:
    page = await new_form(pieces, desk)
    await page.get_by_label("Full Name").fill("Typed First")
    pieces.cut_off("registry")
    await fill_her(page, "Typed While Away", "1997-04-03")
    await expect(page.get_by_text("Kept ✓")).to_be_visible()
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_role("alert")).to_contain_text("What you typed is kept.")
    await expect(page.get_by_label("Full Name")).to_have_value("Typed While Away")
    await shot(page, "away-4-registry")
    await asyncio.to_thread(pieces.bring_back, "registry")
    await page.get_by_role("button", name="Register her").click()
    await expect(page.get_by_text("She is registered.")).to_be_visible()
    assert len(await women(pieces, "full_name", "Typed While Away")) == 1


async def test_while_the_record_is_away_the_sync_waits_and_catches_up(pieces: System, desk: BrowserContext) -> None:
    pieces.cut_off("record")
    page = await new_form(pieces, desk)
    await registered(page, "Record Away")
    [woman] = await women(pieces, "full_name", "Record Away")
    await asyncio.sleep(2)
    await asyncio.to_thread(pieces.bring_back, "record")
    async with httpx.AsyncClient(timeout=60) as client:
        headers = {"Authorization": f"Bearer {await record_token(pieces, client)}"}
        url, identifier = f"{pieces.url('record')}/fhir/Patient", programmes.load("anc_lk").record.systems["phn"]
        for _ in range(300):
            answer = await client.get(url, params={"identifier": f"{identifier}|{woman['phn']}"}, headers=headers)
            if answer.raise_for_status().json()["total"]:
                break
            await asyncio.sleep(0.2)
        assert answer.json()["total"] == 1
        assert not (await client.get(f"{pieces.url('sync')}/status")).json()["dead"]
