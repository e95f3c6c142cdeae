"""Doctors and mothers at portals that run in the test, over the real wires of a running system."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import httpx
import msgspec
from litestar import Litestar

from esignet_wire import free_socket, serving
from janani import programmes
from janani.bootstrap import RELYING_PARTY
from janani.clients.fhir import FhirClient
from janani.esignet.people import pairwise_subject
from janani.portals import sessions
from janani.portals.app import create_app
from janani.programmes.sri_lanka import second_phn
from janani.settings import Settings
from people import record_token, today
from portals_walk import Browser, Page, Switch
from system import System

DOCTOR, SELVI, AYESHA = "2000000001", "3000000003", "3000000004"
PROGRAMME = programmes.load("anc_lk")
Json = dict[str, Any]
_ALPHABET = "BCDFGHJKMPQRTVWXY23456789"


@dataclass
class Care:
    """The portals over a running system, cut off from it by `switch`; `record` is the record with all rights."""

    app: Litestar
    system: System
    switch: Switch
    record: FhirClient
    browsers: list[Browser] = field(default_factory=list)

    async def someone(self, national_id: str, portal: str) -> Browser:
        """A browser whose person is logged in at `portal`."""
        one = Browser(self.app, self.system.url("portals"), self.system.url("esignet"))
        self.browsers.append(one)
        await one.log_in(national_id, f"/{portal}/login")
        return one

    async def woman(self, name: str, *, phn: str = "", national_id: str = "") -> Json:
        """A Patient in the record, 20 weeks along; with `national_id` she can log in."""
        systems = PROGRAMME.record.systems
        pairs = [("phn", phn or a_phn())] + ([("subject", self.subject(national_id))] if national_id else [])
        patient = await self.record.create(
            {
                "resourceType": "Patient",
                "identifier": [{"system": systems[key], "value": value} for key, value in pairs],
                "name": [{"text": name}],
                "gender": "female",
                "birthDate": "1999-11-23",
            }
        )
        period = (today() - timedelta(days=140)).isoformat()
        await self.observe(patient["id"], "8665-2", "Last period", valueDateTime=period)
        return patient

    async def observe(self, patient: str, code: str, text: str, **value: Any) -> Json:
        """An Observation of today in a woman's record."""
        return await self.record.create(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": text},
                "subject": {"reference": f"Patient/{patient}"},
                "effectiveDateTime": today().isoformat(),
                **value,
            }
        )

    def subject(self, national_id: str) -> str:
        """Her pairwise subject at the ministry."""
        key = (self.system.home / "secrets" / "esignet-pairwise").read_text().strip().encode()
        return pairwise_subject(key, RELYING_PARTY, national_id)

    async def of(self, patient: str, kind: str) -> list[Json]:
        """What the record has of a kind about her."""
        return await self.record.search(kind, [("patient", patient)])

    async def change_session(self, browser: Browser, portal: str, **changes: Any) -> None:
        """Writes other tokens, or another end of them, into somebody's session."""
        pool, request = self.app.state.portals.pool, cast(Any, SimpleNamespace(cookies=dict(browser.own.cookies)))
        session = await sessions.find(pool, request, portal, 600)
        assert session is not None
        await sessions.save(pool, msgspec.structs.replace(session, **changes), 600)

    def record_away(self) -> None:
        """Nobody reaches the record from now on."""
        self.switch.away = {self.system.url("record")}


@asynccontextmanager
async def caring(system: System, settings: Settings) -> AsyncIterator[Care]:
    """The portals in the test, with the keys and the services of `system`."""
    urls = {
        part: msgspec.structs.replace(getattr(settings, part), url=system.url(part))
        for part in ("portals", "registry", "record")
    }
    switch = Switch()
    app = create_app(msgspec.structs.replace(settings, home=str(system.home), **urls))
    async with serving(app, free_socket()), httpx.AsyncClient() as http:
        app.state.portals = msgspec.structs.replace(app.state.portals, http=httpx.AsyncClient(transport=switch))

        async def token() -> str:
            return await record_token(system, http)

        record = FhirClient(http, f"{system.url('record')}/fhir", token)
        care = Care(app, system, switch, record)
        try:
            yield care
        finally:
            for browser in care.browsers:
                await browser.close()
            await app.state.portals.http.aclose()


def a_phn() -> str:
    """A PHN that nobody has yet."""
    number, middle = uuid4().int, ""
    for _ in range(6):
        number, place = divmod(number, len(_ALPHABET))
        middle += _ALPHABET[place]
    return second_phn("TESTPOI9", middle)


def page_path(patient: Json) -> str:
    """Her page at the doctor's."""
    return f"/doctor/patients/{patient['id']}"


__all__ = ["AYESHA", "DOCTOR", "SELVI", "Browser", "Care", "Page", "a_phn", "caring", "page_path"]
