"""The agent: a feed fills the durable queue of each target, and carriers empty them, each at its target's own pace."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from janani.kernel.telemetry import log
from janani.sync.carrier import Carrier, Shared, place_of
from janani.sync.feeds import Feed


class Agent:
    """Carries people until cancelled."""

    def __init__(self, carriers: Sequence[Carrier], feed: Feed, shared: Shared) -> None:
        self.carriers, self.registry, self.metrics = carriers, shared.registry, shared.metrics
        self._feed, self._workers = feed, shared.load.workers

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works in the background while the block runs."""
        loops: list[Callable[[], Awaitable[None]]] = [self._feed.run]
        for carrier in self.carriers:
            loops += [carrier.introduce, *[carrier.work] * self._workers]
        tasks = [asyncio.create_task(_for_ever(loop)) for loop in loops]
        try:
            yield
        finally:
            await _stop(tasks)


async def _for_ever(loop: Callable[[], Awaitable[None]]) -> None:
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
