from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.adapters.redis import RedisStorage
from qtasks.schemas import Message, QueueStats
from qtasks.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MESSAGE = Message("00000000-0000-7000-8000-000000000001", "t", "q", b"", delay=10)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def storage(valkey: str, clock: FakeClock) -> AsyncIterator[RedisStorage]:
    storage = RedisStorage(valkey, clock=clock)
    await storage.start()
    await storage.put([MESSAGE], scheduled=True)
    yield storage
    await storage.stop()


def counts(stats: QueueStats) -> tuple[int, int]:
    return stats.ready, stats.delayed


async def test_what_is_on_its_way_to_the_broker_is_ready(
    storage: RedisStorage, clock: FakeClock
) -> None:
    # A burst would end if neither the storage nor the broker counted it.
    assert counts(await storage.stats("q")) == (0, 1)
    clock.advance(11)
    assert counts(await storage.stats("q")) == (1, 0)

    await storage.due(10, 30.0)
    assert counts(await storage.stats("q")) == (1, 0)

    await storage.dispatched([MESSAGE.id])
    assert counts(await storage.stats("q")) == (0, 0)


async def test_what_did_not_arrive_is_ready_until_it_is_handed_out_again(
    storage: RedisStorage, clock: FakeClock
) -> None:
    clock.advance(11)
    await storage.due(10, 30.0)
    clock.advance(31)

    assert counts(await storage.stats("q")) == (1, 0)
    assert [message.id for message in await storage.due(10, 30.0)] == [MESSAGE.id]
    assert counts(await storage.stats("q")) == (1, 0)


async def test_what_is_cancelled_on_its_way_is_not_counted(
    storage: RedisStorage, clock: FakeClock
) -> None:
    clock.advance(11)
    await storage.due(10, 30.0)
    await storage.cancel([MESSAGE.id], "no")

    assert counts(await storage.stats("q")) == (0, 0)
