"""Her card, without scripts: it fills the form as verified offline; signing in later confirms it or differs."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

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
