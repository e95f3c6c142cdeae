"""Ten women cost as many statements as one: nothing queries in a loop."""

from collections import Counter
from typing import Any

import asyncpg
import httpx
import pytest

from registry.tracker.antenatal import PROGRAM, payload, person


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
