"""Her card, without scripts: it fills the form as verified offline; signing in later confirms it or differs."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from janani.esignet.card import card_text
from janani.kernel.jose import signing_key
from portals.conftest import World
from portals.test_midwife_identity import DILANI, NIMALI, register
from portals.test_midwife_registration import new_form, values
from portals_walk import Page

PERSON: dict[str, Any] = {
    "individualId": "4000000001",
    "fullName": "Ruwani Card",
    "gender": "Female",
    "dateOfBirth": "1997/02/03",
    "streetAddress": "7 Paddy Lane",
    "locality": "Akurana",
    "region": "Kandy",
    "country": "Sri Lanka",
    "phone": "+94770001234",
}


def card(world: World, days: int = 0, **changes: Any) -> str:
    key = signing_key(world.system.home / "secrets" / "esignet.pem", create=False)
    issued = datetime.now(UTC) + timedelta(days=days)
    return card_text(PERSON | changes, issuer=world.system.url("esignet"), key=key, now=issued)


async def read(world: World, text: str) -> Page:
    page = await world.browser.press(await new_form(world), "Read the QR code of her card")
    return await world.browser.press(page, "Check the card", qr=text)


async def test_a_card_registers_her_as_verified_offline(world: World) -> None:
    page = await read(world, card(world))
    assert "Identity verified offline, by her card" in page.text, page.text
    after = await register(world, page)
    assert "She is registered. Her record" in after.text, after.text
    [woman] = await world.registered(f"{world.roles['full_name']}:eq:Ruwani Card")
    said = values(woman)
    assert said[world.roles["identity_status"]] == "VERIFIED_OFFLINE"
    assert said[world.roles["identity_provider"]] == world.system.url("esignet")
    assert said[world.roles["identity_verified_at"]]
    assert world.roles["full_name"] in said[world.roles["identity_verified_fields"]]
    assert world.roles["subject"] not in said


async def test_a_detail_of_her_card_that_is_changed_later_loses_its_mark(world: World) -> None:
    after = await register(world, await read(world, card(world, fullName="Changed Card")))
    form = await world.browser.press(after, "Change her details")
    assert "A verified detail that you change loses its mark." in form.text
    name, phone = world.roles["full_name"], world.roles["phone"]
    assert f'data-mark="{phone}"' in form.html
    await world.browser.press(form, "Save her details", **{phone: "0779998888"})
    [woman] = await world.registered(f"{name}:eq:Changed Card")
    marked = values(woman)[world.roles["identity_verified_fields"]].split(",")
    assert name in marked
    assert phone not in marked


async def identified(world: World, after: Page, text: str) -> Page:
    """The page of a registered woman's identity, with what her card says beside what the registry says."""
    page = await world.browser.press(after, "Verify with National ID")
    reader = await world.browser.get(f"/midwife/registrations/{page.path.rpartition('/')[2]}/identity/card")
    return await world.browser.press(reader, "Check the card", qr=text)


async def test_an_older_page_leaves_what_is_surer_by_now(world: World) -> None:
    after = await register(world, await new_form(world), full_name="Surer By Now")
    older = await world.browser.press(after, "Verify with National ID")
    saved = await world.browser.press(
        await identified(world, after, card(world, fullName="Surer By Now")), "Same person: save"
    )
    assert "Her identity is verified." in saved.text, saved.text
    world.switch.away = {"identity-authorization"}
    assert "can’t be reached" in (await world.browser.press(older, "Verify with National ID")).text
    status, name = world.roles["identity_status"], f"{world.roles['full_name']}:eq:Surer By Now"
    [woman] = await world.registered(name)
    assert values(woman)[status] == "VERIFIED_OFFLINE"
    world.switch.away = set()
    read_before = await identified(world, after, card(world, fullName="Surer By Now"))
    await world.write_attribute(woman, status, "VERIFIED")  # a colleague, online
    kept = await world.browser.press(read_before, "Same person: save")
    assert "verified online meanwhile" in kept.text
    [woman] = await world.registered(name)
    assert values(woman)[status] == "VERIFIED"


async def test_an_identity_counts_for_the_page_that_showed_it(world: World) -> None:
    """Two tabs of one form: another card was read in the newer than the older shows."""
    older = await new_form(world)
    reader = f"{older.path}/identity/card"
    newer = await world.browser.press(await world.browser.get(reader), "Check the card", qr=card(world))
    unseen = await register(world, older, full_name="Older Tab")
    assert unseen.status == 409
    assert "Someone signed in for this form since" in unseen.text
    assert not await world.registered(f"{world.roles['full_name']}:eq:Older Tab")
    after = await register(world, newer, full_name="Newer Tab")
    page = await identified(world, after, card(world, fullName="Newer Tab"))
    reader = f"/midwife/registrations/{page.path.rpartition('/')[2]}/identity/card"
    await world.browser.press(
        await world.browser.get(reader), "Check the card", qr=card(world, fullName="Someone Else")
    )
    compared = await world.browser.press(page, "Same person: save")
    assert compared.status == 409
    assert "Someone Else" in compared.text
    assert await world.registered(f"{world.roles['full_name']}:eq:Newer Tab")


async def test_what_the_registry_refuses_of_an_identity_is_said_in_its_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = await register(world, await new_form(world), full_name="Refused Identity")
    page = await identified(world, after, card(world, fullName="Refused Identity"))
    through, refused = world.switch.handle_async_request, {"errorCode": "E1083", "message": "Locked since yesterday"}

    async def refusing(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/api/tracker"):
            report = {"status": "ERROR", "validationReport": {"errorReports": [refused]}}
            return httpx.Response(409, request=request, json=report)
        return await through(request)

    monkeypatch.setattr(world.switch, "handle_async_request", refusing)
    locked = await world.browser.press(page, "Same person: save")
    assert locked.status == 409
    assert "Locked since yesterday (E1083)" in locked.text
    assert "belongs to another woman" not in locked.text
    refused |= {"errorCode": "E1064", "message": f"Non-unique attribute value `x` for attribute `{world.roles['nic']}`"}
    other = await world.browser.press(locked, "Same person: save")
    assert "belongs to another woman" in other.text


async def test_signing_in_afterwards_tells_what_differs_from_the_card(world: World) -> None:
    page = await world.browser.verify(await read(world, card(world)), DILANI, withhold=("individual_id",))
    assert "The verification differs from her card" in page.text, page.text
    assert "Ruwani Card" in page.text


async def test_or_confirms_it(world: World) -> None:
    known = await world.browser.verify(await new_form(world), DILANI, withhold=("individual_id", "address"))
    said = known.form_with("Register her").values
    born, name = said[world.roles["birth_date"]], said[world.roles["full_name"]]
    same = card(world, fullName=name, dateOfBirth=born.replace("-", "/"), phone=said[world.roles["phone"]], locality="")
    page = await world.browser.verify(await read(world, same), DILANI, withhold=("individual_id", "address"))
    assert "The verification confirms her card" in page.text, page.text


@pytest.mark.parametrize(("days", "word"), [(-4000, "This card has expired"), (2, "This card is not valid yet")])
async def test_a_card_that_is_not_valid_says_why(world: World, days: int, word: str) -> None:
    page = await read(world, card(world, days))
    assert word in page.text
    assert "Read the QR code of her card" in page.text


async def test_nothing_and_nonsense_and_a_service_that_is_away(world: World) -> None:
    assert "Please read the code first" in (await read(world, "")).text
    assert "not the QR code of an identity card" in (await read(world, "hello")).text
    page = await world.browser.press(await new_form(world), "Read the QR code of her card")
    world.switch.away = {"identity-offline"}
    assert "try again, or go on without it" in (await world.browser.press(page, "Check the card", qr="x")).text


async def test_a_card_that_the_sandbox_issues_is_taken(world: World, tmp_path: Path) -> None:
    environment = world.system.environment

    async def people_qr(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "janani", "people", "qr", *words]
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, text = await people_qr(NIMALI)
    assert code == 0, text
    assert "Identity verified offline, by her card" in (await read(world, text)).text
    assert await people_qr(NIMALI, "--out", str(tmp_path / "card.svg")) == (0, "")
    assert (tmp_path / "card.svg").read_text().startswith("<?xml")
    assert await people_qr(NIMALI, "--out", str(tmp_path / "card.png")) == (0, "")
    assert (tmp_path / "card.png").read_bytes().startswith(b"\x89PNG")
    code, text = await people_qr("9999999999")
    assert (code, "knows nobody" in text) == (1, True)
