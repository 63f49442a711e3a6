"""Names of queues are never forgotten, and there may be very many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from qtasks.adapters.redis import RedisBroker
from qtasks.schemas import Claim, Message, Success
from qtasks.testing.clock import FakeClock
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUEUES = [f"q{number}" for number in range(2000)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def broker(redis_url: str, clock: FakeClock) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(redis_url, clock=clock)
    await broker.start()
    await broker.publish(
        [
            Message(f"00000000-0000-7000-8000-{number:012}", "t", queue, b"")
            for number, queue in enumerate(QUEUES)
        ]
    )
    yield broker
    await broker.stop()


async def test_a_sweep_looks_at_some_queues_and_the_next_goes_on(
    broker: RedisBroker, clock: FakeClock, redis_url: str
) -> None:
    found = await broker.claim(Claim(tuple(QUEUES), len(QUEUES), 60.0, "w"))
    assert await broker.settle([settlement(d, Success(), ttl=10.0) for d in found]) == []
    clock.advance(11)

    with redis.Redis.from_url(redis_url) as client:
        client.config_resetstat()
        purged = [(await broker.sweep()).purged]
        looked = client.info("commandstats")["cmdstat_zrangebyscore"]["calls"]
    assert looked < len(QUEUES) / 2
    while sum(purged) < len(QUEUES):
        purged.append((await broker.sweep()).purged)
        assert len(purged) < len(QUEUES)
    assert max(purged) <= 100


async def test_a_lost_marker_is_found_in_any_queue(broker: RedisBroker, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        lost = [f"qtasks:w:{queue}" for queue in QUEUES]
        assert client.delete(*lost) == len(QUEUES)
        for _ in range(len(QUEUES)):
            await broker.sweep()
            if client.exists(*lost) == len(QUEUES):
                return
    pytest.fail("some queues were never looked at")
