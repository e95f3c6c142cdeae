"""The doctor's portal over the real wires: he finds her, reads, adds; nothing he typed is lost or written twice."""

import asyncio
from urllib.parse import urlsplit

import pytest

from portals_care import DOCTOR, Browser, Care, a_phn, page_path

ADD, CLOSE = "Add to her record", "Mark as resolved"


@pytest.fixture
async def doctor(care: Care) -> Browser:
    return await care.someone(DOCTOR, "doctor")


async def test_a_phn_leads_to_her_page_and_never_stands_in_an_address(care: Care, doctor: Browser) -> None:
    phn = a_phn()
    her = await care.woman("Sought By-Number", phn=phn)
    found = await doctor.press(await doctor.get("/doctor"), "Search record", phn=f" {phn[:8].lower()} {phn[8:]} ")
    assert (found.status, found.path) == (200, page_path(her))
    assert "Sought By-Number" in found.text
    assert "<dt>Weeks</dt><dd>20</dd>" in found.html
    assert phn not in found.url


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ("", 422, "Please type her PHN."),
        ("TESTPOI9BBBBBB0", 422, "The check digit does not fit"),
        (a_phn(), 404, "There is no record under this number yet."),
    ],
    ids=["nothing typed", "a wrong check digit", "nobody"],
)
async def test_a_number_that_leads_nowhere_is_explained(doctor: Browser, typed: str, status: int, says: str) -> None:
    page = await doctor.press(await doctor.get("/doctor"), "Search record", phn=typed)
    assert (page.status, page.path) == (status, "/doctor")
    assert says in page.text


async def test_two_records_of_one_number_are_both_offered(care: Care, doctor: Browser) -> None:
    phn = a_phn()
    first, second = await care.woman("Twice One", phn=phn), await care.woman("Twice Two", phn=phn)
    page = await doctor.press(await doctor.get("/doctor"), "Search record", phn=phn)
    assert "More than one record has this number" in page.text
    assert all(page_path(one) in page.html for one in (first, second))


async def test_what_he_adds_is_in_the_record_once_however_often_the_form_comes(care: Care, doctor: Browser) -> None:
    her = await care.woman("Written Once")
    page = await doctor.get(page_path(her))
    given = {"systolic": "144", "diastolic": "94", "weight": "56,5", "medicine": "methyldopa", "dose": "250 mg"}
    given |= {"diagnosis": "pre-eclampsia", "note": "Review."}
    first, second = await asyncio.gather(*(doctor.press(page, ADD, **given) for _ in range(2)))
    third = await doctor.press(page, ADD, **given)
    assert [one.status for one in (first, second, third)] == [200, 200, 200]
    assert "Added. She sees it at once." in third.text
    assert "144/94 mmHg" in third.text
    counts = {kind: len(await care.of(her["id"], kind)) for kind in ("Encounter", "Condition", "MedicationStatement")}
    assert counts == {"Encounter": 1, "Condition": 1, "MedicationStatement": 1}
    assert len(await care.of(her["id"], "Observation")) == 4  # her last period, and pressure, weight, note
    [encounter] = await care.of(her["id"], "Encounter")
    assert encounter["participant"][0]["individual"]["reference"].startswith("Practitioner/")


async def test_a_form_of_one_woman_is_not_taken_for_that_of_another(care: Care, doctor: Browser) -> None:
    one, other = await care.woman("Form One"), await care.woman("Form Other")
    form = (await doctor.get(page_path(one))).form_with(ADD).values | {"weight": "60"}
    for her in (one, other):
        await doctor.post(page_path(her), form)
        assert len(await care.of(her["id"], "Encounter")) == 1


async def test_a_slip_is_named_and_what_was_typed_is_still_there(care: Care, doctor: Browser) -> None:
    her = await care.woman("Slip Typed")
    page = await doctor.press(await doctor.get(page_path(her)), ADD, weight="565", note="Please keep me")
    assert page.status == 422
    assert "Weight (kg): please check this number." in page.text
    values = page.form_with(ADD).values
    assert (values["weight"], values["note"]) == ("565", "Please keep me")


async def test_while_the_record_is_away_what_he_typed_is_kept_and_the_same_form_succeeds_later(
    care: Care, doctor: Browser
) -> None:
    her = await care.woman("Record Away")
    page = await doctor.get(page_path(her))
    care.record_away()
    during = await doctor.press(page, ADD, weight="61", note="Typed while it was away")
    assert during.status == 503
    assert "What you typed is kept" in during.text
    assert "Record Away" in during.text
    assert during.form_with(ADD).values["note"] == "Typed while it was away"
    care.switch.away = set()
    after = await doctor.press(during, ADD)
    assert "Added. She sees it at once." in after.text
    assert len(await care.of(her["id"], "Encounter")) == 1


async def test_a_slip_is_kept_too_while_the_record_is_away(care: Care, doctor: Browser) -> None:
    her = await care.woman("Slip And Away")
    page = await doctor.get(page_path(her))
    care.record_away()
    during = await doctor.press(page, ADD, weight="heavy", note="Kept")
    assert during.form_with(ADD).values["note"] == "Kept"


async def test_after_a_first_try_that_was_written_all_the_same_only_what_he_changed_is_asked_again(
    care: Care, doctor: Browser
) -> None:
    her = await care.woman("Answer Lost")
    page = await doctor.get(page_path(her))
    await doctor.press(page, ADD, weight="61", note="As it was")  # he never saw this answer
    again = await doctor.press(page, ADD, weight="62", note="As it was")
    assert "Your first try was written after all" in again.text
    values = again.form_with(ADD).values
    assert (values["weight"], values["note"]) == ("62", "")
    assert "Added." in (await doctor.press(again, ADD)).text
    weights = [
        one["valueQuantity"]["value"] for one in await care.of(her["id"], "Observation") if "valueQuantity" in one
    ]
    assert sorted(weights) == [61, 62]


async def test_a_login_that_ended_while_he_typed_costs_him_nothing(care: Care, doctor: Browser) -> None:
    her = await care.woman("Login Ended")
    page = await doctor.get(page_path(her))
    doctor.own.cookies.clear()
    during = await doctor.press(page, ADD, note="Typed for a long time")
    assert during.status == 401
    assert "Your login has ended." in during.text
    await doctor.log_in(DOCTOR, "/doctor/login")
    assert "Added." in (await doctor.press(during, ADD)).text


async def test_pages_asked_for_at_once_renew_his_login_once(care: Care, doctor: Browser) -> None:
    her = await care.woman("Renewed Once")
    await care.change_session(doctor, "doctor", expires=0)
    care.switch.seen.clear()
    pages = await asyncio.gather(*(doctor.get(page_path(her)) for _ in range(4)))
    assert all("Problems" in page.text for page in pages)
    assert len([one for one in care.switch.seen if one.url.path == "/auth/token"]) == 1


async def test_a_login_the_record_ended_leads_to_the_door_and_back_to_her_page(care: Care, doctor: Browser) -> None:
    her = await care.woman("Way Back")
    await care.change_session(doctor, "doctor", expires=0, refresh_token="spent")
    door = await doctor.get(page_path(her))
    assert "Log in with eSignet" in door.text
    way_in = door.html.partition('href="/doctor/login')[2].partition('"')[0].replace("&amp;", "&")
    back = await doctor.log_in(DOCTOR, f"/doctor/login{way_in}")
    assert back.path == page_path(her)
    assert "Problems" in back.text


@pytest.mark.parametrize(
    "ended", [{"expires": 0, "refresh_token": "spent"}, {"access_token": "refused"}], ids=["refresh", "access"]
)
@pytest.mark.parametrize("path", ["/doctor", "/doctor/patients/1"])
async def test_a_login_that_is_over_is_no_endless_circle(
    care: Care, doctor: Browser, ended: dict[str, object], path: str
) -> None:
    await care.change_session(doctor, "doctor", **ended)
    first, second = await doctor.get(path), await doctor.get("/doctor")
    assert (first.status, second.status) == (200, 200)
    if path != "/doctor" or "expires" in ended:  # the search page alone asks nothing of the record
        assert "Log in with eSignet" in first.text
        assert "Log in with eSignet" in second.text


@pytest.mark.parametrize("where", ["https://evil.example/doctor/", "//evil.example", "/mother/", "/doctorate"])
async def test_after_logging_in_nobody_is_sent_elsewhere(care: Care, doctor: Browser, where: str) -> None:
    assert (await doctor.get(f"/doctor?then={where}")).path == "/doctor"


async def test_a_problem_that_changed_meanwhile_is_shown_as_it_was_and_as_it_is(care: Care, doctor: Browser) -> None:
    her = await care.woman("Problem Changed")
    page = await doctor.press(await doctor.get(page_path(her)), ADD, diagnosis="anaemia")
    [problem] = await care.of(her["id"], "Condition")
    await care.record.update(problem | {"code": problem["code"] | {"text": "Severe anaemia"}})
    stale = await doctor.press(page, f"{CLOSE}: Anaemia in pregnancy")
    assert "Someone changed this problem meanwhile" in stale.text
    assert "What you sawAnaemia in pregnancy: active" in stale.text
    assert "What it is nowSevere anaemia: active" in stale.text
    closed = await doctor.press(stale, f"{CLOSE}: Severe anaemia")
    assert "The problem is closed." in closed.text


@pytest.mark.parametrize("version", ["", "7"])
async def test_a_problem_is_never_closed_without_saying_which_version_he_saw(
    care: Care, doctor: Browser, version: str
) -> None:
    her = await care.woman("Version Unsaid")
    await doctor.press(await doctor.get(page_path(her)), ADD, diagnosis="twins")
    [problem] = await care.of(her["id"], "Condition")
    page = await doctor.post(f"{page_path(her)}/problems/{problem['id']}", {"version": version})
    assert "Someone changed this problem meanwhile" in page.text
    [now] = await care.of(her["id"], "Condition")
    assert now["meta"]["versionId"] == problem["meta"]["versionId"]


async def test_a_problem_of_another_woman_is_not_closed_from_this_page(care: Care, doctor: Browser) -> None:
    one, other = await care.woman("Problem Hers"), await care.woman("Problem Not-hers")
    await doctor.press(await doctor.get(page_path(one)), ADD, diagnosis="breech")
    [problem] = await care.of(one["id"], "Condition")
    path = f"{page_path(other)}/problems/{problem['id']}"
    assert (await doctor.post(path, {"version": problem["meta"]["versionId"]})).status == 404
    [now] = await care.of(one["id"], "Condition")
    assert now["clinicalStatus"]["coding"][0]["code"] == "active"


async def test_her_page_says_that_the_record_is_away_and_leads_back(care: Care, doctor: Browser) -> None:
    her = await care.woman("Page Away")
    care.record_away()
    page = await doctor.get(page_path(her))
    assert page.status == 503
    assert f'href="{page_path(her)}">Try again' in page.html


async def test_an_unknown_patient_is_no_page(doctor: Browser) -> None:
    assert (await doctor.get("/doctor/patients/nobody")).status == 404


async def test_another_site_can_not_add_for_him(care: Care, doctor: Browser) -> None:
    her = await care.woman("Foreign Form")
    form = (await doctor.get(page_path(her))).form_with(ADD).values | {"weight": "60"}
    page = await doctor.post(urlsplit(page_path(her)).path, form, **{"sec-fetch-site": "cross-site"})
    assert page.status == 403
    assert await care.of(her["id"], "Encounter") == []
