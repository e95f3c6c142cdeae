"""`janani people`: what the sandbox does for the people of its identity system."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
import segno
from cyclopts import App, Parameter
from rich.console import Console

from janani import settings as configuration
from janani.esignet.card import card_text
from janani.esignet.people import normal_number
from janani.esignet.provider import SQL
from janani.kernel.clock import system_clock
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.jose import signing_key
from janani.kernel.problems import RefusesToStart
from janani.settings import Settings

people = App(name="people", help="The people of the sandbox's identity system.")
_err = Console(stderr=True, highlight=False)


@people.command
def qr(
    national_id: Annotated[str, Parameter(help="A number of hers: UIN, VID or NIC.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Write the code as SVG there; else its text is printed.")] = None,
) -> None:
    """Issue the signed QR code of a person's card, as MOSIP prints it."""
    try:
        settings = configuration.load()
        if not settings.sandbox:
            _fail("Cards are issued in the sandbox only; in production the identity authority prints them.")
        text = asyncio.run(_card(settings, national_id))
    except (configuration.InvalidSettings, RefusesToStart) as error:
        _fail(str(error))
        raise
    if out is None:
        print(text)
        return
    segno.make(text, error="l", micro=False, boost_error=False).save(str(out), kind="svg", scale=4, border=4)


async def _card(settings: Settings, number: str) -> str:
    dsn = settings.database.dsn or EmbeddedPostgres(settings.folder / "postgres").dsn
    try:
        connection = await asyncpg.connect(dsn, timeout=5, server_settings={"search_path": "esignet"})
    except (OSError, asyncpg.PostgresError, TimeoutError):
        _fail("The database does not answer. Start everything with `janani up`, then ask again.")
        raise
    try:
        row = await SQL.person_by_number(connection, number=normal_number(number))
    finally:
        await connection.close()
    if row is None:
        _fail("The identity system knows nobody under this number.")
    return card_text(
        msgspec.json.decode(row["identity"]),
        issuer=settings.esignet.url.rstrip("/"),
        key=signing_key(settings.secrets / "esignet.pem", create=False),
        now=system_clock(),
    )


def _fail(text: str) -> None:
    _err.print(text, style="red", soft_wrap=True)
    sys.exit(1)
