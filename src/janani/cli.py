"""The command line: up, serve, load, check, sync status, docs. Thin: each command calls one module."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import uvloop
from cyclopts import App, Parameter
from rich.console import Console

from janani import __version__, assembly, backfill_desk, bootstrap, checks, loading, mapping_desk, reconcile_desk
from janani import settings as configuration
from janani.dead_desk import dead
from janani.kernel.problems import RefusesToStart
from janani.kernel.telemetry import configure_logs
from janani.keys_desk import keys
from janani.mapping_desk import mapping
from janani.people_desk import people
from janani.settings import PARTS, Settings

app = App(name="janani", help="A mother's record, from the midwife to her own phone.", version=__version__)
sync = App(name="sync", help="The agent that carries changes from the registry to the record.")
app.command(sync)
sync.command(dead)
app.command(mapping)
app.command(keys)
app.command(people)

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


@app.command
def up(
    *,
    fresh: Annotated[bool, Parameter(negative="", help="Start over: removes all data first.")] = False,
    demo: Annotated[bool, Parameter(help="Load the demo district (sandbox).")] = True,
) -> None:
    """Start everything on this machine."""
    settings = _settings()
    if fresh:
        assembly.erase(settings)
    if settings.sandbox:
        _logs_to_file(settings)
    _run(_up(settings, demo=demo and settings.sandbox))


@app.command
def serve(part: Annotated[str, Parameter(help=f"One of {', '.join(PARTS)}.")]) -> None:
    """Start one part."""
    if part not in PARTS:
        _fail(f"There is no part {part!r}. Parts: {', '.join(PARTS)}.")
    _run(_serve(_settings(), part))


@app.command
def load(file: Path) -> None:
    """Send tracker payloads (a JSON file with trackedEntities) to the registry, with a progress bar."""
    _run(loading.load(_settings(), file, _out))


@app.command
def check() -> None:
    """Look whether everything is in order, and say what to do where it is not."""
    _run(checks.check(_settings(), _out))


@sync.command
def reconcile(
    *,
    target: Annotated[str, Parameter(help="Which of the sync's targets.")] = "record",
    repair: Annotated[bool, Parameter(negative="", help="Send again who differs.")] = False,
    report: Annotated[Path | None, Parameter(help="Write the signed report there.")] = None,
    verify: Annotated[Path | None, Parameter(help="Only check a kept report, and show it.")] = None,
) -> None:
    """Compare the registry with the record, person by person."""
    try:
        if verify is not None:
            reconcile_desk.verify(_settings(), verify, _out)
        else:
            reconcile_desk.reconcile(_settings(), _out, target=target, repair=repair, report=report)
    except RefusesToStart as error:
        _fail(str(error))


@sync.command
def status() -> None:
    """How far the sync is, what waits, and what was set aside and why."""
    _run(checks.sync_status(_settings(), _out))


@sync.command
def backfill(*, programme: str = "") -> None:
    """Read everybody of a programme once more, beside live changes; shows how far it is.

    Args:
        programme: UID of the programme in the registry; the sync's own when not given.
    """
    _run(backfill_desk.backfill(_settings(), programme, _out))


@app.command(show=False)
def docs() -> None:
    """Rewrite the reference pages made from the code (in a checkout)."""
    from janani import settings_page
    from janani.relying import errors_page

    _out.print(f"Wrote {settings_page.write()} and {errors_page.write()}")


async def _up(settings: Settings, *, demo: bool) -> None:
    began = time.monotonic()
    stop = _stop_event()
    with _out.status("Starting ...") if _out.is_terminal else _Plain() as spinner:

        def report(step: str) -> None:
            spinner.update(f"{step} ...")
            _out.print(f"  [green]✓[/] {step}")

        parts = assembly.local_parts(settings)
        await mapping_desk.try_before_start(settings, parts, report)
        async with assembly.running(settings, parts, report) as full:
            await bootstrap.prepare(full, demo=demo, report=report)
            spinner.update("")
            if _out.is_terminal:
                spinner.stop()
            _out.print(bootstrap.welcome(full))
            _out.print(f"[bold]ready in {time.monotonic() - began:.1f} s[/] (Ctrl-C stops everything)")
            if settings.sandbox:
                _out.print(f"Logs: {_log_file(settings)}")
            await stop.wait()
            _out.print("Stopping ...")


async def _serve(settings: Settings, part: str) -> None:
    stop = _stop_event()

    def report(step: str) -> None:
        _out.print(f"  ✓ {step}")

    await mapping_desk.try_before_start(settings, [part], report)
    async with assembly.running(settings, [part], report):
        _out.print("ready")
        await stop.wait()


class _Plain:
    """What stands in for the spinner where there is no terminal."""

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, _: str) -> None: ...

    def stop(self) -> None: ...


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    return stop


def _settings() -> Settings:
    try:
        settings = configuration.load()
    except configuration.InvalidSettings as error:
        _fail(str(error))
    configure_logs(level=settings.log_level)
    return settings


def _log_file(settings: Settings) -> Path:
    return settings.folder / "janani.log"


def _logs_to_file(settings: Settings) -> None:
    """The sandbox keeps its log lines out of the way of a person at the terminal."""
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        configure_logs(level=settings.log_level, to=_log_file(settings).open("a", buffering=1))
    except OSError:
        return  # the start itself will say in words what is wrong with the folder


def _run(work: Coroutine[Any, Any, None]) -> None:
    expected: tuple[type[Exception], ...] = (RefusesToStart, bootstrap.BootstrapFailed, loading.LoadFailed)
    try:
        uvloop.run(work)
    except checks.NotInOrder:
        sys.exit(1)
    except expected as error:
        _fail(str(error))
    except BaseExceptionGroup as group:  # a lifespan wraps what is raised inside it
        inner = assembly.first(group)
        if not isinstance(inner, expected):
            raise
        _fail(str(inner))
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(text: str) -> Any:
    _err.print(text, style="red", soft_wrap=True)
    sys.exit(1)


main: Callable[[], Any] = app
