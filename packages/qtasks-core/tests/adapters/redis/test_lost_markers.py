"""Who is woken may die before looking; what is due is run by the others all the same."""

from __future__ import annotations

import asyncio

import redis

from qtasks.adapters.redis import RedisBroker
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
