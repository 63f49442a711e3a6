"""One broker serves several loops, and leaves nothing open when one of them ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING

import redis

from qtasks import QueueTasks
from qtasks.adapters.redis import RedisBroker
from qtasks.adapters.redis.loops import PerLoop
from qtasks.schemas import Claim, Message, Success
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    import pytest

CLAIM = Claim(queues=("q",), limit=10, lease=30.0, worker="w")


def connections(url: str) -> int:
    """Returns how many clients the server has, besides the one that asks."""
    with redis.Redis.from_url(url) as client:
        return len(client.client_list()) - 1


def message(number: int = 1) -> Message:
    return Message(f"00000000-0000-7000-8000-{number:012}", "t", "q", b"")


def test_a_second_loop_goes_on_where_the_first_ended(valkey: str) -> None:
    broker = RedisBroker(valkey)

    async def publish() -> None:
        await broker.start()
        await broker.publish([message()])

    async def claim() -> list[str]:
        return [delivery.id for delivery in await broker.claim(CLAIM)]

    asyncio.run(publish())
    found = asyncio.run(claim())

    assert found == [message().id]


def test_a_loop_takes_its_connections_with_it(valkey: str) -> None:
    broker = RedisBroker(valkey)

    async def use() -> int:
        await broker.start()
        await broker.publish([message()])
        await broker.storage.wait([message().id], 0.01)
        return connections(valkey)

    during = asyncio.run(use())

    assert during > 0
    assert connections(valkey) == 0


def test_loops_in_two_threads_wait_for_one_task(valkey: str) -> None:
    """The end of a task wakes both, though each has its own wait at the server."""
    broker = RedisBroker(valkey)
    waiting = threading.Barrier(3)
    ended: list[str] = []

    async def wait() -> None:
        ready = asyncio.create_task(broker.storage.wait([message().id], 60))
        await asyncio.sleep(0)
        await asyncio.to_thread(waiting.wait, 60)
        ended.extend(await ready)

    async def finish() -> None:
        await asyncio.to_thread(waiting.wait, 60)
        (delivery,) = await broker.claim(CLAIM)
        await broker.settle([settlement(delivery, Success(b"1"))])

    async def begin() -> None:
        await broker.start()
        await broker.publish([message()])

    asyncio.run(begin())
    threads = [threading.Thread(target=asyncio.run, args=[wait()]) for _ in range(2)]
    for thread in threads:
        thread.start()
    asyncio.run(finish())
    for thread in threads:
        thread.join(60)

    assert ended == [message().id] * 2


def test_a_stop_in_one_loop_leaves_nothing_to_the_others(valkey: str) -> None:
    broker = RedisBroker(valkey)

    async def use() -> None:
        await broker.start()
        await broker.publish([message()])

    async def stop() -> None:
        await use()
        await broker.stop()

    with asyncio.Runner() as other:
        other.run(use())
        asyncio.run(stop())
    gc.collect()

    assert connections(valkey) == 0


def test_each_loop_has_its_own_until_it_is_closed() -> None:
    made: list[asyncio.AbstractEventLoop] = []
    ended: list[asyncio.AbstractEventLoop] = []

    def make() -> asyncio.AbstractEventLoop:
        made.append(asyncio.get_running_loop())
        return made[-1]

    async def end(thing: asyncio.AbstractEventLoop) -> None:
        assert thing is asyncio.get_running_loop()
        ended.append(thing)

    things = PerLoop(make, end)

    async def use() -> bool:
        return await things.here() is await things.here() is asyncio.get_running_loop()

    assert asyncio.run(use())
    assert asyncio.run(use())
    assert len(made) == 2
    assert ended == made


def test_an_app_and_its_worker_and_a_plugins_portal_are_three_loops(
    valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    from qtasks.plugins import BasePlugin

    class Listener(BasePlugin):
        async def start(self, **_: object) -> None: ...
        async def stop(self, **_: object) -> None: ...
        async def trigger(self, name: str, **_: object) -> None:
            await asyncio.sleep(0)

    with QueueTasks(broker_url=valkey) as app:
        app.add_plugin(Listener("listener"))
        task = app.task("double")(lambda x: 2 * x)
        handle = task.add_task(21)
        app.run_forever(burst=True)

        assert handle.result(timeout=60) == 42
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert connections(valkey) == 0
