"""When a pregnancy is over, and when a planned visit is not wanted any more: nobody is overdue for ever."""

from datetime import timedelta

import pytest

from janani.portals.midwife.women import woman
from people import today
from portals.conftest import World
from portals.test_midwife_care import a_woman, uid_of, visits_of
from portals.test_midwife_core import PROGRAMME, TODAY, person, visit
from portals_walk import Page

BIRTH, DIED = PROGRAMME.registry.stages["birth"], PROGRAMME.registry.elements["deceased"]


@pytest.mark.parametrize("died", [True, False])
def test_after_a_birth_or_a_death_nobody_is_waited_for(died: bool) -> None:
    booked, missed = visit("COMPLETED", "2026-03-01", lmp="2026-01-10", systolic="150"), visit("SCHEDULE", "2026-10-01")
    said = [{"dataElement": DIED, "value": "true"}] if died else []
    ended = visit("COMPLETED", "2026-10-10") | {"programStage": BIRTH, "dataValues": said}
    before, after = (woman(person("Nimali", booked, missed, *more), PROGRAMME, TODAY) for more in ([], [ended]))
    assert (before.over, before.overdue, before.risks) == (False, True, ["High blood pressure"])
    assert (after.over, after.died, after.overdue, after.next_visit, after.risks) == (True, died, False, None, [])
    assert after.planned == before.next_visit


def row_of(page: Page, name: str) -> str:
    """What the list says of her."""
    return page.text.partition(name)[2][:60]


async def overdue(world: World, name: str) -> Page:
    """A woman whose visit was planned for two days ago."""
    woman_page = await world.browser.press(await a_woman(world, name), "Save the date", day=today().isoformat())
    [planned] = await visits_of(world, name)
    await world.write_event(planned, status="SCHEDULE", scheduledAt=(today() - timedelta(days=2)).isoformat())
    assert "Overdue since" in row_of(await world.browser.get(f"/midwife?q={name.replace(' ', '+')}"), name)
    return await world.browser.get(woman_page.path)


async def test_a_death_is_said_in_plain_words_and_she_is_not_overdue(world: World) -> None:
    name = "Remembered With Love"
    page = await overdue(world, name)
    [planned] = await visits_of(world, name)
    ended = {**planned, "event": "BirthDied01", "programStage": BIRTH}
    said = [{"dataElement": DIED, "value": "true"}, {"dataElement": uid_of("ANC_OUTCOME"), "value": "LIVE_BIRTH"}]
    await world.write_event(ended, status="COMPLETED", occurredAt=today().isoformat(), dataValues=said)
    after = await world.browser.get(page.path)
    assert f"{name} · She died" in after.text
    assert "She has died." in after.text
    assert "overdue" not in after.text
    row = row_of(await world.browser.get(f"/midwife?q={name.replace(' ', '+')}"), name)
    assert "She died" in row
    assert "Overdue" not in row


async def test_a_planned_visit_is_cancelled_after_a_question(world: World) -> None:
    name = "Moved To Her Mother"
    page = await overdue(world, name)
    [planned] = await visits_of(world, name)
    path = f"{page.path}/planned/{planned['event']}"
    assert f'href="{path}"' in page.html
    question = await world.browser.get(path)
    assert "Cancel the visit planned for" in question.text
    assert (await visits_of(world, name))[0]["status"] == "SCHEDULE"
    for _ in range(2):
        after = await world.browser.press(question, "Yes, cancel it")
        assert "The planned visit is cancelled." in after.text
    assert "None is planned." in after.text
    assert [one["status"] for one in await visits_of(world, name)] == ["SKIPPED"]
    assert (await world.browser.get(f"{page.path}/planned/NoSuchEvent")).status == 404
    again = await world.browser.press(after, "Save the date", day=today().isoformat())
    assert "The next visit is planned." in again.text
    assert sorted(one["status"] for one in await visits_of(world, name)) == ["SCHEDULE", "SKIPPED"]


async def test_while_the_registry_is_away_a_visit_is_not_cancelled_and_she_is_told(world: World) -> None:
    name = "Still Expected"
    page = await overdue(world, name)
    [planned] = await visits_of(world, name)
    question = await world.browser.get(f"{page.path}/planned/{planned['event']}")
    world.switch.away = {"/api/tracker?async"}
    during = await world.browser.press(question, "Yes, cancel it")
    assert during.status == 503
    assert "The visit is not cancelled" in during.text
    world.switch.away = set()
    assert "The planned visit is cancelled." in (await world.browser.press(during, "Yes, cancel it")).text
