"""The agent: a feed fills the durable queue of each target, and carriers empty them, each at its target's own pace."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from janani.sync.carrier import Carrier, Shared
from janani.sync.feeds import Feed
from janani.sync.loops import Loop, running


class Agent:
    """Carries people until cancelled."""

    def __init__(self, carriers: Sequence[Carrier], feed: Feed, shared: Shared) -> None:
        self.carriers, self.registry, self.metrics = carriers, shared.registry, shared.metrics
        self._feed, self._workers = feed, shared.load.workers

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works in the background while the block runs."""
        loops: list[Loop] = [self._feed.run]
        for carrier in self.carriers:
            loops += [carrier.introduce, *[carrier.work] * self._workers]
        async with running(loops):
            yield
