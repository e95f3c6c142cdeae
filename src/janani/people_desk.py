"""`janani people`: the people of the identity system, and what the sandbox does for them."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import msgspec
import segno
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from janani import settings as configuration
from janani.esignet.card import card_text
from janani.esignet.identity import normal_number
from janani.esignet.people_file import Loaded
from janani.esignet.people_file import load as load_file
from janani.esignet.provider import SQL
from janani.kernel import postgres
from janani.kernel.clock import system_clock
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key
from janani.kernel.problems import RefusesToStart
from janani.settings import Settings

people = App(name="people", help="The people of the identity system.")
_out, _err = Console(highlight=False), Console(stderr=True, highlight=False)
T = TypeVar("T")


@people.command
def load(file: Annotated[Path, Parameter(help="YAML, JSON, or JSON Lines (.jsonl).")], /) -> None:
    """Store the people of a file, all or none. The same file again changes nothing."""
    found = _run(lambda settings: _load(settings, file))
    _out.print(f"{found.people} people are in the identity system; {found.changed} of them are new or changed.")


@people.command
def revoke(
    number: Annotated[str, Parameter(help="A VID, NIC or other alias; never the identity number itself.")], /
) -> None:
    """Withdraw a number: from now on nobody signs in with it. It can't be given to anyone else."""
    if _run(lambda settings: _revoke(settings, number)) is None:
        _fail("This is nobody's alias.")
    _out.print("Revoked.")


@people.command
def qr(
    national_id: Annotated[str, Parameter(help="A number of hers: UIN, VID or NIC.")],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(help="Write the code there, as PNG or else SVG by its name; else its text is printed.")
    ] = None,
) -> None:
    """Issue the signed QR code of a person's card, as MOSIP prints it."""
    text = _run(lambda settings: _card(settings, national_id))
    if out is None:
        print(text)
        return
    kind = "png" if out.suffix.lower() == ".png" else "svg"
    segno.make(text, error="l", micro=False, boost_error=False).save(str(out), kind=kind, scale=4, border=4)


@people.command
def audit(
    number: Annotated[str, Parameter(help="A number of one person: UIN, VID or NIC; everybody when left out.")] = "",
    /,
    *,
    client: Annotated[str, Parameter(help="Only what this client id took part in.")] = "",
    days: Annotated[int, Parameter(help="How far back.")] = 7,
    refused: Annotated[bool, Parameter(negative="", help="Only refusals and wrong codes.")] = False,
    most: Annotated[int, Parameter(help="How many rows.")] = 200,
) -> None:
    """Read the audit trail of the identity provider, newest first. Numbers and names are not in it."""
    since = system_clock() - timedelta(days=days)
    rows = _run(lambda settings: _trail(settings, number, since, client or None, refused, most))
    table = Table(box=None, header_style="bold")
    for name in ("at (UTC)", "event", "outcome", "reason", "sign-in", "client", "person"):
        table.add_column(name, overflow="fold")
    for row in rows:
        shown = [row[name] for name in ("event", "outcome", "reason", "transaction_number", "client_id", "person_id")]
        table.add_row(f"{row['at']:%Y-%m-%d %H:%M:%S}", *("" if value is None else str(value) for value in shown))
    _out.print(table)
    if len(rows) == most:
        _out.print(f"The newest {most} are shown; --most shows more.")


async def _trail(
    settings: Settings, number: str, since: datetime, client: str | None, refused: bool, most: int
) -> list[Any]:
    async with _pool(settings) as pool:
        person = None
        if number:
            person = await SQL.person_by_number(pool, number=normal_number(number), now=system_clock())
            if person is None:
                _fail("The identity system knows nobody under this number.")
        of = {"person_id": person["id"] if person else None, "client_id": client}
        return [row async for row in SQL.audit_trail(pool, **of, since=since, refused=refused, most=most)]


def _run(ask: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine `ask(settings)` gives; a refusal is one red line (or one a fault) and exit 1."""
    try:
        return asyncio.run(ask(configuration.load()))
    except (configuration.InvalidSettings, RefusesToStart) as error:
        _fail(str(error))
        raise


async def _load(settings: Settings, file: Path) -> Loaded:
    async with _pool(settings) as pool:
        return await load_file(pool, file, system_clock())


async def _revoke(settings: Settings, number: str) -> int | None:
    async with _pool(settings) as pool:
        person: int | None = await SQL.revoke_alias(pool, number=normal_number(number), now=system_clock())
        return person


async def _card(settings: Settings, number: str) -> str:
    if not settings.sandbox:
        _fail("Cards are issued in the sandbox only; in production the identity authority prints them.")
    async with _pool(settings) as pool:
        row = await SQL.person_by_number(pool, number=normal_number(number), now=system_clock())
    if row is None:
        _fail("The identity system knows nobody under this number.")
    return card_text(
        msgspec.json.decode(row["identity"]),
        issuer=settings.esignet.url.rstrip("/"),
        key=signing_key(settings.secrets / "esignet.pem", create=False),
        now=system_clock(),
    )


@contextlib.asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """The identity provider's database, migrated."""
    dsn = settings.database.dsn or EmbeddedPostgres(settings.folder / "postgres").dsn
    try:
        pool = await postgres.open_pool(dsn, "esignet", max_size=1)
    except postgres.NoDatabase:
        _fail("The database does not answer. Start everything with `janani up`, then ask again.")
        raise
    try:
        yield pool
    finally:
        await pool.close()


def _fail(text: str) -> None:
    _err.print(text, style="red", soft_wrap=True, markup=False)
    sys.exit(1)
