"""A form that is sent again: after a lost answer it is one visit, from a tab left open nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from people import today
from portals.conftest import World
from portals.test_midwife_care import a_woman, visits_of
from portals_walk import Page


@contextmanager
def answers_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the portals write arrives at the registry, and its answer never comes back."""
    through = world.switch.handle_async_request

    async def losing(request: httpx.Request) -> httpx.Response:
        answer = await through(request)
        if request.method == "POST" and request.url.path.endswith("/api/tracker"):
            await answer.aread()
            raise httpx.ReadError("lost", request=request)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(world.switch, "handle_async_request", losing)
        yield


def typed(page: Page, **more: str) -> dict[str, str]:
    """What a browser would send of the form on `page`."""
    return page.form_with("Save the visit").values | more


async def planned_today(world: World, name: str) -> Page:
    return await world.browser.press(await a_woman(world, name), "Save the date", day=today().isoformat())


@pytest.mark.parametrize("corrected", ["57", "58"])
async def test_a_planned_visit_whose_answer_was_lost_is_one_visit(
    world: World, monkeypatch: pytest.MonkeyPatch, corrected: str
) -> None:
    name = f"Answer Lost At {corrected}"
    woman = await planned_today(world, name)
    [planned] = await visits_of(world, name)
    form = await world.browser.press(woman, "Record a visit")
    with answers_lost(world, monkeypatch):
        during = await world.browser.press(form, "Save the visit", **{world.roles["weight"]: "57"})
        assert during.status == 503
        during = await world.browser.press(during, "Save the visit")
    after = await world.browser.press(during, "Save the visit", **{world.roles["weight"]: corrected})
    assert "The visit is saved." in after.text
    [done] = await visits_of(world, name)
    assert (done["event"], done["status"]) == (planned["event"], "COMPLETED")
    assert {"57", "58"} & {row["value"] for row in done["dataValues"]} == {corrected}


async def test_a_visit_that_was_not_the_planned_one_stays_so_after_a_lost_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "Answer Lost Unplanned"
    form = await world.browser.press(await planned_today(world, name), "Record a visit")
    own = {key: value for key, value in typed(form).items() if key != "planned"}
    with answers_lost(world, monkeypatch):
        during = await world.browser.post(form.path, own)
        assert during.status == 503
    await world.browser.post(form.path, typed(form))
    assert sorted(one["status"] for one in await visits_of(world, name)) == ["COMPLETED", "SCHEDULE"]


async def test_what_is_typed_in_a_tab_left_open_after_its_form_was_sent_goes_into_a_new_form(world: World) -> None:
    name, weight = "Open In Two Tabs", world.roles["weight"]
    tab = await world.browser.press(await a_woman(world, name), "Record a visit")
    await world.browser.press(tab, "Save the visit", **{weight: "56"})
    keep = f"/midwife/drafts/{tab.path.rpartition('/')[2]}/keep"
    assert (await world.browser.post(keep, typed(tab, **{weight: "63"}))).status == 409
    for _ in range(2):
        again = await world.browser.press(tab, "Save the visit", **{weight: "63"})
        assert "What you typed since is here, in a new form, and not sent yet." in again.text
        assert again.form_with("Save the visit").values[weight] == "63"
    assert len(await visits_of(world, name)) == 1
    assert "The visit is saved." in (await world.browser.press(again, "Save the visit")).text
    await world.browser.press(tab, "Save the visit", **{weight: "63"})
    assert len(await visits_of(world, name)) == 2


async def test_details_typed_in_a_tab_left_open_are_shown_beside_what_was_saved(world: World) -> None:
    name = world.roles["address"]
    tab = await world.browser.press(await a_woman(world, "Details In Two Tabs"), "Change her details")
    assert (await world.browser.press(tab, "Save her details", **{name: "1 First Lane"})).path.startswith(
        "/midwife/women"
    )
    again = await world.browser.press(tab, "Save her details", **{name: "2 Second Lane"})
    assert "in a new form, and not sent yet" in again.text
    beside = await world.browser.press(again, "Save her details")
    assert beside.status == 409
    assert "1 First Lane" in beside.text
