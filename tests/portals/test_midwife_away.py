"""Services that are away when she logs in, looks at the list, or finishes: said in words, nothing lost."""

from datetime import timedelta

import httpx
import pytest

from people import today
from portals.conftest import World
from portals.test_midwife_care import a_woman
from portals.test_midwife_registration import complete, new_form


async def test_a_registry_that_is_away_is_said_with_a_way_to_try_again(world: World) -> None:
    world.switch.away = {world.system.url("registry")}
    page = await world.browser.get("/midwife")
    assert page.status == 503
    assert "The registry does not answer just now" in page.text
    assert 'href="/midwife">Try again' in page.html


async def test_a_login_that_the_registry_refuses_is_over_and_leads_back_after_logging_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refusing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, request=request, json={})

    for path in ("/midwife", f"/midwife/women/{'A' * 11}"):
        with monkeypatch.context() as patch:
            patch.setattr(world.switch, "handle_async_request", refusing)
            refused = await world.browser.own.get(path)
            welcome = await world.browser.own.get(refused.headers["location"])
        assert welcome.status_code == 200
        assert "Log in with eSignet" in welcome.text
        assert f"then={path.replace('/', '%2F')}" in welcome.text
        await world.browser.log_in()


async def test_a_login_that_ends_while_the_number_is_issued_leads_back_to_the_form(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Steadfast Numbered", birth_date="1994-05-17")
    through = world.switch.handle_async_request

    async def refusing(request: httpx.Request) -> httpx.Response:
        if "/run/" in request.url.path:  # the registry's Route to the PHN authority
            return httpx.Response(401, request=request, json={})
        return await through(request)

    with monkeypatch.context() as patch:
        patch.setattr(world.switch, "handle_async_request", refusing)
        welcome = await world.browser.press(page, "Register her", **given)
    assert "Log in with eSignet" in welcome.text
    assert f"then={page.path.replace('/', '%2F')}" in welcome.html
    form = await world.browser.log_in(path=f"/midwife/login?then={page.path}")
    assert form.form_with("Register her").values[world.roles["full_name"]] == "Steadfast Numbered"


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


async def test_a_number_issued_before_the_registry_failed_is_hers_with_what_she_corrected(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Chandrika Misspelled", birth_date="1993-11-17", nic="199382201234")
    world.switch.away = {"/api/tracker?async"}
    during = await world.browser.press(page, "Register her", **given)
    assert during.status == 503
    world.switch.away = set()
    after = await world.browser.press(during, "Register her", **{world.roles["full_name"]: "Chandrika Corrected"})
    assert "She is registered. Her record" in after.text, after.text
    told = [one.content.decode() for one in world.switch.seen if one.method == "PUT" and "phn" in str(one.url)]
    assert "Chandrika Corrected" in told[-1]


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


async def test_a_date_that_could_not_be_planned_stands_in_its_field_and_is_not_called_kept(world: World) -> None:
    page, day = await a_woman(world, "Planned In The Rain"), (today() + timedelta(days=9)).isoformat()
    for away in ("/api/tracker?async", world.system.url("registry")):
        world.switch.away = {away}
        page = await world.browser.press(page, "Save the date", day=day)
        assert page.status == 503
        assert "The date is not saved yet" in page.text
        assert "is kept" not in page.text
        assert page.form_with("Save the date").values["day"] == day
    world.switch.away = set()
    after = await world.browser.press(page, "Save the date")
    assert "The next visit is planned." in after.text
    assert after.form_with("Save the date").values["day"] == ""


async def test_a_date_typed_when_the_login_had_ended_is_sent_after_logging_in(world: World) -> None:
    page, day = await a_woman(world, "Planned After Lunch"), (today() + timedelta(days=9)).isoformat()
    world.browser.own.cookies.clear()
    ended = await world.browser.press(page, "Save the date", day=day)
    assert ended.status == 401
    await world.browser.log_in()
    assert "The next visit is planned." in (await world.browser.press(ended, "Send it again")).text
