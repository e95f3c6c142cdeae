"""Ten women cost as many statements as one, and each as much among thousands as among ten."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from janani.kernel.ids import uid
from janani.registry.tracker.store import SQL
from janani.settings import Settings
from registry.tracker.antenatal import PROGRAM, attribute, payload, person


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many statements ran, by whom they were asked."""
    seen: Counter[str] = Counter()
    execute = asyncpg.Connection._execute

    async def counting(self: Any, query: str, *args: Any, **options: Any) -> Any:
        seen["all"] += 1
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "_execute", counting)
    return seen


async def test_import_and_export_are_set_based(registry: httpx.AsyncClient, counted: Counter[str]) -> None:
    async def cost(method: str, url: str, **request: Any) -> int:
        counted.clear()
        answer = await registry.request(method, url, **request)
        assert answer.status_code == 200, answer.text
        return counted["all"]

    await cost("POST", "/api/tracker?async=false", json=payload(person()))
    one = await cost("POST", "/api/tracker?async=false", json=payload(person()))
    many = await cost("POST", "/api/tracker?async=false", json=payload(*(person() for _ in range(30))))
    assert many <= one
    listed = f"/api/tracker/trackedEntities?program={PROGRAM}&fields=*&pageSize="
    assert await cost("GET", listed + "30") <= await cost("GET", listed + "1") <= 12


async def test_no_whole_table_is_read_for_one_person_however_many_there_are(
    registry: httpx.AsyncClient, settings: Settings
) -> None:
    answer = await registry.post("/api/tracker?async=false", json=payload(known := person(nic="199712345678")))
    assert answer.status_code == 200, answer.text
    connection = await asyncpg.connect(settings.database.dsn, server_settings={"search_path": "registry"})
    try:
        await connection.execute(_THREE_THOUSAND_MORE)
        event, value = uid(), msgspec.json.encode([attribute("nic", "199712345678")]).decode()
        one = {"tracked_entity": known["trackedEntity"], "enrollment": uid(), "uid": event, "attribute": "a"}
        row = msgspec.json.encode([one]).decode()
        now, by = datetime.now(UTC), "{}"
        for statement, values in (
            (SQL.lock_people, [[known["trackedEntity"], uid()], [uid()], [event]]),
            (SQL.known_events, [[event], [1]]),
            (SQL.known_unique_values, [value]),
            (SQL.save_values, [now, row]),
            (SQL.add_owners, [row]),
            (SQL.add_enrollments, [now, by, row]),
            (SQL.add_events, [now, by, row]),
            (SQL.tree_enrollments, [[1], [1], False]),
            (SQL.tree_events, [False, [1], [1], False]),
            (SQL.tree_values, [[1]]),
        ):
            plan = await connection.fetch(f"explain {statement.sql}", *values)
            text = "\n".join(line[0] for line in plan)
            assert "Seq Scan" not in text, text
    finally:
        await connection.close()


_THREE_THOUSAND_MORE = """
insert into tracked_entity (uid, type, org_unit, created_at, updated_at, created_by, updated_by)
select 'Person' || n, 'type', 'unit', now(), now(), '{}', '{}' from generate_series(10001, 13000) as n;
insert into attribute_value (tracked_entity, attribute, value, unique_within, created_at, updated_at)
select id, 'attribute' || n, uid || n, '', now(), now() from tracked_entity, generate_series(1, 3) as n
 where uid like 'Person%';
insert into enrollment (uid, tracked_entity, program, org_unit, status, enrolled_at, created_at, updated_at, created_by,
  updated_by)
select 'Enrol' || substr(uid, 7), id, 'program', 'unit', 'ACTIVE', now(), now(), now(), '{}', '{}'
  from tracked_entity where uid like 'Person%';
insert into event (uid, enrollment, program, program_stage, org_unit, status, created_at, updated_at, created_by,
  updated_by, data_values)
select 'Event' || n || substr(uid, 6), id, 'program', 'stage', 'unit', 'ACTIVE', now(), now(), '{}', '{}', '{}'
  from enrollment, generate_series(1, 3) as n where uid like 'Enrol%';
analyze;
"""
