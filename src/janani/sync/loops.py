"""The sync's endless loops: run side by side, and started again whatever stops one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from janani.kernel.telemetry import log, place_of

Loop = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def running(loops: Sequence[Loop]) -> AsyncIterator[None]:
    """Runs `loops` in the background while the block runs."""
    tasks = [asyncio.create_task(_for_ever(loop)) for loop in loops]
    try:
        yield
    finally:
        await _stop(tasks)


async def _for_ever(loop: Loop) -> None:
    """Starts `loop` again whatever stops it: a bug in one step must not end the sync."""
    while True:
        try:
            await loop()
        except Exception as error:
            log("sync").error("loop_stopped", error=type(error).__name__, at=place_of(error))
            await asyncio.sleep(1)


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels `tasks` until they are done; a library may swallow one cancellation."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=1)
