"""A sync between two small servers."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from janani.settings import Settings
from sync.servers import FakeRecord, FakeRegistry, free_port, served
from sync.world import World


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    """A registry and a record on real HTTP; the sync is started by the test."""
    registry, record = FakeRegistry(), FakeRecord()
    ports = free_port(), free_port()
    async with served(registry, ports[0]) as registry_url, served(record, ports[1]) as record_url:
        replace = msgspec.structs.replace
        yield World(
            replace(
                settings,
                registry=replace(settings.registry, url=registry_url),
                record=replace(settings.record, url=record_url, authorization="open"),
                sync=replace(settings.sync, poll_seconds=1, attempts=3),
            ),
            registry,
            record,
        )
