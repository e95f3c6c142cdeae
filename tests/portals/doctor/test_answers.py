"""A referral is answered from her page: his words are kept, what others did meanwhile stands."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from portals_care import DOCTOR, Browser, Care, page_path

SEND = "Send the answer: VOG clinic, Kandy"
SAID = "Twins, both well. Come every two weeks."


@pytest.fixture
async def doctor(care: Care) -> Browser:
    return await care.someone(DOCTOR, "doctor")


async def referred(care: Care, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A woman with an open referral."""
    her = await care.woman(name)
    request = await care.record.create(
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "priority": "urgent",
            "code": {"text": "Patient referral"},
            "subject": {"reference": f"Patient/{her['id']}"},
            "occurrenceDateTime": "2026-11-20",
            "requester": {"display": "Nirmala Perera"},
            "reasonCode": [{"text": "Twin pregnancy"}],
            "performer": [{"display": "VOG clinic, Kandy"}],
        }
    )
    return her, request


async def test_he_sees_who_asks_what_and_answers_with_his_words_and_her_next_day(care: Care, doctor: Browser) -> None:
    her, request = await referred(care, "Answer Me")
    page = await doctor.get(page_path(her))
    assert page.text.index("Referral: VOG clinic, Kandy") < page.text.index("Problems")
    for words in ("urgent", "Twin pregnancy", "Nirmala Perera", "20 Nov"):
        assert words in page.text, words
    page = await doctor.press(page, SEND, answer=SAID, next="2099-01-05")
    assert "The referral is answered." in page.text
    assert "Send the answer" not in page.text
    [now] = await care.of(her["id"], "ServiceRequest")
    assert (now["status"], now["note"][0]["text"]) == ("completed", SAID)
    assert now["note"][0]["authorReference"]["reference"].startswith("Practitioner/")
    [appointment] = await care.of(her["id"], "Appointment")
    assert appointment["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert appointment["start"].startswith("2099-01-05")
    page = await doctor.press(page, "Take back: VOG clinic", reason="Another day")
    assert "Taken back." in page.text


async def test_sent_twice_it_is_answered_once(care: Care, doctor: Browser) -> None:
    her, _ = await referred(care, "Answer Twice")
    page = await doctor.get(page_path(her))
    for _ in range(2):
        assert "The referral is answered." in (await doctor.press(page, SEND, answer=SAID)).text
    [now] = await care.of(her["id"], "ServiceRequest")
    assert len(now["note"]) == 1


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ({"answer": " ", "next": "2099-01-05"}, "Please say what you found"),
        ({"answer": SAID, "next": "2020-01-05"}, "Please give a day from today on."),
    ],
)
async def test_what_is_missing_is_said_beside_it_and_the_rest_is_kept(
    care: Care, doctor: Browser, sent: dict[str, str], fault: str
) -> None:
    her, request = await referred(care, "Answer Wrong")
    page = await doctor.press(await doctor.get(page_path(her)), SEND, **sent)
    assert (page.status, page.text.count(fault)) == (422, 2)
    assert page.form_with(SEND).values["next"] == sent["next"]
    assert page.form_with(SEND).values["answer"].strip() == sent["answer"].strip()
    [now] = await care.of(her["id"], "ServiceRequest")
    assert now["meta"]["versionId"] == request["meta"]["versionId"]


async def test_a_referral_that_changed_meanwhile_is_shown_again_with_his_words(care: Care, doctor: Browser) -> None:
    her, request = await referred(care, "Answer Late")
    page = await doctor.get(page_path(her))
    changed = await care.record.update(request | {"reasonCode": [{"text": "Twins and anaemia"}]})
    page = await doctor.press(page, SEND, answer=SAID)
    assert (page.status, page.form_with(SEND).values["answer"].strip()) == (409, SAID)
    assert "Twins and anaemia" in page.text
    note = {"note": [{"text": "Seen by another"}], "status": "completed"}
    await care.record.update(changed | note)
    page = await doctor.press(page, SEND, answer=SAID)
    assert "Someone answered this referral meanwhile." in page.text
    assert page.form_with("Add to her record").values["note"].strip() == SAID
    [now] = await care.of(her["id"], "ServiceRequest")
    assert [one["text"] for one in now["note"]] == ["Seen by another"]


async def test_nothing_he_typed_is_lost_while_the_record_is_away(care: Care, doctor: Browser) -> None:
    her, _ = await referred(care, "Answer Away")
    page = await doctor.get(page_path(her))
    care.record_away()
    page = await doctor.press(page, SEND, answer=SAID, next="2099-01-05")
    assert (page.status, page.form_with(SEND).values["answer"].strip()) == (503, SAID)
    care.switch.away = set()
    assert "The referral is answered." in (await doctor.press(page, SEND)).text


async def test_a_referral_of_another_woman_is_not_answered_from_this_page(care: Care, doctor: Browser) -> None:
    her, _ = await referred(care, "Answer Hers")
    other, request = await referred(care, "Answer Not-hers")
    form = (await doctor.get(page_path(her))).form_with(SEND).values | {"answer": SAID}
    path = f"{urlsplit(page_path(her)).path}/referrals/{request['id']}"
    assert (await doctor.post(path, form | {"version": request["meta"]["versionId"]})).status == 404
    [now] = await care.of(other["id"], "ServiceRequest")
    assert now["status"] == "active"


async def test_an_answer_is_taken_back_and_the_referral_waits_again(care: Care, doctor: Browser) -> None:
    her, request = await referred(care, "Answer Back")
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "focus": {"reference": f"ServiceRequest/{request['id']}"},
        "for": {"reference": f"Patient/{her['id']}"},
    }
    await care.record.create(task)
    page = await doctor.press(await doctor.get(page_path(her)), SEND, answer=SAID, next="2099-01-05")
    button = f"Take back: Answer to a referral: {SAID}"
    assert "please say why" in (await doctor.press(page, button, reason=" ")).text
    page = await doctor.press(page, button, reason="Of another woman")
    assert "The referral waits for an answer again." in page.text
    assert button not in page.text
    [now] = await care.of(her["id"], "ServiceRequest")
    assert (now["status"], [one["text"] for one in now["note"]]) == ("active", ["Of another woman"])
    [followed] = await care.of(her["id"], "Task")
    assert (followed["status"], followed["statusReason"]["text"]) == ("requested", "Of another woman")
    [appointment] = await care.of(her["id"], "Appointment")
    assert appointment["status"] == "entered-in-error"
    page = await doctor.press(page, SEND, answer="One child, well.")
    assert "The referral is answered." in page.text
    [followed] = await care.of(her["id"], "Task")
    assert (followed["status"], "statusReason" in followed) == ("completed", False)


async def test_the_answer_of_a_colleague_is_not_his_to_take_back(care: Care, doctor: Browser) -> None:
    her, request = await referred(care, "Answer Theirs")
    await care.record.update(request | {"status": "completed", "note": [{"text": "Seen by another"}]})
    assert "Answer to a referral" not in (await doctor.get(page_path(her))).text
    path = f"{page_path(her)}/withdrawals/ServiceRequest/{request['id']}"
    assert (await doctor.post(path, {"version": "2", "reason": "Not mine"})).status == 404
    [now] = await care.of(her["id"], "ServiceRequest")
    assert now["status"] == "completed"
