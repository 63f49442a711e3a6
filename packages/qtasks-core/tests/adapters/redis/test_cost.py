"""What work and rest cost at the server: counted, never timed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.asyncio import QueueTasks
from qtasks.configs import QueueConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from servers.process import Server
    from servers.proxy import Proxy

#: How many times faster than usual the time of the idle worker goes.
HASTE = 50


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def proxy(server: Server, make_proxy: Callable[..., Proxy]) -> Proxy:
    return make_proxy(server)


@pytest.fixture
async def make_app(proxy: Proxy) -> AsyncIterator[Callable[..., QueueTasks]]:
    """Makes apps whose server is behind the proxy."""
    made: list[QueueTasks] = []

    def make(**config: Any) -> QueueTasks:
        made.append(QueueTasks(broker_url=proxy.url, config=QueueConfig(**config)))
        return made[-1]

    yield make
    for app in made:
        await app.close()


def asked(server: Server) -> int:
    """Returns how many commands the server got from clients, without what scripts do."""
    stats = server.execute("INFO", "commandstats")
    names = ("evalsha", "eval", "blpop", "hello", "ping", "script|load")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in names)


@pytest.mark.parametrize("slots", [16, 100])
async def test_a_busy_worker_pays_a_tenth_of_a_round_trip_for_a_task(
    slots: int, make_app: Callable[..., QueueTasks], proxy: Proxy, server: Server
) -> None:
    """Claiming, settling, leases and the end of it all, with stored results."""
    number = 2000
    app = make_app(max_tasks_process=slots)

    @app.task
    async def nothing() -> None: ...

    await app.add_tasks([nothing.build() for _ in range(number)])
    proxy.reset()
    before = asked(server)
    await asyncio.to_thread(app.run_forever, burst=True)
    assert (await app.stats())[0].finished == number
    assert proxy.traffic.round_trips <= number * 0.1
    assert asked(server) - before <= number * 0.1


async def test_adding_costs_one_round_trip(
    make_app: Callable[..., QueueTasks], proxy: Proxy
) -> None:
    """However many tasks one call adds, up to a thousand."""
    app = make_app()

    @app.task
    async def nothing() -> None: ...

    await nothing.add_task()
    for count in (1, 32, 1000):
        proxy.reset()
        await app.add_tasks([nothing.build() for _ in range(count)])
        assert proxy.traffic.round_trips == 1
    proxy.reset()
    await asyncio.gather(*(nothing.add_task() for _ in range(100)))
    assert proxy.traffic.round_trips <= 2


async def test_an_idle_worker_sends_less_than_a_command_a_second(
    make_app: Callable[..., QueueTasks],
    proxy: Proxy,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waiting, renewing, sweeping and reporting together; a slow machine sends even less."""
    monkeypatch.setattr("qtasks._worker.watcher._READY_WAIT", 5.0 / HASTE)
    monkeypatch.setattr("qtasks.adapters.redis.waiting.LONGEST_BLOCK", 5.0 / HASTE)
    app = make_app(lease=15.0 / HASTE)

    @app.task
    async def nothing() -> None: ...

    async with app.worker():
        await (await nothing.add_task()).result(timeout=60)
        while not (await app.workers()):
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        proxy.reset()
        before, start = asked(server), loop.time()
        await asyncio.sleep(2.0)
        seconds = (loop.time() - start) * HASTE
        assert proxy.traffic.round_trips <= seconds
        assert asked(server) - before <= seconds


async def test_who_waits_for_a_result_asks_once_and_is_told(
    server: Server, make_proxy: Callable[..., Proxy], make_app: Callable[..., QueueTasks]
) -> None:
    """A look that leaves a name, and a wait that ends with the result: nobody asks again."""
    app, other = make_app(), make_proxy(server)
    gate = asyncio.Event()

    @app.task
    async def slow() -> int:
        await gate.wait()
        return 1

    async with QueueTasks(broker_url=other.url) as waiter, app.worker():
        for _connected in (False, True):
            gate.clear()
            task = await slow.add_task()
            handle = await waiter.get(task.id)
            assert handle is not None
            other.reset()
            waiting = asyncio.create_task(handle.result(timeout=60))
            while not server.execute("HGET", f"qtasks:t:{task.id}", "wt"):
                await asyncio.sleep(0.01)
            gate.set()
            assert await waiting == 1
        assert other.traffic.round_trips <= 2
