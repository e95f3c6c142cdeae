"""The registry's change feed (docs/reference/change-feed.md), long-polled: complete and in commit order."""

from janani.clients.dhis2 import Dhis2Error
from janani.kernel.telemetry import log
from janani.sync.feeds.keeping import Desk, Told

NAME = "changes"
_LIMIT = 500
_GONE = 410


class ChangeFeed:
    """Reads page by page. A cursor that the registry no longer knows: from the end on, and everybody once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def step(self, wait: int) -> None:
        """One page, waiting `wait` seconds for it. Raises Dhis2Error; 404: this registry has no such feed."""
        after = await self._desk.position(NAME)
        try:
            page = await self._desk.registry.changes(after, limit=_LIMIT, wait=wait)
        except Dhis2Error as error:
            if error.status != _GONE:
                raise
            await self._begin_anew()
            return
        if page.changes or page.next != after:
            # Of several changes of one person the first: she waits since then.
            told = {one.tracked_entity: Told(one.changed_at, one.traceparent) for one in reversed(page.changes)}
            await self._desk.keep(told, NAME, page.next)

    async def _begin_anew(self) -> None:
        """The end is taken before anybody is listed, so what changes meanwhile comes by the feed."""
        end = await self._desk.registry.changes("end", wait=0)
        log("sync").error("change_feed_cursor_gone", does="reads everybody once (backfill)")
        await self._desk.keep((), NAME, end.next, backfill="the registry no longer knows the feed's cursor")
