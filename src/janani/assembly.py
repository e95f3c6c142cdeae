"""The composition root: which parts run here, on which ports, over which database.

The only module that imports parts. All parts of one process share an event loop; each has its own origin
(port), pool and schema.
"""

import asyncio
import contextlib
import errno
import gc
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path

import asyncpg
import msgspec
import uvicorn
from litestar import Litestar

from janani.kernel import otlp
from janani.kernel.embedded_postgres import EmbeddedPostgres
from janani.kernel.http import KEEP_ALIVE_SECONDS
from janani.kernel.problems import RefusesToStart
from janani.settings import PARTS, Settings

FREE_BYTES_NEEDED = 300 * 1024 * 1024

Report = Callable[[str], None]
"""Told a short sentence at each step of a start."""


class CannotStart(RefusesToStart):
    """Something on this machine is in the way. Its text is one line that says what and what to do."""


def local_parts(settings: Settings) -> list[str]:
    """The names of the parts that run here, in the order they start."""
    return [name for name in PARTS if getattr(settings, name).here]


@asynccontextmanager
async def running(settings: Settings, parts: Sequence[str], report: Report) -> AsyncIterator[Settings]:
    """Everything that `parts` need, started, and stopped again at the end.

    Yields the settings with the database's DSN filled in. Raises CannotStart with one line for people;
    what was started by then is stopped.
    """
    try:
        _check_folder(settings)
        async with AsyncExitStack() as stack:
            sockets = stack.enter_context(_sockets(settings, parts))
            settings = await stack.enter_async_context(_database(settings, report))
            await stack.enter_async_context(otlp.exporting(settings.telemetry.otlp_endpoint))
            for name in parts:
                app = _application(name, settings)
                await stack.enter_async_context(_served(app, sockets[name]))
                report(f"{name} on {getattr(settings, name).url}")
            _spare_the_collector()
            yield settings
    except* RefusesToStart as errors:
        raise CannotStart(str(first(errors))) from errors


def _spare_the_collector() -> None:
    """What was made at the start stays; looking at it again and again took a sixth of the record's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def first(error: BaseException) -> BaseException:
    """The first error inside groups of groups: a lifespan wraps what it raises."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def erase(settings: Settings) -> None:
    """Removes the embedded database, so that the next start begins empty. Keys and settings stay."""
    server = EmbeddedPostgres(_postgres_folder(settings))
    if server.folder.exists():
        server.stop()
        shutil.rmtree(server.folder)
    (settings.folder / "bootstrap.json").unlink(missing_ok=True)


def _application(name: str, settings: Settings) -> Litestar:
    create_app: Callable[[Settings], Litestar] = import_module(f"janani.{name}.app").create_app
    return create_app(settings)


def _postgres_folder(settings: Settings) -> Path:
    return settings.folder / "postgres"


def _check_folder(settings: Settings) -> None:
    folder = settings.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise CannotStart(
            f"The data folder {folder} can't be written ({why}). Choose another with JANANI_HOME=/path."
        ) from error
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_NEEDED:
        raise CannotStart(
            f"The disk of {folder} has {free // 2**20} MB free; Janani needs {FREE_BYTES_NEEDED // 2**20} MB. "
            "Free some space or choose another folder with JANANI_HOME=/path."
        )


@contextlib.contextmanager
def _sockets(settings: Settings, parts: Sequence[str]) -> Iterator[dict[str, socket.socket]]:
    """A listening socket a part, all or none."""
    taken: dict[str, socket.socket] = {}
    try:
        for name in parts:
            part = getattr(settings, name)
            family = socket.AF_INET6 if ":" in part.host else socket.AF_INET
            taken[name] = listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((part.host, part.port))
                listener.listen(256)
            except OSError as error:
                raise CannotStart(_port_words(name, part.host, part.port, error)) from error
        yield taken
    finally:
        for listener in taken.values():
            listener.close()


def _port_words(name: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} ({name}) is taken: is Janani running already? Stop that program, or choose another port "
            f"with JANANI_{name.upper()}__PORT and JANANI_{name.upper()}__URL."
        )
    return f"{name} can't listen on {host}:{port}: {error.strerror}."


@asynccontextmanager
async def _database(settings: Settings, report: Report) -> AsyncIterator[Settings]:
    if settings.database.dsn:
        yield settings
        return
    server = EmbeddedPostgres(_postgres_folder(settings))
    await asyncio.to_thread(server.start)
    report("PostgreSQL")
    try:
        yield msgspec.structs.replace(settings, database=msgspec.structs.replace(settings.database, dsn=server.dsn))
    finally:
        if not await _used_by_others(server.dsn):
            await asyncio.to_thread(server.stop)


async def _used_by_others(dsn: str) -> bool:
    """Whether another process (a part started by `janani serve`) still uses the embedded server."""
    with contextlib.suppress(OSError, asyncpg.PostgresError):
        connection = await asyncpg.connect(dsn, timeout=3)
        try:
            count = await connection.fetchval(
                "select count(*) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
            return bool(count)
        finally:
            await connection.close()
    return False


class _Server(uvicorn.Server):
    """A server among others on one loop: signals and lifespan are the assembly's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _served(app: Litestar, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    async with app.lifespan():
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    await serving
                await asyncio.sleep(0.005)
            yield
        finally:
            server.should_exit = True
            await serving
