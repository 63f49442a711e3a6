"""Plugins are started once, before anybody uses them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from qtasks import QueueTasks
from qtasks._triggers.policy import Policy
from qtasks._triggers.registry import TriggerRegistry
from qtasks.plugins import Plugin, on


async def test_who_comes_second_waits_for_the_first() -> None:
    log: list[str] = []
    inside, go = asyncio.Event(), asyncio.Event()

    class Slow(Plugin):
        async def start(self) -> None:
            inside.set()
            await go.wait()
            log.append("started")

    registry = TriggerRegistry()
    registry.add(Slow())

    async def use(user: str) -> None:
        await registry.start(user, "worker")
        log.append(user)

    first = asyncio.create_task(use("first"))
    await inside.wait()
    second, gone = asyncio.create_task(use("second")), asyncio.create_task(use("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    assert log == []
    go.set()
    await asyncio.gather(first, second)
    assert log[0] == "started"
    assert sorted(log[1:]) == ["first", "second"]


def test_threads_wait_as_well() -> None:
    log: list[str] = []
    inside, go = threading.Event(), threading.Event()

    class Slow(Plugin):
        def start(self) -> None:
            inside.set()
            go.wait(60)
            log.append("started")

        @on("qtasks_add_task_after_broker")
        def added(self) -> None:
            log.append("added")

    app = QueueTasks(broker_url="memory://", plugins=[Slow()])
    threads = [threading.Thread(target=app.add_task, args=("x",)) for _ in range(3)]
    threads[0].start()
    inside.wait(60)
    for thread in threads[1:]:
        thread.start()
    assert log == []
    go.set()
    for thread in threads:
        thread.join()
    assert log == ["started", "added", "added", "added"]
    app.close()


def test_a_start_may_use_the_app() -> None:
    class Greedy(Plugin):
        def start(self) -> None:
            app.add_task("from_start")

        @on("qtasks_add_task_after_broker")
        def added(self, task_name: str) -> None:
            log.append(task_name)

    log: list[str] = []
    app = QueueTasks(broker_url="memory://", plugins=[Greedy()])
    app.add_task("from_outside")
    assert log == ["from_start", "from_outside"]
    assert not app.plugin_errors
    app.close()


async def test_a_failed_start_keeps_nobody() -> None:
    class Broken(Plugin):
        async def start(self) -> None:
            await asyncio.sleep(0)
            raise OSError

    registry = TriggerRegistry(Policy())
    registry.add(Broken())
    users: list[Any] = [object() for _ in range(3)]
    await asyncio.gather(*(registry.start(user, "worker") for user in users))
    assert registry.policy.errors == {("Broken", "start"): 1}
