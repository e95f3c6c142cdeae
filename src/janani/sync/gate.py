"""Waiting in one process: a bell that wakes who listens, and a gate before a server that may be away."""

import asyncio
import random
from datetime import datetime

_FIRST_SECONDS = 0.25
_LONGEST_SECONDS = 10.0
_LONGEST_ASKED_SECONDS = 60.0


class Bell:
    """Wakes everyone who listened before it rang. Take `listen()` before looking for work, so no ring is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """The event of the next ring."""
        return self._event

    def ring(self) -> None:
        """Wakes all listeners."""
        self._event.set()
        self._event = asyncio.Event()


class Gate:
    """Stands before one server. Open until a call finds it away; then one caller at a time probes, ever more rarely
    (at most every 10 s), and the first that gets through opens it for all."""

    def __init__(self) -> None:
        self.is_open = True
        self.served_at: datetime | None = None
        self._probing = False
        self._delay = _FIRST_SECONDS
        self._changed = Bell()

    async def turn(self) -> None:
        """Returns when the server is there as far as is known, or when it is this caller's turn to probe.

        The caller then says `succeeded`, `failed` or `passed`.
        """
        while not self.is_open:
            if not self._probing:
                self._probing = True
                try:
                    await asyncio.sleep(self._delay * random.uniform(0.5, 1))  # noqa: S311
                except asyncio.CancelledError:
                    self.passed()
                    raise
                return
            await self._changed.listen().wait()

    def succeeded(self, now: datetime) -> bool:
        """The server served somebody. True when it had been away."""
        back, self.served_at = not self.is_open, now
        self.is_open, self._delay = True, _FIRST_SECONDS
        self.passed()
        return back

    @property
    def state(self) -> str:
        """As circuit breakers call it: closed (all pass), open (nobody does) or half-open (one probes)."""
        return "closed" if self.is_open else "half-open" if self._probing else "open"

    def failed(self, retry_after: float = 0) -> None:
        """The server did not answer, or wants no call for `retry_after` s (obeyed for up to a minute)."""
        self._delay = _FIRST_SECONDS if self.is_open else min(self._delay * 2, _LONGEST_SECONDS)
        self._delay = max(self._delay, 2 * min(retry_after, _LONGEST_ASKED_SECONDS))  # half of it is the least waited
        self.is_open = False
        self.passed()

    def passed(self) -> None:
        """There was nothing to try, or it told nothing: the turn goes to another."""
        self._probing = False
        self._changed.ring()
