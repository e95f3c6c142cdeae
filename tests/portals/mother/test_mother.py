"""The mother's portal over the real wires: her own record, in her words, and nobody else's by any address."""

from datetime import timedelta

import pytest

from people import today
from portals_care import AYESHA, DOCTOR, SELVI, Browser, Care, page_path


@pytest.fixture(scope="session")
def known() -> dict[str, str]:
    """Her Patient's id, made once: two records of one person would be refused."""
    return {}


@pytest.fixture
async def selvi(care: Care, known: dict[str, str]) -> Browser:
    if not known:
        known["id"] = (await care.woman("Selvi Rajaratnam", national_id=SELVI))["id"]
    return await care.someone(SELVI, "mother")


async def test_she_sees_her_weeks_and_what_the_doctor_added_at_once(
    care: Care, selvi: Browser, known: dict[str, str]
) -> None:
    doctor = await care.someone(DOCTOR, "doctor")
    on = (today() + timedelta(days=14)).isoformat()
    page = await doctor.get(page_path(known))
    await doctor.press(
        page, "Add to her record", haemoglobin="10.5", medicine="iron-folate", dose="one a day", follow_up=on
    )
    hers = await selvi.get("/mother")
    assert "20 weeks pregnant" in hers.text
    assert "10.5 g/dL" in hers.text
    assert "Iron and folate, one a day" in hers.text
    assert "08:00" in hers.text.partition("Your next appointment")[2].partition("VOG clinic")[0]
    assert "Dr Anura Perera: wrote in it" in hers.text
    assert "the transfer from your midwife’s register: wrote in it" in hers.text
    assert "janani-sync" not in hers.text


async def test_no_address_shows_her_anybody_else(care: Care, selvi: Browser, known: dict[str, str]) -> None:
    other = await care.woman("Somebody Else")
    for path in (f"/mother/patients/{other['id']}", f"/mother/{other['id']}", page_path(other)):
        assert "Somebody Else" not in (await selvi.get(path)).html
    asked = await selvi.get(f"/mother?patient={other['id']}&id={other['id']}")
    assert "Selvi Rajaratnam" in asked.text
    assert "Somebody Else" not in asked.html
    assert other["id"] not in " ".join(str(one.url) for one in care.switch.seen)


async def test_her_session_opens_no_other_door(selvi: Browser, known: dict[str, str]) -> None:
    selvi.own.cookies.set("janani_portals_doctor", selvi.own.cookies["janani_portals_mother"])
    assert "Log in with eSignet" in (await selvi.get(page_path(known))).text


async def test_without_a_record_she_is_told_by_the_record_itself(care: Care) -> None:
    nobody = await care.someone(AYESHA, "mother")
    page = await nobody.get("/mother")
    assert "Log in with your national ID" in page.text


async def test_while_the_record_is_away_she_is_told_and_stays_logged_in(care: Care, selvi: Browser) -> None:
    care.record_away()
    assert (await selvi.get("/mother")).status == 503
    await care.change_session(selvi, "mother", expires=0)  # her token would be renewed now
    assert (await selvi.get("/mother")).status == 503
    care.switch.away = set()
    assert "Selvi Rajaratnam" in (await selvi.get("/mother")).text


async def test_a_token_the_record_refuses_leads_to_the_door_and_not_round_in_circles(
    care: Care, selvi: Browser
) -> None:
    await care.change_session(selvi, "mother", access_token="refused")
    for _ in range(2):
        answer = await selvi.own.get("/mother")
        assert answer.status_code == 200
        assert "Log in with your national ID" in answer.text
