"""Her own phone, from the midwife's side, without scripts: refused, away, over."""

from portals.conftest import World
from portals.test_midwife_registration import new_form


async def test_the_page_waits_and_looks_again(world: World) -> None:
    page = await world.browser.press(await new_form(world), "Verify on her own phone")
    assert "Waiting for her to scan the code" in page.text, page.text
    assert "data:image/svg+xml," in page.html
    again = await world.browser.press(page, "Look again")
    assert "Waiting for her to scan the code" in again.text


async def test_while_it_is_away_the_form_goes_on_as_pending(world: World) -> None:
    form = await new_form(world)
    world.switch.away = {"identity-verifications"}
    page = await world.browser.press(form, "Verify on her own phone")
    assert "to be verified at the next visit" in page.text


async def test_being_away_for_a_while_ends_nothing(world: World) -> None:
    page = await world.browser.press(await new_form(world), "Verify on her own phone")
    world.switch.away = {"identity-verifications"}
    assert "does not answer just now" in (await world.browser.press(page, "Look again")).text
    world.switch.away = set()
    assert "Waiting for her to scan the code" in (await world.browser.press(page, "Look again")).text


async def test_a_draft_of_another_midwife_is_not_found(world: World) -> None:
    page = await world.browser.press(await new_form(world), "Verify on her own phone")
    await world.other.log_in("1000000002")
    stolen = await world.other.get(page.path)
    assert stolen.status == 404
