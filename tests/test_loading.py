"""`janani load`: reading a file, and moving a demo district to today."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from janani.clients.dhis2 import Dhis2Client
from janani.loading import BATCH_PEOPLE, LoadFailed, people_of, read, send
from janani.settings import Settings


def test_a_file_that_is_not_there_or_no_payload_is_said_in_one_line(tmp_path: Path) -> None:
    for name, content in (("none.json", None), ("bad.json", "{"), ("other.json", "{}")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(LoadFailed) as failed:
            read(path)
        assert name in str(failed.value)
        assert "\n" not in str(failed.value)


def test_the_dates_of_a_district_move_with_today_but_nobodys_birthday() -> None:
    event = {"occurredAt": "2026-11-01", "dataValues": [{"dataElement": "lmp", "value": "2026-06-01"}]}
    enrollment = {
        "enrolledAt": "2026-10-01",
        "attributes": [{"attribute": "born", "value": "1996-03-14"}],
        "events": [event, {"scheduledAt": "2026-12-01T08:00:00.000"}],
    }
    payload = {"asOf": "2026-11-21", "trackedEntities": [{"enrollments": [enrollment]}]}
    [moved] = people_of(payload, date(2026, 12, 1))[0]["enrollments"]
    assert moved["enrolledAt"] == "2026-10-11"
    assert moved["attributes"] == enrollment["attributes"]
    assert moved["events"][0]["occurredAt"] == "2026-11-11"
    assert moved["events"][0]["dataValues"][0]["value"] == "2026-06-11"
    assert moved["events"][1]["scheduledAt"] == "2026-12-11T08:00:00.000"


@pytest.mark.parametrize(
    ("as_of", "event", "said"),
    [
        ("22.11.2026", {}, "asOf is '22.11.2026'"),
        (20261122, {}, "asOf is 20261122"),
        ("2026-11-21", {"dataValues": [{"dataElement": "lmp", "value": "2026-02-30"}]}, "trackedEntities[0]"),
        ("2026-11-21", {"occurredAt": "9999-12-31"}, "trackedEntities[0]"),
        ("2026-11-21", {"occurredAt": "yesterday"}, "trackedEntities[0]"),
    ],
)
def test_a_date_that_can_not_be_moved_is_said_in_one_line(as_of: Any, event: dict[str, Any], said: str) -> None:
    payload = {"asOf": as_of, "trackedEntities": [{"enrollments": [{"events": [event]}]}]}
    with pytest.raises(LoadFailed) as failed:
        people_of(payload, date(2026, 12, 1))
    assert said in str(failed.value)


def test_a_value_that_is_empty_stays_so() -> None:
    event = {"dataValues": [{"dataElement": "lmp", "value": None}]}
    payload = {"asOf": "2026-11-21", "trackedEntities": [{"enrollments": [{"events": [event]}]}]}
    [moved] = people_of(payload, date(2026, 12, 1))[0]["enrollments"]
    assert moved["events"][0]["dataValues"] == event["dataValues"]


async def test_where_loading_stopped_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refusing(_client: Any, payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "ERROR", "message": "no"} if payload["trackedEntities"][0]["n"] else {"status": "OK"}

    monkeypatch.setattr(Dhis2Client, "import_tracker", refusing)
    loaded: list[int] = []
    people = [{"n": number} for number in range(BATCH_PEOPLE + 1)]
    with pytest.raises(LoadFailed, match=rf"\({BATCH_PEOPLE} people before it are in the registry\.\)"):
        await send(Settings(home=str(tmp_path)), people, loaded.append)
    assert loaded == [BATCH_PEOPLE]
