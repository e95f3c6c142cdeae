"""`janani check` and `janani sync status`: is everything in order, and what to do where it is not."""

import asyncio
import json
from collections.abc import Awaitable
from email.utils import parsedate_to_datetime
from typing import Any

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from janani import programmes
from janani.kernel import http
from janani.kernel.clock import system_clock
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.settings import PARTS, Settings

CLOCK_SKEW_SECONDS = 60

# What a part answers without credentials, on ours and on the real product alike.
_PROBES = {
    "esignet": "/v1/esignet/oidc/.well-known/openid-configuration",
    "relying": "/.well-known/jwks.json",
    "registry": "/api/ping",
    "phn": "/fhir/metadata",
    "record": "/fhir/metadata",
    "sync": "/jwks.json",
    "portals": "/jwks.json",
}
_KEYS = {
    "esignet": ("esignet.pem", "esignet-pairwise", "esignet-clients-token"),
    "relying": ("relying.pem", "relying-seal-key"),
    "registry": ("registry.pem", "registry-routes-key"),
    "record": ("record.pem",),
    "sync": ("sync.pem",),
    "portals": ("portals.pem",),
}
"""What only the part itself needs; a product in its place keeps its own."""
_TOKENS = ("relying-token", "phn-token", "sync-password", "sync-token")


class NotInOrder(Exception):
    """At least one check failed; each was printed with what to do."""


class Fault(Exception):
    """One check failed. Its text says what to do."""


async def check(settings: Settings, out: Console) -> None:
    """Prints a line a check. Raises NotInOrder when one failed."""
    async with http.client(timeout=5) as client:
        probes = [(f"{name} answers", _reach(client, settings, name)) for name in PARTS]
        others = [
            ("programme files", _programme(settings)),
            ("keys", _keys(settings)),
            ("database", _database(settings)),
        ]
        results = await asyncio.gather(*(_outcome(name, work) for name, work in [*others, *probes]))
    for name, fault, detail in results:
        out.print(f"  [red]✗ {name}[/]: {fault}" if fault else f"  [green]✓[/] {name}{detail}")
    if any(fault for _, fault, _ in results):
        raise NotInOrder


async def sync_status(settings: Settings, out: Console) -> None:
    """Prints how far the sync is. Raises NotInOrder when it can't be asked or something was set aside."""
    try:
        async with http.client(timeout=5) as client:
            status = (await client.get(f"{settings.sync.url}/status")).raise_for_status().json()
    except httpx.HTTPError as error:
        out.print(f"The sync at {settings.sync.url} does not answer ({type(error).__name__}). Start it: janani up")
        raise NotInOrder from error
    table = Table("what", "now", box=None, header_style="bold")
    dead, targets = status.pop("dead", []), status.pop("targets", [])
    back = status.pop("write-back", {})
    dead_back = back.pop("dead", [])
    for key, value in [*status.items(), *((f"write-back: {key}", value) for key, value in back.items())]:
        table.add_row(key, value if isinstance(value, str) else json.dumps(value))
    out.print(table)
    if targets:
        out.print(_rows(targets, "Targets"))
    _print_dead(dead, "the record", out)
    _print_dead(dead_back, "the registry", out)
    if dead or dead_back:
        raise NotInOrder


def _print_dead(dead: list[dict[str, Any]], who: str, out: Console) -> None:
    if not dead:
        out.print(f"Nothing was set aside that {who} will not take.")
        return
    out.print(_rows(dead, f"Set aside: {who} will not take these"))


def _rows(rows: list[dict[str, Any]], title: str) -> Table:
    table = Table(*rows[0].keys(), title=title, header_style="bold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table


async def _outcome(name: str, work: Awaitable[str]) -> tuple[str, str, str]:
    try:
        return name, "", await work
    except Fault as fault:
        return name, str(fault), ""


async def _reach(client: httpx.AsyncClient, settings: Settings, name: str) -> str:
    part = getattr(settings, name)
    url = part.url + _PROBES[name]
    how = "Start it with `janani up`" if part.here else f"Look at that server, or at {name}.url in the settings"
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        raise Fault(f"{url} can't be reached ({type(error).__name__}). {how}.") from error
    if answer.status_code != 200:
        raise Fault(f"{url} answers {answer.status_code}, not 200. {how}.")
    if (date := answer.headers.get("date")) is not None:
        skew = abs((system_clock() - parsedate_to_datetime(date)).total_seconds())
        if skew > CLOCK_SKEW_SECONDS:
            raise Fault(f"its clock and this one differ by {skew:.0f} s; signed tokens will fail. Set both by NTP.")
    return f" ({answer.elapsed.total_seconds() * 1000:.0f} ms)"


async def _programme(settings: Settings) -> str:
    try:
        return f" ({programmes.load(settings.programme).title})"
    except programmes.ProgrammeFault as fault:
        raise Fault(str(fault)) from fault


async def _keys(settings: Settings) -> str:
    ours = [name for part, names in _KEYS.items() if getattr(settings, part).here for name in names]
    missing = [name for name in (*ours, *_TOKENS) if not (settings.secrets / name).exists()]
    if not missing:
        return ""
    how = "`janani up` makes them" if settings.sandbox else "put them there (docs/how-to/production.md)"
    raise Fault(f"{', '.join(missing)} missing in {settings.secrets}; {how}.")


async def _database(settings: Settings) -> str:
    dsn = settings.database.dsn or EmbeddedPostgres(settings.folder / "postgres").dsn
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError, ValueError) as error:
        how = "Look at database.dsn" if settings.database.dsn else "Start it with `janani up`"
        raise Fault(f"PostgreSQL does not answer ({type(error).__name__}). {how}.") from error
    try:
        version = int(await connection.fetchval("show server_version_num"))
    finally:
        await connection.close()
    if version < 150000:
        raise Fault(f"PostgreSQL {version // 10000} is too old; 15 or newer is needed.")
    return f" (PostgreSQL {version // 10000})"
