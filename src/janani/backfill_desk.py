"""`janani sync backfill`: asks the running sync to read everybody once, and shows how far it is."""

import asyncio
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from janani.kernel import http, secrets
from janani.kernel.problems import RefusesToStart
from janani.settings import Settings

_LOOK_SECONDS = 0.5


class NotAsked(RefusesToStart):
    """The sync could not be asked. Its text says why."""


async def backfill(settings: Settings, program: str, out: Console) -> None:
    """Asks, then watches until everybody is queued; leaving early stops nothing. Raises NotAsked."""
    token = secrets.secret(settings.secrets, "sync-token", create=False)
    columns = (TextColumn("Org units"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[people]} people"))
    async with http.client(timeout=30) as client:
        asked = await _asked(client, "POST", settings, params={"program": program}, headers=_bearer(token))
        with Progress(*columns, TimeRemainingColumn(), console=out, disable=not out.is_terminal) as progress:
            bar = progress.add_task("", total=None, people=0)
            while True:
                found = await _asked(client, "GET", settings)
                progress.update(bar, total=found["units"], completed=found["units_done"], people=found["people"])
                if found["number"] >= asked["number"] and found["finished_at"]:
                    break
                await asyncio.sleep(_LOOK_SECONDS)
    out.print(f"{found['people']} people of {found['units']} units were queued for delivery.")
    if found["units_refused"]:
        refused = ", ".join(found["units_refused"])
        out.print(f"The registry does not give the sync's user {len(found['units_refused'])} of them: {refused}")


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def _asked(client: httpx.AsyncClient, method: str, settings: Settings, **given: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, f"{settings.sync.url}/backfill", **given)
        answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        told = f"The sync at {settings.sync.url} refused ({error.response.status_code})."
        raise NotAsked(f"{told} {_words(error.response)}".strip()) from error
    except httpx.HTTPError as error:
        raise NotAsked(f"The sync at {settings.sync.url} does not answer. Start it with `janani up`.") from error
    return dict(answer.json())


def _words(answer: httpx.Response) -> str:
    """The sync's own words, if it said any."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return ""
