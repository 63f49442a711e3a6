"""Who is woken may die before looking; what is due is run by the others all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import redis

from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.waiting import pop
from qtasks.schemas import Claim, Message
from qtasks.testing import FakeClock

PATIENCE = 10.0


async def test_a_delayed_task_is_seen_though_its_marker_was_lost(valkey: str) -> None:
    clock = FakeClock()
    broker = RedisBroker(valkey, clock=clock)
    await broker.start()
    assert await broker.claim(Claim(("q",), 1, 15.0, "idle")) == []  # it expects nothing now
    await broker.publish([Message("late", "t", "q", b"", delay=5.0)])
    with redis.Redis.from_url(valkey) as client:
        assert client.lpop("qtasks:w:q") == b"2"  # so did a worker that was killed then

    clock.advance(5.0)
    await broker.sweep()

    async with asyncio.timeout(PATIENCE):
        assert await broker.ready(("q",), 1.0)
    await broker.stop()


async def test_a_delayed_task_that_is_not_due_wakes_nobody(valkey: str) -> None:
    clock = FakeClock()
    broker = RedisBroker(valkey, clock=clock)
    await broker.start()
    await broker.publish([Message("late", "t", "q", b"", delay=5.0)])
    with redis.Redis.from_url(valkey) as client:
        client.delete("qtasks:w:q")

        await broker.sweep()

        assert client.exists("qtasks:w:q") == 0
    await broker.stop()


class TwoShards:
    """An engine of two shards: at one the time runs out, while the other has a marker to give."""

    blocking = False

    def __init__(self) -> None:
        self.given = asyncio.Event()

    async def block(self, command: str, name: str, timeout: str) -> tuple[bytes, bytes] | None:
        if name == "empty":
            return None
        await self.given.wait()
        return name.encode(), b"1"


async def test_a_marker_is_not_lost_when_the_time_runs_out_at_another_shard() -> None:
    engine: Any = TwoShards()
    popping = asyncio.ensure_future(pop(engine, {"a": ["empty"], "b": ["full"]}, 1.0))
    for _ in range(10):
        await asyncio.sleep(0)  # until the first shard has answered

    engine.given.set()

    async with asyncio.timeout(PATIENCE):
        assert await popping == b"1"
