"""`janani sync dead list|show|retry|drop`: whom the sync set aside, asked of the running sync as its operator."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from cyclopts import App, Parameter
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table

from janani import settings as configuration
from janani.kernel import http
from janani.kernel.secrets import secret

dead = App(name="dead", help="Whom the sync set aside: what a target will never take as it is.")

_out = Console(highlight=False, markup=False, soft_wrap=True)
_Target = Annotated[str, Parameter(help="One target; default: all.")]
_Person = Annotated[str, Parameter(help="UID of the tracked entity; of the way back Type/id in the record.")]


@dead.command(name="list")
def list_(*, target: _Target = "") -> None:
    """Who was set aside, where and why; without personal data."""
    rows = _ask("GET", "/dead", target)
    if not rows:
        _out.print("Nothing was set aside.")
        return
    table = Table(*rows[0].keys(), header_style="bold", box=None)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    _out.print(table)


@dead.command
def show(person: _Person, /, *, target: _Target = "") -> None:
    """All that is known of one: the target's own words and the refused bundle. These are a person's data."""
    for row in _ask("GET", _path(person), target):
        for name in ("target", "person", "since", "attempts", "reason", "detail"):
            if name in row:
                _out.print(f"{name}: {row[name]}")
        if "payload" in row:
            _out.print(f"payload: {row['payload'] or '(none: it never got as far as a bundle)'}")


@dead.command
def retry(
    person: Annotated[str, Parameter(help="UID of the tracked entity, or Type/id; default: everyone.")] = "",
    /,
    *,
    target: _Target = "",
) -> None:
    """Try one person, or everyone, again."""
    path = f"{_path(person)}/retry" if person else "/dead/retry"
    _out.print(f"Queued again: {_ask('POST', path, target)['retried']}.")


@dead.command
def drop(
    person: _Person,
    /,
    *,
    target: _Target = "",
    yes: Annotated[bool, Parameter(negative="", help="Don't ask.")] = False,
) -> None:
    """Forget one until the next change; until then the other side does not learn of this one."""
    if not yes and not Confirm.ask(f"Forget {person}? The last change stays where it is", default=False):
        raise SystemExit(1)
    answer = _ask("DELETE", _path(person), target)
    _out.print(f"Dropped: {answer['dropped']}.")


def _path(person: str) -> str:
    """Where the sync answers for a person, or for a document of the record ("Encounter/12")."""
    kind, _slash, resource = person.partition("/")
    return f"/back/{quote(kind, safe='')}/{quote(resource, safe='')}" if resource else f"/dead/{quote(kind, safe='')}"


def _ask(method: str, path: str, target: str) -> Any:
    return asyncio.run(_asked(method, path, target))


async def _asked(method: str, path: str, target: str) -> Any:
    settings = configuration.load()
    token = secret(settings.secrets, "sync-token", create=False)
    headers, query = {"authorization": f"Bearer {token}"}, {"target": target} if target else {}
    try:
        async with http.client(timeout=30) as client:
            answer = await client.request(method, settings.sync.url + path, headers=headers, params=query)
    except httpx.HTTPError as error:
        raise SystemExit(f"The sync at {settings.sync.url} does not answer. Start it: janani up") from error
    if not answer.is_success:
        raise SystemExit(str(answer.json().get("message", answer.status_code)))
    return answer.json()
