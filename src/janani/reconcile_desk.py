"""`janani sync reconcile`: has the running sync compare the registry with the record, and keeps the signed report."""

import time
from pathlib import Path
from typing import Any

import httpx
from joserfc.errors import JoseError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from janani.kernel import jose, secrets
from janani.kernel.problems import RefusesToStart
from janani.settings import Settings

_LOOK_SECONDS = 0.2


class NotReconciled(RefusesToStart):
    """It could not be done, or the two sides differ. Its text says what."""


def reconcile(settings: Settings, out: Console, *, target: str, repair: bool, report: Path | None) -> None:
    """Compares, with the count so far on `out`; writes the signed report to `report`. Raises NotReconciled."""
    token = secrets.secret(settings.secrets, "sync-token", create=False)
    with httpx.Client(timeout=60, headers={"authorization": f"Bearer {token}"}) as client:
        _ask(client, settings, "POST", {"target": target, "repair": str(repair).lower()})
        began = time.monotonic()
        columns = (SpinnerColumn(), TextColumn("{task.fields[people]} people compared"))
        with Progress(*columns, console=out, disable=not out.is_terminal, transient=True) as progress:
            bar = progress.add_task("", people=0)
            while (found := _ask(client, settings, "GET", {}))["state"] == "running":
                progress.update(bar, people=found["people"])
                time.sleep(_LOOK_SECONDS)
    if found["state"] == "failed":
        raise NotReconciled(f"The comparison ended early: {found['trouble']}.")
    if report is not None:
        report.write_text(found["signed"] + "\n")
    told(found["report"], out, time.monotonic() - began)


def verify(settings: Settings, report: Path, out: Console) -> None:
    """Shows what a kept report says, its signature checked by the sync's key. Raises NotReconciled."""
    key = jose.signing_key(settings.secrets / "sync.pem", create=False)
    try:
        found = jose.verify(report.read_text().strip(), key)
    except (JoseError, ValueError) as error:
        raise NotReconciled(f"{report} was not signed by this sync, or was altered.") from error
    told(found, out, 0)


def told(found: dict[str, Any], out: Console, seconds: float) -> None:
    """Says what was found. Raises NotReconciled when the two sides differ."""
    speed = f" ({found['people'] / seconds:.0f} people/s)" if seconds else ""
    at = found["finished_at"]
    if found.get("compared_by") == "resources":
        out.print(f"{found['target']} knows no digests of what was sent: every resource was read, which takes longer.")
    if found["equal"] == found["people"] and not found["only_in_record"]:
        out.print(f"All {found['people']} people agree with {found['target']} at {at}{speed}.")
        return
    for person, difference in found["differing"].items():
        out.print(f"{person}: " + "; ".join(f"{how} {', '.join(what)}" for how, what in difference.items() if what))
    for person in found["only_in_record"]:
        out.print(f"{person}: not in the registry any more")
    count = found["people"] - found["equal"] + len(found["only_in_record"])
    mended = f"; {found['repaired']} are sent again" if found["repaired"] else ". Add --repair to send them again"
    raise NotReconciled(f"{count} of {found['people']} people differ from {found['target']} at {at}{mended}.")


def _ask(client: httpx.Client, settings: Settings, method: str, query: dict[str, str]) -> dict[str, Any]:
    try:
        answer = client.request(method, f"{settings.sync.url}/reconciliation", params=query)
    except httpx.HTTPError as error:
        raise NotReconciled(f"The sync at {settings.sync.url} does not answer. Start it: janani up") from error
    if not answer.is_success:
        raise NotReconciled(str(answer.json().get("message", answer.status_code)))
    return dict(answer.json())
