"""What the doctor added by mistake is taken back by himself alone, with a reason, and stays as entered in error."""

from portals_care import DOCTOR, Care, page_path

ADD = "Add to her record"


async def test_what_he_added_is_taken_back_with_his_reason(care: Care) -> None:
    doctor, her = await care.someone(DOCTOR, "doctor"), await care.woman("Taken Back")
    given = {"weight": "65", "diagnosis": "twins", "medicine": "methyldopa", "follow_up": "2099-01-05"}
    page = await doctor.press(await doctor.get(page_path(her)), ADD, **given)
    buttons = (
        "Take back: Body Weight: 65 kg",
        "Take back: Twin pregnancy",
        "Take back: Methyldopa",
        "Take back: VOG clinic",
    )
    for button in buttons:
        page = await doctor.press(page, button, reason="Of another woman")
        assert "Taken back." in page.text, button
        assert button not in page.text
    [condition] = await care.of(her["id"], "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert condition["note"][0]["text"] == "Of another woman"
    for kind in ("MedicationStatement", "Appointment"):
        [one] = await care.of(her["id"], kind)
        assert one["status"] == "entered-in-error"


async def test_without_a_reason_and_of_others_nothing_is_taken_back(care: Care) -> None:
    doctor, her = await care.someone(DOCTOR, "doctor"), await care.woman("Not Taken")
    page = await doctor.press(await doctor.get(page_path(her)), ADD, weight="65")
    assert "please say why" in (await doctor.press(page, "Take back: Body Weight: 65 kg", reason=" ")).text
    other = await care.observe(her["id"], "718-7", "Haemoglobin", valueQuantity={"value": 9, "unit": "g/dL"})
    path = f"{page_path(her)}/withdrawals/Observation/{other['id']}"
    form = {"version": other["meta"]["versionId"], "reason": "Not mine"}
    assert (await doctor.post(path, form)).status == 404
    assert {one["status"] for one in await care.of(her["id"], "Observation")} == {"final"}
