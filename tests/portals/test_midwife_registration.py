"""Registering a mother, without scripts, over the real registry, eSignet, relying party and PHN authority."""

import asyncio
import re
from datetime import timedelta
from typing import Any

from people import today
from portals.conftest import World
from portals_walk import FATHIMA, Page


async def new_form(world: World) -> Page:
    return await world.browser.press(await world.browser.get("/midwife"), "New registration")


def answers(world: World, **more: str) -> dict[str, str]:
    """What must be answered, by role."""
    roles = world.roles
    last_period = today() - timedelta(weeks=20)
    metadata: dict[str, str] = {
        "full_name": "Sujatha Ranasinghe",
        "birth_date": "1994-02-03",
        "gender": "Female",
        "lmp": last_period.isoformat(),
        "gravida": "2",
        "parity": "1",
    }
    living = next(uid for uid in [world.roles.get("living_children", "")])
    known = {roles[role]: value for role, value in (metadata | more).items()}
    return known | ({living: "1"} if living else {})


async def complete(world: World, page: Page, **more: str) -> dict[str, str]:
    """`answers`, and something for every other question that must be answered."""
    given = answers(world, **more)
    missing = [line.split('"')[0] for line in page.html.split('id="field-')[1:] if "(needed)" in line]
    return {uid: "1" for uid in missing if uid not in given} | given


async def test_a_form_is_made_from_the_metadata_of_the_registry(world: World) -> None:
    page = await new_form(world)
    for words in ("Full Name", "NIC Number", "Last menstrual period (LMP)", "Blood group and Rh", "Heart disease"):
        assert words in page.text
    for hidden in ("Registration Number", "Subject ID", "Identity status", "Fields as verified"):
        assert hidden not in page.text


async def test_a_registration_is_one_woman_with_numbers_and_a_state_of_identity(world: World) -> None:
    page = await new_form(world)
    after = await world.browser.press(
        page, "Register her", **await complete(world, page, full_name="Sujatha Once", height="156", weight="54,5")
    )
    assert "She is registered. Her record" in after.text, after.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Sujatha Once")
    kept = values(woman)
    assert kept[world.roles["registration_number"]].startswith("ANC")
    assert kept[world.roles["phn"]].startswith("JANANI22")
    assert kept[world.roles["identity_status"]] == "NOT_VERIFIED"
    assert int(kept[world.roles["age"]]) >= 30
    [event] = [event for one in enrollments(woman) for event in one["events"]]
    data = {row["dataElement"]: row["value"] for row in event["dataValues"]}
    assert data[world.roles["weight"]] == "54.5"
    assert data[world.roles["bmi"]] == "22.4"
    assert data[world.roles["poa_registration"]] == "20"
    assert event["status"] == "COMPLETED"


async def test_the_clinic_of_her_last_registration_is_proposed(world: World) -> None:
    page = await new_form(world)
    units = re.findall(r'<option value="(\w{11})"', page.html.partition('id="unit"')[2].partition("</select>")[0])
    assert page.form_with("Register her").values["unit"] == units[0] != units[-1]
    await world.browser.press(page, "Register her", **await complete(world, page), unit=units[-1])
    page = await new_form(world)
    assert page.form_with("Register her").values["unit"] == units[-1]


async def test_a_form_sent_twice_is_one_registration(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Sujatha Twice")
    first = await world.browser.press(page, "Register her", **given)
    second = await world.browser.press(page, "Register her", **given)
    assert first.path == second.path
    assert first.path.startswith("/midwife/women/")
    assert len(await world.registered(f"{world.roles['full_name']}:eq:Sujatha Twice")) == 1


async def test_what_is_missing_is_listed_with_links_to_the_questions(world: World) -> None:
    page = await world.browser.press(await new_form(world), "Register her", **{world.roles["full_name"]: "Half Done"})
    assert page.status == 422
    assert "Not sent yet. What you typed is kept." in page.text
    assert f'href="#{world.roles["lmp"]}"' in page.html
    assert f'id="{world.roles["lmp"]}"' in page.html
    assert page.form_with("Register her").values[world.roles["full_name"]] == "Half Done"


async def test_while_the_registry_is_away_what_she_types_is_kept_and_can_be_sent_later(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Sujatha Patient")
    world.switch.away = {world.system.url("registry")}
    during = await world.browser.press(page, "Register her", **given)
    assert during.status == 503
    assert "does not answer" in during.text
    assert during.form_with("Register her").values[world.roles["full_name"]] == "Sujatha Patient"
    kept = await world.browser.post(f"/midwife/drafts/{draft_of(page)}/keep", given | {world.roles["nic"]: "1"})
    assert kept.status == 200
    world.switch.away = set()
    again = await world.browser.get(page.path)
    assert again.form_with("Register her").values[world.roles["nic"]] == "1"
    after = await world.browser.press(again, "Register her", **{world.roles["nic"]: ""})
    assert "She is registered. Her record" in after.text


async def test_an_ended_session_leads_back_to_the_form(world: World) -> None:
    page = await new_form(world)
    await world.browser.post(f"/midwife/drafts/{draft_of(page)}/keep", {world.roles["full_name"]: "Not Lost"})
    world.browser.own.cookies.delete("janani_portals_midwife")
    welcome = await world.browser.get(page.path)
    assert "Log in with eSignet" in welcome.text
    assert f"then={page.path.replace('/', '%2F')}" in welcome.html
    form = await world.browser.log_in(path=f"/midwife/login?then={page.path}")
    assert form.form_with("Register her").values[world.roles["full_name"]] == "Not Lost"


async def test_a_form_sent_after_the_session_has_ended_can_be_sent_again_as_it_was_typed(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name='Sent "Too" Late', birth_date="1992-09-01")
    world.browser.own.cookies.delete("janani_portals_midwife")
    kept = await world.browser.press(page, "Register her", **given)
    assert kept.status == 401
    assert "Your login has ended." in kept.text
    assert kept.form_with("Send it again").values[world.roles["full_name"]] == 'Sent "Too" Late'
    scripted = await world.browser.own.post(f"/midwife/drafts/{draft_of(page)}/keep", data=given)
    assert scripted.status_code == 303
    await world.browser.log_in()
    after = await world.browser.press(kept, "Send it again")
    assert "She is registered. Her record" in after.text


async def test_nobody_opens_another_midwifes_form(world: World) -> None:
    page = await new_form(world)
    await world.other.log_in(FATHIMA)
    assert (await world.other.get(page.path)).status == 404
    assert (await world.other.post(f"/midwife/drafts/{draft_of(page)}/keep", {})).status == 404


async def test_a_form_sent_from_another_site_changes_nothing(world: World) -> None:
    page = await new_form(world)
    sent = await world.browser.post(page.path, {"do": "drop"}, **{"sec-fetch-site": "same-site"})
    assert sent.status == 403
    assert (await world.browser.get(page.path)).status == 200


async def test_a_nic_that_is_registered_already_leads_to_that_woman(world: World) -> None:
    nic = "199034501239"
    for name in ("First With Nic", "Second With Nic"):
        page = await new_form(world)
        given = await complete(world, page, full_name=name, nic=nic, birth_date="1990-12-10")
        after = await world.browser.press(page, "Register her", **given)
        if "give her a new number" in after.text:
            after = await world.browser.press(after, "Register her", distinct="yes")
    assert "She is registered already" in after.text
    assert "First With Nic" in after.text
    assert len(await world.registered(f"{world.roles['nic']}:eq:{nic}")) == 1


def draft_of(page: Page) -> str:
    return page.path.rpartition("/")[2]


def enrollments(woman: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = woman["enrollments"]
    return found


def values(woman: dict[str, Any]) -> dict[str, str]:
    rows = [*woman.get("attributes", []), *(row for one in enrollments(woman) for row in one.get("attributes", []))]
    return {row["attribute"]: row["value"] for row in rows}


async def test_a_form_sent_twice_at_the_same_moment_is_one_registration(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Sujatha Hasty", birth_date="1991-05-06")
    both = await asyncio.gather(*(world.browser.press(page, "Register her", **given) for _ in range(3)))
    again = await world.browser.get(page.path)
    assert again.path.startswith("/midwife/women/")
    assert {one.status for one in both} <= {200}, [one.text[:300] for one in both]
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Sujatha Hasty")
    assert len(enrollments(woman)) == 1
    assert len(enrollments(woman)[0]["events"]) == 1
