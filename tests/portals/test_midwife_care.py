"""A woman in care: visits, planning, referral, the day's list, logging out."""

import json
from datetime import timedelta
from typing import Any

from janani import programmes
from people import today
from portals.conftest import World
from portals.test_midwife_identity import register
from portals.test_midwife_registration import enrollments, new_form
from portals_walk import FATHIMA, Page

PACKAGE = json.loads((programmes.load("anc_lk").folder / "metadata.json").read_bytes())


def uid_of(code: str) -> str:
    """The UID of a data element."""
    return next(one["id"] for one in PACKAGE["dataElements"] if one["code"] == code)


async def a_woman(world: World, name: str) -> Page:
    return await register(world, await new_form(world), full_name=name)


async def visits_of(world: World, name: str) -> list[dict[str, Any]]:
    """The events of the visit stage."""
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:{name}")
    stage = world.programme.registry.stages["visit"]
    return [event for one in enrollments(woman) for event in one["events"] if event["programStage"] == stage]


async def record_visit(world: World, woman: Page, weight: str, **more: str) -> Page:
    form = await world.browser.press(woman, "Record a visit")
    return await world.browser.press(form, "Save the visit", **{world.roles["weight"]: weight}, **more)


async def test_a_visit_is_an_event_and_sent_twice_it_is_one(world: World) -> None:
    woman = await a_woman(world, "Visited Once")
    form = await world.browser.press(woman, "Record a visit")
    for _ in range(2):
        after = await world.browser.press(form, "Save the visit", **{world.roles["weight"]: "56,5"})
    assert after.path == woman.path
    assert "56.5" in after.text
    assert len(await visits_of(world, "Visited Once")) == 1


async def test_the_weeks_are_those_of_the_day_of_the_visit_unless_she_says_otherwise(world: World) -> None:
    woman, poa = await a_woman(world, "Seen Weeks Ago"), world.roles["poa"]
    three_weeks_ago = (today() - timedelta(weeks=3)).isoformat()
    form = await world.browser.press(woman, "Record a visit")
    assert form.form_with("Save the visit").values[poa] == ""
    assert "Today: 20." in form.text
    await world.browser.press(form, "Save the visit", day=three_weeks_ago)
    await record_visit(world, woman, "56", **{poa: "21"})
    said = [
        {row["dataElement"]: row["value"] for row in one["dataValues"]}
        for one in await visits_of(world, "Seen Weeks Ago")
    ]
    assert sorted(one[poa] for one in said) == ["17", "21"]


async def test_an_earlier_pregnancy_has_a_form_of_its_own_and_is_no_visit(world: World) -> None:
    woman = await a_woman(world, "Mother Of Three")
    form = await world.browser.press(woman, "Earlier pregnancies")
    refused = await world.browser.press(form, "Save her details", **{uid_of("ANC_EP_BIRTH_WEIGHT"): "2900"})
    assert refused.status == 422
    after = await world.browser.press(refused, "Save her details", **{uid_of("ANC_EP_OUTCOME"): "STILLBIRTH"})
    assert "2900" in after.text
    assert "Stillbirth" in after.text
    assert await visits_of(world, "Mother Of Three") == []


async def test_a_rare_section_is_folded_until_something_is_in_it(world: World) -> None:
    form = await world.browser.press(await a_woman(world, "Folded Sections"), "Record a visit")
    folded = [one for one in PACKAGE["programStageSections"] if one["id"] in world.programme.registry.folded]
    here = [one for one in folded if one["programStage"]["id"] == world.programme.registry.stages["visit"]]
    assert form.html.count('<details class="nhsuk-details nhsuk-expander">') == len(here) > 0
    again = await world.browser.press(form, "Save the visit", day="", **{uid_of("ANC_SYSTOLIC_AGAIN"): "135"})
    assert again.html.count('<details class="nhsuk-details nhsuk-expander" open>') == 1


async def test_a_visit_of_tomorrow_is_refused_at_the_day(world: World) -> None:
    woman = await a_woman(world, "Visited Tomorrow")
    tomorrow = (today() + timedelta(days=2)).isoformat()
    page = await record_visit(world, woman, "55", day=tomorrow)
    assert page.status == 422
    assert "today or earlier" in page.text
    assert 'href="#day"' in page.html


async def test_a_planned_visit_is_moved_and_becomes_the_visit(world: World) -> None:
    woman = await a_woman(world, "Planned Well")
    for days in (20, 3):
        day = (today() + timedelta(days=days)).isoformat()
        woman = await world.browser.press(woman, "Save the date", day=day)
        assert "The next visit is planned." in woman.text
    [planned] = await visits_of(world, "Planned Well")
    assert planned["status"] == "SCHEDULE"
    assert planned["scheduledAt"].startswith(day)
    await record_visit(world, woman, "57")
    [done] = await visits_of(world, "Planned Well")
    assert (done["event"], done["status"]) == (planned["event"], "COMPLETED")


async def test_a_planned_visit_that_somebody_recorded_meanwhile_stays_theirs(world: World) -> None:
    woman = await a_woman(world, "Seen By Two")
    woman = await world.browser.press(woman, "Save the date", day=today().isoformat())
    mine = await world.browser.press(woman, "Record a visit")
    [planned] = await visits_of(world, "Seen By Two")
    weeks = [{"dataElement": world.roles["poa"], "value": "20"}]
    await world.write_event(planned, status="COMPLETED", occurredAt=today().isoformat(), dataValues=weeks)
    await world.browser.press(mine, "Save the visit", **{world.roles["weight"]: "60"})
    both = await visits_of(world, "Seen By Two")
    assert [event["status"] for event in both] == ["COMPLETED", "COMPLETED"]


async def test_what_the_specialist_wrote_is_on_her_page_and_says_so(world: World) -> None:
    woman = await a_woman(world, "Seen At The Clinic")
    woman = await world.browser.press(woman, "Save the date", day=today().isoformat())
    [planned] = await visits_of(world, "Seen At The Clinic")
    stages, roles, now = world.programme.registry.stages, world.roles, today().isoformat()
    origin = world.programme.registry.elements["record_origin"]
    values = [{"dataElement": roles["weight"], "value": "61.5"}, {"dataElement": origin, "value": "Encounter/12"}]
    seen, ahead = (
        {**planned, "event": uid, "programStage": stages["specialist"]} for uid in ("SpecDone001", "SpecPlan001")
    )
    await world.write_event(seen, status="COMPLETED", occurredAt=now, dataValues=values)
    await world.write_event(ahead, status="SCHEDULE", scheduledAt=(today() + timedelta(days=9)).isoformat())
    page = await world.browser.get(woman.path)
    assert "Specialist clinic from the specialist’s record" in page.text
    assert "61.5" in page.text
    assert "Encounter/12" not in page.text
    assert page.text.count("from the specialist’s record") == 2


async def test_a_visit_begun_is_gone_on_with_later(world: World) -> None:
    woman = await a_woman(world, "Interrupted Visit")
    form = await world.browser.press(woman, "Record a visit")
    kept = await world.browser.post(
        f"/midwife/drafts/{form.path.rpartition('/')[2]}/keep", {world.roles["weight"]: "61.2"}
    )
    assert kept.status == 200
    assert "Visit: Interrupted Visit" in (await world.browser.get("/midwife")).text
    again = await world.browser.press(woman, "Record a visit")
    assert again.form_with("Save the visit").values[world.roles["weight"]] == "61.2"


async def test_while_the_registry_is_away_a_visit_keeps_what_was_typed(world: World) -> None:
    form = await world.browser.press(await a_woman(world, "Visit In The Rain"), "Record a visit")
    world.switch.away = {world.system.url("registry")}
    during = await world.browser.press(form, "Save the visit", **{world.roles["weight"]: "58"})
    assert during.status == 503
    assert during.form_with("Save the visit").values[world.roles["weight"]] == "58"
    world.switch.away = set()
    after = await world.browser.press(during, "Save the visit")
    assert "The visit is saved." in after.text


async def test_a_referral_reaches_the_registry(world: World) -> None:
    woman = await a_woman(world, "Referred Soon")
    form = await world.browser.press(woman, "Refer her")
    refused = await world.browser.press(form, "Send the referral")
    given = {"day": today().isoformat()}
    if refused.status == 422:
        given |= first_choices(refused)
    after = await world.browser.press(refused if refused.status == 422 else form, "Send the referral", **given)
    assert "The referral is saved" in after.text


def first_choices(page: Page) -> dict[str, str]:
    """The first answer to every question that the page says must be answered."""
    found = {}
    for block in page.html.split('id="field-')[1:]:
        uid, _quote, rest = block.partition('"')
        values = [part.partition('"')[0] for part in rest.split('value="')[1:]]
        if "(needed)" in rest or "nhsuk-error-message" in rest:
            found[uid] = next((value for value in values if value), "x")
    return found


async def test_the_list_finds_by_name_and_by_number(world: World) -> None:
    woman = await register(world, await new_form(world), full_name="Zeenath Unmistakable", phone="071 555 1212")
    assert "She is registered. Her record" in woman.text
    for text in ("zeenath", "unmis zee", "0715551212", "071 555 1212", "+94715551212"):
        found = await world.browser.get(f"/midwife?q={text.replace('+', '%2B').replace(' ', '+')}")
        assert "Zeenath Unmistakable" in found.text, text
    assert "Nobody found" in (await world.browser.get("/midwife?q=nobody")).text


async def test_a_midwife_sees_her_own_mothers(world: World) -> None:
    woman = await a_woman(world, "Of Akurana North")
    await world.other.log_in(FATHIMA)
    assert "Of Akurana North" not in (await world.other.get("/midwife")).text
    assert (await world.other.get(woman.path)).status in (200, 404)


async def test_after_logging_out_nothing_is_open_and_the_next_person_logs_in_herself(world: World) -> None:
    page = await world.browser.get("/midwife")
    cookie = world.browser.own.cookies["janani_portals_midwife"]
    after = await world.browser.press(page, "Log out (Nirmala Senanayake)")
    assert "Log in with eSignet" in after.text
    world.browser.own.cookies.set("janani_portals_midwife", cookie, domain="localhost.local")
    assert "Log in with eSignet" in (await world.browser.get("/midwife")).text
    going = await world.browser.get("/midwife/login")
    assert going.answer.has_redirect_location


async def test_a_login_answer_counts_once_and_in_the_browser_that_began(world: World) -> None:
    world.other.own.cookies.clear()
    wrong = await world.other.get("/midwife/callback?code=x&state=made-up")
    assert wrong.status == 400
    assert "begun elsewhere or took too long" in wrong.text


async def test_the_portals_publish_their_key_and_three_doors(world: World) -> None:
    [key] = (await world.browser.get("/jwks.json")).answer.json()["keys"]
    assert "d" not in key
    home = await world.browser.get("/")
    for door in ("Midwife", "Doctor", "Mother"):
        assert door in home.text
    assert home.answer.headers["content-security-policy"].startswith("default-src 'none'")
