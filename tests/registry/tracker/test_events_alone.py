"""Events of a programme without registration: nobody owns them, so their unit says who writes and reads them."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from janani.kernel.ids import uid
from janani.settings import Settings
from registry.tracker.antenatal import AREA, ELEMENTS, OTHER_AREA, PACKAGE
from registry.tracker.test_export import read
from registry.tracker.test_import import codes, send

Json = dict[str, Any]
SURVEY, ROUND = "PrgSurvey01", "StgSurvey01"
ASKED = [element for code, element in ELEMENTS.items() if code in ("ANC_GRAVIDA", "ANC_PARITY", "ANC_LIVING_CHILDREN")]
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
async def survey(registry: httpx.AsyncClient) -> None:
    """A programme without registration with one stage that asks three numbers."""
    like = {name: PACKAGE["programs"][0][name] for name in ("categoryCombo", "organisationUnits", "sharing")}
    named = {"name": "Survey", "shortName": "Survey"}
    program = like | named | {"id": SURVEY, "programType": "WITHOUT_REGISTRATION", "programStages": [{"id": ROUND}]}
    asked = [{"id": uid(), "dataElement": {"id": element}} for element in ASKED]
    sharing = PACKAGE["programStages"][0]["sharing"]
    stage = named | {"id": ROUND, "program": {"id": SURVEY}, "programStageDataElements": asked, "sharing": sharing}
    answer = await registry.post("/api/metadata", json={"programs": [program], "programStages": [stage]})
    assert answer.status_code == 200, answer.text


def _event(unit: str = AREA, **values: str) -> Json:
    said = [{"dataElement": element, "value": value} for element, value in values.items()]
    event = {"event": uid(), "program": SURVEY, "programStage": ROUND, "orgUnit": unit, "status": "ACTIVE"}
    return event | {"occurredAt": "2026-11-20", "dataValues": said}


@pytest.mark.usefixtures("survey")
async def test_two_who_fill_in_one_event_at_once_keep_both_their_values(
    registry: httpx.AsyncClient, settings: Settings
) -> None:
    event = _event()
    await send(registry, {"events": [event]})
    told = [event | {"dataValues": [{"dataElement": element, "value": "3"}]} for element in ASKED]
    other = await asyncpg.connect(settings.database.dsn)
    try:
        async with other.transaction():
            await other.execute("select from registry.event for update")
            sent = [asyncio.create_task(send(registry, {"events": [one]})) for one in told]
            while await other.fetchval(_WAITING) < len(sent):
                await asyncio.sleep(0.01)
                await other.execute("select pg_stat_clear_snapshot()")
        await asyncio.gather(*sent)
    finally:
        await other.close()
    stored = await read(registry, f"events/{event['event']}")
    assert {one["dataElement"] for one in stored["dataValues"]} == set(ASKED)


@pytest.mark.usefixtures("survey")
async def test_an_event_is_changed_and_read_where_its_unit_is_the_users(registry: httpx.AsyncClient) -> None:
    near, far = _event(), _event(OTHER_AREA)
    await send(registry, {"events": [near]}, as_user="nirmala")
    await send(registry, {"events": [far]}, as_user="thevaki")
    for foreign in (far | {"status": "COMPLETED"}, far | {"orgUnit": AREA}, near | {"orgUnit": OTHER_AREA}):
        refused = await send(registry, {"events": [foreign]}, as_user="nirmala", expect=409)
        assert codes(refused) == {("EVENT", "E1000")}
    await send(registry, {"events": [near | {"status": "COMPLETED"}]}, as_user="nirmala")
    await read(registry, f"events/{near['event']}", as_user="nirmala")
    await read(registry, f"events/{far['event']}", as_user="nirmala", expect=404)
    await read(registry, f"events/{far['event']}")
