"""Services that are away when she logs in, looks at the list, or finishes: said in words, nothing lost."""

import pytest

from portals.conftest import World
from portals.test_midwife_registration import complete, new_form


async def test_a_registry_that_is_away_is_said_with_a_way_to_try_again(world: World) -> None:
    world.switch.away = {world.system.url("registry")}
    page = await world.browser.get("/midwife")
    assert page.status == 503
    assert "The registry does not answer just now" in page.text
    assert 'href="/midwife">Try again' in page.html


async def test_a_login_that_can_not_be_finished_leads_back_to_the_beginning(world: World) -> None:
    await world.browser.press(await world.browser.get("/midwife"), "Log out (Nirmala Senanayake)")
    world.switch.away = {"/oauth2/token"}
    page = await world.browser.log_in()
    assert page.status == 503
    assert "can't be finished just now" in page.text
    assert 'href="/midwife">Try again' in page.html
    world.switch.away = set()
    assert "My mothers" in (await world.browser.log_in()).text


@pytest.mark.parametrize("service", ["phn-service", "/generate", "/api/tracker?async"])
async def test_whatever_fails_while_she_registers_the_same_form_succeeds_later(world: World, service: str) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name=f"Steadfast {service.strip('/')[:3]}")
    given["distinct"] = "yes"  # the others of this test have the same birthday
    world.switch.away = {service}
    during = await world.browser.press(page, "Register her", **given)
    assert during.status == 503
    assert "What you typed is kept" in during.text
    world.switch.away = set()
    after = await world.browser.press(during, "Register her", distinct="yes")
    assert "She is registered. Her record" in after.text
    assert len(await world.registered(f"{world.roles['full_name']}:eq:{given[world.roles['full_name']]}")) == 1


async def test_esignet_away_when_the_answer_is_redeemed_leaves_her_pending(world: World) -> None:
    form = await new_form(world)
    going = await world.browser.press(form, "Verify with National ID")
    url = going.html.partition('role="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    thanks = await world.browser.get(
        (await world.browser.consent(url, "3000000001")).removeprefix(world.browser.portals)
    )
    world.switch.away = {"relying-party-service"}
    after = await world.browser.press(thanks, "Continue")
    assert "can’t be reached" in after.text
    assert "to be verified at the next visit" in after.text
