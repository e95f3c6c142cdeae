"""Verify with National ID, PHNs, and changing a woman's details, without scripts, over the real wires."""

import pytest

from portals.conftest import World
from portals.test_midwife_registration import complete, draft_of, new_form, values
from portals_walk import FATHIMA, NIRMALA, Page, state_of

MALINI, SELVI, AYESHA, DILANI, NIMALI = "3000000002", "3000000003", "3000000004", "3000000005", "3000000006"
HER_PHN, HER_NEIGHBOURS_PHN = "KANDYTH1MKH7R47", "KANDYTH1TGW4C94"


async def register(world: World, page: Page, **more: str) -> Page:
    """Answers what is missing and sends the form, as a woman who is none of those alike."""
    verified = {uid: page.form_with("Register her").values.get(uid, "") for uid in world.roles.values()}
    given = dict((await complete(world, page, **more)).items())
    given |= {uid: value for uid, value in verified.items() if value and uid not in more_uids(world, more)}
    after = await world.browser.press(page, "Register her", **given)
    if "give her a new number" in after.text:
        after = await world.browser.press(after, "Register her", distinct="yes")
    return after


def more_uids(world: World, more: dict[str, str]) -> set[str]:
    return {world.roles[role] for role in more}


async def test_what_she_shares_fills_the_form_and_what_is_edited_loses_its_mark(world: World) -> None:
    page = await world.browser.verify(await new_form(world), SELVI, withhold=("individual_id",))
    assert "Her identity is verified and filled in" in page.text
    form = page.form_with("Register her")
    assert form.values[world.roles["full_name"]] == "Selvi Rajaratnam"
    assert form.values[world.roles["nic"]] == ""
    phone = world.roles["phone"]
    assert f'data-mark="{phone}"' in page.html
    kept = await world.browser.post(f"/midwife/drafts/{draft_of(page)}/keep", form.values | {phone: "077 999 8888"})
    assert phone not in kept.answer.json()["verified"]
    after = await register(world, page, phone="077 999 8888")
    assert "She is registered. Her record" in after.text, after.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Selvi Rajaratnam")
    said = values(woman)
    assert said[world.roles["identity_status"]] == "VERIFIED"
    assert said[world.roles["subject"]]
    assert said[world.roles["identity_provider"]].startswith("http")
    marked = said[world.roles["identity_verified_fields"]].split(",")
    assert world.roles["full_name"] in marked
    assert phone not in marked
    assert said[phone] == "+94779998888"


async def test_the_same_person_verified_again_leads_to_the_woman_who_is_registered(world: World) -> None:
    for _ in range(2):
        page = await world.browser.verify(await new_form(world), AYESHA, withhold=("individual_id",))
        after = await register(world, page)
    assert "She is registered already" in after.text
    assert "Ayesha Mohideen" in after.text


async def test_a_code_is_taken_once_and_a_made_up_state_never(world: World) -> None:
    form = await new_form(world)
    going = await world.browser.press(form, "Verify with National ID")
    url = going.html.partition('role="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    back = await world.browser.consent(url, DILANI)
    thanks = await world.browser.get(back.removeprefix(world.browser.portals))
    answer = thanks.form_with("Continue")
    assert state_of(back) == answer.values["state"]
    made_up = await world.browser.post(answer.action, answer.values | {"state": "made-up"})
    assert "took too long or was answered already" in made_up.text
    assert "verified and filled in" in (await world.browser.post(answer.action, answer.values)).text
    again = await world.browser.post(answer.action, answer.values)
    assert "took too long or was answered already" in again.text


async def test_another_midwife_cannot_use_an_answer(world: World) -> None:
    form = await new_form(world)
    going = await world.browser.press(form, "Verify with National ID")
    url = going.html.partition('role="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    state = state_of(await world.browser.consent(url, DILANI))
    await world.other.log_in(FATHIMA)
    theirs = await world.other.press(await world.other.get("/midwife"), "New registration")
    stolen = await world.other.post(f"{theirs.path}/identity", {"code": "x", "state": state})
    assert "took too long or was answered already" in stolen.text


async def test_refusing_at_esignet_leaves_the_form_as_it_was(world: World) -> None:
    form = await new_form(world)
    going = await world.browser.press(form, "Verify with National ID", **{world.roles["full_name"]: "Typed Before"})
    url = going.html.partition('role="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    state = state_of(await world.browser.consent(url, DILANI))
    path = f"/midwife/identity/callback?error=access_denied&state={state}"
    after = await world.browser.press(await world.browser.get(path), "Continue")
    assert "She chose not to share her identity" in after.text


async def test_while_esignet_is_away_the_registration_goes_on_as_pending(world: World) -> None:
    form = await new_form(world)
    world.switch.away = {"identity-authorization"}
    page = await world.browser.press(form, "Verify with National ID")
    assert "can’t be reached" in page.text
    assert "to be verified at the next visit" in page.text
    after = await register(world, page, full_name="Pending Woman")
    assert "She is registered. Her record" in after.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Pending Woman")
    assert values(woman)[world.roles["identity_status"]] == "PENDING"


async def test_a_pending_woman_is_verified_at_the_next_visit_after_a_look_at_both(world: World) -> None:
    page = await world.browser.press(await new_form(world), "Verify at the next visit")
    after = await register(world, page, full_name="Nimali S Bandara", birth_date="1995-01-01")
    identity = await world.browser.press(after, "Verify with National ID")
    compared = await world.browser.verify(identity, NIMALI, withhold=("individual_id",))
    assert "Is the person who signed in this woman?" in compared.text
    assert "different" in compared.text
    assert "Nimali S Bandara" in compared.text
    assert "Nimali Sandamali Bandara" in compared.text
    saved = await world.browser.press(compared, "Same person: save")
    assert "Her identity is verified." in saved.text
    assert "Nimali Sandamali Bandara" in saved.text


@pytest.mark.parametrize(
    ("number", "words"),
    [("KANDYTH1MKH7R48", "check digit does not fit"), ("KANDYTH1BBBBBB9", "check digit"), ("", "type her PHN first")],
)
async def test_a_phn_that_can_not_be_is_said_to_be(world: World, number: str, words: str) -> None:
    page = await world.browser.press(await new_form(world), "Look up", phn_number=number)
    assert words in page.text
    assert page.form_with("Look up").values["phn_number"] == number


async def test_a_phn_typed_and_not_looked_up_is_not_passed_over(world: World) -> None:
    page = await new_form(world)
    given = await complete(world, page, full_name="Has A Card")
    after = await world.browser.press(page, "Register her", **given, phn_number=HER_NEIGHBOURS_PHN)
    assert "Is it the same woman?" in after.text
    assert not await world.registered(f"{world.roles['full_name']}:eq:Has A Card")


async def test_a_phn_of_somebody_else_is_set_aside_with_a_reason(world: World) -> None:
    page = await world.browser.verify(await new_form(world), MALINI)
    compared = await world.browser.press(page, "Look up", phn_number=HER_NEIGHBOURS_PHN)
    assert "Malani Jayawardhana" in compared.text
    assert "different" in compared.text
    asked = await world.browser.press(compared, "Not the same person")
    assert asked.status == 422
    assert "say why" in asked.text
    decided = await world.browser.press(asked, "Not the same person", phn_reason="Her sister-in-law's card")
    assert "is not hers" in decided.text
    after = await world.browser.press(decided, "Register her", **await unanswered(world, decided))
    assert "Someone like her has a number already" in after.text
    assert HER_PHN in after.text
    hers = await world.browser.press(after, "Compare with her")
    same = await world.browser.press(hers, "Same person")
    done = await world.browser.press(same, "Register her")
    assert "She is registered. Her record" in done.text
    assert HER_PHN in done.text
    [woman] = await world.registered(f"{world.roles['phn']}:eq:{HER_PHN}")
    assert values(woman)[world.roles["phn_mismatch_reason"]] == "Her sister-in-law's card"


async def test_a_decision_counts_for_the_number_that_was_seen(world: World) -> None:
    """Two tabs of one form: the newer looked up another number than the older still shows."""
    older = newer = await new_form(world)
    older = await world.browser.press(older, "Look up", phn_number=HER_NEIGHBOURS_PHN)
    await world.browser.press(newer, "Look up", phn_number=HER_PHN)
    for button in ("Same person", "Not the same person"):
        after = await world.browser.press(older, button, phn_reason="Another card")
        assert after.status == 409
        assert "Another number was looked up for this form since" in after.text
        assert f"This is known under {HER_PHN}. Is it the same woman?" in after.text
    assert "This number will be used" in (await world.browser.press(after, "Same person")).text
    complete_ = await complete(world, older, full_name="Of The Older Tab")
    unseen = await world.browser.press(older, "Register her", **complete_)
    assert unseen.status == 409
    assert f"{HER_PHN} This number will be used." in unseen.text
    assert not await world.registered(f"{world.roles['full_name']}:eq:Of The Older Tab")


async def unanswered(world: World, page: Page) -> dict[str, str]:
    standing = page.form_with("Register her").values
    return {uid: value for uid, value in (await complete(world, page)).items() if not standing.get(uid)}


async def test_two_midwives_changing_the_same_woman_see_each_other(world: World) -> None:
    after = await register(world, await new_form(world), full_name="Changed Twice")
    await world.other.log_in(NIRMALA)
    mine = await world.browser.press(after, "Change her details")
    theirs = await world.other.press(await world.other.get(after.path), "Change her details")
    phone, village = world.roles["phone"], world.roles["address"]
    saved = await world.other.press(theirs, "Save her details", **{phone: "0771112222", village: "Their lane"})
    assert "Her details are saved" in saved.text
    conflict = await world.browser.press(mine, "Save her details", **{phone: "0773334444"})
    assert conflict.status == 409
    assert "Someone changed this meanwhile" in conflict.text
    assert "+94771112222" in conflict.text
    assert "+94773334444" in conflict.text
    assert conflict.form_with("Save her details").values[village] == "Their lane"
    again = await world.browser.press(conflict, "Save her details")
    assert "Her details are saved" in again.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Changed Twice")
    assert values(woman)[phone] == "+94773334444"
    assert values(woman)[village] == "Their lane"


async def test_a_detail_that_another_took_away_does_not_come_back(world: World) -> None:
    after = await register(world, await new_form(world), full_name="Taken Away", phone="0772223333")
    await world.other.log_in(NIRMALA)
    mine = await world.browser.press(after, "Change her details")
    theirs = await world.other.press(await world.other.get(after.path), "Change her details")
    phone, village = world.roles["phone"], world.roles["address"]
    assert "Her details are saved" in (await world.other.press(theirs, "Save her details", **{phone: ""})).text
    saved = await world.browser.press(mine, "Save her details", **{village: "My lane"})
    assert "Her details are saved" in saved.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Taken Away")
    assert values(woman)[village] == "My lane"
    assert phone not in values(woman)


async def test_an_older_page_of_the_same_details_overwrites_nothing_unseen(world: World) -> None:
    """Two tabs of one form: the newer was told what another changed, the older was not."""
    after = await register(world, await new_form(world), full_name="Older Details", phone="0772223333")
    older = newer = await world.browser.press(after, "Change her details")
    await world.other.log_in(NIRMALA)
    theirs = await world.other.press(await world.other.get(after.path), "Change her details")
    phone, village = world.roles["phone"], world.roles["address"]
    await world.other.press(theirs, "Save her details", **{phone: ""})
    assert (await world.browser.press(newer, "Save her details", **{phone: "0773334444"})).status == 409
    told = await world.browser.press(older, "Save her details", **{village: "Older lane"})
    assert told.status == 409
    assert "Someone changed this meanwhile" in told.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Older Details")
    assert phone not in values(woman)
    cleared = await world.browser.press(told, "Save her details", **{phone: ""})
    assert "Her details are saved" in cleared.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Older Details")
    assert values(woman)[village] == "Older lane"


async def test_details_that_were_kept_are_found_again(world: World) -> None:
    after = await register(world, await new_form(world), full_name="Kept Details")
    untouched = await world.browser.press(after, "Change her details")
    assert untouched.path not in (await world.browser.get("/midwife")).html
    form = await world.browser.press(after, "Change her details")
    world.switch.away = {"/api/tracker?async"}
    during = await world.browser.press(form, "Save her details", **{world.roles["address"]: "Kept lane"})
    assert "What you typed is kept" in during.text
    world.switch.away = set()
    today = await world.browser.get("/midwife")
    assert f'href="{form.path}">Her details: Kept Details' in today.html
    again = await world.browser.press(after, "Change her details")
    assert again.path == form.path
    assert again.form_with("Save her details").values[world.roles["address"]] == "Kept lane"
    assert "Her details are saved" in (await world.browser.press(again, "Save her details")).text
    assert (await world.browser.press(after, "Change her details")).path != form.path


async def test_a_verified_detail_that_is_changed_later_loses_its_mark(world: World) -> None:
    page = await world.browser.verify(await new_form(world), DILANI, withhold=("individual_id",))
    after = await register(world, page)
    form = await world.browser.press(after, "Change her details")
    name, phone = world.roles["full_name"], world.roles["phone"]
    await world.browser.press(form, "Save her details", **{phone: ""})
    [woman] = await world.registered(f"{name}:eq:Dilani Madushika Herath")
    marked = values(woman)[world.roles["identity_verified_fields"]].split(",")
    assert name in marked
    assert phone not in marked
    assert phone not in values(woman)


async def test_what_was_typed_before_verifying_stays(world: World) -> None:
    form, address = await new_form(world), world.roles["address"]
    page = await world.browser.press(form, "Verify with National ID", **{address: "Typed lane"})
    assert "Go to eSignet" in page.text
    again = await world.browser.get(form.path)
    assert again.form_with("Register her").values[address] == "Typed lane"
