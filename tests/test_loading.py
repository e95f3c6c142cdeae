"""`janani load`: reading a file, and moving a demo district to today."""

from datetime import date
from pathlib import Path

import pytest

from janani.loading import LoadFailed, people_of, read


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
