"""Brings one source at a time from the queue to the registry, until cancelled."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from janani.clients.dhis2 import Dhis2Error
from janani.clients.fhir import FhirError
from janani.kernel import postgres, trace
from janani.kernel.clock import Clock
from janani.kernel.telemetry import log
from janani.sync.back.clinic import Clinic, Refused
from janani.sync.back.edits import Edit, Edits
from janani.sync.back.feed import DATABASE_AWAY, RecordFeed
from janani.sync.gate import Bell
from janani.sync.loops import running
from janani.sync.metrics import REGISTRY, Metrics

_queries = postgres.queries("janani.sync.back")
_LEASE = timedelta(seconds=60)
_WORK_SECONDS = 45
_IDLE_SECONDS = 5.0
_LONGEST_SECONDS = 300.0
_PATIENCE = timedelta(minutes=10)  # with a server that says no to everybody, until somebody is set aside
_AWAY = {0, 401, 408, 425, 429, 502, 503, 504}
_NOT_THERE = {404, 405, 410}  # of a proxy that misses its server
_MAY_PASS = {403, 409, 412, 500}


class WriteBack:
    """The way back: its feed and its worker.

    `names` is {UID: code} of data elements, for people; `attempts` the tries of what is refused before it is set aside.
    """

    names: Mapping[str, str]

    def __init__(
        self,
        feed: RecordFeed,
        clinic: Clinic,
        edits: Edits,
        pool: asyncpg.Pool,
        bell: Bell,
        clock: Clock,
        names: Mapping[str, str],
        counted: Metrics,
        attempts: int,
    ) -> None:
        self.names, self._counted, self._attempts = names, counted, attempts
        self.feed, self._clinic, self._edits = feed, clinic, edits
        self.pool, self.bell, self.clock = pool, bell, clock

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works in the background while the block runs."""
        async with running([self.feed.run, self._work]):
            yield

    async def _work(self) -> None:
        while True:
            heard = self.bell.listen()
            try:
                if await self.bring_next():
                    continue
            except DATABASE_AWAY as error:
                log("sync").warning("database_away", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    await heard.wait()

    async def bring_next(self) -> bool:
        """Brings the next source that is due; whether there was one."""
        now = self.clock()
        claim = await _queries.claim(self.pool, now=now, until=now + _LEASE)
        if claim is None:
            return False
        try:
            async with asyncio.timeout(_WORK_SECONDS):
                with trace.within(trace.begin()):
                    outcome = await self._bring(claim)
        except Refused as refused:
            await self._set_aside(claim, refused.reason)
            return True
        except (Dhis2Error, FhirError) as error:
            await self._refused(claim, error)
            return True
        except TimeoutError:
            await self._later(claim, "timeout")
            return True
        except DATABASE_AWAY:
            raise
        except Exception as error:
            log("sync").error("not_brought_back", source=claim["source"], error=type(error).__name__)
            await self._set_aside(claim, f"it could not be read ({type(error).__name__})")
            return True
        log("sync").info("brought_back", source=claim["source"], outcome=outcome)
        seconds = (self.clock() - claim["noticed_at"]).total_seconds()
        self._counted.carried(REGISTRY, "back", outcome, max(seconds, 0.0))
        await self._finish(claim)
        return True

    async def _bring(self, claim: Any) -> str:
        if not claim["name"]:
            return await self._clinic.bring(claim["source"])
        return await self._edits.bring(
            Edit(claim["source"], claim["name"], claim["version"], claim["first"], claim["verdict"])
        )

    async def _refused(self, claim: Any, error: Dhis2Error | FhirError) -> None:
        """Later when the server is away, or for as long as this may pass; else it is set aside."""
        status = error.status
        if status in _AWAY or (status in _NOT_THERE and not error.told):
            return await self._later(claim, str(status))
        if status not in _MAY_PASS:
            return await self._set_aside(claim, f"answered {status}")
        times, since = claim["refused"] + 1, claim["refused_since"]
        if times < self._attempts or since is None or self.clock() - since < _PATIENCE:
            return await self._later(claim, str(status), refused=True)
        return await self._set_aside(claim, f"answered {status} at every one of {times} tries")

    async def _finish(self, claim: Any) -> None:
        source, change = claim["source"], claim["change"]
        await _queries.finish(self.pool, source=source, change=change, now=self.clock(), brought=True)
        await _queries.revive(self.pool, source=source)

    async def _later(self, claim: Any, trouble: str, *, refused: bool = False) -> None:
        self._counted.carried(REGISTRY, "back", "released")
        wait = min(0.5 * 2 ** min(claim["attempts"], 20), _LONGEST_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
        now = self.clock()
        await _queries.release(
            self.pool,
            source=claim["source"],
            try_at=now + timedelta(seconds=wait),
            trouble=trouble,
            refused=int(refused),
            now=now,
        )

    async def _set_aside(self, claim: Any, reason: str) -> None:
        log("sync").warning("set_aside_back", source=claim["source"], reason=reason)
        self._counted.carried(REGISTRY, "back", "set_aside")
        now = self.clock()
        await _queries.set_aside(
            self.pool,
            source=claim["source"],
            reason=reason,
            attempts=claim["attempts"],
            name=claim["name"],
            version=claim["version"],
            first=claim["first"],
            now=now,
        )
        await _queries.finish(self.pool, source=claim["source"], change=claim["change"], now=now, brought=False)
