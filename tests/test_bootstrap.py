"""What `janani up` says to the parts, said again after an upgrade: nothing that a ministry did since is lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from janani import bootstrap, programmes
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.registry.app import create_app
from janani.settings import Database, Registry, Settings

PROGRAM, MIDWIVES, PASSWORD = "eozjj9UivfS", "RsXp8806RFn", "district"
Client = AsyncTestClient[Litestar]


@pytest.fixture
def ministry(settings: Settings, tmp_path: Path) -> Settings:
    """Production settings, with the secrets that the registry is taught with."""
    for name in ("admin-password", "sync-password", "relying-token", "phn-token"):
        (tmp_path / "secrets" / name).write_text(PASSWORD if name == "admin-password" else f"Secret-of-{name}-1")
    return msgspec.structs.replace(settings, profile="production", registry=Registry(url="http://testserver.local"))


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[Client]:
    async with AsyncTestClient(create_app(settings)) as client:
        yield client


async def teach(registry: Client, settings: Settings) -> None:
    await bootstrap._teach_registry(registry, settings, programmes.load("anc_lk"))


async def owned(registry: Client, path: str) -> dict[str, Any]:
    answer = await registry.get(f"/api/{path}", params={"fields": ":owner"}, auth=("admin", PASSWORD))
    return dict(answer.json())


async def test_teaching_the_registry_again_keeps_clinics_sharing_and_midwives(
    registry: Client, ministry: Settings
) -> None:
    await teach(registry, ministry)
    program, group = await owned(registry, f"programs/{PROGRAM}"), await owned(registry, f"userGroups/{MIDWIVES}")
    unit = {"id": "CliniCunit1", "name": "Clinic", "shortName": "Clinic", "openingDate": "2026-01-01"}
    midwife = {"id": "MidWife0001", "username": "mala", "firstName": "Mala", "surname": "Silva"}
    nurses = {"id": "NursesGrp01", "name": "Nurses"}
    program["organisationUnits"].append({"id": unit["id"]})
    program["sharing"]["userGroups"][nurses["id"]] = {"id": nurses["id"], "access": "r-r-----"}
    group["users"] = [*group.get("users", []), {"id": midwife["id"]}]
    changed = {
        "organisationUnits": [unit],
        "users": [midwife],
        "userGroups": [group, nurses],
        "programs": [program],
    }
    answer = await registry.post("/api/metadata", json=changed, auth=("admin", PASSWORD))
    assert answer.status_code == 200, answer.text

    await teach(registry, ministry)

    after = await owned(registry, f"programs/{PROGRAM}")
    assert unit["id"] in {one["id"] for one in after["organisationUnits"]}
    assert after["sharing"]["userGroups"].keys() == program["sharing"]["userGroups"].keys()
    assert midwife["id"] in {one["id"] for one in (await owned(registry, f"userGroups/{MIDWIVES}"))["users"]}


async def test_a_changed_admin_password_is_said_with_what_to_do(registry: Client, ministry: Settings) -> None:
    (ministry.secrets / "admin-password").write_text("another")
    with pytest.raises(bootstrap.BootstrapFailed, match=r"admin-password before you start again"):
        await teach(registry, ministry)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("portals", "registry_client_id"),
        ("sync", "registry_username"),
        ("sync", "staff_client_id"),
        ("registry", "url"),
        ("esignet", "url"),
    ],
)
def test_whatever_is_told_is_told_again_when_a_setting_changes_it(settings: Settings, part: str, name: str) -> None:
    programme = programmes.load("anc_lk")
    changed = msgspec.structs.replace(getattr(settings, part), **{name: "https://another.example"})
    other = msgspec.structs.replace(settings, **{part: changed})
    assert bootstrap._digest(other, programme) != bootstrap._digest(settings, programme)


def test_a_new_password_of_the_sync_is_told_to_the_registry(settings: Settings) -> None:
    programme = programmes.load("anc_lk")
    before = bootstrap._digest(settings, programme)
    assert bootstrap._digest(settings, programme) == before
    (settings.secrets / "sync-password").write_text("Another-secret-1")
    assert bootstrap._digest(settings, programme) != before


class Told(list[str]):
    """What the bootstrap told whom, in place of telling it."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        async def esignet(*_: Any) -> None:
            self.append("esignet")

        async def registry(*_: Any) -> None:
            self.append("registry")

        async def demo(*_: Any) -> None:
            self.append("demo")

        patched.setattr(bootstrap, "_register_clients", esignet)
        patched.setattr(bootstrap, "_teach_registry", registry)
        patched.setattr(bootstrap, "_load_demo", demo)

    async def by(self, settings: Settings) -> list[str]:
        self.clear()
        await bootstrap.prepare(settings, demo=True, report=lambda _: None)
        return list(self)


async def test_another_database_is_prepared_anew_and_the_same_one_is_not(
    settings: Settings, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    assert await told.by(settings) == ["esignet", "registry", "demo"]
    assert await told.by(settings) == []
    other = msgspec.structs.replace(settings, database=Database(dsn=postgres.dsn))
    assert await told.by(other) == ["esignet", "registry", "demo"]
    assert await told.by(other) == []


async def test_a_bootstrap_file_of_before_leads_to_one_preparation(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.folder / "bootstrap.json").write_text('{"digest": "0123", "demoLoaded": true}')
    told = Told(monkeypatch)
    assert await told.by(settings) == ["esignet", "registry"]
    assert await told.by(settings) == []


async def test_a_server_that_keeps_its_identifier_to_itself_gets_one_kept_in_the_database(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        drawn = await bootstrap._drawn_identity(connection)
        assert await bootstrap._drawn_identity(connection) == drawn
    finally:
        await connection.close()
